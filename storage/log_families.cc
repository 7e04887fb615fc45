#include "storage/log_families.h"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <utility>

namespace quorate::storage {
namespace {

constexpr std::size_t kRowBufferBytes = 4u << 20;
/// Some eighty pointers into blob files: blocks are the grain of approximate_bytes_below().
constexpr std::size_t kTableBlockBytes = 4u << 10;
constexpr std::uint64_t kTableFileBytes = 64u << 20;
constexpr std::uint64_t kBlobFileBytes = 128u << 20;
/// Tables of a flush are small, so many may gather while a long compaction runs, before writers are slowed or stopped.
constexpr int kSlowdownTables = 64;
constexpr int kStopTables = 128;

bool is_compression_available(rocksdb::CompressionType type) {
  return std::ranges::count(rocksdb::GetSupportedCompressions(), type) > 0;
}

rocksdb::ColumnFamilyOptions log_family(const LogStore::Options& options, std::shared_ptr<Retention> retention) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(options.block_cache_bytes);
  table.cache_index_and_filter_blocks = true;  // within the cache, so that memory stays bounded
  table.block_size = kTableBlockBytes;
  table.format_version = 5;

  rocksdb::ColumnFamilyOptions family;
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  family.write_buffer_size = options.write_buffer_bytes;
  family.max_write_buffer_number = options.write_buffers;
  family.level_compaction_dynamic_level_bytes = true;
  family.target_file_size_base = kTableFileBytes;
  family.level0_slowdown_writes_trigger = kSlowdownTables;
  family.level0_stop_writes_trigger = kStopTables;
  family.compression = rocksdb::kNoCompression;
  if (is_compression_available(rocksdb::kLZ4Compression)) {
    family.compression_per_level = {rocksdb::kNoCompression, rocksdb::kLZ4Compression};
  }
  family.enable_blob_files = true;
  family.min_blob_size = options.blob_min_bytes;
  family.blob_file_size = kBlobFileBytes;
  family.enable_blob_garbage_collection = true;
  family.blob_garbage_collection_age_cutoff = 0;  // only when reclaim() finds that it pays
  family.compaction_filter_factory = std::move(retention);
  return family;
}

rocksdb::ColumnFamilyOptions row_family() {
  rocksdb::ColumnFamilyOptions family;
  family.write_buffer_size = kRowBufferBytes;
  family.compression = rocksdb::kNoCompression;
  return family;
}

}  // namespace

std::vector<Database::Family> log_families(const LogStore::Options& options, std::shared_ptr<Retention> retention) {
  return {{"log", log_family(options, std::move(retention))}, {"hs", row_family()}};
}

}  // namespace quorate::storage
