"""quorate-perf as its users run it, against a real broker: counts that must add up, faults that it must notice."""

import json
import signal
import subprocess

import pika
from support.broker import Broker, free_port, program
from support.scenarios import Scenarios, check, check_in, equal

SECONDS = 60  # no run of these tests takes so long
scenario = Scenarios(lambda folder: Broker(folder).start())


def perf(broker, words, exit_code=0, url=None):
    """Runs it with JSON on standard output; gives that object. What it says besides goes to standard error."""
    command = [program("quorate-perf"), "-h", url or broker.url, "--json", "-", *words.split()]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS)
    equal(done.returncode, exit_code, f"exit code of {words}\n{done.stderr}{done.stdout}")
    return json.loads(done.stdout)


def begin(broker, words):
    """Starts it and waits for its first line."""
    command = [program("quorate-perf"), "-h", broker.url, "-i", "0.1", *words.split()]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    check(process.stdout.readline().startswith("id: "), "no first line")
    return process


def adds_up(result, sent, received):
    for key, wanted in {"sent": sent, "received": received, "lost": 0, "duplicated": 0, "disordered": 0}.items():
        equal(result[key], wanted, key)
    check(result["judged"], "losses were not judged")


def is_writing_counted(broker):
    """Whether the kernel counts what this process writes, and tells us: nothing of a file system in memory."""
    kind = ["stat", "--file-system", "--format=%T", broker.data]
    if subprocess.run(kind, capture_output=True, text=True, check=True).stdout.strip() == "tmpfs":
        return False
    try:
        with open(f"/proc/{broker.pid}/io") as counters:
            return "write_bytes" in counters.read()
    except OSError:
        return False


def queue_length(broker, name):
    connection = pika.BlockingConnection(pika.URLParameters(broker.url))
    count = connection.channel().queue_declare(name, passive=True).method.message_count
    connection.close()
    return count


@scenario
def one_to_one(broker):
    """every message is confirmed, delivered once and in order, and the broker's costs are told"""
    words = f"-f persistent -c 500 -q 100 -A 10 -s 100 -C 20000 --id one --broker-pid {broker.pid}"
    result = perf(broker, words)
    adds_up(result, 20000, 20000)
    equal(result["confirmed"], 20000, "confirmed")
    equal(result["id"], "one", "id")
    latency = result["confirm_latency_us"]
    check(0 < latency["p50"] <= latency["p99"] <= latency["max"], f"confirm latency {latency}")
    check(result["delivery_latency_us"]["p50"] > 0, "delivery latency")
    check(abs(result["rate"]["sent"] * result["seconds"] - 20000) < 200, "rate and seconds do not give the count")
    check(result["broker"]["cpu_us"] > 0 and result["broker"]["peak_rss_bytes"] > 1e6, f"{result['broker']}")
    if is_writing_counted(broker):
        check(result["broker"]["written_bytes"] > 20000 * 100, "bytes written")


@scenario
def one_after_the_other(broker):
    """a run that has ended leaves no queue that goes while the next one uses it"""
    for _ in range(5):
        adds_up(perf(broker, "-f persistent -c 10 -C 20 -u again"), 20, 20)


@scenario
def many_to_many(broker):
    """several threads, channels and queues, and sizes from the compact stamp to several frames"""
    words = "-x 3 -X 2 -y 4 -Y 2 --threads 2 -qp many-%d -qpt 3 -s 12:200000 -c 20 -q 50 -C 100"
    adds_up(perf(broker, words), 600, 600)


@scenario
def competing_consumers(broker):
    """consumers of one queue on several threads get each message once altogether"""
    adds_up(perf(broker, "-y 3 --threads 3 -c 100 -q 10 -C 5000 -u competing"), 5000, 5000)


@scenario
def fan_out(broker):
    """each queue behind a fanout exchange gives every message"""
    adds_up(perf(broker, "-e perf.fanout -t fanout -qp fan-%d -qpt 3 -y 3 -c 100 -C 2000"), 2000, 6000)


@scenario
def quorum_queue(broker):
    """a quorum queue without confirms and with automatic acks"""
    adds_up(perf(broker, "--quorum-queue -u quorum -a -C 5000"), 5000, 5000)


@scenario
def paced(broker):
    """a rate is kept, and a run of counts ends with its last message"""
    result = perf(broker, "-r 400 -C 200 -c 100")
    adds_up(result, 200, 200)
    check(0.49 < result["seconds"] < 5, f"{result['seconds']} s for 200 messages at 400/s")
    result = perf(broker, "-r 10000 -R 400 -q 10 -C 200")
    adds_up(result, 200, 200)
    check(0.49 < result["seconds"] < 5, f"{result['seconds']} s to consume 200 messages at 400/s")


@scenario
def for_a_time(broker):
    """-z ends the window, what is under way is waited for, and a warm-up does not count"""
    result = perf(broker, "-z 0.5 --warmup 1 -c 100 -q 100 -A 50 -f persistent")
    adds_up(result, result["sent"], result["sent"])
    check(0.5 <= result["seconds"] < 5, f"{result['seconds']} s")
    check(result["rate"]["sent"] * result["seconds"] < result["sent"], "the warm-up was counted")


@scenario
def losses_are_noticed(broker):
    """a queue that drops messages makes the run fail and is told by how many"""
    result = perf(broker, "-qa x-max-length=10 -R 1000 -q 1 -C 500 -c 500 -st 0.5 -u short", exit_code=1)
    equal(result["confirmed"], 500, "confirmed")
    check(result["lost"] > 0, "nothing was lost")
    equal(result["lost"] + result["undelivered"] + result["received"], 500, "lost and received")


@scenario
def returned(broker):
    """what has no route comes back and is not lost"""
    result = perf(broker, "-p -e amq.direct -k nowhere -y 0 -f mandatory -c 10 -C 100")
    equal((result["returned"], result["confirmed"], result["lost"]), (100, 100, 0), "returned")


@scenario
def produced_then_consumed(broker):
    """one run fills a queue, another takes a part of it and leaves the rest as it was"""
    perf(broker, "-y 0 -u later -f persistent -ad false -c 100 -C 100")
    result = perf(broker, "-x 0 -y 1 -u later -f persistent -ad false -q 30 -A 7 -D 40")
    equal(result["received"], 40, "received")
    equal(queue_length(broker, "later"), 60, "messages left")


@scenario
def churn(broker):
    """connections, channels, queues and bindings come and go, and nothing of them stays"""
    for kind in ("connections", "channels", "queues", "bindings"):
        result = perf(broker, f"--churn {kind} --churn-outstanding 3 -x 2 -z 1 -u churned")
        check(result["churn"]["operations"] > 0 and result["churn"]["per_second"] > 0, f"no {kind} came and went")


@scenario
def idle_connections(broker):
    """connections that do nothing are opened, held and measured"""
    result = perf(broker, f"--idle-connections 50 --idle-channels 2 -z 0.1 --broker-pid {broker.pid}")
    check("bytes_per_connection" in result["broker"], "no memory per connection")


@scenario
def interrupted(broker):
    """a signal ends the window, and the summary is that of a run that ended well"""
    process = begin(broker, "-r 100 -c 10")
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=SECONDS)
    equal(process.returncode, 0, f"exit code\n{said}")
    check_in("lost 0, duplicated 0", said)


@scenario
def refused(broker):
    """a queue that is not there, a wrong password and no broker at all end with 1 and the reason"""
    result = perf(broker, "-p -u nowhere -C 1", exit_code=1)
    check_in("404 NOT_FOUND - no queue 'nowhere'", result["failure"])
    result = perf(broker, "-C 1", exit_code=1, url=broker.url.replace("guest:guest", "guest:wrong"))
    check_in("403 ACCESS_REFUSED", result["failure"])
    result = perf(broker, "-C 1", exit_code=1, url=f"amqp://127.0.0.1:{free_port()}")
    check_in("refused", result["failure"])


@scenario
def the_broker_dies(broker):
    """a broker that is killed ends the run with 1"""
    process = begin(broker, "-r 100 -c 10")
    broker.kill()
    said, _ = process.communicate(timeout=SECONDS)
    equal(process.returncode, 1, f"exit code\n{said}")
    check_in("FAILED: ", said)
