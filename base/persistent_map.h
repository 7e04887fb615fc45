// An immutable map that shares what two versions have in common (a hash array mapped trie, Bagwell 2001).
// The metadata machine derives a new version per command in O(log n) and hands it to every shard; a reader needs no
// lock because no node changes once its version is shown. Iteration follows the hash, the same for equal contents on
// every node and run.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/check.h"

namespace quorate {

/// FNV-1a with a final mix: fixed for ever, because the order of iteration follows from it.
inline std::uint64_t stable_hash(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  hash ^= hash >> 32;
  hash *= 0xd6e8feb86659fd93;
  return hash ^ (hash >> 32);
}
inline std::uint64_t stable_hash(std::uint64_t value) {
  value = (value ^ (value >> 32)) * 0xd6e8feb86659fd93;
  return value ^ (value >> 32);
}

template <class Key, class Value>
class PersistentMap {
 public:
  /// Null when absent; lives as long as this version of the map.
  template <class Lookup>
  const Value* find(const Lookup& key) const {
    const std::uint64_t hash = stable_hash(key);
    const Node* node = root_.get();
    for (unsigned shift = 0; node != nullptr; shift += kBits) {
      if (shift >= kHashBits) {
        for (const Leaf& leaf : node->leaves) {
          if (leaf->first == key) return &leaf->second;
        }
        return nullptr;
      }
      const std::uint32_t bit = 1u << ((hash >> shift) & kMask);
      if ((node->leaf_bits & bit) != 0) {
        const Leaf& leaf = node->leaves[index_of(node->leaf_bits, bit)];
        return leaf->first == key ? &leaf->second : nullptr;
      }
      if ((node->child_bits & bit) == 0) return nullptr;
      node = node->children[index_of(node->child_bits, bit)].get();
    }
    return nullptr;
  }

  /// `edit`: whoever makes many changes and shows nobody what lies between passes a number of its own, never used
  /// before, and then nodes that were made under this number are changed in place: this map is spent, and only the one
  /// that comes back is good for anything. 0: this map stays as it is.
  PersistentMap with(Key key, Value value, std::uint64_t edit = 0) const {
    const std::uint64_t hash = stable_hash(key);
    bool added = false;
    auto leaf = std::make_shared<const std::pair<Key, Value>>(std::move(key), std::move(value));
    PersistentMap next;
    next.root_ = insert(root_, std::move(leaf), {.hash = hash, .edit = edit}, 0, added);
    next.size_ = size_ + (added ? 1 : 0);
    return next;
  }

  template <class Lookup>
  PersistentMap without(const Lookup& key) const {
    if (find(key) == nullptr) return *this;
    PersistentMap next;
    next.root_ = erase(*root_, key, stable_hash(key), 0);
    next.size_ = size_ - 1;
    return next;
  }

  /// Calls `visit(key, value)` for each entry.
  template <class Visit>
  void for_each(Visit&& visit) const {
    if (root_ != nullptr) walk(*root_, visit);
  }

  /// Nothing was changed between the two; equal contents that came about apart are not the same.
  bool is_same(const PersistentMap& other) const { return root_ == other.root_; }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  static constexpr unsigned kBits = 5;
  static constexpr unsigned kHashBits = 60;  // below this depth keys with one hash share a list
  static constexpr std::uint64_t kMask = (1u << kBits) - 1;

  struct Node;
  using Child = std::shared_ptr<const Node>;
  using Leaf = std::shared_ptr<const std::pair<Key, Value>>;
  struct Node {
    std::uint32_t leaf_bits = 0;   // Invariant: leaf_bits and child_bits are disjoint,
    std::uint32_t child_bits = 0;  // and their counts are the lengths of the two vectors (but for the deepest lists).
    std::vector<Leaf> leaves;
    std::vector<Child> children;
    std::uint64_t edit = 0;  // under which it was made
  };
  struct Insertion {
    std::uint64_t hash = 0;
    std::uint64_t edit = 0;
  };

  static std::size_t index_of(std::uint32_t bits, std::uint32_t bit) {
    return static_cast<std::size_t>(std::popcount(bits & (bit - 1)));
  }

  /// The node itself if it may be changed, or a copy with room for a leaf more.
  static std::shared_ptr<Node> editable(const Child& node, std::uint64_t edit) {
    if (edit != 0 && node != nullptr && node->edit == edit) return std::const_pointer_cast<Node>(node);
    auto copy = std::make_shared<Node>();
    copy->edit = edit;
    if (node == nullptr) return copy;
    copy->leaf_bits = node->leaf_bits;
    copy->child_bits = node->child_bits;
    copy->leaves.reserve(node->leaves.size() + 1);
    copy->leaves.assign(node->leaves.begin(), node->leaves.end());
    copy->children = node->children;
    return copy;
  }

  static Child insert(const Child& node, Leaf leaf, const Insertion& how, unsigned shift, bool& added) {
    std::shared_ptr<Node> next = editable(node, how.edit);
    if (shift >= kHashBits) {
      for (Leaf& present : next->leaves) {
        if (present->first != leaf->first) continue;
        present = std::move(leaf);
        return next;
      }
      next->leaves.push_back(std::move(leaf));
      added = true;
      return next;
    }
    const std::uint32_t bit = 1u << ((how.hash >> shift) & kMask);
    if ((next->child_bits & bit) != 0) {
      Child& child = next->children[index_of(next->child_bits, bit)];
      child = insert(child, std::move(leaf), how, shift + kBits, added);
      return next;
    }
    const std::size_t at = index_of(next->leaf_bits, bit);
    if ((next->leaf_bits & bit) == 0) {
      next->leaf_bits |= bit;
      next->leaves.insert(next->leaves.begin() + static_cast<std::ptrdiff_t>(at), std::move(leaf));
      added = true;
      return next;
    }
    if (next->leaves[at]->first == leaf->first) {
      next->leaves[at] = std::move(leaf);
      return next;
    }
    // Two keys in one place: both move one level down.
    Leaf moved = next->leaves[at];
    next->leaves.erase(next->leaves.begin() + static_cast<std::ptrdiff_t>(at));
    next->leaf_bits &= ~bit;
    bool moved_added = false;
    const Insertion how_moved{.hash = stable_hash(moved->first), .edit = how.edit};
    Child child = insert(nullptr, std::move(moved), how_moved, shift + kBits, moved_added);
    child = insert(child, std::move(leaf), how, shift + kBits, added);
    const std::size_t slot = index_of(next->child_bits, bit);
    next->child_bits |= bit;
    next->children.insert(next->children.begin() + static_cast<std::ptrdiff_t>(slot), std::move(child));
    return next;
  }

  /// The key is present. An emptied child disappears; a child left with one leaf folds into its parent, so that equal
  /// contents always have one shape.
  template <class Lookup>
  static Child erase(const Node& node, const Lookup& key, std::uint64_t hash, unsigned shift) {
    auto next = std::make_shared<Node>(node);
    next->edit = 0;
    if (shift >= kHashBits) {
      std::erase_if(next->leaves, [&](const Leaf& leaf) { return leaf->first == key; });
      return next->leaves.empty() ? nullptr : next;
    }
    const std::uint32_t bit = 1u << ((hash >> shift) & kMask);
    if ((next->leaf_bits & bit) != 0) {
      next->leaves.erase(next->leaves.begin() + static_cast<std::ptrdiff_t>(index_of(next->leaf_bits, bit)));
      next->leaf_bits &= ~bit;
    } else {
      CHECK((next->child_bits & bit) != 0);
      const std::size_t slot = index_of(next->child_bits, bit);
      Child child = erase(*next->children[slot], key, hash, shift + kBits);
      if (child != nullptr && child->children.empty() && child->leaves.size() == 1) {
        const std::size_t at = index_of(next->leaf_bits, bit);
        next->leaves.insert(next->leaves.begin() + static_cast<std::ptrdiff_t>(at), child->leaves.front());
        next->leaf_bits |= bit;
        child = nullptr;
      }
      if (child != nullptr) {
        next->children[slot] = std::move(child);
      } else {
        next->children.erase(next->children.begin() + static_cast<std::ptrdiff_t>(slot));
        next->child_bits &= ~bit;
      }
    }
    return next->leaves.empty() && next->children.empty() ? nullptr : next;
  }

  template <class Visit>
  static void walk(const Node& node, Visit& visit) {
    for (const Leaf& leaf : node.leaves) visit(leaf->first, leaf->second);
    for (const Child& child : node.children) walk(*child, visit);
  }

  Child root_;
  std::size_t size_ = 0;
};

}  // namespace quorate
