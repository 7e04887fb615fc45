#include "storage/promises.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/cursor.h"
#include "storage/durability_mark.h"
#include "storage/files.h"

namespace quorate::storage {
namespace {

constexpr std::uint8_t kPromisesFormat = 1;
constexpr std::size_t kHeaderBytes = 128;
constexpr std::size_t kRecordBytes = 37;
constexpr std::size_t kChecksumBytes = sizeof(std::uint32_t);
/// The file is rewritten when it holds this many changes that others have overtaken, and more than it has groups.
constexpr std::size_t kOvertakenMax = 64u << 10;

/// The serial is not in the record, but a record in another place has another checksum.
std::uint32_t record_checksum(std::uint64_t serial, ByteView after_checksum) {
  std::vector<std::byte> bytes;
  ByteWriter(bytes).write(serial);
  return crc32c(crc32c(0, bytes), after_checksum);
}

struct Header {
  std::string database;
  std::uint64_t serial = 0;
  std::uint64_t count = 0;  // of the records that were written with it
};

std::optional<Header> decode_header(ByteView bytes) {
  ByteReader reader(bytes);
  std::uint32_t checksum = 0;
  std::uint8_t format = 0;
  Header out;
  if (!reader.read(checksum) || crc32c(0, reader.rest()) != checksum) return std::nullopt;
  if (!reader.read(format) || format != kPromisesFormat) return std::nullopt;
  if (!reader.read(out.serial) || !reader.read(out.count) || !reader.read_sized(out.database)) return std::nullopt;
  return out;
}

std::optional<PromiseChange> decode_promise(std::uint64_t serial, ByteView record) {
  ByteReader reader(record);
  std::uint32_t checksum = 0;
  std::uint8_t ended = 0;
  std::uint64_t group = 0;
  std::uint64_t self = 0;
  std::uint64_t term = 0;
  std::uint64_t voted_for = 0;
  if (!reader.read(checksum) || record_checksum(serial, reader.rest()) != checksum) return std::nullopt;
  const bool is_whole = reader.read(ended) && reader.read(group) && reader.read(self) && reader.read(term) &&
                        reader.read(voted_for) && reader.done();
  if (!is_whole || ended > 1) return std::nullopt;
  return PromiseChange{GroupId(group),
                       {.self = raft::ReplicaId(self),
                        .term = Term(term),
                        .voted_for = raft::ReplicaId(voted_for),
                        .has_ended = ended == 1}};
}

}  // namespace

std::vector<std::byte> encode_promises(const PromiseTable& table) {
  CHECK_LE(table.database.size(), kMarkDatabaseMaxBytes);
  std::vector<std::byte> out;
  ByteWriter writer(out);
  writer.write(std::uint32_t{0});
  writer.write(kPromisesFormat);
  writer.write(table.serial);
  writer.write(static_cast<std::uint64_t>(table.promises.size()));
  writer.write_sized(table.database);
  out.resize(kHeaderBytes);
  writer.patch(0, crc32c(0, ByteView(out).subspan(kChecksumBytes)));
  for (const PromiseChange promise : table.promises) writer.write_bytes(encode_promise(table.serial, promise));
  return out;
}

std::vector<std::byte> encode_promise(std::uint64_t serial, const PromiseChange& change) {
  const auto& [group, promise] = change;
  std::vector<std::byte> out;
  ByteWriter writer(out);
  writer.write(std::uint32_t{0});
  writer.write(static_cast<std::uint8_t>(promise.has_ended ? 1 : 0));
  writer.write(group.value());
  writer.write(promise.self.value());
  writer.write(promise.term.value());
  writer.write(promise.voted_for.value());
  writer.patch(0, record_checksum(serial, ByteView(out).subspan(kChecksumBytes)));
  return out;
}

std::optional<PromiseTable> decode_promises(ByteView file) {
  if (file.size() < kHeaderBytes || (file.size() - kHeaderBytes) % kRecordBytes != 0) return std::nullopt;
  auto header = decode_header(file.first(kHeaderBytes));
  if (!header) return std::nullopt;
  const std::size_t count = (file.size() - kHeaderBytes) / kRecordBytes;
  if (count < header->count) return std::nullopt;
  PromiseTable table{.database = std::move(header->database), .serial = header->serial, .promises = {}};
  for (std::size_t i = 0; i < count; ++i) {
    if (i >= header->count) ++table.serial;
    const auto change = decode_promise(table.serial, file.subspan(kHeaderBytes + i * kRecordBytes, kRecordBytes));
    if (!change) return std::nullopt;
    table.promises.insert_or_assign(change->first, change->second);
  }
  return table;
}

Promises::~Promises() {
  if (fd_ >= 0) ::close(fd_);
}

Result<std::optional<PromiseTable>> Promises::load(const std::string& path) {
  const auto file = read_file(path);
  if (!file) return std::unexpected(file.error());
  const std::optional<std::vector<std::byte>>& bytes = *file;
  if (!bytes) return std::optional<PromiseTable>();
  auto table = decode_promises(*bytes);
  if (!table) {
    return failure(ErrorCode::corruption, fmt::format("{} is cut or damaged, so it proves no vote of this node", path));
  }
  return table;
}

Result<void> Promises::replace(PromiseTable table) {
  table_ = std::move(table);
  return rewrite();
}

Result<void> Promises::append(std::span<const PromiseChange> changes) {
  CHECK_GE(fd_, 0);
  appended_ += changes.size();
  const bool is_overgrown = appended_ > kOvertakenMax && appended_ > table_.promises.size();
  if (is_overgrown) std::erase_if(table_.promises, [](const auto& promise) { return promise.second.has_ended; });
  std::vector<std::byte> bytes;
  for (const PromiseChange& change : changes) {
    table_.promises.insert_or_assign(change.first, change.second);
    const auto record = encode_promise(++table_.serial, change);
    bytes.insert(bytes.end(), record.begin(), record.end());
  }
  if (is_overgrown) return rewrite();
  if (!write_fully(fd_, bytes.data(), bytes.size())) return refused_by_system("write", path_);
  if (::fdatasync(fd_) != 0) return refused_by_system("sync", path_);
  return {};
}

const Promise* Promises::find(GroupId group) const {
  const auto at = table_.promises.find(group);
  return at == table_.promises.end() || at->second.has_ended ? nullptr : &at->second;
}

/// Under another name first.
Result<void> Promises::rewrite() {
  const std::string draft = path_ + ".new";
  const int fd = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (fd < 0) return refused_by_system("open", draft);
  const auto bytes = encode_promises(table_);
  if (!write_fully(fd, bytes.data(), bytes.size()) || ::fsync(fd) != 0) {
    auto refused = refused_by_system("write", draft);
    ::close(fd);
    return refused;
  }
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
  appended_ = 0;
  if (std::rename(draft.c_str(), path_.c_str()) != 0) return refused_by_system("rename", draft);
  return sync_directory_of(path_);
}

}  // namespace quorate::storage
