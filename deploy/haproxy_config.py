"""deploy/haproxy.cfg for nodes that have addresses instead of names: what people run is what the tests run."""

import os
import re

SHIPPED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "haproxy.cfg")
PORTS = {"amqp": 5672, "management": 15672, "statistics": 8404}


def write(path, nodes, host="127.0.0.1", ports=None):
    """`nodes` have name, host, amqp_port and http_port; HAProxy listens at `host` on `ports`, by the names of PORTS."""
    ports = PORTS | (ports or {})
    with open(SHIPPED) as file:
        text = file.read()
    for name, port in PORTS.items():
        text = text.replace(f"bind :{port}\n", f"bind {host}:{ports[name]}\n")
    for node in nodes:
        amqp = f"server {node.name} {node.host}:{node.amqp_port} port {node.http_port}\n"
        text = text.replace(f"server {node.name} {node.name}:{PORTS['amqp']}\n", amqp)
        http = f"server {node.name} {node.host}:{node.http_port}\n"
        text = text.replace(f"server {node.name} {node.name}:{PORTS['management']}\n", http)
    text = re.sub(r"^resolvers containers\n(?:  .*\n)+\n", "", text, flags=re.M)  # addresses need no names resolved
    text = text.replace(" resolvers containers init-addr last,libc,none", "")
    named = {node.name for node in nodes}
    text = re.sub(r"^ *server (\w+) .*\n", lambda line: line[0] if line[1] in named else "", text, flags=re.M)
    with open(path, "w") as file:
        file.write(text)
