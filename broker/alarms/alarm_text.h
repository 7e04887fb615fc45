// The lines in which the log tells an operator about an alarm: what, how much, the limit, the node, what it does to
// clients and what ends it. They begin with RabbitMQ's words (features.md O033), which monitoring looks for.
#pragma once
#include <cstdint>
#include <string>

#include "broker/alarms/alarms.h"

namespace quorate::alarms {

/// "812.4 MiB"
std::string print_bytes(std::uint64_t bytes);

/// `alarms` as it is after the change; `data_dir` is named where its volume is full.
std::string describe(const Change& change, const Alarms& alarms, const std::string& data_dir);

/// The limits in effect, and the whole that a relative one is a share of; `memory_source` says where that comes from.
std::string describe_limits(const Alarms& alarms, const std::string& memory_source);

}  // namespace quorate::alarms
