#include "tests/script/transcript.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <optional>
#include <sstream>
#include <utility>

#include "base/check.h"
#include "broker/amqp/field_text.h"
#include "broker/amqp/frame.h"
#include "broker/amqp/method_codec.h"
#include "broker/amqp/properties.h"
#include "broker/amqp/table_codec.h"
#include "broker/policy/policy.h"
#include "tests/script/placeholders.h"

namespace quorate::script {
namespace {

/// Where a line of input goes: `[connection][/channel]`.
struct Place {
  std::string connection;
  std::optional<ChannelId> channel;

  static Place parse(std::string_view text) {
    const std::size_t slash = text.find('/');
    Place place{.connection = std::string(text.substr(0, slash)), .channel = std::nullopt};
    if (slash == std::string_view::npos) return place;
    std::uint16_t number = 0;
    std::from_chars(text.data() + slash + 1, text.data() + text.size(), number);
    place.channel = ChannelId(number);
    return place;
  }
};

/// A verb and what follows it on the line: `connection bob vhost=x`.
struct Words {
  std::string verb;
  std::string rest;
  static Words split(const std::string& text) {
    const std::size_t blank = text.find(' ');
    if (blank == std::string::npos) return {.verb = text, .rest = {}};
    return {.verb = text.substr(0, blank), .rest = text.substr(text.find_first_not_of(' ', blank))};
  }
};

cluster::QueueType queue_type_of(std::string_view text) {
  return text == "quorum" ? cluster::QueueType::quorum : cluster::QueueType::classic;
}

/// A number as the type of the option says.
template <class T>
void assign(T& option, const std::string& text) {
  if constexpr (std::is_same_v<T, bool>) {
    option = text == "true";
  } else {
    std::from_chars(text.data(), text.data() + text.size(), option);
  }
}

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> items;
  std::istringstream in(text);
  for (std::string item; std::getline(in, item, ',');) items.push_back(item);
  return items;
}

Duration parse_duration(const std::string& text) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  CHECK(error == std::errc{});
  const bool is_ms = std::string_view(end) == "ms";
  return is_ms ? Duration(std::chrono::milliseconds(count)) : Duration(std::chrono::seconds(count));
}

/// `"text with \x00"` or hexadecimal digits with blanks between them.
std::string parse_octets(const std::string& text) {
  if (text.starts_with('"')) {
    const auto value = amqp::parse_value(text);
    CHECK(value.has_value());
    return *value->get_if<std::string>();
  }
  std::string digits = text;
  std::erase(digits, ' ');
  std::string octets;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    octets.push_back(static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  }
  return octets;
}

/// One case: its clients, in a broker that is empty at first.
class Case {
 public:
  Case(World& world, Delivery delivery) : world_(world), delivery_(delivery) {}
  ~Case() {
    disconnect_all();
    world_.clear();
  }

  std::vector<std::string> play(const std::vector<std::string>& input) {
    for (const std::string& line : input) {
      if (line.starts_with('#')) continue;
      carry_out(names_.reveal(line));
      hide_names();
    }
    together_ = false;
    world_.settle();
    hide_names();
    return std::exchange(lines_, {});
  }

 private:
  using Arguments = std::vector<amqp::Assignment>;
  struct Verb {
    std::string_view name;
    void (Case::*play)(const std::string& rest);
  };
  static const std::array<Verb, 21> kVerbs;

  void carry_out(const std::string& line) {
    const std::size_t arrow = line.find("> ");
    if (arrow != std::string::npos && line.find(' ') > arrow) {
      send_method(Place::parse(std::string_view(line).substr(0, arrow)), line.substr(arrow + 2));
      if (!together_) world_.settle();
      return;
    }
    const Words words = Words::split(line);
    const auto* verb = std::ranges::find(kVerbs, words.verb, &Verb::name);
    if (verb == kVerbs.end()) return complain("'" + words.verb + "' is no verb");
    (this->*verb->play)(words.rest);
    if (!together_) world_.settle();
  }

  void hide_names() {
    for (std::string& line : lines_) line = names_.hide(line);
  }

  void complain(const std::string& about) { lines_.push_back("! " + about); }

  Client* find(const std::string& name) {
    const auto at = clients_.find(name);
    if (at != clients_.end()) return at->second.get();
    complain("there is no connection '" + name + "'");
    return nullptr;
  }

  /// name=value words, after an optional first word without "=".
  Arguments arguments_of(std::string rest, std::string* first = nullptr) {
    if (first != nullptr) {
      const Words words = Words::split(rest);
      if (words.verb.find('=') == std::string::npos) {
        *first = words.verb;
        rest = words.rest;
      }
    }
    auto arguments = amqp::split_assignments(rest);
    if (!arguments) {
      complain(arguments.error());
      return {};
    }
    return *arguments;
  }

  static std::string value_of(const Arguments& arguments, std::string_view name, std::string otherwise) {
    const auto at = std::ranges::find(arguments, name, &amqp::Assignment::name);
    return at != arguments.end() ? at->value : std::move(otherwise);
  }

  // --- connections and channels ---

  /// Opens a socket; nothing is sent yet.
  Client& open_socket(const std::string& name, const Arguments& arguments) {
    amqp::Peer peer{.name = "10.0.0.1:40000 -> 10.0.0.2:5672", .is_loopback = true};
    for (const auto& [key, value, quoted] : arguments) {
      if (key == "loopback") assign(peer.is_loopback, value);
      if (key == "tls") assign(peer.is_tls, value);
      if (key == "certificate") peer.certificate_name = value;
    }
    clients_.erase(name);
    auto client = std::make_unique<Client>(world_, name, options_, std::move(peer), delivery_, lines_);
    return *(clients_[name] = std::move(client));
  }

  void socket(const std::string& rest) {
    std::string name;
    const Arguments arguments = arguments_of(rest, &name);
    open_socket(name, arguments);
  }

  /// The whole handshake; its answers are printed only if it fails.
  void connection(const std::string& rest) {
    std::string name;
    const Arguments arguments = arguments_of(rest, &name);
    const std::size_t before = lines_.size();
    Client& client = open_socket(name, arguments);
    shake_hands(client, arguments);
    if (client.session().state() == amqp::Session::State::running) lines_.resize(before);
    const auto failed = std::ranges::subrange(lines_.begin() + static_cast<std::ptrdiff_t>(before), lines_.end());
    const auto expected = std::ranges::remove_if(failed, [](const std::string& line) {
      return line.find("< connection.start ") != std::string::npos ||
             line.find("< connection.tune ") != std::string::npos;
    });
    lines_.erase(expected.begin(), expected.end());
  }

  void shake_hands(Client& client, const Arguments& arguments) {
    const auto value = [&](std::string_view key, std::string otherwise) {
      return value_of(arguments, key, std::move(otherwise));
    };
    const auto number = [&](std::string_view key, std::uint32_t otherwise) {
      return static_cast<std::uint32_t>(std::stoul(value(key, std::to_string(otherwise))));
    };
    const auto send = [&](const amqp::Method& method) {
      client.method(ChannelId(0), method);
      world_.settle();
    };
    const std::string user = value("user", "guest");
    const std::string mechanism = value("mechanism", "PLAIN");
    const std::string response = value("response", '\0' + user + '\0' + value("password", user));
    const auto properties = amqp::parse_table(value(
        "properties",
        "{capabilities={authentication_failure_close=true,connection.blocked=true,consumer_cancel_notify=true}}"));
    CHECK(properties.has_value());
    client.send(as_bytes(std::string("AMQP\0\0\x09\x01", 8)));
    world_.settle();
    const std::vector<std::byte> table = amqp::encode_table(*properties);
    send(amqp::ConnectionStartOk{
        .client_properties = table, .mechanism = mechanism, .response = response, .locale = "en_US"});
    const amqp::ConnectionTuneOk tune{
        .channel_max = static_cast<std::uint16_t>(number("channel_max", client.options().channel_max)),
        .frame_max = number("frame_max", client.options().frame_max_bytes),
        .heartbeat = static_cast<std::uint16_t>(number("heartbeat", 0))};
    client.set_frame_max(tune.frame_max);
    send(tune);
    const std::string vhost = value("vhost", "/");
    send(amqp::ConnectionOpen{.virtual_host = vhost});
  }

  /// `channel [connection][/number]`, on a new connection if there is none of that name.
  void channel(const std::string& rest) {
    const Place place = Place::parse(rest);
    if (!clients_.contains(place.connection)) connection(place.connection);
    Client* client = find(place.connection);
    const std::size_t before = lines_.size();
    client->method(place.channel.value_or(ChannelId(1)), amqp::ChannelOpen{});
    world_.settle();
    const bool is_open = lines_.size() == before + 1 && lines_.back().ends_with("< channel.open-ok");
    if (is_open) lines_.resize(before);
  }

  void disconnect(const std::string& rest) {
    if (Client* client = find(rest)) client->disconnect();
  }

  // --- what a client sends ---

  void send_method(const Place& place, const std::string& text) {
    Client* client = find(place.connection);
    if (client == nullptr) return;
    const auto parsed = amqp::parse_method(text);
    if (!parsed) return complain(parsed.error());
    const amqp::Method method = parsed->method();
    const bool is_connection = text.starts_with("connection.");
    const ChannelId channel = place.channel.value_or(ChannelId(is_connection ? 0 : 1));
    auto properties = amqp::parse_properties(parsed->others);
    if (!properties) return complain(properties.error());
    std::string body;
    bool has_content = std::holds_alternative<amqp::BasicPublish>(method);
    for (const auto& [name, value, quoted] : properties->others) {
      if (name == "body") {
        body = value;
      } else if (name == "body_size") {
        body.assign(std::stoul(value), 'x');
      } else if (name == "content" && value == "none") {
        has_content = false;
      } else {
        return complain("'" + name + "' is neither a field nor a property");
      }
    }
    client->method(channel, method);
    if (has_content) client->content(channel, properties->properties, body);
  }

  /// `bytes octets`
  void bytes(const std::string& rest) {
    if (Client* client = find("")) client->send(as_bytes(parse_octets(rest)));
  }

  /// `frame type channel octets`: a whole frame with that payload.
  void frame(const std::string& rest) {
    const Words type = Words::split(rest);
    const Words channel = Words::split(type.rest);
    const std::string payload = channel.rest.empty() ? "" : parse_octets(channel.rest);
    std::vector<std::byte> frame;
    amqp::append_frame_header(frame, static_cast<amqp::FrameType>(std::stoi(type.verb)),
                              ChannelId(static_cast<std::uint16_t>(std::stoi(channel.verb))),
                              static_cast<std::uint32_t>(payload.size()));
    const ByteView view = as_bytes(payload);
    frame.insert(frame.end(), view.begin(), view.end());
    frame.push_back(amqp::kFrameEnd);
    if (Client* client = find("")) client->send(frame);
  }

  /// The rest of the block goes in one piece.
  void together(const std::string&) { together_ = true; }

  // --- the world around ---

  void options(const std::string& rest) {
    for (const auto& [key, value, quoted] : arguments_of(rest)) {
      if (key == "channel_max") {
        assign(options_.channel_max, value);
      } else if (key == "channel_max_per_node") {
        assign(options_.channel_max_per_node, value);
      } else if (key == "max_connections") {
        assign(options_.connection_max, value);
      } else if (key == "frame_max") {
        assign(options_.frame_max_bytes, value);
      } else if (key == "heartbeat") {
        assign(options_.heartbeat_seconds, value);
      } else if (key == "max_message_size") {
        assign(options_.message_size_max_bytes, value);
      } else if (key == "consumer_max_per_channel") {
        assign(options_.consumer_max_per_channel, value);
      } else if (key == "consumer_timeout") {
        options_.consumer_timeout = parse_duration(value);
      } else if (key == "default_queue_type") {
        options_.default_queue_type = queue_type_of(value);
      } else if (key == "relaxed_redeclaration") {
        options_.relaxed_redeclaration = value == "true";
      } else if (key == "mechanisms") {
        options_.auth_mechanisms = split_list(value);
      } else if (key == "anonymous") {
        options_.anonymous_user = value;
        options_.anonymous_password = value;
      } else if (key == "loopback_users") {
        options_.loopback_users = split_list(value);
      } else {
        complain("'" + key + "' is no option");
      }
    }
  }

  void user(const std::string& rest) {
    std::string name;
    const Arguments arguments = arguments_of(rest, &name);
    world_.put_user(name, value_of(arguments, "password", name), split_list(value_of(arguments, "tags", "")));
  }

  /// For all cases that follow: a cluster keeps its name.
  void cluster_name(const std::string& rest) { world_.submit(cluster::SetClusterName{.name = rest}); }
  void delete_user(const std::string& name) { world_.submit(cluster::DeleteUser{.name = name}); }
  void delete_vhost(const std::string& name) { world_.submit(cluster::DeleteVhost{.name = name}); }

  void permissions(const std::string& rest) {
    std::string user;
    const Arguments arguments = arguments_of(rest, &user);
    world_.submit(cluster::SetPermissions{.user = user,
                                          .vhost = value_of(arguments, "vhost", "/"),
                                          .patterns = {.configure = value_of(arguments, "configure", ""),
                                                       .write = value_of(arguments, "write", ""),
                                                       .read = value_of(arguments, "read", "")}});
  }

  void vhost(const std::string& rest) {
    std::string name;
    const Arguments arguments = arguments_of(rest, &name);
    cluster::VhostMetadata metadata{.relaxed_redeclaration = value_of(arguments, "relaxed", "") == "true"};
    const std::string type = value_of(arguments, "default_queue_type", "");
    if (!type.empty()) metadata.default_queue_type = queue_type_of(type);
    world_.submit(cluster::PutVhost{.name = name, .metadata = metadata});
    world_.submit(cluster::SetVhostMetadata{.name = name, .metadata = metadata});
  }

  void policy(const std::string& rest) {
    cluster::Policy policy;
    const Arguments arguments = arguments_of(rest, &policy.name);
    policy.vhost = value_of(arguments, "vhost", "/");
    policy.pattern = value_of(arguments, "pattern", ".*");
    policy.is_operators = value_of(arguments, "operators", "") == "true";
    policy.apply_to = policy::parse_scope(value_of(arguments, "apply-to", "all")).value();
    policy.priority = std::stoi(value_of(arguments, "priority", "0"));
    const auto definition = amqp::parse_value(value_of(arguments, "definition", ""));
    const Table* terms = definition ? definition->get_if<Table>() : nullptr;
    if (terms == nullptr) {
      world_.submit(
          cluster::ClearPolicy{.vhost = policy.vhost, .name = policy.name, .is_operators = policy.is_operators});
      return;
    }
    for (const auto& [key, value] : terms->fields) {
      cluster::PolicyTerm& term = policy.definition.emplace_back(cluster::PolicyTerm{.key = key, .value = {}});
      std::int64_t number = 0;
      if (value.integer(number)) term.value = number;
      if (const auto* text = value.get_if<std::string>()) term.value = *text;
    }
    if (auto sound = policy::check(policy); !sound) return complain(sound.error());
    world_.submit(cluster::SetPolicy{.policy = std::move(policy)});
    world_.settle();
  }

  /// Time passes, and every deadline on the way is kept.
  void advance(const std::string& rest) {
    const Instant target = world_.now() + parse_duration(rest);
    for (;;) {
      std::optional<Instant> next;
      for (const auto& [name, client] : clients_) {
        const auto deadline = client->session().next_deadline();
        if (deadline && *deadline <= target && (!next || *deadline < *next)) next = deadline;
      }
      if (!next) break;
      world_.advance(std::max(Duration::zero(), *next - world_.now()));
      for (auto& [name, client] : clients_) client->on_deadline();
      world_.settle();
    }
    world_.advance(target - world_.now());
  }

  void alarm(const std::string& rest) {
    for (auto& [name, client] : clients_) client->block(rest);
  }
  void shutdown(const std::string& rest) {
    for (auto& [name, client] : clients_) client->shut_down(rest);
  }

  void restart(const std::string&) {
    disconnect_all();
    world_.restart();
  }

  void disconnect_all() {
    for (auto& [name, client] : clients_) client->disconnect();
    world_.settle();
    clients_.clear();
  }

  void heartbeat(const std::string& rest) {
    std::vector<std::byte> bytes;
    amqp::append_heartbeat_frame(bytes);
    if (Client* client = find(rest)) client->send(bytes);
  }

  /// `header 0 0 9 1`
  void header(const std::string& rest) {
    std::string octets = "AMQP";
    std::istringstream in(rest);
    for (int number = 0; in >> number;) octets.push_back(static_cast<char>(number));
    if (Client* client = find("")) client->send(as_bytes(octets));
  }

  World& world_;
  const Delivery delivery_;
  amqp::SessionOptions options_{.node_name = "quorate@test"};
  std::vector<std::string> lines_;
  std::map<std::string, std::unique_ptr<Client>> clients_;
  Placeholders names_;
  bool together_ = false;
};

const std::array<Case::Verb, 21> Case::kVerbs = {{
    {"advance", &Case::advance},
    {"alarm", &Case::alarm},
    {"bytes", &Case::bytes},
    {"channel", &Case::channel},
    {"cluster_name", &Case::cluster_name},
    {"connection", &Case::connection},
    {"delete_user", &Case::delete_user},
    {"delete_vhost", &Case::delete_vhost},
    {"disconnect", &Case::disconnect},
    {"frame", &Case::frame},
    {"header", &Case::header},
    {"heartbeat", &Case::heartbeat},
    {"options", &Case::options},
    {"permissions", &Case::permissions},
    {"policy", &Case::policy},
    {"restart", &Case::restart},
    {"shutdown", &Case::shutdown},
    {"socket", &Case::socket},
    {"together", &Case::together},
    {"user", &Case::user},
    {"vhost", &Case::vhost},
}};

}  // namespace

std::vector<Block> play(std::vector<Block> blocks, Delivery delivery) {
  World world;
  std::unique_ptr<Case> played;
  for (Block& block : blocks) {
    if (block.input.empty()) continue;
    if (!played || block.begins_case()) {
      played.reset();
      played = std::make_unique<Case>(world, delivery);
    }
    block.output = played->play(block.input);
  }
  return blocks;
}

}  // namespace quorate::script
