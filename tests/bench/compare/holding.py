"""Rows about what a broker holds while nothing happens: connections, queues, and the pages that show them."""

import statistics
import time

import admin
from measure import GRACE_SECONDS, Failure, found_by, measurement, remove
from shared import management
from usage import Meter, await_idle, resident_bytes

HTTP_TRIES = 5
DECLARE_SECONDS = 120


def established(port):
    """Connections of this machine to `port` that are open."""
    count = 0
    with open("/proc/net/tcp") as file:
        for line in file:
            fields = line.split()
            count += fields[1].endswith(f":{port:04X}") and fields[3] == "01"
    return count


def idle_connections(count, channels):
    """Connections with channels on which nothing happens: memory of each, and CPU of them all."""

    @measurement(f"`quorate-perf --idle-connections {count} --idle-channels {channels}`; memory is what the broker has "
                 "more than before, CPU that of the time after all are open")
    def measure(stage):
        wanted = round(count * stage.held_scale)
        before, begin = resident_bytes(stage.pids), time.monotonic()
        words = f"--idle-connections {wanted} --idle-channels {channels}"
        process = stage.start_generator(words, stage.seconds + GRACE_SECONDS)
        try:
            while established(stage.address[1]) < wanted:
                if process.poll() is not None:
                    found_by(process, 1)
                    raise Failure("the generator ended before all were open")
                if time.monotonic() - begin > GRACE_SECONDS:
                    raise Failure(f"{established(stage.address[1]):,} of {wanted:,} open after {GRACE_SECONDS} s")
                time.sleep(0.1)
            await_idle(stage.pids)
            meter = Meter(stage.pids)
            time.sleep(stage.seconds)
            more = max(resident_bytes(stage.pids), meter.resident) - before
            figures = {"memory_each": more / wanted, "memory": meter.peak_bytes(), "cpu_share": share(meter)}
        finally:
            process.kill()
            process.communicate()
        return {"figures": figures, "note": f"{wanted:,} connections"}

    return measure


def share(meter):
    return meter.cpu_us() / 1e6 / meter.seconds()


def idle_queues(count, arguments):
    """Queues in which nothing happens."""

    @measurement(f"{count:,} queues declared on 16 connections; CPU of all nodes after they have come to rest, for as "
                 "long as a load runs")
    def measure(stage):
        names = [f"idle.{at}" for at in range(round(count * stage.held_scale))]
        before = resident_bytes(stage.pids)
        made, seconds = admin.declare(stage.address, names, arguments, 16, DECLARE_SECONDS)
        await_idle(stage.pids)
        meter = Meter(stage.pids)
        time.sleep(stage.seconds)
        figures = {"rate": made / seconds, "cpu_share": share(meter), "memory": meter.peak_bytes()}
        figures["memory_each"] = max(0, resident_bytes(stage.pids) - before) / made
        cut = f", for no more came into being within {seconds:.0f} s" if made < len(names) else ""
        return {"figures": figures, "note": f"{made:,} queues{cut}; the rate is that of declaring them"}

    return measure


def answered(path, queues):
    """One page of the HTTP API with so many queues: the median of some tries."""

    @measurement(f"GET {path} with {queues:,} classic queues, median of {HTTP_TRIES}")
    def measure(stage):
        names = [f"page.{at}" for at in range(round(queues * stage.scale))]
        admin.declare(stage.address, names, connections=16)
        await_idle(stage.pids)
        taken = []
        try:
            for _ in range(HTTP_TRIES):
                begin = time.monotonic()
                status, _ = management.get(*stage.broker.http, path, seconds=60)
                taken.append(time.monotonic() - begin)
                if status != 200:
                    raise Failure(f"answers {status}")
        except OSError as error:
            raise Failure(f"does not answer: {error}") from error
        finally:
            remove(stage, names)
        return {"figures": {"answer": statistics.median(taken)}, "note": f"{len(names):,} queues"}

    return measure
