"""Reads a dataset repository with the libraries that its users have, and prints what they find as JSON.

Pages are asked for as the loaders of subnet 9 ask the Hub's rows API: the number of rows of a configuration's split
first, then runs of 100 rows at an offset, of each the field `text`.
"""

import json
import subprocess
import sys
from pathlib import Path

import mlcroissant
from datasets import get_dataset_config_names, load_dataset

PAGE_ROWS = 100


def pages(rows):
    for offset in range(0, len(rows), PAGE_ROWS):
        for row in rows.select(range(offset, min(offset + PAGE_ROWS, len(rows)))):
            yield row["text"]


def main():
    folder = Path(sys.argv[1])
    assert get_dataset_config_names(str(folder)) == ["default", "ledger"]
    documents = load_dataset(str(folder), split="train")
    decisions = load_dataset(str(folder), "ledger", split="train")
    validated = subprocess.run(
        [Path(sys.executable).parent / "mlcroissant", "validate", "--jsonld", folder / "croissant.json"],
        capture_output=True,
        text=True,
    )
    said = validated.stdout + validated.stderr
    # A date of publication is recommended, but whoever writes the files can't know it.
    assert validated.returncode == 0 and "error(s)" not in said, said
    described = mlcroissant.Dataset(jsonld=folder / "croissant.json")
    texts = [record["documents/text"].decode() for record in described.records("documents")]
    found = {
        "datasets": documents["text"][:],
        "pages": list(pages(documents)),
        "croissant": texts,
        "decisions": decisions["decision"][:],
    }
    print(json.dumps(found))


main()
