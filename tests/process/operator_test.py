"""The operator's hands from outside: a real node, its HTTP port, and the real quoratectl beside the broker's binary."""

import contextlib
import http.client
import json
import os
import signal
import socket
import stat
import subprocess
import time
import urllib.parse

import pika
from pika.exceptions import ConnectionClosedByBroker
from support import management
from support.broker import HOST, Broker, free_port, wait_until
from support.clients import connect
from support.scenarios import Scenarios, check, check_in, equal


class Node(Broker):
    def __init__(self, folder):
        self.http_port = free_port()
        super().__init__(folder, settings=[f"management.tcp.port={self.http_port}", f"management.tcp.ip={HOST}"])

    def request(self, method, path, **more):
        return management.request(HOST, self.http_port, path, method, **more)

    def get(self, path, user="guest:guest"):
        status, _, body = self.request("GET", path, user=user)
        equal(status, 200, path)
        return json.loads(body)

    def ctl(self, *words, tool="rabbitmqctl", exit_code=0, text=""):
        """Standard output of a command that has to end with `exit_code`; with an error, standard error."""
        done = management.run_command(self.data, *words, tool=tool, text=text, seconds=30)
        equal(done.returncode, exit_code, f"{tool} {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout if exit_code == 0 else done.stderr

    def rows(self, *words):
        return json.loads(self.ctl(*words, "--formatter", "json"))

    def client(self, name="client"):
        return connect(HOST, self.port, client_properties={"connection_name": name})

    def talk(self, pieces):
        """What comes back for these octets, sent one piece at a time, until the node closes or falls silent."""
        with socket.create_connection((HOST, self.http_port), timeout=10) as line:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in pieces:
                line.sendall(piece)
            heard = b""
            while chunk := line.recv(65536):
                heard += chunk
            return heard


@contextlib.contextmanager
def one_node(folder):
    with Node(folder) as node:
        yield node.start()


scenario = Scenarios(one_node)


# -- HTTP ------------------------------------------------------------------------------------------------------------


@scenario
def health_checks_need_no_user(node):
    """a load balancer asks without credentials; everything else asks for them"""
    unauthenticated = ("is-in-service", "ready-to-serve-clients", "reached-target-cluster-size")
    for check in (*unauthenticated, "below-node-connection-limit"):
        status, headers, body = node.request("GET", f"/api/health/checks/{check}", user=None)
        equal((status, json.loads(body)), (200, {"status": "ok"}), check)
        check_in("no-store", headers["cache-control"])
    status, headers, body = node.request("GET", "/api/health/checks/alarms", user=None)
    equal((status, body, headers["www-authenticate"]), (401, b"", 'Basic realm="RabbitMQ Management"'))
    for check in ("alarms", "local-alarms", "node-is-quorum-critical", "virtual-hosts", "protocol-listener/amqp,http"):
        equal(node.get(f"/api/health/checks/{check}")["status"], "ok", check)
    equal(node.get(f"/api/health/checks/port-listener/{node.port}"), {"port": node.port, "status": "ok"})
    equal(node.get("/api/aliveness-test/%2F"), {"status": "ok"})
    status, _, body = node.request("GET", "/api/health/checks/port-listener/1")
    equal((status, json.loads(body)["missing"]), (503, 1))


@scenario
def a_client_is_seen_and_closed(node):
    """connections, channels, consumers and queues of a client; DELETE closes it with 320 and the reason"""
    client = node.client("me")
    channel = client.channel()
    channel.queue_declare("q /%", durable=True, arguments={"x-max-priority": 3})
    for _ in range(5):
        channel.basic_publish("", "q /%", b"x" * 100, pika.BasicProperties(delivery_mode=2))
    channel.basic_qos(prefetch_count=2)
    channel.basic_consume("q /%", lambda *_: None, consumer_tag="tag")
    path = "/api/queues/%2F/" + urllib.parse.quote("q /%", safe="")
    wait_until(lambda: node.get(path)["messages_unacknowledged"] == 2, 10, "two deliveries")
    queue = node.get(path)
    equal((queue["messages"], queue["messages_ready"], queue["consumers"]), (5, 3, 1))
    equal(queue["arguments"], {"x-max-priority": 3, "x-queue-type": "classic"})
    equal(queue["consumer_details"][0]["consumer_tag"], "tag")
    (row,) = node.get("/api/connections")
    equal((row["user_provided_name"], row["client_properties"]["connection_name"]), ("me", "me"))
    equal((row["user"], row["vhost"], row["channels"], row["state"]), ("guest", "/", 1, "running"))
    equal(node.get("/api/channels")[0]["messages_unacknowledged"], 2)
    equal(node.get("/api/consumers")[0]["queue"], {"name": "q /%", "vhost": "/"})
    overview = node.get("/api/overview")
    equal(overview["object_totals"] | {"exchanges": 7}, overview["object_totals"])
    equal(overview["queue_totals"]["messages"], 5)

    name = "/api/connections/" + urllib.parse.quote(row["name"], safe="")
    equal(node.request("DELETE", name, headers={"X-Reason": "enough"})[0], 204)
    try:
        while True:
            client.process_data_events(5)
    except ConnectionClosedByBroker as closed:
        equal((closed.reply_code, closed.reply_text), (320, "CONNECTION_FORCED - enough"))
    wait_until(lambda: node.get("/api/connections") == [], 10, "no connection left")
    equal(node.request("DELETE", name)[0], 404)
    check_in("5 ready messages", node.ctl("delete_queue", "q /%"))


@scenario
def http_is_read_within_limits(node):
    """keep-alive, pieces of one octet, bodies and headers that are too long, and nonsense"""
    connection = http.client.HTTPConnection(HOST, node.http_port, timeout=10)
    for _ in range(3):
        connection.request("GET", "/api/version")
        equal(json.loads(connection.getresponse().read()), "4.1.0")
    connection.request("HEAD", "/api/version")
    answer = connection.getresponse()
    equal((answer.status, answer.read(), answer.headers["content-length"]), (200, b"", "7"))
    connection.close()

    whole = b"GET /api/version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    check_in(b'"4.1.0"', node.talk([bytes([octet]) for octet in whole]), "one octet at a time")
    check_in(b" 400 ", node.talk([b"NONSENSE\r\n\r\n"]), "nonsense")
    check_in(b" 431 ", node.talk([b"GET / HTTP/1.1\r\nX: " + b"x" * 20000 + b"\r\n\r\n"]), "long header")
    too_long = b"POST /api/version HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n"
    check_in(b"Exceeded HTTP request body size limit", node.talk([too_long]), "long body")
    equal(node.request("PUT", "/api/version")[0], 405)
    equal(node.request("GET", "/api/nothing")[0], 404)
    # A request that ends anywhere harms nobody.
    for size in range(1, len(whole)):
        with socket.create_connection((HOST, node.http_port), timeout=10) as line:
            line.sendall(whole[:size])
    equal(node.get("/api/whoami")["name"], "guest")


# -- commands --------------------------------------------------------------------------------------------------------


@scenario
def the_socket_is_the_owners(node):
    """control.sock is there with mode 0600"""
    mode = os.stat(os.path.join(node.data, "control.sock")).st_mode
    equal((stat.S_ISSOCK(mode), stat.S_IMODE(mode)), (True, 0o600))


@scenario
def all_names_answer(node):
    """quoratectl answers to RabbitMQ's names, and within milliseconds"""
    for tool in ("quoratectl", "rabbitmqctl", "rabbitmq-queues", "rabbitmq-diagnostics", "rabbitmq-upgrade"):
        equal(node.ctl("-q", "ping", tool=tool), "Ping succeeded\n")
    took = []
    for _ in range(10):
        began = time.monotonic()
        node.ctl("-q", "check_running", tool="rabbitmq-diagnostics")
        took.append(time.monotonic() - began)
    # The machine holds up some of them, a wait of ours would hold up all; usually it is a tenth of that.
    check(min(took) <= 0.25, f"of ten commands the fastest takes {min(took):.3f} s")
    node.ctl("await_startup")
    check_in(str(node.port), node.ctl("check_port_connectivity", tool="rabbitmq-diagnostics"))
    status = node.rows("status")
    equal((status["pid"], status["is_running"]), (node.pid, True))
    equal(node.rows("cluster_status")["running_nodes"], [status["node_name"]])


@scenario
def users_and_permissions_take_effect(node):
    """a user made by add_user and set_permissions logs in, and a deleted one does not"""
    check_in('Adding user "ann" ...', node.ctl("add_user", "ann", text="first\n"))
    equal(node.request("GET", "/api/whoami", user="ann:first")[0], 401, "without a tag")
    node.ctl("set_user_tags", "ann", "monitoring", "management")
    equal(node.get("/api/whoami", user="ann:first")["tags"], ["monitoring", "management"])
    node.ctl("change_password", "ann", "second")
    equal(node.request("GET", "/api/whoami", user="ann:first")[0], 401)
    node.ctl("add_vhost", "v", "--description", "mine", "--default-queue-type", "quorum")
    rows = {row["name"]: row for row in node.rows("list_vhosts", "name", "description", "default_queue_type")}
    equal(rows["v"], {"name": "v", "description": "mine", "default_queue_type": "quorum"})
    equal(rows["/"]["default_queue_type"], "classic")
    node.ctl("update_vhost_metadata", "v", "--tags", "a,b", "--relaxed-checks-on-redeclaration", "true")
    metadata = node.get("/api/vhosts/v")["metadata"]
    equal((metadata["tags"], metadata["default_queue_type"]), (["a", "b"], "quorum"))
    node.ctl("set_permissions", "-p", "v", "ann", ".*", "", "^a")
    equal(
        node.rows("list_permissions", "-p", "v"), [{"user": "ann", "configure": ".*", "write": "", "read": "^a"}]
    )
    connect(HOST, node.port, virtual_host="v", credentials=pika.PlainCredentials("ann", "second")).close()
    equal(node.ctl("-q", "list_users"), "user\ttags\nann\t[monitoring, management]\nguest\t[administrator]\n")
    equal(sorted(row["name"] for row in node.rows("list_vhosts")), ["/", "v"])
    node.ctl("clear_permissions", "-p", "v", "ann")
    node.ctl("delete_user", "ann")
    node.ctl("delete_vhost", "v")


@scenario
def queues_are_listed_purged_and_deleted(node):
    """list_queues, purge_queue and delete_queue on a queue with messages"""
    client = node.client()
    channel = client.channel()
    channel.confirm_delivery()
    channel.queue_declare("jobs", durable=True)
    for _ in range(3):
        channel.basic_publish("", "jobs", b"work")
    equal(
        node.ctl("list_queues"),
        "Timeout: 60.0 seconds ...\nListing queues for vhost / ...\nname\tmessages\njobs\t3\n",
    )
    equal(node.ctl("-s", "list_queues", "messages", "name", "durable"), "3\tjobs\ttrue\n")
    equal(node.ctl("-s", "-t", "infinity", "list_queues", "--local", "disk_reads", "owner_pid", "name"), "0\t\tjobs\n")
    equal(node.ctl("-s", "list_queues", "--offline"), "")
    equal(len(node.rows("list_connections", "recv_cnt", "ssl_protocol", "container_id")), 1)
    equal(node.ctl("delete_queue", "jobs", "--if-empty", exit_code=69), "Error:\nQueue is not empty\n")
    equal(node.ctl("-q", "purge_queue", "jobs"), "")
    equal(node.rows("list_queues"), [{"name": "jobs", "messages": 0}])
    equal(node.ctl("-q", "delete_queue", "jobs"), "Queue was successfully deleted with 0 ready messages\n")
    equal(node.rows("list_queues"), [])
    client.close()


@scenario
def errors_have_exit_codes(node):
    """sysexits codes and texts of what goes wrong"""
    check_in("not found", node.ctl("fly", exit_code=64))
    node.ctl("add_user", exit_code=64)
    check_in("no such column", node.ctl("list_queues", "wings", exit_code=64))
    check_in("does not exist", node.ctl("list_queues", "-p", "nowhere", exit_code=65))
    node.ctl("set_permissions", "guest", "(", "", "", exit_code=65)
    equal(node.ctl("delete_user", "nobody", exit_code=67), 'Error:\nUser "nobody" does not exist\n')
    node.ctl("-n", "rabbit@elsewhere", "ping", exit_code=69)
    check_in("already exists", node.ctl("add_user", "guest", "x", exit_code=70))


@scenario
def a_stopped_node_is_told_apart(node):
    """ping of a stopped node is 69, of a frozen one 75, and await_startup waits for the start"""
    node.send_signal(signal.SIGSTOP)
    check_in("timed out", node.ctl("-t", "0.3", "ping", exit_code=75))
    node.send_signal(signal.SIGCONT)
    node.ctl("ping")
    equal(node.stop(), 0)
    check_in("unable to perform an operation", node.ctl("ping", exit_code=69))
    equal(node.ctl("version"), "4.1.0\n", "needs no node")
    check_in("Will hash provided password\n", node.ctl("hash_password", text="secret\n"))
    node.ctl("-t", "0.3", "await_startup", exit_code=75)
    waiting = subprocess.Popen(management.command(node.data, "await_startup"), stdin=subprocess.DEVNULL)
    node.start()
    equal(waiting.wait(20), 0)
    node.ctl("check_running")
