// The column families of the log database, as LogStore opens them.
#pragma once
#include <cstddef>
#include <memory>
#include <vector>

#include "storage/database.h"
#include "storage/log_store.h"
#include "storage/retention.h"

namespace quorate::storage {

/// Their places in the database's plan.
inline constexpr std::size_t kLog = 0;
inline constexpr std::size_t kRows = 1;

std::vector<Database::Family> log_families(const LogStore::Options& options, std::shared_ptr<Retention> retention);

}  // namespace quorate::storage
