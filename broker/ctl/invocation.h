// The command line of quoratectl. Pure: words in, a decision out; main.cc acts on it. The options are rabbitmqctl's.
#pragma once
#include <boost/json/object.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/ctl/control.h"
#include "cluster/plane/plane_options.h"
#include "cluster/seed.h"

namespace quorate::ctl {

enum class Format : std::uint8_t { table, pretty_table, json, csv };

struct Invocation {
  const Command* command = nullptr;
  boost::json::object arguments;
  std::vector<std::string> from_terminal;  // arguments that were not given: one line of standard input each
  std::string data_dir;
  std::string node;                     // "" = whatever node has the data directory
  std::optional<cluster::Seed> remote;  // through the listener for other nodes there, not through a data directory
  std::string secret_file;              // of the cluster's secret; for a remote node, as are the certificates
  cluster::PlaneTls tls;
  Format format = Format::table;
  bool quiet = false;   // no banner
  bool silent = false;  // no banner and no line with the columns' names
  std::chrono::milliseconds timeout{60'000};
};

/// Either a command to run, or a text to print before exiting with `exit` (--help, --version, a mistake).
struct InvocationOutcome {
  std::optional<Invocation> run;
  std::string text;  // for standard output if `exit` is ok, else for standard error
  Exit exit = Exit::ok;
};

/// `program` is the name it was called by.
InvocationOutcome parse_invocation(std::span<const Command> commands, const std::string& program,
                                   const std::vector<std::string>& arguments);

}  // namespace quorate::ctl
