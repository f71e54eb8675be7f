"""CPU time per text of our BERT and of sentence-transformers, one thread each, in turn.

    python embed.py EXAMPLE MODEL

EXAMPLE is the built `examples/embed.rs`, MODEL a model's folder. The texts are the paragraphs of this repository's
Markdown files.
"""

import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import torch
from sentence_transformers import SentenceTransformer

ROUNDS = 7
example, model = sys.argv[1:]
files = sorted(pathlib.Path(__file__).resolve().parents[4].glob("*.md"))
paragraphs = [" ".join(part.split()) for file in files for part in file.read_text().split("\n\n")]
texts = [text for text in paragraphs if text][:96]
torch.set_num_threads(1)
encoder = SentenceTransformer(model, device="cpu")
lengths = sorted(len(encoder.tokenizer(text)["input_ids"]) for text in texts)
print(f"{len(texts)} texts of {lengths[0]} to {lengths[-1]} tokens, median {statistics.median(lengths):.0f}")
with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
    file.write("\n".join(texts) + "\n")
    file.flush()
    pipe = subprocess.PIPE
    ours = subprocess.Popen([example, model, file.name, "time"], stdin=pipe, stdout=pipe, text=True)
    for at_once in (1, 32):
        times = []
        for _ in range(ROUNDS + 1):
            ours.stdin.write(f"{at_once}\n")
            ours.stdin.flush()
            our = float(ours.stdout.readline())
            start = time.process_time()
            for first in range(0, len(texts), at_once):
                encoder.encode(texts[first : first + at_once], batch_size=at_once, show_progress_bar=False)
            times.append((our, time.process_time() - start))
        # The first round warms up.
        our, their = (statistics.median(column) / len(texts) * 1e3 for column in zip(*times[1:]))
        ratio = statistics.median(their / our for our, their in times[1:])
        print(f"{at_once:2} at once: ours {our:.2f} CPU ms per text, sentence-transformers {their:.2f}, ratio {ratio:.2f}")
    ours.stdin.close()
