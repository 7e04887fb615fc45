"""Namespaces for a test that mounts file systems or cuts networks: nothing of the machine is touched, and everything
ends with the test. No rights are needed where the kernel lets users make namespaces."""

import os
import subprocess
import sys

INSIDE = "QUORATE_TEST_INSIDE"


def enter(spaces=(), probe="true"):
    """Begins the program anew inside namespaces of user (unless root), mounts, processes, and of `spaces`. Returns ""
    inside, and the reason outside if there can be none: `probe` must succeed in them."""
    if os.environ.get(INSIDE):
        return ""
    unshare = ["unshare", *spaces, "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() != 0:
        unshare += ["--user", "--map-root-user"]
    try:
        tried = subprocess.run([*unshare, "sh", "-c", probe], capture_output=True, text=True)
    except FileNotFoundError as error:
        return str(error)
    if tried.returncode:
        return tried.stderr.strip() or "unshare failed"
    sys.stdout.flush()
    os.environ[INSIDE] = "root" if os.geteuid() == 0 else "user"
    os.execvp(unshare[0], [*unshare, sys.executable, *sys.argv])


def is_root():
    """Of the machine, and not only in here."""
    return os.environ[INSIDE] == "root"


def run(*words):
    subprocess.run(words, check=True)
