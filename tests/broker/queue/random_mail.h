// Compares and fills the structs of mail field by field, so that a field added to one of them is compared and filled
// too, and nobody has to remember it. Enums and what has rules of its own are filled by hand.
#pragma once
#include <boost/pfr.hpp>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/random.h"
#include "tests/broker/queue/every_mail.h"

namespace quorate::queue {

template <class T>
bool same(const T& a, const T& b);
template <class T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!same(a[i], b[i])) return false;
  }
  return true;
}
template <class... Ts>
bool same(const std::variant<Ts...>& a, const std::variant<Ts...>& b) {
  return a.index() == b.index() && std::visit([&]<class T>(const T& one) { return same(one, std::get<T>(b)); }, a);
}
template <class T>
bool same(const T& a, const T& b) {
  if constexpr (std::is_empty_v<T>) {
    return true;
  } else if constexpr (requires { a == b; }) {
    return a == b;
  } else {
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      return (same(boost::pfr::get<I>(a), boost::pfr::get<I>(b)) && ...);
    }(std::make_index_sequence<boost::pfr::tuple_size_v<T>>());
  }
}

/// Equal seeds fill alike.
class RandomMail {
 public:
  explicit RandomMail(std::uint64_t seed) : random_(seed) {}

  Parcel parcel() {
    Parcel out;
    fill(out.queue);
    fill(out.from);
    fill(out.term);
    out.first = number() >> 2;
    out.heard = number() >> 2;
    fill(out.resumes);
    for (std::uint64_t count = below(8); count > 0; --count) {
      QueueMailBody body;
      fill(body);
      add(std::move(body), number(), out);
    }
    return out;
  }
  template <class T>
  T any() {
    T out;
    fill(out);
    return out;
  }
  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }

 private:
  /// As often short as long, and at times all of its bits.
  std::uint64_t number() { return below(16) == 0 ? kMost : random_.next() >> below(64); }

  void fill(bool& out) { out = below(2) == 1; }
  template <std::integral T>
  void fill(T& out) {
    out = static_cast<T>(number());
  }
  template <class Tag, class Int>
  void fill(StrongId<Tag, Int>& out) {
    out = StrongId<Tag, Int>(static_cast<Int>(number()));
  }
  void fill(Gone& out) { fill(out.link); }  // the rest of it stays on its shard
  void fill(ReturnReason& out) { out = static_cast<ReturnReason>(below(4)); }
  void fill(AttachResult& out) { out = below(2) == 0 ? AttachResult::attached : AttachResult::in_exclusive_use; }
  void fill(DeleteOutcome& out) {
    constexpr DeleteOutcome kOutcomes[] = {DeleteOutcome::deleted, DeleteOutcome::in_use, DeleteOutcome::not_empty};
    out = kOutcomes[below(3)];
  }
  void fill(cluster::TopologyPtr&) {}  // it does not travel
  void fill(Message& out) {
    const std::string letters(below(300), 'x');
    const auto some = [&] { return std::string_view(letters).substr(0, below(letters.size() + 1)); };
    out = make_message(some().substr(0, 255), some().substr(0, 255), as_bytes(some()), as_bytes(some()));
  }
  void fill(ConsumerKey& out) {
    fill(out.session);
    out.link = 1 + static_cast<std::uint32_t>(below(UINT32_MAX));  // link 0 attaches nobody
  }
  void fill(IdRange& out) {
    out.first = number();
    out.last = std::max(out.first, number());
  }
  void fill(Referred& out) {
    fields(out);
    out.delivery.message = {};
  }
  void fill(Publish& out) {
    fields(out);
    out.body_size = static_cast<std::uint32_t>(out.message.body().size());
  }
  template <class T>
  void fill(std::optional<T>& out) {
    if (below(2) == 0) fill(out.emplace());
  }
  template <class T>
  void fill(std::vector<T>& out) {
    out.resize(below(4));
    for (T& one : out) fill(one);
  }
  template <class... Ts>
  void fill(std::variant<Ts...>& out) {
    std::size_t at = below(sizeof...(Ts));
    ((at-- == 0 ? fill(out.template emplace<Ts>()) : void()), ...);
  }
  template <class T>
    requires std::is_aggregate_v<T>
  void fill(T& out) {
    fields(out);
  }
  template <class T>
  void fields(T& out) {
    if constexpr (!std::is_empty_v<T>) boost::pfr::for_each_field(out, [&](auto& field) { fill(field); });
  }

  Random random_;
};

}  // namespace quorate::queue
