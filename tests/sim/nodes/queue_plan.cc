#include "tests/sim/nodes/queue_plan.h"

#include <fmt/format.h>

#include "tests/sim/streams.h"

namespace quorate::sim::nodes {

Table QueuePlan::arguments() const {
  Table table;
  const auto add = [&](const char* name, Value value) { table.fields.emplace_back(name, std::move(value)); };
  add("x-queue-type", Value(std::string(is_quorum ? "quorum" : "classic")));
  if (is_quorum) add("x-quorum-initial-group-size", Value(std::int64_t{members}));
  if (is_quorum && !has_delivery_limit) add("x-delivery-limit", Value(std::int64_t{-1}));
  if (length_max) add("x-max-length", Value(std::int64_t{*length_max}));
  if (length_max) add("x-overflow", Value(std::string(refuses ? "reject-publish" : "drop-head")));
  if (single_active) add("x-single-active-consumer", Value(true));
  return table;
}

QueuePlan draw_queue(Random& random, std::uint64_t number, bool wants_replicas) {
  QueuePlan plan;
  plan.is_quorum = draw_chance(random, 0.75) || wants_replicas;
  const std::uint64_t dice = random.below(10);
  plan.members = dice < 7 || wants_replicas ? 3 : dice < 8 ? 1 : dice < 9 ? 2 : 5;
  if (draw_chance(random, 0.2)) plan.length_max = static_cast<std::uint32_t>(draw_magnitude(random, 3, 300));
  plan.refuses = draw_chance(random, 0.6);
  plan.single_active = draw_chance(random, 0.15);
  plan.has_delivery_limit = plan.is_quorum && draw_chance(random, 0.4);
  plan.may_be_classic = !plan.is_quorum || draw_chance(random, 0.3);
  plan.name = fmt::format("{}{}", plan.is_quorum ? "quorum" : "classic", number);
  return plan;
}

}  // namespace quorate::sim::nodes
