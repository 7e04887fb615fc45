// Methods to bytes, to text, and back. The payload of a method frame:
//
//   method  := class-id:u16 method-id:u16 field*       fields in the order of the struct
//   field   := u8 | u16 | u32 | u64 | shortstr | longstr | table | bits
//   shortstr := size:u8 octet*      longstr := size:u32 octet*      table := size:u32 octet*
//   bits    := u8                   up to eight neighbouring Bit fields, lowest first
//
// The text is that of logs, docs and transcripts: `basic.publish exchange=amq.direct routing_key=nowhere
// mandatory=true`.
#pragma once
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "broker/amqp/field_text.h"
#include "broker/amqp/methods.h"
#include "broker/amqp/reply.h"

namespace quorate::amqp {

struct MethodError {
  enum class Kind : std::uint8_t { unknown_method, truncated, trailing_bytes };
  Kind kind = Kind::truncated;
  std::uint32_t id = 0;  // class << 16 | method, as far as it could be read
  bool operator==(const MethodError&) const = default;
};

/// The reply for the peer: 540 for a method that we do not know, 502 for one that we cannot read.
AmqpError to_amqp_error(const MethodError& error);

/// Reads the payload of one method frame. The method borrows from `payload`. Tables are not looked into.
std::expected<Method, MethodError> decode_method(ByteView payload);

/// Appends the payload of a method frame. Short strings longer than 255 octets are our bug.
void encode_method(const Method& method, std::vector<std::byte>& out);

/// Name, then the fields in order. Reserved fields, false bits, empty strings and empty tables are left out.
/// out.
std::string print(const Method& method);

/// A method read from text, kept as bytes because methods borrow.
struct OwnedMethod {
  std::vector<std::byte> payload;
  std::vector<Assignment> others;  // what the method has no field for: `body=`, properties; the caller judges

  /// Borrows from `payload`.
  Method method() const;
};

/// The inverse of print(): `basic.ack delivery_tag=1 multiple=true`. Fields not named keep their default.
std::expected<OwnedMethod, std::string> parse_method(std::string_view text);

/// docs/reference/methods.md: every method with its ids, fields and types.
std::string print_method_reference();

}  // namespace quorate::amqp
