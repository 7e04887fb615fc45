#include "broker/node/reset.h"

#include <array>
#include <filesystem>
#include <fstream>

#include "base/log.h"
#include "broker/node/standalone.h"
#include "cluster/formation.h"
#include "storage/files.h"
#include "storage/snapshot_store.h"

namespace quorate {
namespace {

constexpr std::string_view kAnnouncement = "reset";
/// Everything that a node keeps (storage/log_store_open.cc, storage/snapshot_store.cc). What else lies in the
/// directory is not ours.
constexpr std::array<std::string_view, 6> kKept = {"log",   "durable.mark", "promises",
                                                   "state", "state.mark",   kStandaloneFile};

std::string place_of(const std::string& data_dir, std::string_view name) { return data_dir + "/" + std::string(name); }

}  // namespace

Result<void> announce_reset(const std::string& data_dir, const std::optional<cluster::Seed>& join) {
  const std::string text = (join ? cluster::print_seed(*join) : "") + "\n";
  return storage::write_file(place_of(data_dir, kAnnouncement), text);
}

Result<void> carry_out_reset(const std::string& data_dir) {
  const std::string announcement = place_of(data_dir, kAnnouncement);
  std::ifstream in(announcement);
  if (!in) return {};
  std::string join;
  std::getline(in, join);
  std::error_code error;
  for (const std::string_view name : kKept) {
    std::filesystem::remove_all(place_of(data_dir, name), error);
    if (error) return failure(ErrorCode::io, "cannot remove '" + place_of(data_dir, name) + "': " + error.message());
  }
  if (!join.empty()) {
    auto facts = storage::SnapshotStore::open({.path = place_of(data_dir, "state")});
    if (!facts) return std::unexpected(facts.error());
    if (auto put = (*facts)->put(cluster::Formation::kJoinFact, join); !put) return put;
  }
  if (auto synced = storage::sync_directory_of(announcement); !synced) return synced;
  std::filesystem::remove(announcement, error);
  if (error) return failure(ErrorCode::io, "cannot remove '" + announcement + "': " + error.message());
  log::info(log::Category::general, "node.reset data_dir={} join={}", data_dir, join.empty() ? "-" : join);
  return storage::sync_directory_of(announcement);
}

}  // namespace quorate
