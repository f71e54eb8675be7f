"""Reads a web archive with us, with the bare DEFLATE library, with FastWARC and with warcio, in turn.

    cargo build --release -p corpus --example reading
    python reading.py target/release/examples/reading ../shared/data/wcxb/dev.warc.gz [RUNS]

Each run is a process of its own with one thread. The figure is its CPU time, user and system, less that of the same
program on an empty file; the medians of all runs are compared. Everyone takes every record's header and all bytes of its
block, and parses the HTTP header of responses.
"""

import os
import statistics
import subprocess
import sys
import tempfile

FASTWARC = """
import sys
from fastwarc.warc import ArchiveIterator
records = 0
for record in ArchiveIterator(sys.argv[1], parse_http=True, fsspec_args=False):
    record.reader.read()
    records += 1
print(records)
"""
WARCIO = """
import sys
from warcio.archiveiterator import ArchiveIterator
records = 0
with open(sys.argv[1], 'rb') as file:
    for record in ArchiveIterator(file):
        record.raw_stream.read()
        records += 1
print(records)
"""


def cpu_seconds(command):
    before = os.times()
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    after = os.times()
    spent = after.children_user - before.children_user + after.children_system - before.children_system
    return spent, int(out.split()[0])


def main():
    program, archive = sys.argv[1:3]
    runs = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    commands = {
        "ours": [program, "read"],
        "bare inflate": [program, "inflate"],
        "fastwarc": [sys.executable, "-c", FASTWARC],
        "warcio": [sys.executable, "-c", WARCIO],
    }
    seconds = {name: [] for name in commands}
    records = {}
    with tempfile.NamedTemporaryFile(suffix=".warc.gz") as empty:
        for _ in range(runs):
            for name, command in commands.items():
                idle, _ = cpu_seconds([*command, empty.name])
                spent, records[name] = cpu_seconds([*command, archive])
                seconds[name].append(spent - idle)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    stored = os.path.getsize(archive)
    for name, median in medians.items():
        ratio = median / medians["ours"]
        spread = f"{min(seconds[name]):.3f}-{max(seconds[name]):.3f}"
        print(f"{name:13} {records[name]:6} records {median:7.3f} s ({spread}) {stored / median / 1e6:7.1f} MB/s stored; "
              f"ours is {ratio:.2f} times as fast")


main()
