"""What sentence-transformers and tokenizers make of texts.

    python embed.py MODEL FOLDER

MODEL is a model's folder. FOLDER holds what `tests/it/embed.rs` writes, texts.json: {"texts": […], "ranges": [[first,
last], …]}. It gets vectors.json: {"tokens": […], "vectors": […]}, and signs.u32: for each character of the ranges the
number of tokens of "we" + character + "igh " + character, and these tokens.
"""

import json
import pathlib
import sys

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer

model, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
asked = json.loads((folder / "texts.json").read_text())
torch.set_num_threads(1)
encoder = SentenceTransformer(str(model), device="cpu")
tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
tokenizer.no_padding()
tokenizer.enable_truncation(encoder.max_seq_length)
vectors = encoder.encode(asked["texts"], batch_size=1)
tokens = [tokenizer.encode(text).ids for text in asked["texts"]]
out = {"tokens": tokens, "vectors": [[float(x) for x in vector] for vector in vectors]}
(folder / "vectors.json").write_text(json.dumps(out))
signs = [chr(code) for first, last in asked["ranges"] for code in range(first, last + 1)]
numbers = []
for encoding in tokenizer.encode_batch([f"we{sign}igh {sign}" for sign in signs]):
    numbers.append(len(encoding.ids))
    numbers.extend(encoding.ids)
np.array(numbers, dtype="<u4").tofile(folder / "signs.u32")
