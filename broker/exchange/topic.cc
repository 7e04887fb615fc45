// The topic exchange: binding keys are patterns over the words between dots; `*` stands for one word, `#` for any
// number, zero too (features.md E005). A key without any sign has no word; "a." has two, the second one empty.
//
// The patterns form a trie. A key is matched as by an automaton: all nodes reached so far take the next word at once.
// A '#' node, once reached, takes every word and stays, so it is kept apart and reached only once. Each node is
// thereby looked at once per word, however many '#' lie above it; a walk with backtracking would not be bounded.
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <memory_resource>
#include <vector>

#include "base/persistent_map.h"
#include "broker/exchange/destination_bag.h"
#include "broker/exchange/exchange_type.h"

namespace quorate::exchange {

using cluster::BindingKey;
using cluster::Destination;
using cluster::RouteSink;
using cluster::RoutingIndexPtr;
using cluster::RoutingInput;

namespace {

/// The words of a key, one after the other.
class Words {
 public:
  explicit Words(std::string_view key) : rest_(key), done_(key.empty()) {}

  bool next(std::string_view& word) {
    if (done_) return false;
    const std::size_t dot = rest_.find('.');
    word = rest_.substr(0, dot);
    done_ = dot == std::string_view::npos;
    if (!done_) rest_.remove_prefix(dot + 1);
    return true;
  }

 private:
  std::string_view rest_;
  bool done_;
};

struct Node;
using NodePtr = std::shared_ptr<const Node>;

/// Immutable. Invariant: below every node but the root some pattern ends.
struct Node {
  PersistentMap<std::string, NodePtr> words;
  NodePtr star;
  NodePtr hash;
  DestinationBag destinations;  // of the patterns that end here

  bool empty() const { return words.empty() && star == nullptr && hash == nullptr && destinations.empty(); }

  NodePtr child(std::string_view word) const {
    if (word == "*") return star;
    if (word == "#") return hash;
    const NodePtr* found = words.find(word);
    return found != nullptr ? *found : nullptr;
  }
  void set_child(std::string_view word, NodePtr next) {
    if (word == "*") {
      star = std::move(next);
    } else if (word == "#") {
      hash = std::move(next);
    } else {
      words = next != nullptr ? words.with(std::string(word), std::move(next)) : words.without(word);
    }
  }
};

/// Copies the path and shares what hangs beside it. At most 256 words deep: a routing key has at most 255 octets.
NodePtr insert(const Node* node, Words words, Destination destination) {
  auto copy = node != nullptr ? std::make_shared<Node>(*node) : std::make_shared<Node>();
  std::string_view word;
  if (words.next(word)) {
    copy->set_child(word, insert(copy->child(word).get(), words, destination));
  } else {
    copy->destinations = copy->destinations.with(destination);
  }
  return copy;
}

/// Null when nothing is left.
NodePtr erase(const Node& node, Words words, Destination destination) {
  auto copy = std::make_shared<Node>(node);
  std::string_view word;
  if (words.next(word)) {
    const NodePtr child = copy->child(word);
    CHECK(child != nullptr);
    copy->set_child(word, erase(*child, words, destination));
  } else {
    copy->destinations = copy->destinations.without(destination);
  }
  return copy->empty() ? nullptr : copy;
}

/// One routing key on its way through the trie. Lives on the stack; only a trie in which very many patterns match
/// halfway makes it allocate.
class Match {
 public:
  explicit Match(const Node& root) {
    moving_.reserve(kNodesExpected);
    next_.reserve(kNodesExpected);
    resting_.reserve(kNodesExpected);
    arrive({.node = &root}, moving_);
  }

  void take(std::string_view word) {
    next_.clear();
    const std::size_t resting_count = resting_.size();  // those that this word reaches must not take it as well
    for (const Reached& reached : moving_) step(reached, word);
    for (std::size_t i = 0; i < resting_count; ++i) step({.node = resting_[i], .is_below_hash = true}, word);
    std::swap(moving_, next_);
  }

  bool is_hopeless() const { return moving_.empty() && resting_.empty(); }

  void add_to(RouteSink& sink) const {
    for (const Reached& reached : moving_) reached.node->destinations.add_to(sink);
    for (const Node* node : resting_) node->destinations.add_to(sink);
  }

 private:
  static constexpr std::size_t kNodesExpected = 32;

  struct Reached {
    const Node* node = nullptr;
    bool is_below_hash = false;  // may be reached again by a later word
  };
  using ReachedList = std::pmr::vector<Reached>;

  void step(const Reached& from, std::string_view word) {
    const NodePtr* literal = from.node->words.find(word);
    if (literal != nullptr) arrive({.node = literal->get(), .is_below_hash = from.is_below_hash}, next_);
    if (from.node->star != nullptr) {
      arrive({.node = from.node->star.get(), .is_below_hash = from.is_below_hash}, next_);
    }
  }

  /// A '#' below is reached as well, for it may stand for no word; and the '#' below that.
  void arrive(const Reached& at, ReachedList& list) {
    list.push_back(at);
    const Node* hash = at.node->hash.get();
    if (at.is_below_hash && std::ranges::find(resting_, hash) != resting_.end()) return;
    for (; hash != nullptr; hash = hash->hash.get()) resting_.push_back(hash);
  }

  alignas(std::max_align_t) std::byte memory_[2048];
  std::pmr::monotonic_buffer_resource arena_{memory_, sizeof memory_};
  ReachedList moving_{&arena_};                     // Invariant: no node twice, none of them a '#'.
  ReachedList next_{&arena_};                       // the same after the word at hand
  std::pmr::vector<const Node*> resting_{&arena_};  // Invariant: no node twice, each a '#'.
};

class TopicIndex final : public cluster::RoutingIndex {
 public:
  explicit TopicIndex(NodePtr root) : root_(std::move(root)) {}

  RoutingIndexPtr bind(const BindingKey& key, Destination destination) const override {
    return std::make_shared<TopicIndex>(insert(root_.get(), Words(key.routing_key), destination));
  }

  RoutingIndexPtr unbind(const BindingKey& key, Destination destination) const override {
    CHECK(root_ != nullptr);
    return std::make_shared<TopicIndex>(erase(*root_, Words(key.routing_key), destination));
  }

  void route(const RoutingInput& input, RouteSink& sink) const override {
    if (root_ == nullptr) return;
    Match match(*root_);
    Words words(input.routing_key);
    for (std::string_view word; !match.is_hopeless() && words.next(word);) match.take(word);
    match.add_to(sink);
  }

 private:
  const NodePtr root_;  // null when nothing is bound
};

constexpr std::size_t kHashWildcardsMax = 2;

}  // namespace

RoutingIndexPtr make_topic() { return std::make_shared<TopicIndex>(nullptr); }

BindingVerdict validate_topic_binding(const BindingKey& key) {
  std::size_t hashes = 0;
  Words words(key.routing_key);
  for (std::string_view word; words.next(word);) hashes += word == "#" ? 1 : 0;
  if (hashes <= kHashWildcardsMax) return {};
  return std::unexpected(fmt::format("Topic binding key '{}' uses {} '#' wildcards, at most {} are allowed",
                                     key.routing_key, hashes, kHashWildcardsMax));
}

}  // namespace quorate::exchange
