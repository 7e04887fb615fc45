#!/usr/bin/python3
"""Three nodes and HAProxy as processes of this machine, as docker-compose.yml has them. Ctrl-C stops all.

A node that ends is started again after some seconds, unless a file `hold` lies in its folder: deploy/chaos uses that.
"""

import argparse
import os
import signal
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests"))
import haproxy_config  # noqa: E402
from support.cluster import NodeEnded, ProcessCluster  # noqa: E402

AMQP, HTTP, PEERS = 5680, 15680, 25680  # plus the number of the node
RESTART_SECONDS = 2
LOOK_SECONDS = 0.2
WRONG_CONFIGURATION = 78


class LocalCluster(ProcessCluster):
    def place(self, number):
        return "127.0.0.1", (AMQP + number, HTTP + number, PEERS + number)

    def file(self, name, kind):
        return os.path.join(self.nodes[name].folder, kind)

    def start(self, name):
        super().start(name)
        with open(self.file(name, "pid"), "w") as file:
            file.write(str(self.nodes[name].pid))

    def tend(self, stopping, haproxy):
        """Starts again what has ended, until told to stop; without HAProxy, if there was to be one, it makes no sense."""
        while not stopping.wait(LOOK_SECONDS):
            if haproxy and haproxy.poll() is not None:
                ports = ", ".join(map(str, haproxy_config.PORTS.values()))
                raise NodeEnded(f"HAProxy ended with {haproxy.returncode}: are the ports {ports} free?")
            for name, node in self.nodes.items():
                if node.alive() or os.path.exists(self.file(name, "hold")):
                    continue
                if node.process.returncode == WRONG_CONFIGURATION:
                    raise NodeEnded(f"{name} does not start:{self.last_words(name)}")
                print(f"{name} ended with {node.process.returncode}, starts again", flush=True)
                stopping.wait(RESTART_SECONDS)
                if not stopping.is_set():
                    self.start(name)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="data/cluster", help="where the nodes keep everything")
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--no-haproxy", action="store_true")
    options = parser.parse_args()

    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    cluster = LocalCluster(os.path.abspath(options.data), options.nodes)
    haproxy = None
    try:
        for name in cluster.nodes:
            if os.path.exists(cluster.file(name, "hold")):
                os.unlink(cluster.file(name, "hold"))
            cluster.start(name)
        if not options.no_haproxy:
            config = os.path.join(cluster.folder, "haproxy.cfg")
            haproxy_config.write(config, cluster.nodes.values())
            haproxy = subprocess.Popen(["haproxy", "-W", "-db", "-f", config], stdout=subprocess.DEVNULL)
            print("HAProxy: AMQP {amqp}, HTTP {management}, its statistics {statistics}".format(**haproxy_config.PORTS))
        print(f"data and logs in {options.data}; Ctrl-C stops all")
        for node in cluster.nodes.values():
            print(f"{node.name}: AMQP {node.amqp_port}, HTTP {node.http_port}, log {node.log_path}", flush=True)
        cluster.tend(stopping, haproxy)
        return 0
    except NodeEnded as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        if haproxy and haproxy.poll() is None:
            haproxy.terminate()
        for node in cluster.nodes.values():
            if node.alive():
                node.send_signal(signal.SIGCONT)
                node.process.terminate()
        for node in cluster.nodes.values():
            if node.process:
                node.process.wait(60)


if __name__ == "__main__":
    sys.exit(main())
