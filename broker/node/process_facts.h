// What the operating system knows about this process, for those who watch the node. Each call asks anew; what cannot be
// read is 0.
#pragma once
#include <cstddef>
#include <cstdint>

#include "broker/http/broker_view.h"
#include "broker/node/config.h"

namespace quorate {

struct OpenFiles {
  std::uint64_t all = 0;
  std::uint64_t sockets = 0;
};

OpenFiles open_files();
std::uint64_t open_files_max();
std::uint64_t resident_memory_bytes();
std::uint64_t process_id();
/// At least 1. A process may be bound to some of the machine's cores.
std::size_t usable_cores();

/// This node as its process alone shows it.
http::NodeRow describe_process(const Config& config);

}  // namespace quorate
