"""What transformers makes of a folder of `weigh lm train`, for `tests/lm/transformers.rs`.

    python transformers_folder.py FOLDER TEXT     prints one JSON object

The tokens are those behind the start token, which the tokenizer puts before a text by itself.
"""

import json
import pathlib
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

torch.set_num_threads(1)
folder, text = sys.argv[1], pathlib.Path(sys.argv[2]).read_text(encoding="utf-8")
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
ids = tokenizer(text, return_tensors="pt").input_ids
assert ids[0, 0].item() == tokenizer.bos_token_id == model.config.bos_token_id, ids[0, :4]
with torch.no_grad():
    logits = model(ids).logits[0]
    loss = torch.nn.functional.cross_entropy(logits[:-1].double(), ids[0, 1:]).item()
    prompt = tokenizer("the weight", return_tensors="pt")
    out = model.generate(**prompt, max_new_tokens=16)
print(json.dumps({
    "loss": loss,
    "tokens": ids[0, 1:].tolist(),
    "decoded": tokenizer.decode(ids[0], skip_special_tokens=True),
    "greedy": tokenizer.decode(out[0, prompt.input_ids.shape[1]:], skip_special_tokens=True),
}))
