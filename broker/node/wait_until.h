// What takes a while is looked for again and again, until it has happened or time is up.
#pragma once
#include <functional>

#include "base/time.h"
#include "broker/http/broker_view.h"
#include "cluster/shard.h"

namespace quorate {

/// Whether it has happened; the answer may come later.
using Look = std::function<void(http::BrokerView::Done<bool>)>;

/// On the thread of `shard`, which ends before what `look` borrows. `done`: whether it happened before the limit. With
/// the shard the wait ends without an answer.
void wait_until(cluster::Shard& shard, Look look, Duration limit, http::BrokerView::Done<bool> done);

}  // namespace quorate
