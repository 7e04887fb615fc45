// How answers look: rabbitmqctl's banners, tables with tabs, JSON, CSV and drawn tables (management.md §3.2). Pure.
#pragma once
#include <boost/json/array.hpp>
#include <string>
#include <string_view>

#include "broker/ctl/control.h"
#include "broker/ctl/invocation.h"

namespace quorate::ctl {

/// The lines before the answer; programs that read JSON or CSV get none.
std::string render_banner(const Invocation& invocation, std::string_view node);

std::string render_answer(const Invocation& invocation, std::string_view node, const Answer& answer);

/// For standard error, or in JSON for standard output.
std::string render_error(const Invocation& invocation, const CommandError& error);

/// One value in a cell: arguments as [{"x-max-length",10}], lists as [a, b], null as nothing.
std::string render_cell(const boost::json::value& value);

}  // namespace quorate::ctl
