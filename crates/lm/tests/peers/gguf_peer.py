"""What the Python packages `gguf`, `tokenizers` and `transformers` make of a GGUF file, for tests/it/gguf.rs.

golden                      blocks of each type with the numbers they stand for, as tests/it/fixtures/gguf_blocks.json
numbers FILE FOLDER NAME…   writes the numbers of these tensors as little-endian f32 to FOLDER/NAME.f32
ids TOKENIZER FILE TEXT     the tokens of the text: by a tokenizer.json, and by transformers from the GGUF file
"""

import json
import os
import sys

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFReader
from gguf.quants import dequantize

TYPES = ["F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"]
# Where the half-precision scales stand in a block.
SCALES = {"Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}


def numbers(tensor):
    return np.ascontiguousarray(dequantize(tensor.data, tensor.tensor_type), dtype="<f4")


def golden():
    rng = np.random.default_rng(1)
    cases = []
    for name in TYPES:
        kind = GGMLQuantizationType[name]
        length, size = GGML_QUANT_SIZES[kind]
        if name in SCALES:
            block = rng.integers(0, 256, size, dtype=np.uint8)
            for at in SCALES[name]:
                block[at : at + 2] = np.array([rng.normal()], "<f2").view(np.uint8)
        else:
            # Normal and subnormal numbers, zeros, the largest one.
            values = {
                "F16": [0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x3C01, 0xBBFF, 0x7BFF, 0x3555, 0x8001],
                "BF16": [0x0000, 0x8000, 0x0001, 0x807F, 0x0080, 0x3F81, 0xBF7F, 0x7F7F, 0x3EAB, 0x8001],
            }[name]
            block = np.array(values, "<u2").view(np.uint8)
        out = np.ascontiguousarray(dequantize(block, kind), dtype="<f4")
        cases.append({"type": name, "number": int(kind), "bytes": block.tobytes().hex(), "f32": out.tobytes().hex()})
    print("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]")


def main():
    command, *rest = sys.argv[1:]
    if command == "golden":
        golden()
    elif command == "numbers":
        file, folder, *names = rest
        tensors = {tensor.name: tensor for tensor in GGUFReader(file).tensors}
        for name in names:
            numbers(tensors[name]).tofile(os.path.join(folder, name + ".f32"))
    elif command == "ids":
        from tokenizers import Tokenizer
        from transformers import AutoTokenizer

        tokenizer, file, text = rest
        ours = Tokenizer.from_file(tokenizer).encode(text, add_special_tokens=False).ids
        folder, name = os.path.split(file)
        theirs = AutoTokenizer.from_pretrained(folder, gguf_file=name)
        print(json.dumps({"tokenizers": ours, "transformers": theirs.encode(text, add_special_tokens=False)}))


main()
