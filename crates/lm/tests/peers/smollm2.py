"""What transformers makes of SmolLM2, for `tests/it/smollm2.rs` and `benches/decode.rs`.

    python smollm2.py check GGUF FOLDER     prints one JSON object
    python smollm2.py speed FOLDER READ WRITE   prints CPU seconds of reading and of writing so many tokens

GGUF is the original file, which transformers dequantises by itself; FOLDER holds our export, `tokens.json` (the tokens of a
text) and `logits.f32` (ours, [tokens, vocab]). One thread, f32.
"""

import json
import pathlib
import sys
import time

import numpy as np
import torch
from transformers import AutoModelForCausalLM
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

torch.set_num_threads(1)


def model_of(folder, **more):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **more)
    return model.eval()


def greedy(model, prompt, count):
    out = model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=count, min_new_tokens=count,
                         do_sample=False, repetition_penalty=1.0, eos_token_id=None, pad_token_id=0)
    return out[0, prompt.shape[1]:].tolist()


def exact_angles(self, x, position_ids):
    """Rotary positions in f64: transformers computes them in f32, whatever the model's numbers are."""
    half = self.config.head_dim // 2
    rates = self.config.rope_parameters["rope_theta"] ** (-torch.arange(half, dtype=torch.float64) / half)
    angles = torch.cat([position_ids[:, :, None] * rates] * 2, dim=-1)
    return angles.cos().to(x.dtype), angles.sin().to(x.dtype)


def check(gguf, folder):
    gguf, folder = pathlib.Path(gguf), pathlib.Path(folder)
    tokens = torch.tensor([json.loads((folder / "tokens.json").read_text())])
    with torch.no_grad():
        original = model_of(gguf.parent, gguf_file=gguf.name)
        logits = original(tokens).logits[0]
        loss = torch.nn.functional.cross_entropy(logits[:-1].double(), tokens[0, 1:]).item()
        text = greedy(original, tokens[:, :16], 32)
        del original
        export = model_of(folder)
        ours = torch.from_numpy(np.fromfile(folder / "logits.f32", dtype="<f4").reshape(logits.shape))
        theirs = export(tokens).logits[0]
        LlamaRotaryEmbedding.forward = exact_angles
        exact = export.double()(tokens).logits[0]
    apart = lambda a, b: (a.double() - b.double()).abs().max().item()
    print(json.dumps({
        "loss": loss,
        "greedy": text,
        "same_model": torch.equal(theirs, logits),
        "ours_from_exact": apart(ours, exact),
        "theirs_from_exact": apart(theirs, exact),
        "ours_from_theirs": apart(ours, theirs),
    }))


def speed(folder, read, write):
    model = model_of(folder)
    tokens = torch.arange(1, read + 1)[None] % model.config.vocab_size
    with torch.no_grad():
        start = time.process_time()
        out = model(tokens, use_cache=True, logits_to_keep=1)
        reading = time.process_time() - start
        start = time.process_time()
        for _ in range(write):
            token = out.logits[:, -1:].argmax(-1)
            out = model(token, past_key_values=out.past_key_values, use_cache=True)
        writing = time.process_time() - start
    print(json.dumps({"reading": reading, "writing": writing}))


if sys.argv[1] == "check":
    check(*sys.argv[2:])
else:
    speed(sys.argv[2], *map(int, sys.argv[3:]))
