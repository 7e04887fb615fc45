// Any bytes as mail of another node; the first byte says as which letter. What decodes is written again, reads back as
// the same, is no longer than it came (a varint may have been longer than need be), and its messages lie inside it.
#include <functional>
#include <variant>
#include <vector>

#include "base/check.h"
#include "broker/queue/mail_wire.h"

using namespace quorate;
using namespace quorate::queue;

namespace {

void check_message(const Message& message, const Bytes& letter) {
  const ByteView view = message.encoded().view();
  CHECK(std::greater_equal<>()(view.data(), letter.data()));
  CHECK(std::less_equal<>()(view.data() + view.size(), letter.data() + letter.size()));
}

void check_contents(const Parcel& parcel, const Bytes& letter) {
  for (const QueueMailBody& command : parcel.commands) {
    if (const auto* publish = std::get_if<Publish>(&command)) {
      check_message(publish->message, letter);
      CHECK_EQ(publish->body_size, publish->message.body().size());
    }
    CHECK(!std::holds_alternative<Count>(command) && !std::holds_alternative<DeleteIf>(command));
  }
}
void check_contents(const SessionMail& mail, const Bytes& letter) {
  if (const auto* delivery = std::get_if<Delivery>(&mail.what)) check_message(delivery->message, letter);
  if (const auto* found = std::get_if<GetOk>(&mail.what)) check_message(found->delivery.message, letter);
}
void check_contents(const Leadership&, const Bytes&) {}
void check_contents(const WhoLeads&, const Bytes&) {}

template <class Letter>
void offer(const Bytes& bytes) {
  Letter letter;
  if (!decode(bytes, letter)) return;
  check_contents(letter, bytes);
  std::vector<std::byte> written;
  encode(letter, written);
  CHECK_LE(written.size(), bytes.size());
  Letter same;
  CHECK(decode(Bytes::copy_of(written), same));
  std::vector<std::byte> twice;
  encode(same, twice);
  CHECK(written == twice);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes letter = Bytes::copy_of({reinterpret_cast<const std::byte*>(data) + 1, size - 1});
  switch (data[0] % 4) {
    case 0:
      offer<Parcel>(letter);
      break;
    case 1:
      offer<SessionMail>(letter);
      break;
    case 2:
      offer<Leadership>(letter);
      break;
    default:
      offer<WhoLeads>(letter);
  }
  return 0;
}
