#include "broker/ctl/descriptions.h"

#include <algorithm>
#include <array>

namespace quorate::ctl {
namespace {

struct Description {
  std::string_view word;
  std::string_view text;
  std::string_view command = "";  // "" = any
};

/// Rows of a command before the row for any.
constexpr Description kDescriptions[] = {
    {"apply-to", "all, queues, classic_queues, quorum_queues, streams or exchanges"},
    {"classic", "Durable classic queues as well"},
    {"cluster_name", "New name of the cluster"},
    {"column", "What to show, in this order; see below"},
    {"configure", "Regular expression: names that the user may declare and delete"},
    {"connection", "Its name, as list_connections shows it as pid"},
    {"count", "How many nodes of the cluster must answer"},
    {"definition", R"(What is asked for, as JSON: {"max-length":1000})"},
    {"default-queue-type", "Of queues declared without a type: classic, quorum or undefined"},
    {"description", "What it is for"},
    {"disc", "Accepted: every node keeps what it has on disk"},
    {"errors-only", "Only queues that were refused"},
    {"feature_flag", "Its name, or all"},
    {"force", "Without asking it, whether anybody answers for it or not", "delete_queue"},
    {"force", "Also when queues lose their majority by it", "forget_cluster_node"},
    {"force", "Whatever only this node has is lost"},
    {"hashing-algorithm", "sha256 or sha512"},
    {"if-empty", "Only when no message in it is ready"},
    {"if-unused", "Only when it has no consumers"},
    {"local", "Only queues that this node leads"},
    {"membership", "promotable or voter: it votes once it has what the others have"},
    {"name", "Its old name, its new name, and so on"},
    {"offline", "Accepted: a node that is taken out never runs", "forget_cluster_node"},
    {"offline", "Only queues that nobody serves"},
    {"online", "Only queues that are served"},
    {"password", "Read from standard input when it is left out"},
    {"pattern", "Regular expression: names that it is about"},
    {"policy", "Name of the policy"},
    {"port", "TCP port"},
    {"priority", "Of policies that are about the same name the highest holds; 0 unless given"},
    {"protocol", "As listeners shows it, or another name that RabbitMQ knows: amqp, amqps, http, clustering"},
    {"queue", "Name of the queue"},
    {"queue-pattern", "Regular expression: only queues of such names"},
    {"read", "Regular expression: names that the user may consume from"},
    {"reason", "What the client is told"},
    {"relaxed-checks-on-redeclaration", "true: queues may be declared again with other arguments"},
    {"strategy", "all, or even: only queues with an even number of members"},
    {"tag", "administrator, monitoring, management …; none takes all away"},
    {"tags", "Words with commas between them"},
    {"target", "A node of the cluster to join: NAME@HOST, HOST:PORT or NAME@HOST:PORT", "join_cluster"},
    {"target", "Name of a node of the cluster"},
    {"type", "disc or ram", "change_cluster_node_type"},
    {"type", "all, quorum, classic or stream: only quorum queues have leaders to move", "rebalance"},
    {"type", "classic or quorum"},
    {"username", "Name of the user"},
    {"vhost-pattern", "Regular expression: only queues in virtual hosts of such names"},
    {"vhost_name", "Name of the virtual host"},
    {"write", "Regular expression: names that the user may publish to"},
};

constexpr std::array<std::string_view, 2> kHidden = {"ticket", "within"};

}  // namespace

std::string_view describe_word(std::string_view command, std::string_view word) {
  const auto* found = std::ranges::find_if(kDescriptions, [&](const Description& row) {
    return row.word == word && (row.command.empty() || row.command == command);
  });
  return found != std::end(kDescriptions) ? found->text : "";
}

bool is_hidden(std::string_view option) { return std::ranges::find(kHidden, option) != kHidden.end(); }

}  // namespace quorate::ctl
