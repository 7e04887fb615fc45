// Which promises of a node are kept twice, and what is left of its groups when the log database has lost writes: plain
// arithmetic over rows, writes and promises, so that every case can be tested without a disk.
#pragma once
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "storage/group_storage.h"
#include "storage/promises.h"

namespace quorate::storage {

using Rows = std::map<GroupId, GroupRow>;
using RowOf = std::function<Result<std::optional<GroupRow>>(GroupId)>;

/// What `writes` change of the promises that are kept. Groups of one and staging groups are not kept: nobody else asks
/// for their votes. A group stays one of several from its row or first configuration entry that says so until it ends.
Result<std::vector<PromiseChange>> changes_of(std::span<const GroupWrite> writes, const Promises& promises,
                                              const RowOf& row_of);

/// What to keep of a database that has lost nothing: its rows, of the groups that `kept` or the rows themselves know to
/// be of several.
std::map<GroupId, Promise> promises_of(const Rows& rows, const std::map<GroupId, Promise>& kept);
/// Likewise when `kept` is not known: of all that may be of several.
std::map<GroupId, Promise> all_promises_of(const Rows& rows);

/// What has to be written so that no group claims more than it has: all are recovering, with the newer promises of row
/// and file; a group whose row is gone exists again, without a configuration; what had ended is dropped.
struct Salvage {
  std::vector<GroupWrite> writes;
  std::map<GroupId, Promise> promises;
};
Salvage salvage(const Rows& rows, const std::map<GroupId, Promise>& promises);

}  // namespace quorate::storage
