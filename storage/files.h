// The few words about files that RocksDB does not speak for us: those of the durability mark and of the promises.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace quorate::storage {

/// errno as an Error: "cannot <doing> <path>: ...".
std::unexpected<Error> refused_by_system(const std::string& doing, const std::string& path);
/// A new or renamed file's name is as durable as its bytes only after this.
Result<void> sync_directory_of(const std::string& path);
/// nullopt: there is no such file.
Result<std::optional<std::vector<std::byte>>> read_file(const std::string& path);
/// The file has this content and no other after a power cut, or it is not there.
Result<void> write_file(const std::string& path, std::string_view content);
/// All of it, where `fd` stands.
bool write_fully(int fd, const std::byte* data, std::size_t size);

}  // namespace quorate::storage
