"""What the log says, and what it must not."""

import json
import os

import pika
from stage import SECRETS, WRONG_PASSWORD, Stage, files, read, refusal
from support.clients import queue_exists
from support.scenarios import Scenarios, check

scenario = Scenarios(Stage, shared=False)


@scenario
def json_log(stage):
    """log.console.formatter = json: every line is an object, whatever clients bring"""
    node = stage.node("log.console.formatter=json", "log.console.level=debug").start()
    connection = node.pika()
    check(not queue_exists(connection, 'quo"te\\ \x01\n \u00fc'), "a queue that nobody declared")
    connection.close()
    refusal(lambda: node.pika(credentials=pika.PlainCredentials('gu"est\n', WRONG_PASSWORD)))
    refusal(lambda: node.pika(credentials=pika.PlainCredentials("guest", WRONG_PASSWORD)))
    node.check_stop()
    lines = node.log_since().splitlines()
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise AssertionError(f"no JSON ({error}): {line}") from None
        check(isinstance(entry, dict) and {"time", "level", "msg"} <= entry.keys(), f"keys are missing: {line}")
    check(len(lines) > 5, f"only {len(lines)} lines were logged")


@scenario
def no_passwords(stage):
    """no password stands in any log of this run"""
    folder = os.path.dirname(stage.folder)  # where all scenarios before this one have theirs
    logs = [path for path in files(folder) if path.endswith("broker.log") or os.path.basename(path) == "LOG"]
    check(logs, "nothing was logged")
    for path in logs:
        for secret in SECRETS:
            check(secret.encode() not in read(path), f"a password stands in {path.removeprefix(folder)}")
