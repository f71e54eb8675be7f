"""Our filters and language model against datatrove's and fastText's, on the same texts in the same run.

Usage: filters.py TEXTS.jsonl.gz LID.ftz EXAMPLE [--texts N] [--runs N]

TEXTS has `text` per line; EXAMPLE is the built `filter` example of this crate. Each run measures both sides one after
the other, one thread each, in CPU time; the medians of the runs and their ratio are printed.
"""

import argparse
import gzip
import json
import os
import statistics
import subprocess
import tempfile
import time

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[threads] = "1"

import fasttext
from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)


def peer_filters(texts):
    filters = [
        GopherRepetitionFilter(),
        GopherQualityFilter(),
        C4QualityFilter(filter_no_terminal_punct=False),
        FineWebQualityFilter(),
    ]

    def judge(text):
        # Each filter has a document of its own, since C4's changes it.
        found = [a_filter.filter(Document(text=text, id="")) for a_filter in filters]
        return [kept[1] if isinstance(kept, tuple) else None for kept in found]

    judge("Models are loaded before anything is measured.")
    start = time.process_time_ns()
    rejects = [judge(text) for text in texts]
    return time.process_time_ns() - start, rejects


def peer_languages(texts, model):
    lines = [text.replace("\n", " ") for text in texts]
    start = time.process_time_ns()
    labels = [model.predict(line)[0][0].removeprefix("__label__") for line in lines]
    return time.process_time_ns() - start, labels


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("input")
    parser.add_argument("lid")
    parser.add_argument("example")
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    with gzip.open(arguments.input, "rt") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    texts = texts[:: max(1, len(texts) // arguments.texts)][: arguments.texts]
    model = fasttext.load_model(arguments.lid)
    spent = {"filters": ([], []), "language": ([], [])}
    same = [0, 0, 0, 0, 0]
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.writelines(json.dumps({"text": text}) + "\n" for text in texts)
        file.flush()
        for _ in range(arguments.runs):
            ours = json.loads(subprocess.check_output([arguments.example, file.name, arguments.lid]))
            filters_ns, rejects = peer_filters(texts)
            language_ns, labels = peer_languages(texts, model)
            for part, peer_ns in (("filters", filters_ns), ("language", language_ns)):
                spent[part][0].append(ours[part + "_ns"])
                spent[part][1].append(peer_ns)
            same = [sum(a[at] == b[at] for a, b in zip(ours["rejects"], rejects)) for at in range(4)]
            same.append(sum(a == b for a, b in zip(ours["languages"], labels)))
    print(f"{len(texts)} texts, {sum(map(len, texts))} characters, medians of {arguments.runs} runs")
    for part, (ours, peers) in spent.items():
        ours, peers = (statistics.median(side) / len(texts) / 1000 for side in (ours, peers))
        print(f"{part}: {ours:.0f} us of CPU per text, peer {peers:.0f} us, {peers / ours:.1f} times")
    print(f"equal: repetition, quality, c4, fineweb, language: {same}")


if __name__ == "__main__":
    main()
