"""Makes tests/it/fixtures/bpe.json: two small tokenizers by the library `tokenizers`, and what it makes of some texts."""

import json
import pathlib
import sys

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

TEXTS = [
    "",
    "The weighhouse weighed the goods of the whole town.",
    "We've seen it's 'tis; they'll re-weigh 1984½ bales at  9:30.",
    "  leading, trailing   \n\n and\ttabs \r\n",
    "naïve Ωμέγα — „Waage“ 秤を量る ☕☕ e\u0301 \u00a0x \u2003y",
    "aaaaaaaaaaaaaaaaaaaaaaaa  ==== ''' <|start|> 0123456789012",
]


def make(single_digits, corpus):
    tokenizer = Tokenizer(models.BPE())
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    digits = pre_tokenizers.Digits(individual_digits=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, level]) if single_digits else level
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=["<|start|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    file = json.loads(tokenizer.to_str())
    # The texts are encoded as plain text, as a scorer has to: without looking for special tokens in them.
    plain = json.loads(tokenizer.to_str()) | {"added_tokens": []}
    plain = Tokenizer.from_str(json.dumps(plain))
    cases = [{"text": text, "ids": plain.encode(text, add_special_tokens=False).ids} for text in TEXTS]
    return {"tokenizer": file, "start": tokenizer.token_to_id("<|start|>"), "cases": cases}


def main():
    here = pathlib.Path(__file__).resolve()
    corpus = [path.read_text() for path in sorted(here.parents[4].glob("*.md"))]
    out = [make(single_digits, corpus) for single_digits in (False, True)]
    pathlib.Path(sys.argv[1]).write_text(json.dumps(out, ensure_ascii=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
