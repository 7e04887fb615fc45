#include "broker/queue/switchboard.h"

#include <utility>

#include "base/limits.h"

namespace quorate::queue {

std::size_t flight_bytes(const Publish& publish) {
  return publish.message.encoded().size() + limits::kMessageOverheadBytes;
}

std::size_t flight_bytes(const QueueMailBody& what) {
  const auto* publish = std::get_if<Publish>(&what);
  return publish != nullptr ? flight_bytes(*publish) : 0;
}

std::size_t weight(const Parcel& parcel) {
  std::size_t bytes = sizeof(Parcel);
  for (const QueueMailBody& what : parcel.commands) {
    const auto* publish = std::get_if<Publish>(&what);
    bytes += sizeof(QueueMailBody) + (publish != nullptr ? publish->message.encoded().size() : 0);
  }
  return bytes;
}

void refuse_mail(const QueueMail& mail, Switchboard& switchboard) {
  const auto answer = [&](decltype(SessionMail::what) what) {
    switchboard.send(SessionMail{.to = mail.from, .queue = mail.queue, .what = std::move(what)});
  };
  if (const auto* publish = std::get_if<Publish>(&mail.what)) {
    answer(Taken{.seq = publish->seq, .bytes = flight_bytes(*publish)});
  } else if (const auto* attach = std::get_if<Attach>(&mail.what)) {
    answer(Gone{.link = attach->consumer.link});
  } else if (const auto* cancel = std::get_if<Cancel>(&mail.what)) {
    answer(Cancelled{.link = cancel->consumer.link});
  } else if (std::holds_alternative<Get>(mail.what) || std::holds_alternative<Purge>(mail.what) ||
             std::holds_alternative<Count>(mail.what) || std::holds_alternative<DeleteIf>(mail.what)) {
    answer(Gone{});
  }
}

void Switchboard::connect(std::vector<MailReceiver*> receivers) {
  receivers_ = std::move(receivers);
  std::apply([this](auto&... lanes) { (lanes.resize(receivers_.size()), ...); }, outgoing_);
}

bool Switchboard::on_turn_end() {
  const bool queues = deliver<QueueMail>();
  const bool numberings = deliver<Numbering>();
  const bool parcels = deliver<Parcel>();
  return deliver<SessionMail>() || queues || numberings || parcels;
}

template <class Mail>
bool Switchboard::deliver() {
  ByShard<Mail>& outgoing = lane<Mail>();
  bool delivered_here = false;
  for (std::size_t to = 0; to < outgoing.size(); ++to) {
    if (outgoing[to].empty()) continue;
    MailReceiver* receiver = receivers_[to];
    if (to == shard_.id().value()) {
      std::vector<Mail> batch;
      batch.swap(outgoing[to]);
      for (Mail& mail : batch) receiver->on_mail(std::move(mail));
      batch.clear();
      if (outgoing[to].empty()) outgoing[to].swap(batch);  // keeps the memory for the next turn
      delivered_here = true;
    } else {
      shard_.post(ShardId(static_cast<std::uint32_t>(to)),
                  [receiver, batch = std::exchange(outgoing[to], std::vector<Mail>())]() mutable {
                    for (Mail& mail : batch) receiver->on_mail(std::move(mail));
                  });
    }
  }
  return delivered_here;
}

}  // namespace quorate::queue
