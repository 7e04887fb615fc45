#include "cluster/metadata/machine.h"

#include <utility>

#include "base/check.h"
#include "cluster/metadata/draft.h"
#include "cluster/metadata/snapshot.h"

namespace quorate::cluster {

MetadataMachine::MetadataMachine(IndexFactory make_index)
    : make_index_(std::move(make_index)), topology_(std::make_shared<const Topology>()) {}

Result<void> MetadataMachine::apply(LogIndex index, ByteView payload, MetadataEffects& out) {
  CHECK_GT(index.value(), topology_->version);
  const auto entry = decode_entry(payload);
  if (!entry) {
    return failure(entry.error().code,
                   "metadata log entry " + std::to_string(index.value()) + ": " + entry.error().text);
  }
  Draft draft(make_index_, *topology_, index, out);
  out.origin = entry->origin;
  out.is_repeated = entry->origin && !draft.admit(*entry->origin);
  if (!out.is_repeated) {
    for (const MetadataCommand& command : entry->commands) {
      out.outcomes.push_back(std::visit([&](const auto& c) { return draft.on(c); }, command));
    }
  }
  topology_ = std::move(draft).finish();
  return {};
}

Bytes MetadataMachine::serialize() const { return encode_topology(*topology_); }

Result<void> MetadataMachine::restore(ByteView bytes) {
  auto decoded = decode_topology(bytes, make_index_);
  if (!decoded) return std::unexpected(decoded.error());
  topology_ = std::move(*decoded);
  return {};
}

}  // namespace quorate::cluster
