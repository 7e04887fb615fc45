// The real broker on one shard, without sockets and without the shard's thread: log, queues, metadata and topology are
// those of a node, time is a value, and a test drives every turn. What a transcript is played in.
#pragma once
#include <memory>
#include <string>

#include "base/time.h"
#include "broker/node/node_shard.h"
#include "cluster/metadata/host.h"
#include "cluster/shard.h"
#include "storage/disk_storage.h"
#include "storage/log_reader.h"
#include "storage/log_store.h"
#include "storage/log_writer.h"
#include "storage/snapshot_store.h"
#include "tests/storage/directories.h"

namespace quorate::script {

class World {
 public:
  /// An empty node with the vhost "/" and the user guest, who may do everything.
  World();
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// Runs turns until neither the shard nor a storage thread has anything left to do.
  void settle();
  /// An empty node again. No session may be left.
  void clear();
  /// Closes everything and opens it again on the same directory. No session may be left.
  void restart();

  void advance(Duration by) { clock_.advance(by); }
  Instant now() const { return clock_.now(); }

  void submit(cluster::MetadataCommand command);
  void put_user(const std::string& name, const std::string& password, std::vector<std::string> tags);

  amqp::Surroundings& surroundings() { return *node_shard_; }
  cluster::Shard& shard() { return *shard_; }
  NodeShard& node_shard() { return *node_shard_; }
  const cluster::Topology& topology() const { return *metadata_->topology(); }

 private:
  void open();
  void close();
  void found();
  void wait_for_storage();

  storage::TestDirectory directory_;
  ManualClock clock_;
  SystemClock storage_clock_;  // of the log writer, whose thread waits for real
  std::uint32_t epoch_ = 0;
  const amqp::SessionOptions unused_options_;  // of connections with sockets, which there are none of

  std::unique_ptr<storage::SnapshotStore> snapshots_;
  std::unique_ptr<storage::LogStore> log_;
  std::unique_ptr<storage::LogWriter> writer_;
  std::unique_ptr<storage::LogReader> reader_;
  std::unique_ptr<storage::DiskStorage> storage_;
  std::unique_ptr<cluster::Shard> shard_;
  std::unique_ptr<NodeShard> node_shard_;
  std::unique_ptr<cluster::MetadataHost> metadata_;
};

}  // namespace quorate::script
