// How a LogStore begins: what its database recovered is judged together with the promises beside it.
#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "base/log.h"
#include "storage/database.h"
#include "storage/log_families.h"
#include "storage/log_format.h"
#include "storage/log_store.h"
#include "storage/promise_rules.h"
#include "storage/retention.h"

namespace quorate::storage {
namespace {

/// A row that stays in memory for long does not hold on to more of the logs that came after it than this. Pages of a
/// log just deleted are the cheapest that the next one can have.
constexpr std::uint64_t kWalBufferRatio = 2;

std::string beside(const LogStore::Options& options, const std::string& path, const char* name) {
  return path.empty() ? (std::filesystem::path(options.path).parent_path() / name).string() : path;
}

}  // namespace

Result<std::unique_ptr<LogStore>> LogStore::open(const Options& options) {
  auto retention = std::make_shared<Retention>();
  const Database::Plan plan{.title = "log database",
                            .path = options.path,
                            .mark_path = beside(options, options.mark_path, "durable.mark"),
                            .epoch = options.epoch,
                            .families = log_families(options, retention),
                            .wal_bytes_max = kWalBufferRatio * options.write_buffer_bytes,
                            .salvages = options.on_loss == OnLoss::recover};
  auto database = Database::open(plan);
  if (!database) return std::unexpected(database.error());
  const std::string promises_path = beside(options, options.promises_path, "promises");
  auto store = std::make_unique<LogStore>(std::move(*database), std::move(retention), promises_path);
  if (auto recovered = store->recover(options.on_loss, promises_path); !recovered) {
    return std::unexpected(recovered.error());
  }
  return store;
}

/// The order matters: only when rows and promises say what was lost may the mark agree with what is left.
Result<void> LogStore::recover(OnLoss on_loss, const std::string& promises_path) {
  const auto rows = load_rows();
  if (!rows) return std::unexpected(rows.error());
  auto loaded = load_promises(promises_path);
  if (!loaded) return std::unexpected(loaded.error());
  const std::optional<PromiseTable>& kept = *loaded;
  const std::optional<Mark>& mark = database_->found_mark();
  const bool is_burned = mark && mark->is_burned;
  if (is_burned && on_loss == OnLoss::refuse) {
    return failure(ErrorCode::corruption,
                   fmt::format("the node of {} has lost promises to other nodes once, so none of its replicas may act "
                               "again: let the other members replace this node, and begin with an empty directory",
                               promises_path));
  }
  const bool is_proven = mark && kept;
  if (is_burned || (database_->loss() && !is_proven)) {
    loss_ = Loss::promises;
    log::error(log::Category::storage, "storage.promises_lost path={} groups={}", promises_path, rows->size());
    return store_mark();
  }
  const auto identity = database_->identity();
  if (!identity) return std::unexpected(identity.error());
  PromiseTable table{.database = *identity, .serial = mark ? mark->promises + 1 : 0, .promises = {}};
  if (kept) table.serial = kept->serial;
  if (kept && database_->loss()) {
    loss_ = Loss::entries;
    Salvage salvaged = salvage(*rows, kept->promises);
    log::error(log::Category::storage, "storage.entries_lost path={} groups={}", promises_path, rows->size());
    if (auto written = write(salvaged.writes, Durability::synced); !written) return written;
    table.promises = std::move(salvaged.promises);
  } else {
    table.promises = kept ? promises_of(*rows, kept->promises) : all_promises_of(*rows);
  }
  if (auto replaced = promises_.replace(std::move(table)); !replaced) return replaced;
  keeps_promises_ = true;
  return store_mark();
}

/// Reads every row, so a damaged one is refused at start and not at the next election.
Result<std::map<GroupId, GroupRow>> LogStore::load_rows() {
  std::map<GroupId, GroupRow> rows;
  const std::unique_ptr<rocksdb::Iterator> it(
      database_->db().NewIterator(rocksdb::ReadOptions(), database_->family(kRows)));
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const auto group = decode_group_key(view_of(it->key()));
    auto row = group ? decode_row(*group, view_of(it->value())) : std::nullopt;
    if (!row) {
      return failure(ErrorCode::corruption,
                     fmt::format("the row of group {} fails its checksum: its vote is in doubt, so this replica must "
                                 "be replaced through the others",
                                 group.value_or(GroupId{}).value()));
    }
    retention_->add(*group);
    rows.emplace(*group, std::move(*row));
  }
  if (!it->status().ok()) return std::unexpected(database_->error_of(it->status(), "cannot read the rows of groups"));
  retention_->arm();
  return rows;
}

/// nullopt: there are none that could prove anything. As long as the database is whole nothing has to be proven.
Result<std::optional<PromiseTable>> LogStore::load_promises(const std::string& path) const {
  const auto identity = database_->identity();
  if (!identity) return std::unexpected(identity.error());
  auto loaded = Promises::load(path);
  if (!loaded && loaded.error().code != ErrorCode::corruption) return std::unexpected(loaded.error());
  if (!loaded) {
    log::error(log::Category::storage, "storage.promises_damaged error=\"{}\"", loaded.error().text);
    return std::optional<PromiseTable>();
  }
  const std::optional<Mark>& mark = database_->found_mark();
  std::optional<PromiseTable>& found = *loaded;
  if (!found) {
    if (mark) log::error(log::Category::storage, "storage.promises_missing path={}", path);  // else a new node
  } else if (found->database != *identity) {
    log::error(log::Category::storage, "storage.promises_foreign path={} database={}", path, found->database);
    found.reset();
  } else if (mark && found->serial < mark->promises) {
    log::error(log::Category::storage, "storage.promises_cut path={} changes={} expected={}", path, found->serial,
               mark->promises);
    found.reset();
  }
  return loaded;
}

}  // namespace quorate::storage
