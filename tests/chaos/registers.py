"""Are the metadata operations on one key linearizable? Each key is a register that holds there / not there.

An operation takes effect at one moment between its invoke and its answer. One of unknown outcome takes effect at some
moment after its invoke, or never. The search (Wing and Gong, 1993) tries the operations that could come next, and
remembers which sets of them have led nowhere. Operations per key are few, as the workload takes a new key often.

    operation   writes        answers with
    declare     there
    delete      not there
    look                      whether it was there
"""

import collections

WRITES = {"declare": True, "delete": False}
FOREVER = float("inf")


class Operation:
    """One interval: from `start` to `end`; it writes or sees `value`."""

    def __init__(self, start, what):
        self.start, self.end = start, FOREVER
        self.what = what
        self.writes = what in WRITES
        self.value = WRITES.get(what)
        self.text = what

    def __repr__(self):
        return f"{self.text}[{self.start:.3f}, {self.end:.3f}]"


def collect(events):
    """key -> its operations, without those that certainly did not happen and looks that saw nothing."""
    by_id, keys = {}, collections.defaultdict(list)
    for event in events:
        if event.kind == "invoke":
            identity, what = event.detail
            by_id[identity] = Operation(event.time, what)
            keys[event.subject].append(by_id[identity])
            by_id[identity].text = f"{what} at {event.node}"
        elif event.kind in ("ok", "fail", "info"):
            identity, seen = event.detail
            operation = by_id[identity]
            if event.kind == "ok":
                operation.end = event.time
                if not operation.writes:
                    operation.value = seen
                    operation.text += f" sees {'it' if seen else 'nothing'}"
            elif event.kind == "fail" or not operation.writes:
                operation.value = None  # no effect, nothing seen
    return {
        key: [operation for operation in operations if operation.value is not None]
        for key, operations in keys.items()
    }


def is_linearizable(operations, initial=False):
    operations = sorted(operations, key=lambda operation: operation.start)
    must = sum(1 << index for index, operation in enumerate(operations) if operation.end != FOREVER)
    dead_ends = set()
    stack = [(0, initial)]  # operations done, as bits; the register
    while stack:
        done, value = state = stack.pop()
        if done & must == must:
            return True
        if state in dead_ends:
            continue
        dead_ends.add(state)
        # Whatever has ended before another one begins comes before it.
        waiting = [index for index in range(len(operations)) if not done >> index & 1]
        deadline = min(operations[index].end for index in waiting)
        for index in waiting:
            operation = operations[index]
            if operation.start > deadline:
                break
            if operation.writes:
                stack.append((done | 1 << index, operation.value))
            elif operation.value == value:
                stack.append((done | 1 << index, value))
    return False


def check_registers(events):
    """How many operations there were, and a text for each key whose operations have no order."""
    keys = collect(events)
    broken = [
        f"{key} has no order: " + ", ".join(map(repr, operations))
        for key, operations in sorted(keys.items())
        if not is_linearizable(operations)
    ]
    return sum(map(len, keys.values())), broken
