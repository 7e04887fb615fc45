#include "tests/raft/disk.h"

#include <fmt/format.h>

#include <utility>

#include "base/check.h"
#include "base/overloaded.h"
#include "raft/configuration.h"
#include "raft/print.h"

namespace quorate::raft::test {
namespace {

void truncate(Image& image, LogIndex from) {
  while (!image.entries.empty() && image.entries.back().index >= from) image.entries.pop_back();
}

void forget_up_to(Image& image, LogIndex index) {
  std::erase_if(image.entries, [&](const Entry& entry) { return entry.index <= index; });
}

/// Returns what is wrong; what is wrong is not done.
std::optional<std::string> carry_out(Image& image, const LogWrite& write) {
  if (write.truncate_from) {
    if (*write.truncate_from <= image.snapshot.last.index) return "truncates what the snapshot holds";
    truncate(image, *write.truncate_from);
  }
  for (const Entry& entry : write.entries) {
    if (entry.index != image.last().index.plus(1)) {
      return fmt::format("a gap between {} and {}", print(image.last()), print(entry));
    }
    image.entries.push_back(entry);
  }
  if (write.hard_state) image.hard_state = *write.hard_state;
  return std::nullopt;
}

std::optional<std::string> carry_out(Image& image, const Install& install) {
  const LogPosition last = install.meta.last;
  if (install.keeps_tail && !image.contains(last)) return "keeps a tail that the log does not have";
  if (install.keeps_tail) {
    forget_up_to(image, last.index);
  } else {
    image.entries.clear();
  }
  image.snapshot = install.meta;
  return std::nullopt;
}

std::optional<std::string> carry_out(Image& image, const Compaction& compaction) {
  if (!image.contains(compaction.meta.last)) return "a snapshot of what the log does not have";
  if (compaction.meta.last.index <= image.snapshot.last.index) return std::nullopt;  // an older one came late
  forget_up_to(image, compaction.meta.last.index);
  image.snapshot = compaction.meta;
  return std::nullopt;
}

std::optional<std::string> carry_out(Image& image, const Task& task) {
  return std::visit([&](const auto& alternative) { return carry_out(image, alternative); }, task);
}

}  // namespace

LogPosition Image::last() const {
  return entries.empty() ? snapshot.last : LogPosition{.index = entries.back().index, .term = entries.back().term};
}

const Entry* Image::find(LogIndex index) const {
  if (index <= snapshot.last.index || index > last().index) return nullptr;
  return &entries[index.value() - snapshot.last.index.value() - 1];
}

bool Image::contains(LogPosition position) const {
  if (position.index < snapshot.last.index) return true;
  if (position.index == snapshot.last.index) return position.term == snapshot.last.term;
  const Entry* entry = find(position.index);
  return entry != nullptr && entry->term == position.term;
}

void Image::put_into(Core::Options& options) const {
  options.hard_state = hard_state;
  options.snapshot = snapshot.last;
  options.configuration = snapshot.configuration;
  options.last_ts = entries.empty() ? snapshot.ts : entries.back().ts;
  options.last = last().index;
  for (const Entry& entry : entries) {
    if (options.runs.empty() || options.runs.back().term != entry.term) {
      options.runs.push_back({.first = entry.index, .term = entry.term});
    }
    if (entry.type != EntryType::config) continue;
    options.configurations.emplace_back(entry.index, decode_configuration(entry.payload.view()).value());
  }
}

std::string print(const Task& task) {
  return std::visit(Overloaded{
                        [](const LogWrite& write) { return raft::print(write); },
                        [](const Install& install) { return raft::print(install); },
                        [](const Compaction& compaction) { return "compact " + raft::print(compaction.meta.last); },
                    },
                    task);
}

std::optional<std::string> Disk::begin(Task task) {
  if (auto wrong = carry_out(written_, task)) return wrong;
  under_way_.push_back(std::move(task));
  return std::nullopt;
}

Input Disk::finish() {
  CHECK(!under_way_.empty());
  const Task task = std::move(under_way_.front());
  under_way_.pop_front();
  const auto wrong = carry_out(durable_, task);
  CHECK(!wrong);
  return std::visit(
      Overloaded{
          [](const LogWrite& write) -> Input { return AppendDone{.mark = write.mark, .hard_state = write.hard_state}; },
          [](const Install& install) -> Input { return Installed{.position = install.meta.last, .ok = true}; },
          [](const Compaction& compaction) -> Input { return Compacted{.position = compaction.meta.last}; },
      },
      task);
}

void Disk::crash() {
  under_way_.clear();
  written_ = durable_;
}

void Disk::lose(LogIndex from) {
  truncate(durable_, from);
  truncate(written_, from);
}

}  // namespace quorate::raft::test
