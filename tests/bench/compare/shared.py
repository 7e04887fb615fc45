"""What the other tests in Python have and a comparison uses as well."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.path.insert(0, os.path.join(ROOT, "tests"))
from support import management, wire  # noqa: E402, F401
from support.broker import HOST, Process, answers, free_port, wait_until  # noqa: E402, F401
from support.cluster import NodeEnded, ProcessCluster  # noqa: E402, F401
