// What systemd is told about this process: one datagram to the socket named by NOTIFY_SOCKET (sd_notify(3)); without
// that variable nothing happens.
#pragma once
#include <string_view>

namespace quorate {

void notify_systemd(std::string_view state);

}  // namespace quorate
