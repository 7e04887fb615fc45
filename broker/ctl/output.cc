#include "broker/ctl/output.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <vector>

namespace quorate::ctl {
namespace {

namespace json = boost::json;

bool is_for_programs(Format format) { return format == Format::json || format == Format::csv; }

std::string replace_names(std::string_view text, const json::object& arguments, std::string_view node) {
  std::string replaced;
  while (!text.empty()) {
    const auto open = text.find('{');
    const auto close = text.find('}', std::min(open, text.size()));
    if (close == std::string_view::npos) break;
    const std::string_view name = text.substr(open + 1, close - open - 1);
    replaced += text.substr(0, open);
    const json::value* value = arguments.if_contains(name);
    if (name == "node") {
      replaced += node;
    } else if (value != nullptr && value->is_array()) {
      const std::string items = render_cell(*value);
      replaced += items.substr(1, items.size() - 2);
    } else if (value != nullptr) {
      replaced += render_cell(*value);
    }
    text.remove_prefix(close + 1);
  }
  return replaced.append(text);
}

/// A tab or a line's end inside a cell would begin another one.
std::string escape_cell(const std::string& cell) {
  std::string escaped;
  for (const char c : cell) {
    switch (c) {
      case '\t':
        escaped += "\\t";
        break;
      case '\n':
        escaped += "\\n";
        break;
      case '\r':
        escaped += "\\r";
        break;
      default:
        escaped.push_back(c);
    }
  }
  return escaped;
}

std::string quote_csv(const std::string& cell) {
  if (cell.find_first_of(",\"\r\n") == std::string::npos) return cell;
  std::string quoted = "\"";
  for (const char c : cell) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + "\"";
}

using Row = std::vector<std::string>;

/// The names of the columns, then the rows; empty when there are no rows.
std::vector<Row> cells_of(const json::array& rows) {
  std::vector<Row> cells;
  if (rows.empty()) return cells;
  Row& names = cells.emplace_back();
  for (const auto& [name, value] : rows.front().as_object()) names.emplace_back(name);
  for (const json::value& row : rows) {
    Row& line = cells.emplace_back();
    for (const auto& [name, value] : row.as_object()) line.push_back(render_cell(value));
  }
  return cells;
}

std::string join(const Row& row, char separator, std::string (*write)(const std::string&)) {
  std::string line;
  for (const std::string& cell : row) line += (&cell == &row.front() ? "" : std::string(1, separator)) + write(cell);
  return line + "\n";
}

/// Columns that a terminal shows: continuation octets of UTF-8 take none.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string draw(const std::vector<Row>& cells) {
  if (cells.empty()) return {};
  std::vector<std::size_t> widths(cells.front().size());
  for (const Row& row : cells) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(escape_cell(row[i])));
  }
  const auto rule = [&](std::string_view left, std::string_view middle, std::string_view right) {
    std::string line(left);
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (i > 0) line += middle;
      for (std::size_t n = 0; n < widths[i] + 2; ++n) line += "─";
    }
    return line.append(right) + "\n";
  };
  std::string drawn = rule("┌", "┬", "┐");
  for (const Row& row : cells) {
    if (&row != &cells.front()) drawn += rule("├", "┼", "┤");
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string cell = escape_cell(row[i]);
      drawn += fmt::format("│ {}{} ", cell, std::string(widths[i] - width(cell), ' '));
    }
    drawn += "│\n";
  }
  return drawn + rule("└", "┴", "┘");
}

std::string render_rows(const Invocation& invocation, const json::array& rows) {
  std::vector<Row> cells = cells_of(rows);
  if (invocation.format == Format::pretty_table) return draw(cells);
  const bool is_csv = invocation.format == Format::csv;
  std::string text;
  for (const Row& row : cells) {
    if (&row == &cells.front() && invocation.silent) continue;
    text += is_csv ? join(row, ',', &quote_csv) : join(row, '\t', &escape_cell);
  }
  return text;
}

std::string as_line(std::string text) {
  if (!text.empty() && !text.ends_with('\n')) text.push_back('\n');
  return text;
}

}  // namespace

std::string render_cell(const json::value& value) {
  if (value.is_null()) return {};
  if (value.is_string()) return std::string(value.get_string());
  std::string text;
  if (const json::array* items = value.if_array(); items != nullptr) {
    for (const json::value& item : *items) text += (text.empty() ? "" : ", ") + render_cell(item);
    return "[" + text + "]";
  }
  if (const json::object* fields = value.if_object(); fields != nullptr) {
    for (const auto& [name, field] : *fields) {
      text += fmt::format("{}{{\"{}\",{}}}", text.empty() ? "" : ",", std::string_view(name),
                          field.is_object() ? render_cell(field) : json::serialize(field));
    }
    return "[" + text + "]";
  }
  return json::serialize(value);
}

std::string render_banner(const Invocation& invocation, std::string_view node) {
  if (invocation.quiet || invocation.silent || is_for_programs(invocation.format)) return {};
  std::string banner;
  if (invocation.command->is_list() && invocation.timeout < kForever) {
    banner = fmt::format("Timeout: {:.1f} seconds ...\n", static_cast<double>(invocation.timeout.count()) / 1000);
  }
  return banner + as_line(replace_names(invocation.command->banner, invocation.arguments, node));
}

std::string render_answer(const Invocation& invocation, std::string_view node, const Answer& answer) {
  if (invocation.format == Format::json) {
    const bool has_data = !answer.data.is_null();
    json::object otherwise{{"status", "ok"}, {"node", node}};
    if (!answer.text.empty()) otherwise["message"] = answer.text;
    return json::serialize(has_data ? answer.data : json::value(std::move(otherwise))) + "\n";
  }
  const bool has_own_table = !invocation.command->is_list() && invocation.format == Format::table;
  if (const json::array* rows = answer.data.if_array(); rows != nullptr && !has_own_table) {
    return render_rows(invocation, *rows);
  }
  return as_line(answer.text);
}

std::string render_error(const Invocation& invocation, const CommandError& error) {
  if (invocation.format == Format::json) {
    const json::object object{{"result", "error"}, {"error", static_cast<int>(error.exit)}, {"message", error.text}};
    return json::serialize(object) + "\n";
  }
  const bool is_usage = error.exit == Exit::usage;
  return (is_usage ? "Error (argument validation): " : "Error:\n") + as_line(error.text);
}

}  // namespace quorate::ctl
