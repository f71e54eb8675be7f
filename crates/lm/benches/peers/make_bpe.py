"""Makes tests/it/fixtures/bpe.json: small tokenizers by the library `tokenizers`, and what it makes of some texts."""

import json
import pathlib
import sys

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

TEXTS = [
    "",
    "The weighhouse weighed the goods of the whole town.",
    "We've seen it's 'tis; they'll re-weigh 1984½ bales at  9:30.",
    "  leading, trailing   \n\n and\ttabs \r\n",
    "naïve Ωμέγα — „Waage“ 秤を量る ☕☕ e\u0301 \u00a0x \u2003y",
    "aaaaaaaaaaaaaaaaaaaaaaaa  ==== ''' <|start|> 0123456789012",
    "IT'S THEY'RE 'LL it'\u017f 'Ve x'D\r\n\r\n  (the)\t\n \n  of\n\n",
    "te\u0302\u0301 A\u030a \u212b \u1112\u1161\u11ab\uae00 \u0915\u093c q\u0323\u0307 q\u0307\u0323",
    "\u0645\u0631\u062d\u0628\u0627 \u0661\u0662\u0663\u0664 \u05e9\u05dc\u05d5\u05dd \u0928\u092e\u0938\u094d\u0924\u0947 \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \U0001f469\u200d\U0001f4bb \U0001d538\U0001d7d9",
]

# How words are cut by Llama 3 and Qwen 2. Source: their tokenizer.json.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+"
)


def pre_tokenizer(words):
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=words in ("gpt-2", "smollm"))
    if words == "gpt-2":
        return level
    if words == "smollm":
        return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), level])
    pattern = SPLIT.replace("DIGITS", r"\p{N}{1,3}" if words == "llama-bpe" else r"\p{N}")
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), level])


def make(words, corpus):
    tokenizer = Tokenizer(models.BPE(ignore_merges=words == "llama-bpe"))
    if words == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizer(words)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=["<|start|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    file = json.loads(tokenizer.to_str())
    if words == "llama-bpe":
        # A word that no merges make.
        file["model"]["vocab"]["\u0120goods"] = 420
    # The texts are encoded as plain text, as a scorer has to: without looking for special tokens in them.
    plain = file | {"added_tokens": []}
    plain = Tokenizer.from_str(json.dumps(plain))
    cases = []
    for text in TEXTS:
        ids = plain.encode(text, add_special_tokens=False).ids
        cases.append({"text": text, "ids": ids, "decoded": plain.decode(ids)})
    return {"words": words, "tokenizer": file, "start": tokenizer.token_to_id("<|start|>"), "cases": cases}


def main():
    here = pathlib.Path(__file__).resolve()
    corpus = [path.read_text() for path in sorted(here.parents[4].glob("*.md"))]
    out = [make(words, corpus) for words in ("gpt-2", "smollm", "llama-bpe", "qwen2")]
    pathlib.Path(sys.argv[1]).write_text(json.dumps(out, ensure_ascii=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
