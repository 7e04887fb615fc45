#!/usr/bin/python3
"""The physical floor of this machine, as a table: see tests/bench/floor.cc for what is measured.

    floor.py [--seconds S] [--folder DIR] [--json FILE]
"""

import argparse
import json
import os
import shutil
import subprocess
import sys

import machine
import report
from shared import ROOT


def measure(program, folder, seconds, writer_core, reader_core):
    """Runs it once; what it says. `seconds` is that of each line."""
    place = os.path.join(folder, "floor")
    words = [program, place, str(seconds), str(writer_core), str(reader_core)]
    try:
        return json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1, help="of each measurement")
    parser.add_argument("--folder", default=os.path.join(ROOT, "build", "compare"), help="its disk is measured")
    parser.add_argument("--json", help="also written to this file")
    options = parser.parse_args()
    program = os.path.join(ROOT, "build", "release", "bin", "floor")
    os.makedirs(options.folder, exist_ok=True)
    found = measure(program, options.folder, options.seconds, machine.last_core(), 0)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(found, file, indent=1)
    print(machine.describe(options.folder))
    print(report.as_text(report.floor_table([found])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
