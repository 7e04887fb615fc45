// Users, virtual hosts and permissions.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <expected>
#include <sstream>
#include <utility>

#include "broker/auth/password.h"
#include "broker/auth/permissions.h"
#include "broker/ctl/commands.h"

namespace quorate::ctl::run {
namespace {

constexpr std::string_view kDefaultQueueType = "default-queue-type";
constexpr std::string_view kRelaxedChecks = "relaxed-checks-on-redeclaration";

const cluster::User* find_user(const BrokerView& view, const std::string& name) {
  return view.topology()->users.find(name);
}

void fail_no_user(Done& done, const std::string& name) {
  fail(done, Exit::nouser, fmt::format("User \"{}\" does not exist", name));
}

void fail_no_vhost(Done& done, const std::string& name) {
  fail(done, Exit::dataerr, fmt::format("Virtual host '{}' does not exist", name));
}

std::string hash(BrokerView& view, const std::string& password) {
  auth::Salt salt;
  for (std::byte& octet : salt) octet = static_cast<std::byte>(view.random());
  return auth::hash_password(password, salt);
}

/// `metadata` with what the options say instead; the text is what is wrong with them.
std::expected<void, std::string> change(cluster::VhostMetadata& metadata, const Arguments& options) {
  if (options.contains("description")) metadata.description = text_of(options, "description");
  if (options.contains("tags")) {
    metadata.tags.clear();
    std::istringstream tags(text_of(options, "tags"));
    for (std::string tag; std::getline(tags, tag, ',');) {
      if (!tag.empty()) metadata.tags.push_back(tag);
    }
  }
  if (options.contains(kDefaultQueueType)) {
    const std::string type = text_of(options, kDefaultQueueType);
    if (type == "classic") {
      metadata.default_queue_type = cluster::QueueType::classic;
    } else if (type == "quorum") {
      metadata.default_queue_type = cluster::QueueType::quorum;
    } else if (type == "undefined") {
      metadata.default_queue_type.reset();
    } else {
      return std::unexpected("Unsupported default queue type");
    }
  }
  if (options.contains(kRelaxedChecks)) {
    const std::string said = text_of(options, kRelaxedChecks);
    if (said != "true" && said != "false") {
      return std::unexpected(fmt::format("--{} must be true or false", kRelaxedChecks));
    }
    metadata.relaxed_redeclaration = said == "true";
  }
  return {};
}

}  // namespace

void add_user(BrokerView& view, const Arguments& arguments, Done done) {
  const std::string name = text_of(arguments, "username");
  const std::string password = text_of(arguments, "password");
  if (name.empty()) return fail(done, Exit::dataerr, "user cannot be empty string");
  if (password.empty()) return fail(done, Exit::dataerr, "password cannot be empty");
  if (find_user(view, name) != nullptr) {
    return fail(done, Exit::software, fmt::format("User \"{}\" already exists", name));
  }
  submit(view, cluster::PutUser{.name = name, .password_hash = hash(view, password), .tags = {}},
         "Done. Don't forget to grant the user permissions to some virtual hosts! See 'quoratectl set_permissions "
         "--help'.",
         std::move(done));
}

void change_password(BrokerView& view, const Arguments& arguments, Done done) {
  const std::string name = text_of(arguments, "username");
  const std::string password = text_of(arguments, "password");
  const cluster::User* user = find_user(view, name);
  if (user == nullptr) return fail_no_user(done, name);
  if (password.empty()) return fail(done, Exit::dataerr, "password cannot be empty");
  submit(view, cluster::PutUser{.name = name, .password_hash = hash(view, password), .tags = user->tags}, "",
         std::move(done));
}

void authenticate_user(BrokerView& view, const Arguments& arguments, Done done) {
  const std::string name = text_of(arguments, "username");
  const cluster::User* user = find_user(view, name);
  const std::string_view expected = user != nullptr ? user->password_hash : auth::kNobodysHash;
  const bool is_right = auth::verify_password(text_of(arguments, "password"), expected);
  if (user != nullptr && is_right) return done(Answer{.data = nullptr, .text = "Success"});
  fail(done, Exit::dataerr, fmt::format("failed to authenticate user \"{}\"", name));
}

void delete_user(BrokerView& view, const Arguments& arguments, Done done) {
  const std::string name = text_of(arguments, "username");
  if (find_user(view, name) == nullptr) return fail_no_user(done, name);
  submit(view, cluster::DeleteUser{.name = name}, "", std::move(done));
}

void set_user_tags(BrokerView& view, const Arguments& arguments, Done done) {
  const std::string name = text_of(arguments, "username");
  const cluster::User* user = find_user(view, name);
  if (user == nullptr) return fail_no_user(done, name);
  cluster::PutUser command{.name = name, .password_hash = user->password_hash, .tags = {}};
  if (const auto* tags = arguments.if_contains("tag"); tags != nullptr) {
    for (const auto& tag : tags->as_array()) command.tags.emplace_back(tag.as_string());
  }
  submit(view, std::move(command), "", std::move(done));
}

/// One that is there stays as it is, and that is no error: scripts add it each time.
void add_vhost(BrokerView& view, const Arguments& arguments, Done done) {
  const std::string name = text_of(arguments, "vhost_name");
  cluster::VhostMetadata metadata;
  if (auto changed = change(metadata, arguments); !changed) return fail(done, Exit::usage, changed.error());
  if (view.topology()->find_vhost(name) != nullptr) return answer_nothing(done);
  submit(view, cluster::PutVhost{.name = name, .metadata = std::move(metadata)}, "", std::move(done));
}

void update_vhost_metadata(BrokerView& view, const Arguments& arguments, Done done) {
  const std::string name = text_of(arguments, "vhost_name");
  const cluster::Vhost* vhost = view.topology()->find_vhost(name);
  if (vhost == nullptr) return fail_no_vhost(done, name);
  cluster::VhostMetadata metadata = vhost->metadata;
  if (auto changed = change(metadata, arguments); !changed) return fail(done, Exit::usage, changed.error());
  submit(view, cluster::SetVhostMetadata{.name = name, .metadata = std::move(metadata)}, "", std::move(done));
}

void delete_vhost(BrokerView& view, const Arguments& arguments, Done done) {
  const std::string name = text_of(arguments, "vhost_name");
  if (view.topology()->find_vhost(name) == nullptr) return fail_no_vhost(done, name);
  submit(view, cluster::DeleteVhost{.name = name}, "", std::move(done));
}

void set_permissions(BrokerView& view, const Arguments& arguments, Done done) {
  const std::string user = text_of(arguments, "username");
  const std::string vhost = text_of(arguments, "vhost");
  if (find_user(view, user) == nullptr) return fail_no_user(done, user);
  if (view.topology()->find_vhost(vhost) == nullptr) return fail_no_vhost(done, vhost);
  const cluster::PermissionPatterns patterns{.configure = text_of(arguments, "configure"),
                                             .write = text_of(arguments, "write"),
                                             .read = text_of(arguments, "read")};
  const auto compiled = auth::Permissions::compile(patterns.configure, patterns.write, patterns.read);
  if (!compiled) return fail(done, Exit::dataerr, compiled.error().text);
  submit(view, cluster::SetPermissions{.user = user, .vhost = vhost, .patterns = patterns}, "", std::move(done));
}

void clear_permissions(BrokerView& view, const Arguments& arguments, Done done) {
  const std::string user = text_of(arguments, "username");
  const std::string vhost = text_of(arguments, "vhost");
  if (find_user(view, user) == nullptr) return fail_no_user(done, user);
  if (view.topology()->find_vhost(vhost) == nullptr) return fail_no_vhost(done, vhost);
  submit(view, cluster::ClearPermissions{.user = user, .vhost = vhost}, "", std::move(done));
}

}  // namespace quorate::ctl::run
