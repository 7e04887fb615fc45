"""What an operator asks a node: HTTP requests, and commands of quoratectl by any of its names."""

import base64
import http.client
import json
import subprocess

from support.broker import program


def request(host, port, path, method="GET", user="guest:guest", headers=(), body=None, seconds=10):
    """(status, headers, body) of a request on a connection of its own; OSError if nobody answers."""
    fields = dict(headers)
    if user:
        fields["Authorization"] = "Basic " + base64.b64encode(user.encode()).decode()
    connection = http.client.HTTPConnection(host, port, timeout=seconds)
    try:
        connection.request(method, path, body=body, headers=fields)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    except http.client.HTTPException as error:
        raise OSError(f"no HTTP: {error!r}") from error
    finally:
        connection.close()


def get(host, port, path, seconds=3):
    """(status, body as JSON or text); OSError if nobody answers."""
    status, _, body = request(host, port, path, seconds=seconds)
    try:
        return status, json.loads(body)
    except ValueError:
        return status, body.decode(errors="replace")


def command(data, *words, tool="quoratectl"):
    """The words of a command for the node that has this data directory."""
    return [program(tool), "--data-dir", data, *words]


def run_command(data, *words, tool="quoratectl", text="", seconds=60):
    """What subprocess.run has to say of it; `text` is its standard input."""
    return subprocess.run(
        command(data, *words, tool=tool), input=text, capture_output=True, text=True, timeout=seconds
    )
