"""CPU time of MinHash signatures, ours and datatrove's, one thread each, in turn; whether both find the same pairs; and
whether our bits are those that `minhash`'s documentation says.

    python minhash.py EXAMPLE TEXTS.jsonl.gz [DOCUMENTS]

EXAMPLE is the built `examples/minhash.rs`; of TEXTS the field `text` of each line counts.
"""

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import gzip
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import unicodedata
import warnings

from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature
from datatrove.utils.hashing import HashConfig

warnings.filterwarnings("ignore")  # products of 64 bits wrap on purpose
ROUNDS = 5
MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15


def mix(z):
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    return z ^ (z >> 31)


def fold(factor, parts):
    total = 0
    for part in parts:
        total = (total * factor + part) & MASK
    return total


def is_unspaced(c):
    ranges = "0e00-0eff 1000-109f 1780-17ff 3005-3007 3040-30ff 31f0-31ff 3400-4dbf 4e00-9fff f900-faff ff66-ff9d 20000-3ffff"
    pairs = (pair.split("-") for pair in ranges.split())
    is_letter = unicodedata.category(c)[0] == "L" or c in "〇〆"
    return is_letter and any(int(low, 16) <= ord(c) <= int(high, 16) for low, high in pairs)


def words(text):
    """The folded words, by another way than ours: a list of tagged characters, then numbers, then words."""
    tagged = []
    for c in text:
        for c in "".join(unicodedata.normalize("NFD", low) for low in c.lower()):
            category = unicodedata.category(c)
            if category in ("Mn", "Cf"):
                continue
            kind = "digit" if category == "Nd" else "letter" if c.isalpha() or category[0] in "LN" else "other"
            kind = "separator" if c in ".,،٫⎖⎗⎘" else "alone" if is_unspaced(c) else kind
            tagged.append((kind, c))
    found, at, word = [], 0, ""
    while at < len(tagged):
        kind, c = tagged[at]
        if kind == "digit":
            word += "0"
            while at + 1 < len(tagged):
                if tagged[at + 1][0] == "digit":
                    at += 1
                elif tagged[at + 1][0] == "separator" and at + 2 < len(tagged) and tagged[at + 2][0] == "digit":
                    at += 2
                else:
                    break
        elif kind == "letter":
            word += c
        else:
            found += [word, c] if kind == "alone" else [word]
            word = ""
        at += 1
    return [word for word in [*found, word] if word]


CHAR, WORD = mix((GOLDEN + 1) & MASK) | 1, mix((2 * GOLDEN + 1) & MASK) | 1
STREAM = [mix(GOLDEN * (i + 1) & MASK) >> 32 for i in range(224)]


def recomputed(text):
    hashes = [mix(fold(CHAR, map(ord, word))) for word in words(text)]
    grams = {mix(fold(WORD, hashes[i : i + 5])) >> 32 for i in range(len(hashes) - 4)}
    if not grams:
        return None
    minima = [min(((a | 1) * x + b) % (1 << 32) for x in grams) for a, b in zip(STREAM[::2], STREAM[1::2])]
    bands = []
    for number in range(14):
        band, total = minima[8 * number : 8 * number + 8], number
        for low, high in zip(band[::2], band[1::2]):
            total = mix((total + low + (high << 32)) & MASK)
        bands.append(total)
    return bands


def main():
    example, path = sys.argv[1:3]
    limit = int(sys.argv[3]) if len(sys.argv) > 3 else 400
    with gzip.open(path, "rt") as lines:
        texts = [text for text in (json.loads(line)["text"] for line in lines) if "\0" not in text]
    step = max(1, len(texts) // limit)
    texts = texts[::step][:limit]
    print(f"{len(texts)} documents, {sum(map(len, texts)) / len(texts):.0f} characters in the mean")
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/texts"
        pathlib.Path(file).write_text("\0".join(texts), newline="")
        pipe = subprocess.PIPE
        ours = subprocess.Popen([example, file], stdin=pipe, stdout=pipe, text=True)

        def ask(command):
            ours.stdin.write(command + "\n")
            ours.stdin.flush()
            return json.loads(ours.stdout.readline())

        mine = ask("bands")
        sample = range(0, len(texts), max(1, len(texts) // 40))
        same = sum(mine[i] == recomputed(texts[i]) for i in sample)
        print(f"{same} of {len(sample)} signatures are those that the documentation says")
        for name, config in (
            ("default, xxhash 64", MinhashConfig()),
            ("FineWeb, sha1 64", MinhashConfig(hash_config=HashConfig(hash_fc="sha1", precision=64))),
        ):
            step = MinhashDedupSignature(folder, config)
            step.get_shingles("the tokenizer is loaded before the clock runs")
            rounds = []
            for _ in range(ROUNDS):
                our = ask("time")
                start = time.process_time()
                theirs = [
                    step.get_signature(shingles) if shingles.size else None
                    for shingles in map(step.get_shingles, texts)
                ]
                rounds.append((our, time.process_time() - start))
            our, their = (statistics.median(column) for column in zip(*rounds))
            ratio = statistics.median(their / our for our, their in rounds)
            count = len(texts)
            print(
                f"{name}: ours {count / our:.0f} documents per CPU s ({our / count * 1e6:.0f} µs each), "
                f"datatrove {count / their:.1f} ({their / count * 1e3:.1f} ms), ratio {ratio:.0f}",
                flush=True,
            )
        pairs = [candidates(mine), candidates(theirs)]
        both = len(pairs[0] & pairs[1])
        print(f"candidate pairs: ours {len(pairs[0])}, datatrove {len(pairs[1])}, both {both}")
        ours.stdin.close()


def candidates(signatures):
    by_band = {}
    for document, bands in enumerate(signatures):
        for number, band in enumerate(bands or []):
            by_band.setdefault((number, str(band)), []).append(document)
    return {(a, b) for found in by_band.values() for i, a in enumerate(found) for b in found[i + 1 :]}


main()
