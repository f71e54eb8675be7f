"""Main text beside trafilatura's and resiliparse's: word F1 and pages per CPU-second, in turn, one thread each.

Usage: extract.py SCORE ARCHIVE GOLDS [EVERY]: our example `score`, a WARC with a response for each line of the gzipped
golds, and of how many pages one is given to the peers (10 where it is not said); ours does all of them.
"""

import gzip
import json
import re
import statistics
import subprocess
import sys
import time
from collections import Counter

import trafilatura
from fastwarc.warc import ArchiveIterator, WarcRecordType
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import bytes_to_str, detect_encoding

ROUNDS = 3
WORD = re.compile(r"\w+")

PEERS = {
    "trafilatura": lambda html: trafilatura.extract(html) or "",
    "resiliparse": lambda html: extract_plain_text(html, main_content=True),
}


def f1(found, gold):
    found, gold = (Counter(WORD.findall(text.lower())) for text in (found, gold))
    if not found or not gold:
        return float(not found and not gold)
    return 2 * (found & gold).total() / (found.total() + gold.total())


def pages(archive, golds, every):
    with open(archive, "rb") as stream, gzip.open(golds, "rt") as lines:
        records = ArchiveIterator(stream, record_types=WarcRecordType.response, parse_http=True)
        for number, (record, line) in enumerate(zip(records, lines)):
            if number % every == 0:
                body = record.reader.read()
                yield bytes_to_str(body, detect_encoding(body)), json.loads(line)["main_content"]


def main():
    score, archive, golds, *rest = sys.argv[1:]
    chosen = list(pages(archive, golds, int(rest[0]) if rest else 10))
    speeds, marks = {name: [] for name in ["ours", *PEERS]}, {}
    for _ in range(ROUNDS):
        said = subprocess.run([score, archive, golds], check=True, capture_output=True, text=True).stdout.splitlines()
        speeds["ours"].append(float(said[-1].split()[0]))
        marks["ours"] = next(float(line.split()[0]) for line in said if line.endswith(": all"))
        for name, extract in PEERS.items():
            start = time.process_time()
            texts = [extract(html) for html, _ in chosen]
            speeds[name].append(len(chosen) / (time.process_time() - start))
            marks[name] = statistics.fmean(f1(text, gold) for text, (_, gold) in zip(texts, chosen))
    ours = statistics.median(speeds["ours"])
    for name, runs in speeds.items():
        speed = statistics.median(runs)
        print(f"{name}: {speed:.0f} pages per CPU-second (ratio {ours / speed:.1f}), word F1 {marks[name]:.4f}")


main()
