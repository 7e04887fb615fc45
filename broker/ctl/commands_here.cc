// What the tool answers by itself: no node has to run for it.
#include <cstddef>
#include <expected>
#include <optional>
#include <utility>

#include "base/random.h"
#include "broker/auth/password.h"
#include "broker/ctl/commands.h"
#include "broker/message/compatible_version.h"

namespace quorate::ctl::run {
namespace {

using auth::HashingAlgorithm;

/// md5 is read in old definitions and made no more.
std::optional<HashingAlgorithm> algorithm_of(const Arguments& arguments) {
  if (!arguments.contains("hashing-algorithm")) return HashingAlgorithm::sha256;
  const std::string name = text_of(arguments, "hashing-algorithm");
  if (name == "sha256" || name == "sha-256") return HashingAlgorithm::sha256;
  if (name == "sha512" || name == "sha-512") return HashingAlgorithm::sha512;
  return std::nullopt;
}

Outcome mistake(std::string text) {
  return std::unexpected(CommandError{.exit = Exit::dataerr, .text = std::move(text)});
}

/// Of a command that RabbitMQ has had: nothing was done, and scripts should notice.
Outcome obsolete(std::string text) {
  return std::unexpected(CommandError{.exit = Exit::unavailable, .text = std::move(text)});
}

}  // namespace

// --- obsolete (features.md C005, C006) ---

Outcome change_cluster_node_type(const Arguments&) {
  return obsolete("the type of a node cannot be changed: every node keeps on its disk what it has");
}

Outcome force_boot(const Arguments&) {
  return obsolete(
      "a node waits for a majority of its cluster: start other nodes until there is one. If they are lost for good, "
      "force_standalone_khepri_boot lets this one go on alone");
}

Outcome rename_cluster_node(const Arguments&) {
  return obsolete(
      "a node keeps its name: add one with the new name (join_cluster), move what the old one has (grow, shrink), and "
      "take it out (forget_cluster_node)");
}

Outcome update_cluster_nodes(const Arguments&) {
  return obsolete("nothing has to be updated: nodes learn from each other who belongs to the cluster, and where it is");
}

// --- useful ---

Outcome hash_password(const Arguments& arguments) {
  const std::string password = text_of(arguments, "password");
  if (password.empty()) return mistake("password cannot be an empty string");
  const auto algorithm = algorithm_of(arguments);
  if (!algorithm) return mistake("unsupported hashing algorithm: " + text_of(arguments, "hashing-algorithm"));
  Random random = Random::from_system();
  auth::Salt salt;
  for (std::byte& octet : salt) octet = static_cast<std::byte>(random.next());
  const std::string hash = auth::hash_password(password, salt, *algorithm);
  return Answer{.data = boost::json::value(hash), .text = hash};
}

Outcome version(const Arguments&) {
  return Answer{.data = boost::json::object{{"version", kCompatibleVersion}}, .text = std::string(kCompatibleVersion)};
}

}  // namespace quorate::ctl::run
