#include "raft/configuration.h"

#include <algorithm>
#include <iterator>

#include "base/cursor.h"
#include "raft/quorum.h"

namespace quorate::raft {
namespace {

constexpr std::uint8_t kConfigurationFormat = 1;
constexpr std::size_t kMembersMax = 1024;

bool is_ascending(const std::vector<ReplicaId>& list) {
  return std::ranges::adjacent_find(list, std::greater_equal<>()) == list.end();
}

bool has(const std::vector<ReplicaId>& list, ReplicaId replica) { return std::ranges::binary_search(list, replica); }

bool intersect(const std::vector<ReplicaId>& a, const std::vector<ReplicaId>& b) {
  return std::ranges::any_of(a, [&](ReplicaId replica) { return has(b, replica); });
}

bool read_list(ByteReader& reader, std::vector<ReplicaId>& out) {
  std::uint64_t count = 0;
  if (!reader.read_varint(count) || count > kMembersMax) return reader.fail();
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint64_t replica = 0;
    if (!reader.read(replica)) return false;
    out.emplace_back(replica);
  }
  return true;
}

}  // namespace

bool Configuration::is_voter(ReplicaId replica) const { return has(voters, replica) || has(outgoing, replica); }

bool Configuration::is_member(ReplicaId replica) const {
  return is_voter(replica) || has(learners, replica) || has(joining, replica);
}

std::vector<ReplicaId> Configuration::members() const {
  std::vector<ReplicaId> all;
  for (const auto* list : {&voters, &outgoing, &learners, &joining}) {
    all.insert(all.end(), list->begin(), list->end());
  }
  std::ranges::sort(all);
  all.erase(std::ranges::unique(all).begin(), all.end());
  return all;
}

Bytes encode_configuration(const Configuration& configuration) {
  std::vector<std::byte> out;
  ByteWriter writer(out);
  writer.write(kConfigurationFormat);
  writer.write_varint(configuration.machine_version);
  for (const auto* list :
       {&configuration.voters, &configuration.outgoing, &configuration.learners, &configuration.joining}) {
    writer.write_varint(list->size());
    for (const ReplicaId replica : *list) writer.write(replica.value());
  }
  return Bytes::copy_of(out);
}

std::optional<Configuration> decode_configuration(ByteView bytes) {
  ByteReader reader(bytes);
  std::uint8_t format = 0;
  std::uint64_t version = 0;
  Configuration configuration;
  const bool is_whole = reader.read(format) && reader.read_varint(version) && read_list(reader, configuration.voters) &&
                        read_list(reader, configuration.outgoing) && read_list(reader, configuration.learners) &&
                        read_list(reader, configuration.joining) && reader.done();
  if (!is_whole || format != kConfigurationFormat || version > UINT32_MAX) return std::nullopt;
  configuration.machine_version = static_cast<std::uint32_t>(version);
  if (!is_valid(configuration)) return std::nullopt;
  return configuration;
}

bool is_valid(const Configuration& configuration) {
  const auto& [voters, outgoing, learners, joining, version] = configuration;
  return !voters.empty() && voters.size() <= kVotersMax && outgoing.size() <= kVotersMax && is_ascending(voters) &&
         is_ascending(outgoing) && is_ascending(learners) && is_ascending(joining) && !intersect(voters, learners) &&
         !intersect(voters, joining) && !intersect(learners, joining) && !has(voters, kNoReplica);
}

Configuration next_towards(const Configuration& current, const Configuration& target) {
  std::vector<ReplicaId> difference;
  std::ranges::set_symmetric_difference(current.voters, target.voters, std::back_inserter(difference));
  Configuration next = target;
  if (difference.size() > 1) next.outgoing = current.voters;
  return next;
}

Configuration leave_joint(const Configuration& joint) {
  Configuration target = joint;
  target.outgoing.clear();
  return target;
}

}  // namespace quorate::raft
