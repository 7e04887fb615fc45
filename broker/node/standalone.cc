#include "broker/node/standalone.h"

#include <charconv>
#include <filesystem>

#include "base/log.h"
#include "base/random.h"
#include "broker/node/node_storage.h"
#include "cluster/sole_voter.h"
#include "storage/files.h"

namespace quorate {
namespace {

std::string path_of(const std::string& data_dir) { return data_dir + "/" + std::string(kStandaloneFile); }

Result<void> look_at(NodeStorage& storage) {
  if (auto opened = storage.open_state(); !opened) return opened;
  if (auto opened = storage.open_log(true); !opened) return opened;
  return cluster::may_stand_alone(storage.disk());
}

}  // namespace

Result<void> announce_standalone(const std::string& data_dir, std::uint64_t cluster_id) {
  return storage::write_file(path_of(data_dir), std::to_string(cluster_id));
}

Result<std::optional<std::uint64_t>> announced_standalone(const std::string& data_dir) {
  const auto file = storage::read_file(path_of(data_dir));
  if (!file) return std::unexpected(file.error());
  if (!*file) return std::optional<std::uint64_t>();
  const std::string_view text = as_text(**file);
  std::uint64_t cluster_id = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), cluster_id);
  if (fault == std::errc{} && end == text.data() + text.size()) return std::optional(cluster_id);
  return failure(ErrorCode::corruption, "the id of a cluster in '" + path_of(data_dir) + "' is no number");
}

Result<void> end_standalone(const std::string& data_dir) {
  std::error_code error;
  std::filesystem::remove(path_of(data_dir), error);
  if (error) return failure(ErrorCode::io, "cannot remove '" + path_of(data_dir) + "': " + error.message());
  return storage::sync_directory_of(path_of(data_dir));
}

Result<void> make_standalone(const Config& config, const Clock& clock) {
  NodeStorage storage(config.data_dir, clock);
  const std::uint64_t cluster_id = Random::from_system().next();
  Result<void> outcome = look_at(storage);
  if (outcome) outcome = announce_standalone(config.data_dir, cluster_id);
  storage.flush();
  if (!storage.after_crash()) storage.note_clean_end();
  storage.close();
  if (outcome) log::warn(log::Category::cluster, "cluster.standalone_announced cluster_id={}", cluster_id);
  return outcome;
}

}  // namespace quorate
