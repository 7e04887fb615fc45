"""What the log says, and what it must not."""

import json
import os
import re
import time
import urllib.parse

import pika
from stage import PASSWORD, SECRETS, WRONG_PASSWORD, Stage, files, read, refusal
from support import management
from support.broker import HOST, free_port, wait_until
from support.clients import connect_to, queue_exists
from support.cluster import ProcessCluster, three_nodes
from support.management import run_command
from support.scenarios import Scenarios, check, equal

SECONDS = 60
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
def what_operators_change(stage):
    """each change through quoratectl or HTTP is a line: who, what, and what came of it; what only looks is none"""
    port = free_port()
    node = stage.node(f"management.tcp.port={port}", "management.tcp.ip=127.0.0.1").start()
    check("starting version=" in node.log_since().splitlines()[0], "the first line says what starts")
    check(f"data_dir={node.data} pid={node.pid}" in node.log_since().splitlines()[0], "where, and as which process")
    for words in (("add_user", "ann", PASSWORD), ("set_permissions", "ann", ".*", ".*", ".*"), ("list_users",)):
        equal(run_command(node.data, *words).returncode, 0, words)
    equal(run_command(node.data, "delete_queue", "nobody's").returncode, 65)
    connection = node.pika()
    connection.channel().queue_declare("jobs", durable=True)
    equal(run_command(node.data, "purge_queue", "jobs").returncode, 0)
    connections = json.loads(run_command(node.data, "list_connections", "pid", "--formatter", "json").stdout)
    path = "/api/connections/" + urllib.parse.quote(connections[0]["pid"], safe="")
    equal(management.request(HOST, port, path, "DELETE", f"guest:{PASSWORD}")[0], 204)
    node.check_stop()
    said = node.log_since()
    for line in (
        'command=add_user arguments={"username":"ann"} result=ok',
        'command=set_permissions arguments={"username":"ann","configure":".*","write":".*","read":".*","vhost":"/"} result=ok',
        'command=delete_queue arguments={"queue":"nobody\'s","vhost":"/"} result=65 reason="Queue \'nobody\'s\' does not exist',
        'command=purge_queue arguments={"queue":"jobs","vhost":"/"} result=ok count=0',
    ):
        equal(said.count(f"user operator.command who=local {line}"), 1, f"{line}\n{said}")
    equal(said.count(f'request="DELETE {path}" status=204'), 1, said)
    equal(said.count('user operator.request who="guest@127.0.0.1:'), 1, said)
    equal(said.count("operator."), 5, said)


@scenario
def what_becomes_of_a_cluster(stage):
    """who is gone and what was taken over, who belongs to it; an end in order is no warning"""
    queues = [f"q{number}" for number in range(4)]
    with three_nodes(stage.folder) as cluster:
        connection = connect_to(cluster, "n3")
        for name in queues:
            connection.channel().queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"})
        wait_until(lambda: {cluster.leader_of(name) for name in queues} == {"n3"}, SECONDS, "n3 leads all")
        cluster.kill("n3")
        taken = 0
        for name in ("n1", "n2"):
            cluster.nodes[name].wait_for_log("[warning] cluster node.down node=rabbit@n3", seconds=SECONDS)
            cluster.nodes[name].wait_for_log("leaders.taken_over from=rabbit@n3 count=", seconds=SECONDS)
            taken += int(re.search(r"taken_over from=rabbit@n3 count=(\d+)", cluster.nodes[name].log_since()).group(1))
        equal(taken, len(queues))
        before = {name: cluster.nodes[name].log_size() for name in ("n1", "n2")}
        cluster.start("n3")
        cluster.await_ready(["n3"])
        for name, offset in before.items():
            cluster.nodes[name].wait_for_log("peer.connected node=rabbit@n3", offset, SECONDS)
        cluster.stop("n3")
        cluster.control("n1", "forget_cluster_node", "rabbit@n3")
        for name, offset in before.items():
            node = cluster.nodes[name]
            node.wait_for_log("node.forgotten node=rabbit@n3", offset, SECONDS)
            said = node.log_since(offset)
            check("[info] cluster peer.disconnected node=rabbit@n3" in said, node.log_since())
            check('reason="it stops"' in said and "[warning] cluster peer.disconnected" not in said, said)
        cluster.nodes["n1"].wait_for_log('command=forget_cluster_node arguments={"target":"rabbit@n3"} result=ok')


@scenario
def how_long_a_start_took(stage):
    """the time in which other nodes were missing is told apart from what this one had to do"""
    cluster = ProcessCluster(stage.folder)
    try:
        begin = time.monotonic()
        cluster.start("n1")
        cluster.nodes["n1"].wait_for_log("waiting for", seconds=SECONDS)
        waits = time.monotonic()
        cluster.start("n2")
        cluster.nodes["n1"].wait_for_log("2 of 3, waiting for rabbit@n3", seconds=SECONDS)
        waited = time.monotonic() - waits
        cluster.start_all()
        cluster.nodes["n1"].wait_for_log("waited_for_others=", seconds=SECONDS)
        total = time.monotonic() - begin
        told = re.search(r"recovery=(\d+)ms waited_for_others=(\d+)ms", cluster.nodes["n1"].log_since())
        recovery, others = (int(number) / 1000 for number in told.groups())
        check(others >= waited, f"{others} s of at least {waited} s were told")
        check(recovery <= total - waited, f"recovery took {recovery} s of {total - waited} s")
    finally:
        cluster.close()


@scenario
def no_passwords(stage):
    """no password stands in any log of this run"""
    folder = os.path.dirname(stage.folder)  # where all scenarios before this one have theirs
    logs = [path for path in files(folder) if path.endswith("broker.log") or os.path.basename(path) == "LOG"]
    check(logs, "nothing was logged")
    for path in logs:
        for secret in SECRETS:
            check(secret.encode() not in read(path), f"a password stands in {path.removeprefix(folder)}")
