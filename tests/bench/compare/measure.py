"""How a row is measured: functions here, in holding.py and in striking.py make `measure(stage)`, which returns
{"figures", "note"} or raises Failure with the reason that the table will show. `how` on it is the sentence of the page.
"""

import json
import shlex
import subprocess

import admin
from brokers import pinned
from usage import Meter, await_idle

GRACE_SECONDS = 120  # what a generator may take to connect, declare, drain and end, besides its run
TTL_MS = 1000
COMPLAINTS = ("lost", "duplicated", "disordered", "nacked", "returned")
CHURNERS = 16
OUTRUN = 1.1  # a backlog that grows by less is not worth a note


class Failure(Exception):
    """This side does not do what the row asks; the text is for the table."""


class Stage:
    """A running broker and what a row may know: how long to run, how large, with which generator."""

    def __init__(self, side, broker, options):
        self.side, self.broker, self.options = side, broker, options
        self.seconds, self.scale = options.seconds, options.scale
        self.held_scale = min(1, 10 * options.scale)  # of what is only held: it costs less time than work does
        self.pids = broker.pids()

    @property
    def uri(self):
        host, port = self.broker.addresses[0]
        return f"amqp://guest:guest@{host}:{port}"

    @property
    def address(self):
        return self.broker.addresses[0]

    def command(self, words, seconds):
        """A generator's command line; a `seconds` of None lets it end by itself."""
        command = pinned(self.options.generator_cores) + [self.options.perf, "--uri", self.uri, *shlex.split(words)]
        command += ["--json", "-", "--broker-pid", ",".join(str(pid) for pid in self.pids)]
        if seconds is None:
            return command
        return command + ["-z", f"{seconds:g}", "--warmup", f"{self.options.warmup:g}"]

    def generate(self, words, seconds, limit=GRACE_SECONDS):
        """Runs a generator to its end; what it found."""
        return found_by(self.start_generator(words, seconds), (seconds or 0) + limit)

    def start_generator(self, words, seconds):
        return subprocess.Popen(
            self.command(words, seconds), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )


def found_by(process, seconds):
    """The JSON of a generator that should end within `seconds`."""
    try:
        out, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise Failure(f"not done within {seconds:g} s") from None
    finally:
        process.kill()  # nothing, when it has ended
        process.communicate()
    text = out.decode()
    found = json.loads(text[text.index("{") :]) if "{" in text else {}
    if found.get("failure"):
        raise Failure(found["failure"])
    if not found:
        said = errors.decode(errors="replace").strip().splitlines() or ["no word"]
        raise Failure(f"the generator ended with {process.returncode}: {said[-1]}")
    return found  # messages that were lost make a generator fail too: complaints() tells of them


def measurement(how):
    """Marks a function as a way to measure, described by `how`; with a `reason` it is one why nothing is measured."""

    def mark(function):
        function.how, function.reason = how, None
        return function

    return mark


def queues_of(words):
    """The queues that a generator with these words uses."""
    words = shlex.split(words)
    value = {word: following for word, following in zip(words, words[1:])}
    if "-qp" in value:
        return [value["-qp"].replace("%d", str(at)) for at in range(int(value["-qpf"]), int(value["-qpt"]) + 1)]
    return [value["-u"]] if "-u" in value else []


def figures_of(found):
    """The figures of a generator's run. The rate is of what arrived or, where nobody consumes, was confirmed or sent.

    Rates, latencies and what the broker used are those of the measurement; counts are of the whole run. CPU is divided
    by what was sent or by what arrived, whichever was more: a backlog that grew has cost something, as have copies.
    """
    rates = found["rate"]
    counted = next((kind for kind in ("received", "confirmed", "sent") if rates[kind]), None)
    if not counted:
        raise Failure("no message went through")
    figures = {"rate": rates[counted]}
    for kind in ("confirm", "delivery"):
        latency = found.get(f"{kind}_latency_us") or {}
        if latency.get("max"):
            figures |= {f"{kind}_p50": latency["p50"], f"{kind}_p99": latency["p99"]}
    broker = found["broker"]
    messages = max(rates["received"], rates["sent"]) * found["seconds"]
    figures |= {"cpu_us": broker["cpu_us"] / messages, "memory": broker["peak_rss_bytes"]}
    figures |= {"written": broker["written_bytes"]} if "written_bytes" in broker else {}
    if figures["cpu_us"]:
        figures["per_cpu_second"] = 1e6 / figures["cpu_us"]
    return figures


def complaints(found):
    """What a generator saw that must not be, or that a reader must know."""
    said = [f"{found[kind]:,} {kind}" for kind in COMPLAINTS if found.get(kind)]
    sent, received = (found["rate"][kind] for kind in ("sent", "received"))
    if received and sent > received * OUTRUN:
        said.append("publishers outran consumers")
    return ", ".join(said)


def load(words, theirs="", seconds=1.0, keeps=False, counts=None):
    """A generator with these words, and `theirs` besides against RabbitMQ, for `seconds` times the usual.

    `keeps` leaves queues and messages to the next row; `counts` is how many messages a row has at scale 1, put in for
    {count} and {half}, and such a row ends by itself.
    """

    @measurement(f"`quorate-perf {words}{f' {theirs}, the last against RabbitMQ only' if theirs else ''}`")
    def measure(stage):
        count = round(counts * stage.scale) if counts else 0
        said = words.format(count=count, half=count // 2)
        said += f" {theirs}" if theirs and stage.side == "RabbitMQ" else ""
        limit = stage.options.count_seconds if counts else GRACE_SECONDS
        try:
            found = stage.generate(said, None if counts else seconds * stage.seconds, limit)
        finally:
            if not keeps:
                remove(stage, queues_of(said))
        note = "; ".join(filter(None, [complaints(found), f"scale {stage.scale:g}" if counts else ""]))
        return {"figures": figures_of(found), "note": note}

    return measure


def remove(stage, queues):
    """Deletes them, if the broker still lets us; then waits until that has cost what it costs."""
    try:
        admin.delete(stage.address, queues)
    except admin.REFUSALS:
        pass  # a broker that is gone: its row says so itself
    await_idle(stage.pids)


def churn(kind, words=""):
    """Things opened and closed, or declared and deleted, one after the other on each of CHURNERS connections."""
    said = f"--churn {kind} -x {CHURNERS} {words}".strip()

    @measurement(f"`quorate-perf {said}`")
    def measure(stage):
        try:
            found = stage.generate(said, stage.seconds)
        finally:
            remove(stage, [f"quorate-perf-churn-{at}" for at in range(CHURNERS)])  # what was bound, when durable
        broker, operations = found["broker"], found["churn"]["operations"]
        if not operations:
            raise Failure("no operation succeeded")
        figures = {"rate": found["churn"]["per_second"], "cpu_us": broker["cpu_us"] / operations}
        return {"figures": figures | {"memory": broker["peak_rss_bytes"], "written": broker["written_bytes"]}}

    return measure


def bulk(count, arguments=None, bindings=0, connections=1):
    """Many durable queues declared, or so many bindings of each of them made."""
    what = f"{bindings} bindings for each of {count:,} queues" if bindings else f"{count:,} queues"
    on = "one connection" if connections == 1 else f"{connections} connections"

    @measurement(f"{what} declared on {on}, {admin.PIPELINE} ahead of the replies")
    def measure(stage):
        names = [f"bulk.{at}" for at in range(round(count * stage.scale))]
        meter = Meter(stage.pids)
        made, seconds = admin.declare(stage.address, names, arguments, 16 if bindings else connections)
        if bindings:
            await_idle(stage.pids)
            meter.begin()
            keys = [f"key.{at}" for at in range(bindings)]
            made, seconds = admin.bind(stage.address, names, "amq.direct", keys, connections)
        figures = {"rate": made / seconds, "cpu_us": meter.cpu_us() / made, "memory": meter.peak_bytes()}
        figures["written"] = meter.written_bytes()
        remove(stage, names)
        return {"figures": figures, "note": f"{made:,} declared"}

    return measure


def dead_letters(arguments):
    """Messages that expire after a second and arrive, dead-lettered, at a consumer of another queue."""

    @measurement(f"`quorate-perf -x 1 -y 0 -c 100 -s 1000` into a queue whose messages expire after {TTL_MS} ms, and "
                 "`-x 0 -y 1 -q 1000 -A 100` at the queue to which they are dead-lettered")
    def measure(stage):
        source, target = "ttl.source", "ttl.dead"
        dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": target, "x-message-ttl": TTL_MS}
        admin.declare(stage.address, [target], arguments)
        admin.declare(stage.address, [source], dead | arguments)
        try:
            seconds = stage.seconds
            publisher = stage.start_generator(f"-x 1 -y 0 -c 100 -s 1000 -f persistent -p -u {source}", seconds)
            consumer = stage.start_generator(f"-x 0 -y 1 -q 1000 -A 100 -p -u {target}", seconds)
            found_by(publisher, seconds + GRACE_SECONDS)
            found = found_by(consumer, seconds + GRACE_SECONDS)
        finally:
            remove(stage, [source, target])
        if not found["received"]:
            raise Failure("nothing was dead-lettered")
        return {"figures": figures_of(found)}

    return measure


def unmeasured(reason):
    """A scenario of the list for which there is no instrument yet: the row says why."""

    @measurement("nothing")
    def measure(_stage):
        raise Failure(reason)

    measure.reason = reason
    return measure


