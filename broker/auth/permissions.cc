#include "broker/auth/permissions.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace quorate::auth {

namespace {

constexpr std::string_view kDefaultExchange = "amq.default";

// RabbitMQ's own limit of steps; ordinary expressions take a few dozen.
constexpr std::uint32_t kMatchStepsMax = 50'000;
constexpr std::uint32_t kMatchMemoryMaxKibibytes = 4096;

struct MatchContextDeleter {
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};
struct MatchDataDeleter {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

std::string compile_error_text(int code, std::size_t offset) {
  std::array<PCRE2_UCHAR, 128> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return fmt::format("{} at offset {}", reinterpret_cast<const char*>(text.data()), offset);
}

std::string_view checked_name(const Resource& resource) {
  const bool is_default = resource.kind == ResourceKind::exchange && resource.name.empty();
  return is_default ? kDefaultExchange : resource.name;
}

/// Puts in what stands for itself in an expression, inside a character class too.
void append_escaped(std::string& pattern, std::string_view value) {
  for (const char c : value) {
    if (std::string_view("\\^$.|?*+()[]{}-").find(c) != std::string_view::npos) pattern += '\\';
    pattern += c;
  }
}

/// One pass, so that a value which looks like a variable is not replaced in its turn.
std::string expand(std::string_view pattern, const TopicVariables& variables) {
  struct Variable {
    std::string_view name;
    std::string_view value;
  };
  const std::array<Variable, 3> known = {
      {{"{vhost}", variables.vhost}, {"{username}", variables.username}, {"{client_id}", variables.client_id}}};
  std::string expanded;
  while (!pattern.empty()) {
    const auto starts_here = [&](const Variable& variable) {
      const bool is_known = variable.name != "{client_id}" || !variable.value.empty();
      return is_known && pattern.starts_with(variable.name);
    };
    const auto* variable = std::ranges::find_if(known, starts_here);
    if (variable != known.end()) {
      append_escaped(expanded, variable->value);
      pattern.remove_prefix(variable->name.size());
    } else {
      expanded += pattern.front();
      pattern.remove_prefix(1);
    }
  }
  return expanded;
}

}  // namespace

std::string_view name_of(Permission permission) {
  switch (permission) {
    case Permission::configure:
      return "configure";
    case Permission::write:
      return "write";
    case Permission::read:
      return "read";
  }
  std::unreachable();
}

std::string describe(const Resource& resource) {
  return fmt::format("{} '{}' in vhost '{}'", resource.kind == ResourceKind::queue ? "queue" : "exchange",
                     resource.name, resource.vhost);
}

Result<PermissionPattern> PermissionPattern::compile(std::string_view pattern) {
  if (pattern.size() > kPatternMaxBytes) {
    return failure(ErrorCode::invalid_argument,
                   fmt::format("pattern of {} bytes is longer than {}", pattern.size(), kPatternMaxBytes));
  }
  return compile_any_length(pattern);
}

Result<PermissionPattern> PermissionPattern::compile_any_length(std::string_view pattern) {
  PermissionPattern compiled;
  if (pattern.empty()) return compiled;
  int error = 0;
  std::size_t offset = 0;
  // Octets, not characters, as RabbitMQ compiles them: names need not be UTF-8.
  pcre2_code* code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), 0, &error, &offset, nullptr);
  if (code == nullptr) return failure(ErrorCode::invalid_argument, compile_error_text(error, offset));
  compiled.code_ = std::shared_ptr<const void>(
      code, [](const void* owned) { pcre2_code_free(static_cast<pcre2_code*>(const_cast<void*>(owned))); });
  compiled.text_ = pattern;
  return compiled;
}

bool PermissionPattern::matches(std::string_view name) const {
  if (code_ == nullptr) return name.empty();
  const std::unique_ptr<pcre2_match_context, MatchContextDeleter> context(pcre2_match_context_create(nullptr));
  const std::unique_ptr<pcre2_match_data, MatchDataDeleter> data(pcre2_match_data_create(1, nullptr));
  if (context == nullptr || data == nullptr) return false;
  pcre2_set_match_limit(context.get(), kMatchStepsMax);
  pcre2_set_depth_limit(context.get(), kMatchStepsMax);
  pcre2_set_heap_limit(context.get(), kMatchMemoryMaxKibibytes);
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(name.data());
  // Zero says that there were more groups than we asked for: a match. Below zero: none, or a limit was hit.
  return pcre2_match(static_cast<const pcre2_code*>(code_.get()), subject, name.size(), 0, 0, data.get(),
                     context.get()) >= 0;
}

Result<Permissions> Permissions::compile(std::string_view configure, std::string_view write, std::string_view read) {
  auto configure_pattern = PermissionPattern::compile(configure);
  if (!configure_pattern) return std::unexpected(configure_pattern.error());
  auto write_pattern = PermissionPattern::compile(write);
  if (!write_pattern) return std::unexpected(write_pattern.error());
  auto read_pattern = PermissionPattern::compile(read);
  if (!read_pattern) return std::unexpected(read_pattern.error());
  return Permissions{std::move(*configure_pattern), std::move(*write_pattern), std::move(*read_pattern)};
}

bool Permissions::allow(Permission permission, const Resource& resource) const {
  switch (permission) {
    case Permission::configure:
      return configure.matches(checked_name(resource));
    case Permission::write:
      return write.matches(checked_name(resource));
    case Permission::read:
      return read.matches(checked_name(resource));
  }
  std::unreachable();
}

Result<TopicPermissions> TopicPermissions::compile(std::string_view write, std::string_view read,
                                                   const TopicVariables& variables) {
  // The bound on length is for what an operator writes, not for what the variables make of it.
  auto write_pattern = PermissionPattern::compile_any_length(expand(write, variables));
  if (!write_pattern) return std::unexpected(write_pattern.error());
  auto read_pattern = PermissionPattern::compile_any_length(expand(read, variables));
  if (!read_pattern) return std::unexpected(read_pattern.error());
  return TopicPermissions{std::move(*write_pattern), std::move(*read_pattern)};
}

bool TopicPermissions::allow(Permission permission, std::string_view routing_key) const {
  CHECK(permission != Permission::configure);
  return (permission == Permission::write ? write : read).matches(routing_key);
}

std::string refusal(Permission permission, const Resource& resource, std::string_view user) {
  const Resource named{.kind = resource.kind, .vhost = resource.vhost, .name = checked_name(resource)};
  return fmt::format("{} access to {} refused for user '{}'", name_of(permission), describe(named), user);
}

std::string topic_refusal(Permission permission, std::string_view routing_key, std::string_view exchange,
                          std::string_view vhost, std::string_view user) {
  return fmt::format("{} access to topic '{}' in exchange '{}' in vhost '{}' refused for user '{}'",
                     name_of(permission), routing_key, exchange, vhost, user);
}

bool PermissionCache::contains(Permission permission, const Resource& resource) const {
  const auto is_this = [&](const Grant& grant) {
    return grant.permission == permission && grant.kind == resource.kind && grant.name == resource.name &&
           grant.vhost == resource.vhost;
  };
  return std::any_of(grants_.begin(), grants_.begin() + static_cast<std::ptrdiff_t>(size_), is_this);
}

void PermissionCache::remember(Permission permission, const Resource& resource) {
  Grant& grant = grants_[next_];
  grant.permission = permission;
  grant.kind = resource.kind;
  grant.vhost = resource.vhost;
  grant.name = resource.name;
  next_ = (next_ + 1) % kEntriesMax;
  size_ = std::min(size_ + 1, kEntriesMax);
}

void PermissionCache::clear() {
  size_ = 0;
  next_ = 0;
}

}  // namespace quorate::auth
