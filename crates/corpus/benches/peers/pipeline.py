"""The whole way from an archive to clean, deduplicated Parquet: ours, and the same steps in datatrove.

Usage: pipeline.py WEIGH ARCHIVE.warc.gz LID.ftz [--runs N]

WEIGH is the built binary. Each run measures both sides one after the other, one thread each, each in a process of its own:
its CPU time with that of its children. Ours counts from the start of the process; datatrove's from when its modules and
models are loaded. The steps: records, main text, language, Gopher's rules on repetition and on quality, C4's, FineWeb's,
e-mail and IP addresses, MinHash with removal of near duplicates, Parquet.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[threads] = "1"


def cpu_seconds():
    """Of this process and of the children that have ended."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in both)


def peer(archive, lid):
    """One run of datatrove's steps; prints its CPU seconds and the documents that it kept."""
    import fasttext
    from datatrove.data import Document
    from datatrove.pipeline.dedup import (
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.pipeline.extractors import Trafilatura
    from datatrove.pipeline.filters import (
        C4QualityFilter,
        FineWebQualityFilter,
        GopherQualityFilter,
        GopherRepetitionFilter,
        LambdaFilter,
    )
    from datatrove.pipeline.formatters import PIIFormatter
    from datatrove.pipeline.readers import ParquetReader, WarcReader
    from datatrove.pipeline.writers import ParquetWriter
    from loguru import logger

    logger.remove()
    model = fasttext.load_model(lid)

    def is_english(document):
        label = model.predict(document.text.replace("\n", " "))[0][0]
        return label == "__label__en"

    archive = Path(archive)
    with tempfile.TemporaryDirectory() as folder:
        clean, signatures, buckets, removed, out = (f"{folder}/{part}" for part in ("clean", "sig", "buckets", "ids", "out"))
        config = MinhashConfig(n_grams=5, num_buckets=14, hashes_per_bucket=8)
        reader = WarcReader(str(archive.parent), glob_pattern=archive.name)
        extract = Trafilatura(favour_precision=True, timeout=20)
        filters = [
            LambdaFilter(is_english),
            GopherRepetitionFilter(),
            GopherQualityFilter(),
            C4QualityFilter(filter_no_terminal_punct=False),
            FineWebQualityFilter(),
        ]
        first = [reader, extract, *filters, PIIFormatter(), ParquetWriter(clean), MinhashDedupSignature(signatures, config)]
        # What is loaded when it is first used.
        text = "Models are loaded before anything is measured."
        for one in filters:
            one.filter(Document(text=text, id=""))
        extract.extract(f"<html><body><p>{text}</p></body></html>")
        start = cpu_seconds()
        run(first)
        for bucket in range(config.num_buckets):
            run([MinhashDedupBuckets(signatures, buckets, config=config)], bucket, config.num_buckets)
        run([MinhashDedupCluster(buckets, removed, config=config)])
        run([ParquetReader(clean), MinhashDedupFilter(removed), ParquetWriter(out)])
        spent = cpu_seconds() - start
        import pyarrow.dataset

        kept = pyarrow.dataset.dataset(out).count_rows()
    print(json.dumps({"seconds": spent, "kept": kept}))


def run(steps, rank=0, world_size=1):
    """The steps, each fed by the one before, as an executor of theirs would run them."""
    data = None
    for step in steps:
        data = step(data, rank, world_size)
    for _ in data or ():
        pass


def ours(weigh, archive, lid):
    """One run of ours: CPU seconds and the documents that it kept."""
    with tempfile.TemporaryDirectory() as folder:
        command = [weigh, "data", "build", archive, "--out", f"{folder}/out", "--language", "en", "--lid", lid]
        for name in ("gopher", "repetition", "c4", "fineweb"):
            command += ["--filter", name]
        command += ["--pii", "replace", "--near-duplicates", "--threads", "1", "--bytes-per-task", str(1 << 40), "--json"]
        start = resource.getrusage(resource.RUSAGE_CHILDREN)
        out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        end = resource.getrusage(resource.RUSAGE_CHILDREN)
        shards = [json.loads(line) for line in out.splitlines()]
    spent = end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime
    return {"seconds": spent, "kept": sum(shard["manifest"]["documents"] for shard in shards)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("weigh")
    parser.add_argument("archive")
    parser.add_argument("lid")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.weigh == "peer":
        return peer(arguments.archive, arguments.lid)
    found = {"ours": [], "datatrove": []}
    for _ in range(arguments.runs):
        found["ours"].append(ours(arguments.weigh, arguments.archive, arguments.lid))
        command = [sys.executable, __file__, "peer", arguments.archive, arguments.lid]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        found["datatrove"].append(json.loads(said.splitlines()[-1]))
    medians = {name: statistics.median(run["seconds"] for run in runs) for name, runs in found.items()}
    for name, runs in found.items():
        print(f"{name}: {medians[name]:.2f} CPU seconds, {runs[0]['kept']} documents kept")
    print(f"ratio: {medians['datatrove'] / medians['ours']:.1f}")


if __name__ == "__main__":
    main()
