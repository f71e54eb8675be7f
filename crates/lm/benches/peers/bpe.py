"""CPU time of training a byte-level BPE and of encoding with it, ours and the library `tokenizers`', one thread each, in
turn; and whether both make the same file and the same number of tokens.

    python bpe.py EXAMPLE TEXTS [VOCAB]

EXAMPLE is the built `examples/bpe.rs`, TEXTS a file of texts with a zero byte between them.
"""

import os

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from make_bpe import pre_tokenizer
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

TRAININGS, ENCODINGS = 3, 5
example, path = sys.argv[1:3]
vocab = int(sys.argv[3]) if len(sys.argv) > 3 else 8192
texts = pathlib.Path(path).read_text().split("\0")
megabytes = sum(len(text.encode()) for text in texts) / 1e6
print(f"{len(texts)} texts, {megabytes:.1f} MB, vocabulary of {vocab}")
pipe = subprocess.PIPE
ours = subprocess.Popen([example, path], stdin=pipe, stdout=pipe, text=True)


def ask(command):
    ours.stdin.write(command + "\n")
    ours.stdin.flush()
    return ours.stdout.readline().split()


def train(words):
    tokenizer = Tokenizer(models.BPE(ignore_merges=words == "llama-bpe"))
    if words == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizer(words)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        min_frequency=2,
        special_tokens=["<|start|>", "<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    start = time.process_time()
    tokenizer.train_from_iterator(texts, trainer)
    return time.process_time() - start, json.loads(tokenizer.to_str())["model"]


def row(name, rounds, more=""):
    our, their = (statistics.median(column) for column in zip(*rounds))
    ratio = statistics.median(their / our for our, their in rounds)
    print(f"{name}: ours {our:.2f} CPU s, tokenizers {their:.2f}, ratio {ratio:.2f}{more}", flush=True)


with tempfile.TemporaryDirectory() as folder:
    for words in ("gpt-2", "smollm", "llama-bpe", "qwen2"):
        file = f"{folder}/{words}.json"
        rounds = []
        for _ in range(TRAININGS if words in ("gpt-2", "llama-bpe") else 1):
            our = float(ask(f"train {vocab} {words} {file}")[0])
            their, model = train(words)
            rounds.append((our, their))
        mine = json.loads(pathlib.Path(file).read_text())["model"]
        same = mine["vocab"] == model["vocab"] and mine["merges"] == model["merges"]
        row(f"train {words}", rounds, ", same file" if same else ", other merges")
        tokenizer = Tokenizer.from_file(file)
        tokenizer.encode_special_tokens = True
        rounds, counts = [], set()
        for _ in range(ENCODINGS + 1):
            our, count = ask(f"encode {file}")
            start = time.process_time()
            count_there = sum(len(tokenizer.encode(text, add_special_tokens=False)) for text in texts)
            rounds.append((float(our), time.process_time() - start))
            counts |= {int(count), count_there}
        # The first round warms up.
        row(f"encode {words}", rounds[1:], f", {' or '.join(map(str, sorted(counts)))} tokens")
ours.stdin.close()
