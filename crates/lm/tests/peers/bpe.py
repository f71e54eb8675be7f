"""What tokenizers and transformers make of our vocabularies and texts, and the vocabularies that tokenizers makes.

    python bpe.py FOLDER tokens|all

FOLDER holds what `tests/it/bpe_peer.rs` writes: texts.json, a list, and a tokenizer.json for each way to cut words,
named for it. It gets peer.json: for each of these {"tokenizers": ids of the texts, "decoded": texts of these}, and of all
also {"transformers": ids of the texts, "trained": model of the library's own vocabulary of the same texts}.
"""

import json
import pathlib
import sys

here = pathlib.Path(__file__).resolve()
sys.path.append(str(here.parents[2] / "benches" / "peers"))

from make_bpe import pre_tokenizer
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

folder = pathlib.Path(sys.argv[1])
texts = json.loads((folder / "texts.json").read_text())
out = {}
for path in sorted(folder.glob("*.tokenizer.json")):
    words = path.name.removesuffix(".tokenizer.json")
    tokenizer = Tokenizer.from_file(str(path))
    # The names of special tokens in a text are text.
    tokenizer.encode_special_tokens = True
    ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
    out[words] = {
        "tokenizers": ids,
        "with_start": tokenizer.encode(texts[0]).ids,
        "decoded": [tokenizer.decode(each) for each in ids],
    }
    if sys.argv[2] == "tokens":
        continue
    fast = PreTrainedTokenizerFast(tokenizer_file=str(path), clean_up_tokenization_spaces=False)
    plain = {"add_special_tokens": False, "split_special_tokens": True}
    out[words]["transformers"] = [fast.encode(text, **plain) for text in texts]
    made = Tokenizer(models.BPE(ignore_merges=words == "llama-bpe"))
    if words == "qwen2":
        made.normalizer = normalizers.NFC()
    made.pre_tokenizer = pre_tokenizer(words)
    trainer = trainers.BpeTrainer(
        vocab_size=tokenizer.get_vocab_size(),
        min_frequency=2,
        special_tokens=["<|start|>", "<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    model = json.loads(made.to_str())["model"]
    out[words]["trained"] = {"vocab": model["vocab"], "merges": model["merges"]}
(folder / "peer.json").write_text(json.dumps(out))
