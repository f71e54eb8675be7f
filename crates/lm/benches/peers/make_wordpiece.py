"""Makes tests/it/fixtures/wordpiece.json: two small BERT tokenizers by the library `tokenizers`, and what it makes of
some texts."""

import json
import pathlib
import sys

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TEXTS = [
    "",
    " \t\n ",
    "The weighhouse weighed the goods of the whole town.",
    "We've seen it's 'tis; they'll re-weigh 1984½ bales at  9:30!?",
    "naïve NAÏVE e\u0301 Ωμέγα ΣΊΣΥΦΟΣ İstanbul straße — „Waage“ ﬁne",
    "秤を量る miner中文text 가나다 \u4e00\uf900\U0002b81f\U0002b820",
    "☕☕ 👩\u200d🔬 the\u200bhouse 🏳️\u200d🌈 \U0001fae0",
    "a\u0000b\u0007c\ufffdd\u00ade \u0085f\u2028g\u2029h\u00a0i\u3000j\ue000k\r\nl",
    "x" * 99 + " " + "x" * 100 + " " + "x" * 101 + " " + "the" * 60,
    "[CLS] the [SEP][MASK] [sep] [UNK]the [MASK",
    "$1,000+2=3 <tag> `code` ~x^y| {a_b} ¿qué? «oui» ‽ \u2e43 \u061d \u1ac0a",
    "\u1100\u1161 \ud55c \u0e01\u0e33 \u0b95\u0bca \U0001d15e \u0344 \u1e9b\u0323",
]


def make(lowercase, corpus):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=420, special_tokens=SPECIAL, show_progress=False)
    tokenizer.train_from_iterator(corpus + ["naïve ÉÏ é 中文秤 ☕ — ½ 가 Ωμ $ + ~ '"], trainer)
    if lowercase:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
    else:
        tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    cases = [{"text": text, "ids": tokenizer.encode(text).ids} for text in TEXTS]
    return {"tokenizer": json.loads(tokenizer.to_str()), "cases": cases}


def main():
    here = pathlib.Path(__file__).resolve()
    corpus = [path.read_text() for path in sorted(here.parents[4].glob("*.md"))]
    out = [make(lowercase, corpus) for lowercase in (True, False)]
    pathlib.Path(sys.argv[1]).write_text(json.dumps(out, ensure_ascii=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
