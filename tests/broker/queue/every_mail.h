// One example of everything that travels between a session and a queue, with every field set, in the order of the
// variants: what tests of the format go through. A new alternative has to get its row here.
#pragma once
#include <array>
#include <cstdint>
#include <limits>

#include "broker/queue/mail.h"
#include "tests/broker/queue/examples.h"

namespace quorate::queue {

inline Message example_message() {
  return make_message("logs", "eu.warn", as_bytes("\x10\x00\x02"), as_bytes("hello"));
}

inline auto every_queue_mail_body() {
  auto rows = std::to_array<QueueMailBody>({
      Publish{.message = example_message(),
              .body_size = 5,
              .persistent = true,
              .priority = 9,
              .ttl_ms = 60'000,
              .seq = PublishSeq(300)},
      Settle{.consumer = kExampleConsumer, .ids = {{.first = 1, .last = 1}, {.first = 300, .last = kMost}}},
      Credit{.consumer = kExampleConsumer, .bytes = 524'288},
      kExampleAttach,
      Cancel{.consumer = kExampleConsumer},
      Return{.consumer = kExampleConsumer, .reason = ReturnReason::unseen, .ids = {{.first = 2, .last = 7}}},
      Discard{.consumer = kExampleConsumer, .ids = {{.first = 8, .last = 8}}},
      Get{.session = kExampleSession, .no_ack = true},
      Purge{.session = kExampleSession},
      Down{.session = kExampleSession},
      Count{},
      DeleteIf{.unused = true, .empty = true},
  });
  static_assert(std::tuple_size_v<decltype(rows)> == std::variant_size_v<QueueMailBody>, "one has no row");
  return rows;
}

/// To the commands or, under `number`, to the questions.
inline void add(QueueMailBody body, std::uint64_t number, Parcel& parcel) {
  if (const auto* count = std::get_if<Count>(&body)) {
    parcel.questions.push_back({.number = number, .what = *count});
  } else if (const auto* delete_if = std::get_if<DeleteIf>(&body)) {
    parcel.questions.push_back({.number = number, .what = *delete_if});
  } else {
    parcel.commands.push_back(std::move(body));
  }
}

/// A parcel with all of them.
inline Parcel full_parcel() {
  Parcel parcel{.queue = GroupId(1'000),
                .from = kExampleSession,
                .term = Term(12),
                .first = 400,
                .heard = 399,
                .resumes = {{.link = 4, .received = 17}, {.link = 500, .received = kMost}}};
  for (const QueueMailBody& body : every_queue_mail_body()) add(body, 800, parcel);
  return parcel;
}

inline auto every_session_mail_body() {
  const Delivery delivery{.link = 4,
                          .id = 900,
                          .message = example_message(),
                          .redelivered = true,
                          .settled = true,
                          .counts = true,
                          .delivery_count = 2,
                          .acquired_count = 300};
  auto rows = std::to_array<SessionMailBody>({
      delivery,
      Taken{.seq = PublishSeq(300), .bytes = 1u << 20, .refused = true},
      Attached{.link = 4, .result = AttachResult::in_exclusive_use},
      Cancelled{.link = 5},
      GetOk{.delivery = delivery, .ready_left = 70'000},
      GetEmpty{},
      Purged{.count = 40'000},
      Counted{.ready = 500, .consumers = 6},
      Deleted{.outcome = DeleteOutcome::not_empty, .count = 7},
      Gone{.link = 8},
      Through{.first = 300, .number = 400},
      Refused{.number = 401},
      Forgotten{},
      Referred{.delivery = {.link = 4, .id = 901, .redelivered = true, .counts = true, .delivery_count = 2},
               .position = Position::of(LogIndex(70'000), 300),
               .term = Term(12)},
  });
  static_assert(std::tuple_size_v<decltype(rows)> == std::variant_size_v<SessionMailBody>, "one has no row");
  return rows;
}

inline SessionMail mail_with(SessionMailBody what) {
  return {.to = kExampleSession, .queue = GroupId(1'000), .what = std::move(what), .tracked = true};
}

}  // namespace quorate::queue
