"""A damaged log refuses the start, changes nothing, and says what to do."""

import os

from stage import Stage, drain, files, fill, read
from support.broker import wait_until
from support.scenarios import Scenarios, check, check_in

scenario = Scenarios(Stage, shared=False)


def crash_with_messages(stage, count):
    """A node that was killed with `count` messages in its log, its durability mark included; and its largest WAL."""
    node = stage.node().start()
    mark = os.path.join(node.data, "durable.mark")
    connection = node.wire()
    connection.declare(1, "kept", durable=True)
    fill(connection, "kept", count, 1000)
    for queue in ("one more write", "and another"):  # the first mark may have been under way before the messages were
        before = read(mark)
        connection.declare(1, queue, durable=True)
        wait_until(lambda: read(mark) != before, 5, "durability mark")
    node.kill()
    logs = [path for path in files(os.path.join(node.data, "log")) if path.endswith(".log")]
    return node, max(logs, key=os.path.getsize)


def log_database(node):
    """What a refused start must leave as it is: every file of the log database that says anything about its content."""
    log = os.path.join(node.data, "log")
    chatter = ("LOG", "LOCK", "OPTIONS-")
    here = [path for path in files(log) if os.path.dirname(path) == log]
    return {path: read(path) for path in here if not os.path.basename(path).startswith(chatter)}


def changed(before, after):
    differ = [path for path in before.keys() | after.keys() if before.get(path) != after.get(path)]
    return sorted(os.path.basename(path) for path in differ)


def check_all_there(node, count):
    node.start()
    numbers = [number for number, _ in drain(node, "kept")]
    check(numbers == list(range(count)), f"{len(numbers)} of {count} messages after the repair")
    node.check_stop()


@scenario
def damaged_log(stage):
    """a flipped byte in the log refuses the start and changes nothing: with the byte restored all messages are there"""
    node, log = crash_with_messages(stage, 300)
    middle = os.path.getsize(log) // 2

    def flip():
        with open(log, "r+b") as file:
            file.seek(middle)
            byte = file.read(1)[0]
            file.seek(middle)
            file.write(bytes([byte ^ 0x10]))

    flip()
    before = log_database(node)
    for attempt in ("the first start", "the second start"):
        _, said = node.start_refused()
        check_in(os.path.basename(log), said, attempt)
        check_in("restore the whole data directory from a copy", said, attempt)
        check(log_database(node) == before, f"{attempt} changed {changed(before, log_database(node))}")
    flip()
    check_all_there(node, 300)


def lose_and_put_back(stage, starts):
    """The log is moved away, the start refused `starts` times, the log put back: all messages have to be there."""
    node, log = crash_with_messages(stage, 300)
    aside = os.path.join(stage.folder, os.path.basename(log))
    os.rename(log, aside)
    for _ in range(starts):
        _, said = node.start_refused()
        check_in(os.path.dirname(log), said, "the refused start")
        check_in("write-ahead log (*.log) was shortened or deleted", said, "the refused start")
        check_in("restore the whole data directory from a copy", said, "the refused start")
    os.rename(aside, log)
    check_all_there(node, 300)


@scenario
def deleted_log(stage):
    """a deleted log refuses the start; with the file put back all messages are there"""
    lose_and_put_back(stage, 1)


@scenario
def deleted_log_refused_again(stage):
    """a deleted log refuses every start, as systemd tries again; with the file put back all messages are there"""
    lose_and_put_back(stage, 3)


@scenario
def shortened_log(stage):
    """a log cut in the middle refuses the start; with the end put back all messages are there"""
    node, log = crash_with_messages(stage, 300)
    whole = read(log)
    os.truncate(log, len(whole) // 2)
    _, said = node.start_refused()
    check_in(os.path.dirname(log), said, "the refused start")
    check_in("restore the whole data directory from a copy", said, "the refused start")
    with open(log, "wb") as file:
        file.write(whole)
    check_all_there(node, 300)
