// Field tables, bit for bit as RabbitMQ reads and writes them (features.md P045):
//
//   table := field*                      without the u32 size that precedes it in methods, properties and fields
//   field := size:u8 name value
//   value := 't' u8 | 'b' i8 | 'B' u8 | 's' i16 | 'u' u16 | 'I' i32 | 'i' u32 | 'l' i64 | 'L' i64 | 'f' f32 | 'd' f64
//          | 'D' scale:u8 u32 | 'S' size:u32 octets | 'x' size:u32 octets | 'T' u64 | 'V'
//          | 'A' size:u32 value* | 'F' size:u32 table
//
// 's' is a 16-bit integer, not a short string: clients follow RabbitMQ's errata. 'L' is read as the same type as 'l'.
#pragma once
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/value.h"

namespace quorate::amqp {

/// Refuses unknown tags, sizes beyond the end and nesting deeper than limits::kTableDepthMax.
Result<Table> decode_table(ByteView encoded);

/// The same check without building anything.
Result<void> validate_table(ByteView encoded);

/// Appends the fields, without the size in front. Names longer than 255 octets are our bug: see is_encodable().
void encode_table(const Table& table, std::vector<std::byte>& out);
std::vector<std::byte> encode_table(const Table& table);

/// False when a name, at any depth, exceeds 255 octets: ask before encoding what came from JSON.
bool is_encodable(const Table& table);

/// The first field of that name, decoded alone; nothing if there is none or the bytes before it are malformed.
std::optional<Value> find_field(ByteView encoded, std::string_view name);

}  // namespace quorate::amqp
