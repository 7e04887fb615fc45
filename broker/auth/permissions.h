// Who may do what to which name: three regular expressions per user and vhost, and two more per topic exchange
// (features.md A006, A008). Values without a users table: the session looks up the rows and asks here.
// The library behind the patterns is PCRE2, docs/decisions/0004-pcre2.md.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace quorate::auth {

enum class Permission : std::uint8_t { configure, write, read };
std::string_view name_of(Permission permission);

enum class ResourceKind : std::uint8_t { queue, exchange };

/// Borrowed for the call.
struct Resource {
  ResourceKind kind = ResourceKind::queue;
  std::string_view vhost;
  std::string_view name;
};

/// "queue 'q' in vhost '/'", RabbitMQ's way to name a thing in an error text.
std::string describe(const Resource& resource);

/// One compiled expression. It is searched, not anchored; "" matches only the empty name. Copies share the code,
/// which is immutable and may be used from any shard.
class PermissionPattern {
 public:
  /// Matches only the empty name.
  PermissionPattern() = default;
  /// Refuses what does not compile, and more than kPatternMaxBytes.
  static Result<PermissionPattern> compile(std::string_view pattern);
  /// A search that would take too long is no match: a hostile expression refuses its own user and harms nobody.
  bool matches(std::string_view name) const;
  const std::string& text() const { return text_; }

  static constexpr std::size_t kPatternMaxBytes = 1024;

 private:
  friend struct TopicPermissions;
  static Result<PermissionPattern> compile_any_length(std::string_view pattern);

  std::string text_;
  std::shared_ptr<const void> code_;  // pcre2_code; null for the pattern ""
};

struct Permissions {
  PermissionPattern configure;
  PermissionPattern write;
  PermissionPattern read;

  static Result<Permissions> compile(std::string_view configure, std::string_view write, std::string_view read);
  /// The default exchange "" is asked for as amq.default.
  bool allow(Permission permission, const Resource& resource) const;
};

/// What {vhost}, {username} and {client_id} stand for in a topic permission. An unknown client_id stays as written.
struct TopicVariables {
  std::string_view vhost;
  std::string_view username;
  std::string_view client_id;
};

/// Of one user on one topic exchange, compiled for one connection. A user without such a row may use every key.
struct TopicPermissions {
  PermissionPattern write;  // the routing keys of a publication, each of them
  PermissionPattern read;   // the routing key of a binding

  /// The variables' values are put in as plain text, whatever signs they contain.
  static Result<TopicPermissions> compile(std::string_view write, std::string_view read,
                                          const TopicVariables& variables);
  bool allow(Permission permission, std::string_view routing_key) const;
};

/// Texts that follow "ACCESS_REFUSED - ".
std::string refusal(Permission permission, const Resource& resource, std::string_view user);
std::string topic_refusal(Permission permission, std::string_view routing_key, std::string_view exchange,
                          std::string_view vhost, std::string_view user);

/// The last 12 grants of a channel (features.md P068), so that a publisher does not run an expression per message.
/// Refusals are not kept: they close the channel. Cleared whenever permissions may have changed.
class PermissionCache {
 public:
  bool contains(Permission permission, const Resource& resource) const;
  void remember(Permission permission, const Resource& resource);
  void clear();

  static constexpr std::size_t kEntriesMax = 12;

 private:
  struct Grant {
    Permission permission = Permission::configure;
    ResourceKind kind = ResourceKind::queue;
    std::string vhost;
    std::string name;
  };
  std::array<Grant, kEntriesMax> grants_;
  std::size_t size_ = 0;  // Invariant: grants_[0, size_) are valid, size_ <= kEntriesMax.
  std::size_t next_ = 0;  // the oldest once all are taken: overwritten next
};

}  // namespace quorate::auth
