// The mail between sessions and queues of different nodes, as bytes. The grammar is docs/formats/mail.md.
//   letter := format:u8 fields            (one letter is one body; what kind of letter it is, its envelope says)
// A decoder believes nothing: what is cut, too long, out of range or unknown makes it return false, and `out` is then
// to be thrown away. It copies no message: each is a slice of `body` and keeps the whole of it alive.
#pragma once
#include <cstddef>
#include <vector>

#include "base/bytes.h"
#include "broker/queue/mail.h"

namespace quorate::queue {

/// No command is Count or DeleteIf, every question is one of them, and every Publish has a message. Its body_size is
/// not sent, the decoder counts again.
void encode(const Parcel& parcel, std::vector<std::byte>& out);
bool decode(const Bytes& body, Parcel& out);

/// The topology of a Deleted stays here: it arrives as nullptr.
void encode(const SessionMail& mail, std::vector<std::byte>& out);
bool decode(const Bytes& body, SessionMail& out);

void encode(const Leadership& leadership, std::vector<std::byte>& out);
bool decode(const Bytes& body, Leadership& out);

void encode(const WhoLeads& question, std::vector<std::byte>& out);
bool decode(const Bytes& body, WhoLeads& out);

}  // namespace quorate::queue
