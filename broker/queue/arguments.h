// The arguments a queue declaration may carry, as rows: name, check, which types of queue know it, whether a
// redeclaration must repeat it (features.md §1.8, P101, P102). Arguments without a row are stored and never looked at.
#pragma once
#include <expected>
#include <string>
#include <string_view>

#include "base/value.h"
#include "broker/queue/commands.h"
#include "cluster/metadata/topology.h"

namespace quorate::queue {

/// The text after "PRECONDITION_FAILED - ". `queue` is the queue as error texts name it: "queue 'q' in vhost '/'".
using ArgumentVerdict = std::expected<void, std::string>;

/// What a new queue may not be declared with.
ArgumentVerdict check_arguments(const Table& arguments, std::string_view queue);

/// Of arguments that check_arguments() has let pass; classic is what one gets without asking.
cluster::QueueType queue_type(const Table& arguments);
/// What the queue was declared as, whatever it has become: that is how it behaves to its clients.
cluster::QueueType declared_type(const cluster::Queue& queue);

/// Names of arguments that are accepted and have no effect yet, for the log; empty when there are none.
std::string ineffective_arguments(const Table& arguments);

/// What a queue declared with these arguments, which have been checked, is configured to do.
Configure settings_from(const Table& arguments, bool quorum);

/// `relaxed`: what a quorum queue must have in common with a classic one that stands for it (features.md Q005).
enum class Equivalence : bool { full, relaxed };
/// Whether a queue declared with `current`, which is of `type` now, may be redeclared with `received`; what the type it
/// was declared with does not know is not compared.
ArgumentVerdict check_same_arguments(const Table& received, const Table& current, cluster::QueueType type,
                                     std::string_view queue, Equivalence extent = Equivalence::full);

}  // namespace quorate::queue
