"""The operator's hands on a cluster: three real nodes, their HTTP ports and the real quoratectl; a fourth joins.

The scenarios follow one another on the same cluster and leave it as they found it.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import socket

import pika
from support.broker import wait_until
from support.clients import connect_to
from support.cluster import ProcessNode, three_nodes
from support.scenarios import Scenarios, check_in, equal
from support.wire import Wire

SECONDS = 30
MEMBER_SECONDS = 60  # a new member whose first lines are lost gets them after ten (cluster/snapshot_transfer.h)
scenario = Scenarios(three_nodes)


def refused(cluster, name, *words):
    """What a command says that must fail."""
    try:
        said = cluster.control(name, *words)
    except RuntimeError as error:
        return str(error)
    raise AssertionError(f"{words} at {name} was not refused: {said}")


def rows(cluster, name, *words):
    return json.loads(cluster.control(name, *words, "--formatter", "json"))


def get(cluster, name, path):
    status, body = cluster.nodes[name].get(path)
    equal(status, 200, f"{path} at {name}: {body}")
    return body


def queue(cluster, name, which):
    return get(cluster, name, f"/api/queues/%2F/{which}")


def short(names):
    return sorted(name.partition("@")[2] for name in names)


def running(cluster, name):
    return short(rows(cluster, name, "cluster_status")["running_nodes"])


def declare(cluster, name, *queues, kind="quorum", messages=0):
    connection = connect_to(cluster, name)
    channel = connection.channel()
    channel.confirm_delivery()
    for which in queues:
        channel.queue_declare(which, durable=True, arguments={"x-queue-type": kind})
        for _ in range(messages):
            channel.basic_publish("", which, b"x", pika.BasicProperties(delivery_mode=2))
    connection.close()


def accepts_connections(node):
    try:
        socket.create_connection((node.host, node.amqp_port), 1).close()
    except ConnectionRefusedError:
        return False
    return True


def await_members(cluster, which, members):
    def placed():
        found = queue(cluster, "n1", which)
        return short(found["members"]) == members and "messages" in found and found

    return wait_until(placed, MEMBER_SECONDS, f"{which} on {members}")


@scenario
def every_node_shows_the_whole_cluster(cluster):
    """a queue's row comes from its leader, connections from their nodes, whichever node is asked"""
    declare(cluster, "n1", "q", messages=5)
    declare(cluster, "n2", "c", kind="classic", messages=2)
    connection = connect_to(cluster, "n3")
    for name in cluster.nodes:
        found = queue(cluster, name, "q")
        equal((found["messages"], found["type"], found["state"]), (5, "quorum", "running"), name)
        equal(found["leader"], queue(cluster, "n1", "q")["leader"])
        equal((short(found["members"]), short(found["online"])), (["n1", "n2", "n3"], ["n1", "n2", "n3"]))
        found = queue(cluster, name, "c")
        equal((found["node"], found["messages"], found["type"]), ("rabbit@n2", 2, "classic"), name)
        listed = {row["name"]: row["messages"] for row in rows(cluster, name, "list_queues")}
        equal(listed, {"q": 5, "c": 2}, name)
        equal([row["node"] for row in get(cluster, name, "/api/connections")], ["rabbit@n3"], name)
        status = rows(cluster, name, "cluster_status")
        equal(short(status["running_nodes"]), ["n1", "n2", "n3"], name)
        equal(short(status["versions"]), ["n1", "n2", "n3"], name)
    replicas = {row["Node Name"]: row for row in rows(cluster, "n2", "quorum_status", "q")}
    equal(short(replicas), ["n1", "n2", "n3"])
    equal(sorted(row["Raft State"] for row in replicas.values()), ["follower", "follower", "leader"])
    equal({row["Membership"] for row in replicas.values()}, {"voter"})
    equal(len({row["Term"] for row in replicas.values()}), 1)
    connection.close()


@scenario
def one_name_for_the_cluster(cluster):
    """that of its first node, or what it is given; operators, monitoring and clients of any node are told the same"""

    def told_to_clients(node):
        client = Wire(node.host, node.amqp_port)
        client.start()
        client.drop()
        _, _, text = client.server_properties.partition(b"\x0ccluster_nameS")
        return text[4 : 4 + int.from_bytes(text[:4], "big")].decode()

    def told(name):
        by_http = get(cluster, name, "/api/overview")["cluster_name"], get(cluster, name, "/api/cluster-name")["name"]
        by_command = rows(cluster, name, "cluster_status")["cluster_name"]
        return {*by_http, by_command, told_to_clients(cluster.nodes[name])}

    def told_everywhere(name):
        wait_until(lambda: all(told(node) == {name} for node in cluster.nodes), SECONDS, f"the cluster is called {name}")

    told_everywhere("rabbit@n1")
    cluster.control("n2", "set_cluster_name", "prod")
    told_everywhere("prod")
    cluster.kill("n3")
    cluster.start("n3")
    cluster.await_ready()
    told_everywhere("prod")
    cluster.control("n3", "set_cluster_name", "rabbit@n1")


@scenario
def leaders_move_where_they_are_told(cluster):
    """transfer_leadership from any node, and rebalance spreads what one node leads"""

    def is_moved(target):
        with contextlib.suppress(RuntimeError):  # a member whose node has just been started may yet be behind
            cluster.control("n2", "transfer_leadership", "q", f"rabbit@{target}")
            return True
        return False

    for target in ("n3", "n2", "n1"):
        if cluster.leader_of("q") == target:
            continue
        wait_until(lambda wanted=target: is_moved(wanted), SECONDS, f"{target} has taken over")
        equal(queue(cluster, target, "q")["leader"], f"rabbit@{target}", "once it has answered")
        wait_until(lambda wanted=target: cluster.leader_of("q") == wanted, SECONDS, f"everybody knows of {target}")
    here = cluster.leader_of("q")
    assert "already the leader" in refused(cluster, "n1", "transfer_leadership", "q", f"rabbit@{here}")
    assert "non-quorum" in refused(cluster, "n1", "transfer_leadership", "c", "rabbit@n1")
    assert "not a member of the cluster" in refused(cluster, "n1", "transfer_leadership", "q", "rabbit@n9")
    names = [f"b{number}" for number in range(8)]
    declare(cluster, "n1", *names)
    all_led = lambda: all(row.get("node") for row in get(cluster, "n2", "/api/queues"))  # noqa: E731
    wait_until(all_led, SECONDS, "leaders of the new queues")
    cluster.control("n2", "rebalance", "quorum")

    def spread():
        leaders = [row.get("leader") for row in get(cluster, "n1", "/api/queues") if row["type"] == "quorum"]
        return sorted(leaders.count(f"rabbit@n{number}") for number in (1, 2, 3)) == [3, 3, 3]

    wait_until(spread, SECONDS, "nine leaders on three nodes")
    for name in names:
        cluster.control("n1", "delete_queue", name)


@scenario
def queues_grow_and_shrink(cluster):
    """members leave and come back, the leader's own as well, and no message is lost"""
    leader = cluster.leader_of("q")
    others = sorted({"n1", "n2", "n3"} - {leader})
    cluster.control("n1", "delete_member", "q", f"rabbit@{others[0]}")
    await_members(cluster, "q", sorted([leader, others[1]]))
    cluster.control("n2", "add_member", "q", f"rabbit@{others[0]}")
    await_members(cluster, "q", ["n1", "n2", "n3"])
    result = rows(cluster, others[0], "shrink", f"rabbit@{leader}")
    equal(result, [{"vhost": "/", "name": "q", "size": 2, "result": "ok"}])
    found = await_members(cluster, "q", others)
    equal(found["messages"], 5)
    equal([row["result"] for row in rows(cluster, "n3", "grow", f"rabbit@{leader}", "even")], ["ok"])
    equal(await_members(cluster, "q", ["n1", "n2", "n3"])["messages"], 5)
    equal(rows(cluster, "n3", "grow", f"rabbit@{leader}", "all"), [])


@scenario
def members_change_one_after_the_other(cluster):
    """a command for the members of a queue waits for the change that is under way"""
    declare(cluster, "n1", "moved")
    for change in ("delete_member", "add_member"):
        for name in ("n2", "n3"):
            cluster.control("n1", change, "moved", f"rabbit@{name}")
    await_members(cluster, "moved", ["n1", "n2", "n3"])
    cluster.control("n1", "delete_queue", "moved")


@scenario
def a_drained_node_serves_nobody(cluster):
    """its leaders and clients go, load balancers hear of it; revive ends that, and so does a restart"""
    leader = cluster.leader_of("q")
    connection = connect_to(cluster, leader)
    cluster.control(leader, "drain")
    other = next(name for name in cluster.nodes if name != leader)
    wait_until(lambda: cluster.leader_of("q") != leader, SECONDS, f"{leader} is seen to lead no more")
    assert not cluster.nodes[leader].is_ready()
    try:
        wait_until(lambda: connection.process_data_events(0.1), SECONDS, "the client is asked to go")
    except pika.exceptions.ConnectionClosedByBroker as closed:
        equal(closed.reply_code, 320)
        assert "maintenance mode" in closed.reply_text, closed.reply_text
    status = rows(cluster, other, "cluster_status")["maintenance_status"]
    equal(status[f"rabbit@{leader}"], "marked for maintenance")
    cluster.control(leader, "check_if_node_is_quorum_critical")
    cluster.control(leader, "revive")
    cluster.await_ready([leader])
    connect_to(cluster, leader).close()
    cluster.control(leader, "drain")
    cluster.stop(leader)
    cluster.start(leader)
    cluster.await_ready([leader])
    assert "marked" not in str(rows(cluster, other, "cluster_status")["maintenance_status"])


@scenario
def a_node_that_stops_hands_over_what_it_leads(cluster):
    """before it is gone, and while its clients still work: no queue of it waits for an election"""
    names = [f"h{number}" for number in range(20)]
    declare(cluster, "n1", *names)
    leaders = lambda: {cluster.leader_of(name) for name in names}  # noqa: E731
    wait_until(lambda: leaders() == {"n1"}, SECONDS, "they are led where they were declared")
    offset = cluster.nodes["n1"].log_size()
    cluster.stop("n1")
    found = re.search(r"node.leaders_handed_over groups=(\d+) left=0 ", cluster.nodes["n1"].log_since(offset))
    assert found and int(found[1]) >= len(names), cluster.nodes["n1"].log_since(offset)
    cluster.start("n1")
    cluster.await_ready(["n1"])
    for name in names:
        cluster.control("n1", "delete_queue", name)


@scenario
def a_node_that_comes_back_takes_nobody_for_dead(cluster):
    """its first client finds the classic queues of the others, however early it comes"""
    homes = {"of-n1": "n1", "of-n2": "n2"}
    for which, home in homes.items():
        with connect_to(cluster, home) as connection:
            here = {"x-queue-leader-locator": "client-local"}
            connection.channel().queue_declare(which, durable=True, arguments=here)
    for _ in range(5):
        cluster.kill("n3")
        cluster.start("n3")
        wait_until(lambda: accepts_connections(cluster.nodes["n3"]), SECONDS, "n3 listens")
        with connect_to(cluster, "n3") as early:
            for which in homes:
                early.channel().queue_declare(which, passive=True)
    cluster.await_ready(["n3"])
    with connect_to(cluster, "n1") as connection:
        for which in homes:
            connection.channel().queue_delete(which)


@scenario
def an_alarm_of_one_node_is_seen_on_all(cluster):
    """a node short of disk is named everywhere, until it has room again or dies"""
    node = cluster.nodes["n2"]
    with open(node.config) as file:
        before = file.read()
    with open(node.config, "a") as file:
        file.write("disk_free_limit.absolute = 900TB\n")
    node.send_signal(signal.SIGHUP)
    alarm = [{"node": "rabbit@n2", "resource": "disk"}]
    for name in ("n1", "n3"):
        has_heard = lambda at=name: rows(cluster, at, "cluster_status")["alarms"] == alarm  # noqa: E731
        wait_until(has_heard, SECONDS, f"{name} names n2")
    assert "rabbit@n2" in refused(cluster, "n3", "check_alarms")
    cluster.control("n3", "check_local_alarms")
    shown = {row["name"]: row["disk_free_alarm"] for row in get(cluster, "n3", "/api/nodes")}
    equal(shown, {"rabbit@n1": False, "rabbit@n2": True, "rabbit@n3": False})
    with open(node.config, "w") as file:
        file.write(before)
    cluster.kill("n2")
    wait_until(lambda: rows(cluster, "n1", "cluster_status")["alarms"] == [], SECONDS, "no alarm of a dead node")
    cluster.start("n2")
    cluster.await_ready(["n2"])


@scenario
def the_listener_for_other_nodes_is_one(cluster):
    """listeners, cluster_status, HTTP and the checks know it"""
    port = cluster.nodes["n2"].peer_port
    for node in ("n1", "n2"):
        found = rows(cluster, node, "cluster_status")["listeners"]["rabbit@n2"]
        equal([row["port"] for row in found if row["protocol"] == "clustering"], [port], node)
        listed = get(cluster, node, "/api/nodes/rabbit@n2")["listeners"]
        equal([row["port"] for row in listed if row["protocol"] == "clustering"], [port], node)
    check_in("inter-node and CLI tool communication", cluster.control("n2", "listeners"))
    check_in(str(port), cluster.control("n2", "check_port_connectivity"))
    get(cluster, "n2", "/api/health/checks/protocol-listener/clustering")


@scenario
def who_may_stop_is_known(cluster):
    """with all nodes there nobody is critical, with one away everybody is, and a dead node is listed as such"""
    health = "/api/health/checks/node-is-quorum-critical"
    wait_until(lambda: cluster.nodes["n1"].get(health)[0] == 200, SECONDS, "all are there")
    cluster.control("n1", "check_if_node_is_quorum_critical")
    cluster.control("n1", "await_online_quorum_plus_one")
    cluster.kill("n3")
    wait_until(lambda: short(queue(cluster, "n1", "q")["online"]) == ["n1", "n2"], SECONDS, "n3 is missed")
    assert "queue 'q' in vhost '/'" in refused(cluster, "n1", "check_if_node_is_quorum_critical")
    said = refused(cluster, "n1", "-t", "0.5", "await_online_quorum_plus_one")
    assert "time is up" in said and "queue 'q' in vhost '/'" in said, said
    cluster.control("n1", "await_online_nodes", "2")
    check_in("Not enough nodes joined", refused(cluster, "n1", "-t", "0.5", "await_online_nodes", "3"))
    wait_until(lambda: running(cluster, "n2") == ["n1", "n2"], SECONDS, "n2 misses n3, too")
    dead = {row["Node Name"]: row["Raft State"] for row in rows(cluster, "n1", "quorum_status", "q")}["rabbit@n3"]
    equal(dead, "noproc")
    assert "does not answer" in refused(cluster, "n1", "transfer_leadership", "q", "rabbit@n3")
    cluster.start("n3")
    cluster.await_ready(["n3"])
    cluster.control("n1", "await_online_quorum_plus_one")


def add_node(cluster, name):
    """A node that knows the three as seeds, and whose name they were not told."""
    node = ProcessNode(name, *cluster.place(4), cluster.folder)
    node.configure([node for node in cluster.nodes.values() if node.name != name])
    cluster.nodes[name] = node
    cluster.start(name)
    cluster.await_ready([name])


@scenario
def a_fourth_node_joins_is_lost_and_replaced(cluster):
    """it gets the metadata and members; forgotten, an empty one joins under its name; nothing runs under it before"""
    add_node(cluster, "n4")
    for name in list(cluster.nodes):
        wait_until(lambda at=name: running(cluster, at) == ["n1", "n2", "n3", "n4"], SECONDS, f"four nodes at {name}")
    cluster.control("n4", "add_member", "q", "rabbit@n4")
    await_members(cluster, "q", ["n1", "n2", "n3", "n4"])
    declare(cluster, "n4", "d", messages=3)
    assert "is running" in refused(cluster, "n1", "forget_cluster_node", "rabbit@n4")
    assert "itself" in refused(cluster, "n4", "forget_cluster_node", "rabbit@n4")

    cluster.kill("n4")
    shutil.rmtree(cluster.nodes["n4"].data)
    os.makedirs(cluster.nodes["n4"].data)
    cluster.start("n4")
    cluster.nodes["n4"].wait_for_log("forget_cluster_node rabbit@n4", seconds=SECONDS)  # it says what to do
    assert not cluster.nodes["n4"].is_ready()
    cluster.control("n2", "forget_cluster_node", "rabbit@n4")
    cluster.await_ready(["n4"])
    for name in list(cluster.nodes):
        wait_until(lambda at=name: running(cluster, at) == ["n1", "n2", "n3", "n4"], SECONDS, f"four nodes at {name}")
    await_members(cluster, "q", ["n1", "n2", "n3"])
    cluster.control("n4", "grow", "rabbit@n4", "all")
    equal(await_members(cluster, "q", ["n1", "n2", "n3", "n4"])["messages"], 5)

    # The way back to three: its members go, it stops, it is forgotten.
    cluster.control("n1", "shrink", "rabbit@n4")
    await_members(cluster, "q", ["n1", "n2", "n3"])
    cluster.stop("n4")
    cluster.control("n1", "forget_cluster_node", "rabbit@n4")
    del cluster.nodes["n4"]
    wait_until(lambda: running(cluster, "n1") == ["n1", "n2", "n3"], SECONDS, "three nodes")
    # Two of three are a majority again, of the metadata as well.
    cluster.kill("n3")
    declare(cluster, "n1", "after", kind="classic")
    cluster.start("n3")
    cluster.await_ready(["n3"])
