#include "broker/queue/mail_wire.h"

#include <concepts>
#include <limits>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "base/cursor.h"
#include "base/overloaded.h"

namespace quorate::queue {
namespace {

// --- the numbers of the grammar: each stands for ever, whatever becomes of the variants and enums --------------------

constexpr std::uint8_t kFormat = 1;

/// The other commands of a parcel have their kinds of queue_commands.md, where this number is Enqueue's.
constexpr std::uint8_t kPublishKind = 1;
constexpr std::uint8_t kCountKind = 1;
constexpr std::uint8_t kDeleteIfKind = 2;

template <std::uint8_t Number, class T>
struct Kind {
  static consteval std::uint8_t of(std::type_identity<T>) { return Number; }
};
template <class... Kinds>
struct Table : Kinds... {
  using Kinds::of...;
};
/// What is in a SessionMail.
using MailKinds = Table<Kind<1, Delivery>, Kind<2, Taken>, Kind<3, Attached>, Kind<4, Cancelled>, Kind<5, GetOk>,
                        Kind<6, GetEmpty>, Kind<7, Purged>, Kind<8, Counted>, Kind<9, Deleted>, Kind<10, Gone>,
                        Kind<11, Through>, Kind<12, Refused>, Kind<13, Forgotten>, Kind<14, Referred>>;
template <class T>
constexpr std::uint8_t kMailKind = MailKinds::of(std::type_identity<T>());

constexpr std::uint8_t number_of(AttachResult result) {
  switch (result) {
    case AttachResult::attached:
      return 0;
    case AttachResult::in_exclusive_use:
      return 1;
  }
  CHECK(false);
}
constexpr AttachResult kAttachResults[] = {AttachResult::attached, AttachResult::in_exclusive_use};

constexpr std::uint8_t number_of(DeleteOutcome outcome) {
  switch (outcome) {
    case DeleteOutcome::deleted:
      return 0;
    case DeleteOutcome::in_use:
      return 1;
    case DeleteOutcome::not_empty:
      return 2;
  }
  CHECK(false);
}
constexpr DeleteOutcome kDeleteOutcomes[] = {DeleteOutcome::deleted, DeleteOutcome::in_use, DeleteOutcome::not_empty};

constexpr unsigned kPersistentFlag = 1;
constexpr unsigned kPriorityFlag = 2;
constexpr unsigned kTtlFlag = 4;
constexpr unsigned kUnusedFlag = 1;
constexpr unsigned kEmptyFlag = 2;
constexpr unsigned kTrackedFlag = 1;
constexpr unsigned kRedeliveredFlag = 1;
constexpr unsigned kSettledFlag = 2;
constexpr unsigned kCountsFlag = 4;
constexpr unsigned kRefusedFlag = 1;
constexpr unsigned kLeaderFlag = 1;

// --- bounds ----------------------------------------------------------------------------------------------------------

/// The shortest of each: no letter holds more of them than its bytes can be.
constexpr std::size_t kCommandMinBytes = 4;  // a kind and a session
constexpr std::size_t kResumeMinBytes = 2;
constexpr std::size_t kQuestionMinBytes = 2;
/// No session sends as much as this; so the numbers of a parcel's commands never run over.
constexpr std::uint64_t kNumberMax = std::uint64_t{1} << 62;

// --- the alphabet ----------------------------------------------------------------------------------------------------

class LetterWriter : public ByteWriter {
 public:
  explicit LetterWriter(std::vector<std::byte>& out) : ByteWriter(out) { octet(kFormat); }

  void octet(unsigned value) { write(static_cast<std::uint8_t>(value)); }
  void number(std::unsigned_integral auto value) { write_varint(value); }
  template <class Tag, class Int>
  void number(StrongId<Tag, Int> id) {
    write_varint(id.value());
  }
  void number(const SessionId& id) { numbers(id.node, id.epoch, id.serial); }
  void numbers(const auto&... values) { (number(values), ...); }
  void message(const Message& message) {
    CHECK(!message.encoded().empty());
    write_sized(message.encoded().view());
  }
};

class LetterReader : public ByteReader {
 public:
  explicit LetterReader(const Bytes& letter) : ByteReader(letter.view()), letter_(letter) {}

  bool format() {
    std::uint8_t format = 0;
    return read(format) && format == kFormat;
  }
  /// Flags without a meaning are refused: whoever set them meant something.
  bool flags(unsigned known, std::uint8_t& flags) { return read(flags) && (flags & ~known) == 0; }
  /// A number must fit where it goes: cut down it would name something else.
  template <std::unsigned_integral T>
  bool number(T& out) {
    std::uint64_t wide = 0;
    if (!read_varint(wide) || wide > std::numeric_limits<T>::max()) return false;
    out = static_cast<T>(wide);
    return true;
  }
  template <class Tag, class Int>
  bool number(StrongId<Tag, Int>& out) {
    Int value = 0;
    if (!number(value)) return false;
    out = StrongId<Tag, Int>(value);
    return true;
  }
  bool number(SessionId& out) { return numbers(out.node, out.epoch, out.serial); }
  bool numbers(auto&... out) { return (number(out) && ...); }
  /// How many follow, each of at least `min_bytes`.
  bool count(std::size_t min_bytes, std::size_t& out) { return number(out) && out <= remaining() / min_bytes; }
  template <class Enum, std::size_t Size>
  bool one_of(const Enum (&values)[Size], Enum& out) {
    std::uint8_t number = 0;
    if (!read(number)) return false;
    for (const Enum value : values) {
      if (number_of(value) != number) continue;
      out = value;
      return true;
    }
    return false;
  }
  bool message(Message& out) {
    ByteView view;
    if (!read_sized(view)) return false;
    auto message = Message::parse(letter_.slice(letter_.size() - remaining() - view.size(), view.size()));
    if (!message) return false;
    out = std::move(*message);
    return true;
  }

 private:
  const Bytes& letter_;
};

// --- commands and questions ------------------------------------------------------------------------------------------

void put_command(LetterWriter& w, std::vector<std::byte>& out, const QueueMailBody& command) {
  std::visit(Overloaded{
                 [&](const Publish& publish) {
                   w.octet(kPublishKind);
                   w.octet((publish.persistent ? kPersistentFlag : 0) | (publish.has_priority ? kPriorityFlag : 0) |
                           (publish.ttl_ms ? kTtlFlag : 0));
                   w.octet(publish.priority);
                   if (publish.ttl_ms) w.number(*publish.ttl_ms);
                   w.number(publish.seq);
                   w.message(publish.message);
                 },
                 [](const Count&) { CHECK(false); },
                 [](const DeleteIf&) { CHECK(false); },
                 [&](const auto& other) { encode_command(Command(other), out); },
             },
             command);
}

bool get(LetterReader& r, Publish& publish) {
  std::uint8_t flags = 0;
  if (!r.flags(kPersistentFlag | kPriorityFlag | kTtlFlag, flags) || !r.read(publish.priority)) return false;
  if ((flags & kTtlFlag) != 0 && !r.number(publish.ttl_ms.emplace())) return false;
  if (!r.number(publish.seq) || !r.message(publish.message)) return false;
  publish.persistent = (flags & kPersistentFlag) != 0;
  publish.has_priority = (flags & kPriorityFlag) != 0;
  publish.body_size = static_cast<std::uint32_t>(publish.message.body().size());
  return true;
}

template <class T, class Variant>
constexpr bool kIsIn = false;
template <class T, class... Alternatives>
constexpr bool kIsIn<T, std::variant<Alternatives...>> = (std::is_same_v<T, Alternatives> || ...);

bool get_command(LetterReader& r, QueueMailBody& out) {
  if (r.remaining() == 0) return false;
  if (r.rest().front() == std::byte{kPublishKind}) {
    std::uint8_t kind = 0;
    return r.read(kind) && get(r, out.emplace<Publish>());
  }
  Command command;
  if (!decode_command(r, command)) return false;
  return std::visit(
      [&]<class T>(T& one) {
        if constexpr (kIsIn<T, QueueMailBody>) out = std::move(one);
        return kIsIn<T, QueueMailBody>;
      },
      command);
}

void put_question(LetterWriter& w, const Question& question) {
  w.number(question.number);
  if (const auto* condition = std::get_if<DeleteIf>(&question.what)) {
    w.octet(kDeleteIfKind);
    w.octet((condition->unused ? kUnusedFlag : 0) | (condition->empty ? kEmptyFlag : 0));
  } else {
    w.octet(kCountKind);
  }
}

bool get_question(LetterReader& r, Question& out) {
  std::uint8_t kind = 0;
  std::uint8_t flags = 0;
  if (!r.number(out.number) || !r.read(kind)) return false;
  if (kind == kCountKind) {
    out.what = Count{};
    return true;
  }
  if (kind != kDeleteIfKind || !r.flags(kUnusedFlag | kEmptyFlag, flags)) return false;
  out.what = DeleteIf{.unused = (flags & kUnusedFlag) != 0, .empty = (flags & kEmptyFlag) != 0};
  return true;
}

bool get_resume(LetterReader& r, Resume& out) { return r.numbers(out.link, out.received); }

template <class T, class Get>
bool get_list(LetterReader& r, std::size_t min_bytes, std::vector<T>& out, Get get_one) {
  std::size_t count = 0;
  if (!r.count(min_bytes, count)) return false;
  out.resize(count);
  for (T& one : out) {
    if (!get_one(r, one)) return false;
  }
  return true;
}

// --- what a queue says -----------------------------------------------------------------------------------------------

void put_head(LetterWriter& w, const Delivery& d) {
  w.octet((d.redelivered ? kRedeliveredFlag : 0) | (d.settled ? kSettledFlag : 0) | (d.counts ? kCountsFlag : 0));
  w.numbers(d.link, d.id, d.delivery_count, d.acquired_count);
}
bool get_head(LetterReader& r, Delivery& d) {
  std::uint8_t flags = 0;
  if (!r.flags(kRedeliveredFlag | kSettledFlag | kCountsFlag, flags)) return false;
  d.redelivered = (flags & kRedeliveredFlag) != 0;
  d.settled = (flags & kSettledFlag) != 0;
  d.counts = (flags & kCountsFlag) != 0;
  return r.numbers(d.link, d.id, d.delivery_count, d.acquired_count);
}

void put(LetterWriter& w, const Delivery& d) {
  put_head(w, d);
  w.message(d.message);
}
bool get(LetterReader& r, Delivery& d) { return get_head(r, d) && r.message(d.message); }
void put(LetterWriter& w, const Referred& referred) {
  put_head(w, referred.delivery);
  w.numbers(referred.position.packed, referred.term);
}
bool get(LetterReader& r, Referred& referred) {
  return get_head(r, referred.delivery) && r.numbers(referred.position.packed, referred.term);
}
void put(LetterWriter& w, const Taken& t) {
  w.octet(t.refused ? kRefusedFlag : 0);
  w.numbers(t.seq, t.bytes);
}
bool get(LetterReader& r, Taken& t) {
  std::uint8_t flags = 0;
  if (!r.flags(kRefusedFlag, flags)) return false;
  t.refused = (flags & kRefusedFlag) != 0;
  return r.numbers(t.seq, t.bytes);
}
void put(LetterWriter& w, const Attached& a) {
  w.number(a.link);
  w.octet(number_of(a.result));
}
bool get(LetterReader& r, Attached& a) { return r.number(a.link) && r.one_of(kAttachResults, a.result); }
void put(LetterWriter& w, const Cancelled& c) { w.number(c.link); }
bool get(LetterReader& r, Cancelled& c) { return r.number(c.link); }
void put(LetterWriter& w, const GetOk& g) {
  w.number(g.ready_left);
  put(w, g.delivery);
}
bool get(LetterReader& r, GetOk& g) { return r.number(g.ready_left) && get(r, g.delivery); }
void put(LetterWriter&, const GetEmpty&) {}
bool get(LetterReader&, GetEmpty&) { return true; }
void put(LetterWriter& w, const Purged& p) { w.number(p.count); }
bool get(LetterReader& r, Purged& p) { return r.number(p.count); }
void put(LetterWriter& w, const Counted& c) { w.numbers(c.ready, c.consumers); }
bool get(LetterReader& r, Counted& c) { return r.numbers(c.ready, c.consumers); }
void put(LetterWriter& w, const Deleted& d) {
  w.octet(number_of(d.outcome));
  w.number(d.count);
}
bool get(LetterReader& r, Deleted& d) { return r.one_of(kDeleteOutcomes, d.outcome) && r.number(d.count); }
void put(LetterWriter& w, const Gone& g) { w.number(g.link); }
bool get(LetterReader& r, Gone& g) { return r.number(g.link); }
void put(LetterWriter& w, const Through& t) { w.numbers(t.first, t.number); }
bool get(LetterReader& r, Through& t) { return r.numbers(t.first, t.number); }
void put(LetterWriter& w, const Refused& f) { w.number(f.number); }
bool get(LetterReader& r, Refused& f) { return r.number(f.number); }
void put(LetterWriter&, const Forgotten&) {}
bool get(LetterReader&, Forgotten&) { return true; }

template <std::size_t Index = 0>
bool get_what(std::uint8_t kind, LetterReader& r, SessionMailBody& out) {
  if constexpr (Index < std::variant_size_v<SessionMailBody>) {
    if (kind != kMailKind<std::variant_alternative_t<Index, SessionMailBody>>) return get_what<Index + 1>(kind, r, out);
    return get(r, out.emplace<Index>());
  } else {
    return false;
  }
}

// --- letters ---------------------------------------------------------------------------------------------------------

bool get(LetterReader& r, Parcel& p) {
  return r.numbers(p.queue, p.from, p.term, p.first, p.heard) && p.first <= kNumberMax && p.heard <= kNumberMax &&
         get_list(r, kCommandMinBytes, p.commands, &get_command) &&
         get_list(r, kResumeMinBytes, p.resumes, &get_resume) &&
         get_list(r, kQuestionMinBytes, p.questions, &get_question);
}
bool get(LetterReader& r, SessionMail& m) {
  std::uint8_t flags = 0;
  std::uint8_t kind = 0;
  if (!r.numbers(m.to, m.queue, m.answers) || !r.flags(kTrackedFlag, flags) || !r.read(kind)) return false;
  m.tracked = (flags & kTrackedFlag) != 0;
  return get_what(kind, r, m.what);
}
bool get(LetterReader& r, Leadership& l) {
  std::uint8_t flags = 0;
  if (!r.numbers(l.queue, l.term) || !r.flags(kLeaderFlag, flags)) return false;
  return flags == 0 || r.number(l.leader.emplace());
}
bool get(LetterReader& r, WhoLeads& q) { return r.number(q.queue); }

template <class Letter>
bool read_letter(const Bytes& body, Letter& out) {
  out = {};
  LetterReader reader(body);
  return reader.format() && get(reader, out) && reader.done();
}

}  // namespace

void encode(const Parcel& parcel, std::vector<std::byte>& out) {
  LetterWriter w(out);
  w.numbers(parcel.queue, parcel.from, parcel.term, parcel.first, parcel.heard);
  w.number(parcel.commands.size());
  for (const QueueMailBody& command : parcel.commands) put_command(w, out, command);
  w.number(parcel.resumes.size());
  for (const Resume& resume : parcel.resumes) w.numbers(resume.link, resume.received);
  w.number(parcel.questions.size());
  for (const Question& question : parcel.questions) put_question(w, question);
}
bool decode(const Bytes& body, Parcel& out) { return read_letter(body, out); }

void encode(const SessionMail& mail, std::vector<std::byte>& out) {
  LetterWriter w(out);
  w.numbers(mail.to, mail.queue, mail.answers);
  w.octet(mail.tracked ? kTrackedFlag : 0);
  std::visit(
      [&]<class T>(const T& what) {
        w.octet(kMailKind<T>);
        put(w, what);
      },
      mail.what);
}
bool decode(const Bytes& body, SessionMail& out) { return read_letter(body, out); }

void encode(const Leadership& leadership, std::vector<std::byte>& out) {
  LetterWriter w(out);
  w.numbers(leadership.queue, leadership.term);
  w.octet(leadership.leader ? kLeaderFlag : 0);
  if (leadership.leader) w.number(*leadership.leader);
}
bool decode(const Bytes& body, Leadership& out) { return read_letter(body, out); }

void encode(const WhoLeads& question, std::vector<std::byte>& out) { LetterWriter(out).number(question.queue); }
bool decode(const Bytes& body, WhoLeads& out) { return read_letter(body, out); }

}  // namespace quorate::queue
