// The headers exchange: a binding's arguments are the headers it wants to see (features.md E006). The argument x-match
// says whether all of them or any of them; arguments beginning "x-" are otherwise passed over, unless it ends in
// "-with-x". An argument without a value (void) asks only whether the header is there.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory_resource>
#include <vector>

#include "base/persistent_map.h"
#include "broker/exchange/destination_bag.h"
#include "broker/exchange/exchange_type.h"
#include "broker/message/field_cursor.h"

namespace quorate::exchange {

using cluster::BindingKey;
using cluster::Destination;
using cluster::RouteSink;
using cluster::RoutingIndexPtr;
using cluster::RoutingInput;

namespace {

constexpr std::string_view kMatchArgument = "x-match";

struct MatchMode {
  std::string_view name;
  bool any = false;     // one wanted header suffices, and none at all does not
  bool with_x = false;  // names beginning "x-" are wanted like others
};

constexpr std::array<MatchMode, 4> kMatchModes = {{
    {.name = "all"},
    {.name = "any", .any = true},
    {.name = "all-with-x", .with_x = true},
    {.name = "any-with-x", .any = true, .with_x = true},
}};

const MatchMode* find_mode(std::string_view name) {
  const auto* mode = std::ranges::find(kMatchModes, name, &MatchMode::name);
  return mode == kMatchModes.end() ? nullptr : mode;
}

/// The headers of one message. A name that occurs twice means its last value.
using HeaderList = std::pmr::vector<Field>;

const Field* find_header(const HeaderList& headers, std::string_view name) {
  const auto found = std::ranges::find(headers.rbegin(), headers.rend(), name, &Field::name);
  return found == headers.rend() ? nullptr : &*found;
}

/// The arguments of a binding, ready to be compared. Immutable and never moved: `wanted_` borrows from `arguments_`.
class Wish {
 public:
  explicit Wish(std::string arguments) : arguments_(std::move(arguments)) {
    const ByteView table = as_bytes(arguments_);
    const auto named = find_field_value(table, kMatchArgument);
    const MatchMode* mode = named ? find_mode(named->text().value_or("")) : nullptr;
    if (mode == nullptr) mode = &kMatchModes.front();
    any_ = mode->any;
    FieldCursor fields(table);
    for (Field field; fields.next(field);) {
      const bool is_passed_over = mode->with_x ? field.name == kMatchArgument : field.name.starts_with("x-");
      if (!is_passed_over) wanted_.push_back(field);
    }
  }
  Wish(const Wish&) = delete;
  Wish& operator=(const Wish&) = delete;

  bool is_granted_by(const HeaderList& headers) const {
    const auto is_met = [&](const Field& wanted) {
      const Field* header = find_header(headers, wanted.name);
      return header != nullptr && (wanted.value.tag == 'V' || is_exactly_equal(header->value, wanted.value));
    };
    return any_ ? std::ranges::any_of(wanted_, is_met) : std::ranges::all_of(wanted_, is_met);
  }

 private:
  const std::string arguments_;
  bool any_ = false;
  std::vector<Field> wanted_;
};

/// Bindings with equal arguments are compared once.
struct Group {
  std::shared_ptr<const Wish> wish;
  DestinationBag destinations;
};
using Groups = PersistentMap<std::string, Group>;  // by encoded arguments

class HeadersIndex final : public cluster::RoutingIndex {
 public:
  explicit HeadersIndex(Groups groups) : groups_(std::move(groups)) {}

  RoutingIndexPtr bind(const BindingKey& key, Destination destination) const override {
    const Group* present = groups_.find(key.arguments);
    Group group = present != nullptr ? *present : Group{.wish = std::make_shared<Wish>(key.arguments)};
    group.destinations = group.destinations.with(destination);
    return std::make_shared<HeadersIndex>(groups_.with(key.arguments, std::move(group)));
  }

  RoutingIndexPtr unbind(const BindingKey& key, Destination destination) const override {
    const Group* present = groups_.find(key.arguments);
    CHECK(present != nullptr);
    Group group = *present;
    group.destinations = group.destinations.without(destination);
    if (group.destinations.empty()) return std::make_shared<HeadersIndex>(groups_.without(key.arguments));
    return std::make_shared<HeadersIndex>(groups_.with(key.arguments, std::move(group)));
  }

  void route(const RoutingInput& input, RouteSink& sink) const override {
    alignas(std::max_align_t) std::byte memory[2048];
    std::pmr::monotonic_buffer_resource arena(memory, sizeof memory);
    HeaderList headers(&arena);
    headers.reserve(kHeadersExpected);
    FieldCursor fields(input.headers);
    for (Field field; fields.next(field);) headers.push_back(field);
    groups_.for_each([&](const std::string&, const Group& group) {
      if (group.wish->is_granted_by(headers)) group.destinations.add_to(sink);
    });
  }

 private:
  static constexpr std::size_t kHeadersExpected = 32;

  const Groups groups_;
};

}  // namespace

RoutingIndexPtr make_headers() { return std::make_shared<HeadersIndex>(Groups{}); }

BindingVerdict validate_headers_binding(const BindingKey& key) {
  const auto named = find_field_value(as_bytes(key.arguments), kMatchArgument);
  if (!named) return {};
  const auto name = named->text();
  if (!name) {
    return std::unexpected(fmt::format("Invalid x-match field type {} (value {}); expected longstr", type_name(*named),
                                       erlang_term(*named, ErlangFormat::p)));
  }
  if (find_mode(*name) != nullptr) return {};
  return std::unexpected(fmt::format("Invalid x-match field value {}; expected all, any, all-with-x, or any-with-x",
                                     erlang_binary(*name, ErlangFormat::p)));
}

}  // namespace quorate::exchange
