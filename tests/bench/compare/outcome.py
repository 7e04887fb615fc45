"""What a measurement says, and what several rounds of it say together. Pure: no broker, no clock, no file.

One measurement of one side is {"figures": {name: number}, "note": text} or {"failed": why}. Rounds go in turn, so that
the n-th of one side and the n-th of the other saw the same machine; ratios are taken within a round.
"""

import statistics
from dataclasses import asdict, dataclass

SIDES = OURS, THEIRS = "Quorate", "RabbitMQ"


@dataclass(frozen=True)
class Figure:
    """What is measured, in base units: a second is divided by `divisor` to be printed in `unit`."""

    title: str
    unit: str
    divisor: float = 1


FIGURES = {
    "rate": Figure("rate", "/s"),
    "per_cpu_second": Figure("messages per CPU second", "/s"),
    "confirm_p50": Figure("confirm p50", "ms", 1000),
    "confirm_p99": Figure("confirm p99", "ms", 1000),
    "delivery_p50": Figure("delivery p50", "ms", 1000),
    "delivery_p99": Figure("delivery p99", "ms", 1000),
    "cpu_us": Figure("CPU per message", "µs"),
    "cpu_share": Figure("CPU", "% of a core", 0.01),
    "memory": Figure("memory", "MB", 1_000_000),
    "memory_each": Figure("memory of each", "KB", 1000),
    "written": Figure("written", "MB", 1_000_000),
    "gap": Figure("longest time without a confirm", "s"),
    "first_delivery": Figure("first delivery after", "s"),
    "answer": Figure("answered in", "ms", 0.001),
}


@dataclass(frozen=True)
class Spread:
    """Of the rounds: their median, and how far they lie apart."""

    median: float
    low: float
    high: float

    @staticmethod
    def of(values):
        return Spread(statistics.median(values), min(values), max(values)) if values else None


@dataclass(frozen=True)
class Aim:
    """At least or at most `limit`: as a ratio to RabbitMQ, as a ratio to the row's floor, or in the figure's unit."""

    figure: str
    against: str  # "RabbitMQ", "floor" or "nothing"
    direction: str  # "≥" or "≤"
    limit: float

    def is_reached(self, value):
        return value >= self.limit if self.direction == "≥" else value <= self.limit

    def text(self):
        limit = f"1/{round(1 / self.limit)}" if 0 < self.limit < 1 else f"{self.limit:g}"
        if self.against == "nothing":
            return f"{self.direction} {limit} {FIGURES[self.figure].unit}"
        return f"{self.direction} {limit} ×" + (" the floor" if self.against == "floor" else "")


@dataclass(frozen=True)
class Floor:
    """The measurement of ./dev bench floor that a figure is compared with."""

    figure: str  # of the row
    table: str  # "stream", "round_trip" or "append"
    field: str  # of the table: "rate" or "p50_us"
    body_bytes: int
    batch: int = 0  # of "append"

    def value(self, floors):
        """Its median over the runs of the floor; None when it was not run."""
        wanted = {"body_bytes": self.body_bytes} | ({"batch": self.batch} if self.batch else {})
        found = [
            line[self.field]
            for floor in floors
            for line in floor.get(self.table, ())
            if all(line[key] == value for key, value in wanted.items())
        ]
        return statistics.median(found) if found else None


def values(rounds, figure):
    return [one["figures"][figure] for one in rounds if figure in one.get("figures", {})]


def spread(rounds, figure):
    return Spread.of(values(rounds, figure))


def ratio(ours, theirs, figure):
    """Ours divided by theirs, round by round; None when no round has both."""
    pairs = []
    for mine, other in zip(ours, theirs):
        a, b = (one.get("figures", {}).get(figure) for one in (mine, other))
        if a is not None and b:
            pairs.append(a / b)
    return Spread.of(pairs)


def judge(aim, row, floors):
    """(the value that is compared with the limit, whether it is reached); None when there is nothing to compare."""
    if aim.against == "RabbitMQ":
        found = ratio(row["sides"].get(OURS, []), row["sides"].get(THEIRS, []), aim.figure)
        value = found.median if found else None
    else:
        found = spread(row["sides"].get(OURS, []), aim.figure)
        value = found.median if found else None
        if value is not None and aim.against == "floor":
            floor = Floor(**row["floor"]).value(floors) if row.get("floor") else None
            value = value / floor if floor else None
        elif value is not None:
            value /= FIGURES[aim.figure].divisor
    return None if value is None else (value, aim.is_reached(value))


def notes(rounds):
    """What went wrong or is to be known, each sentence once, with the number of rounds when it was not all."""
    texts = [one.get("failed") and f"fails: {one['failed']}" or one.get("note", "") for one in rounds]
    counted = {text: texts.count(text) for text in texts if text}
    return [text if count == len(rounds) else f"{text} ({count} of {len(rounds)})" for text, count in counted.items()]


def plain(thing):
    """A dataclass as JSON has it."""
    return asdict(thing) if thing is not None else None
