"""Trains the model of main text and writes its weights; see README.md."""

import argparse
import gzip
import hashlib
import json
import math
import struct
import zlib
from collections import Counter, defaultdict

import lightgbm
import numpy as np

from context import NAMES, context
from labels import labels, words

FOLDS = 4
# Numbers of a block's row in the dump.
FEATURES = 147
# Leaves are in units of 1/1024 of log-odds.
UNIT = 1024
# Permilles of the logistic function at the middles of 1,024 steps of 16 units, from -8 to 8.
LOGISTIC = [round(1000 / (1 + math.exp(-(16 * step + 8 - 8192) / UNIT))) for step in range(1024)]
# Below this expected F1 a page is taken to have no main text.
NOTHING_PERMILLE = 250
# Blocks of fewer words are most of all blocks; a third of them, weighted up, trains as well in half the time.
SHORT_WORDS, SHORT_SHARE = 5, 0.35
FIRST = dict(trees=110, num_leaves=31, learning_rate=0.12, feature_fraction=0.3, min_sum_hessian_in_leaf=0.3)
SECOND = dict(trees=60, num_leaves=8, learning_rate=0.1, feature_fraction=0.5, min_sum_hessian_in_leaf=5)
HEADINGS = {f"h{n}" for n in range(1, 7)}


def is_held_out(identifier):
    """The third of the pages that is never trained on, tuned on or looked at."""
    return int(hashlib.sha256(identifier.encode()).hexdigest()[:8], 16) % 3 == 0


def site(url):
    """About the registrable domain: its last two names, or three where the last two are short (co.uk)."""
    names = url.split("://", 1)[-1].split("/")[0].split(":")[0].lower().split(".")
    return ".".join(names[-3:] if len(names[-1]) == 2 and len(names[-2:][0]) <= 3 else names[-2:])


class Page:
    """A page's judged blocks with what the gold says of them."""

    def __init__(self, dump, gold):
        self.type, self.held_out = gold["page_type"], is_held_out(gold["id"])
        self.id, self.fold = gold["id"], zlib.crc32(site(dump["url"]).encode()) % FOLDS
        blocks = [dump["blocks"][at] for at in dump["judged"]]
        nodes = dump["nodes"]
        self.gold = Counter(words(gold["main_content"] or ""))
        self.tokens = [words(block[1]) for block in blocks]
        self.words = [len(tokens) for tokens in self.tokens]
        self.found = labels(self.tokens, words(gold["main_content"] or ""))
        self.rows = np.array(dump["rows"], np.int16).reshape(len(blocks), FEATURES)
        self.parent = [-1] + [node[0] for node in nodes[1:]]
        self.node = [block[0] for block in blocks]

        name = lambda at: (nodes[at][1], nodes[at][2]) if at >= 0 else None
        up = lambda at: self.parent[at] if at >= 0 else -1
        inner = [block[5] for block in blocks]
        grand = lambda at: nodes[up(up(at))][1] if up(up(at)) >= 0 else None
        self.template = [(name(at), name(up(at)), grand(at)) for at in inner]
        alike = Counter((self.parent[at], name(at)) for at in range(1, len(nodes)))
        self.records = [self.record(at, lambda at: alike[self.parent[at], name(at)] >= 3) for at in self.node]
        self.heading, last = [], -1
        for k, at in enumerate(self.node):
            last = k if nodes[at][1] in HEADINGS else last
            self.heading.append(last)

    def record(self, at, repeats):
        """The nearest and the farthest element around with at least two siblings of its kind."""
        chain = []
        while at > 0:
            chain += [at] if repeats(at) else []
            at = self.parent[at]
        return (chain[0], chain[-1]) if chain else (-1, -1)


def read(dump, gold, with_held_out):
    golds = {page["id"]: page for page in map(json.loads, gzip.open(gold, "rt"))}
    pages = map(json.loads, gzip.open(dump, "rt"))
    return [Page(page, golds[page["id"]]) for page in pages if with_held_out or not is_held_out(page["id"])]


def fit(pages, rows, trees, **settings):
    """A forest for the share of a block's words that the gold has; each page counts alike, its blocks by words."""
    w = np.concatenate([page.words for page in pages])
    share = np.concatenate([page.found for page in pages]) / np.maximum(1, w)
    scale = [1 / (page.gold.total() + sum(page.words) / 5 + 50) for page in pages]
    weight = (w + 1) * np.repeat(scale, [len(page.words) for page in pages])
    short = w < SHORT_WORDS
    keep = (w > 0) & (~short | (np.random.default_rng(1).random(len(w)) < SHORT_SHARE))
    weight = np.where(short, weight / SHORT_SHARE, weight)[keep]
    settings |= dict(objective="cross_entropy", bagging_fraction=0.8, bagging_freq=1, min_data_in_leaf=20, lambda_l2=3)
    settings |= dict(max_bin=63, use_missing=False, num_threads=1, seed=1, deterministic=True, verbose=-1)
    data = lightgbm.Dataset(np.concatenate(rows)[keep], share[keep], weight=weight / weight.mean())
    return [tree_of(tree) for tree in lightgbm.train(settings, data, trees).dump_model()["tree_info"]]


def tree_of(tree):
    """Features, thresholds, left and right children (leaf n as -1 - n) and leaves; all integers."""
    feature, threshold, left, right, leaf = [], [], [], [], []

    def add(node):
        if "leaf_value" in node:
            leaf.append(max(-32768, min(32767, round(node["leaf_value"] * UNIT))))
            return -len(leaf)
        at = len(feature)
        feature.append(node["split_feature"])
        threshold.append(math.floor(node["threshold"]))
        left.append(0), right.append(0)
        left[at], right[at] = add(node["left_child"]), add(node["right_child"])
        return at

    add(tree["tree_structure"])
    return feature, threshold, left, right, leaf


def permille(forest, rows):
    score = np.zeros(len(rows), np.int64)
    for feature, threshold, left, right, leaf in forest:
        if not feature:
            score += leaf[0]
            continue
        feature, threshold, left, right = map(np.array, (feature, threshold, left, right))
        at, live = np.zeros(len(rows), np.int64), np.arange(len(rows))
        while len(live):
            node = at[live]
            at[live] = np.where(rows[live, feature[node]] <= threshold[node], left[node], right[node])
            live = live[at[live] >= 0]
        score += np.array(leaf)[-1 - at]
    return np.array(LOGISTIC)[(np.clip(score, -8192, 8191) + 8192) >> 4]


def across(forest, rows):
    """Permilles by page."""
    return np.split(permille(forest, np.concatenate(rows)), np.cumsum([len(page) for page in rows])[:-1])


def out_of_fold(pages, rows, settings):
    """Permilles of each page by a forest that saw no page of its fold, and so none of its site."""
    result = [None] * len(pages)
    for fold in range(FOLDS):
        seen = [k for k, page in enumerate(pages) if page.fold != fold]
        unseen = [k for k, page in enumerate(pages) if page.fold == fold]
        forest = fit([pages[k] for k in seen], [rows[k] for k in seen], **settings)
        for k, values in zip(unseen, across(forest, [rows[k] for k in unseen])):
            result[k] = values
    return result


def chosen(page, first, second):
    """The blocks whose choice makes the expected F1 greatest, with the mean of both stages' permilles."""
    both = [int(a + b) // 2 for a, b in zip(first, second)]
    order = sorted(range(len(both)), key=lambda k: -both[k])
    total = sum(p * w for p, w in zip(both, page.words))
    best, count, hit, taken = (0, 1), 0, 0, 0
    for at, k in enumerate(order):
        hit += both[k] * page.words[k]
        taken += page.words[k]
        if 2 * hit * best[1] > best[0] * (1000 * taken + total):
            best, count = (2 * hit, 1000 * taken + total), at + 1
    return order[:count] if best[0] * 1000 >= NOTHING_PERMILLE * best[1] else []


def f1(page, blocks):
    found = Counter(word for k in blocks for word in page.tokens[k])
    if not found or not page.gold:
        return float(not found and not page.gold)
    return 2 * (found & page.gold).total() / (found.total() + page.gold.total())


def report(what, pages, first, second=None):
    by_type = defaultdict(list)
    for k, page in enumerate(pages):
        figure = f1(page, chosen(page, first[k], (first if second is None else second)[k]))
        for key in ("all", page.type):
            by_type[key].append(figure)
    print(what, *(f"{key} {np.mean(figures):.4f} ({len(figures)})" for key, figures in sorted(by_type.items())), flush=True)


def pack(forest, features):
    """u16 features, u16 trees, i32 bias; a tree: u8 nodes, per node u16 feature, i32 threshold, i16 left and right; i16 leaves."""
    packed = struct.pack("<HHi", features, len(forest), 0)
    for feature, threshold, left, right, leaf in forest:
        packed += struct.pack("<B", len(feature))
        packed += b"".join(struct.pack("<Hihh", *node) for node in zip(feature, threshold, left, right))
        packed += struct.pack(f"<{len(leaf)}h", *leaf)
    return packed


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("dump", help="the blocks of the pages, as the example `blocks` writes them, gzipped")
    arguments.add_argument("gold", help="WCXB's dev-gold.jsonl.gz")
    arguments.add_argument("weights", help="the file to write")
    arguments.add_argument("--held-out", action="store_true", help="measure the pages held out, too")
    arguments.add_argument("--types", action="store_true", help="measure each page type by a first stage that never saw it")
    given = arguments.parse_args()

    pages = read(given.dump, given.gold, given.held_out)
    held_out = [page for page in pages if page.held_out]
    pages = [page for page in pages if not page.held_out]
    rows = [page.rows for page in pages]
    print(len(pages), "pages to train on,", len(held_out), "held out", flush=True)

    first = out_of_fold(pages, rows, FIRST)
    report("first stage, by site:", pages, first)
    around = [context(page, values.tolist()) for page, values in zip(pages, first)]
    second = out_of_fold(pages, around, SECOND)
    report("both stages, by site:", pages, first, second)

    forests = fit(pages, rows, **FIRST), fit(pages, around, **SECOND)
    with open(given.weights, "wb") as file:
        file.write(pack(forests[0], FEATURES) + pack(forests[1], len(NAMES)))
        file.write(struct.pack("<1024HH", *LOGISTIC, NOTHING_PERMILLE))
    for what, some in (("trained on:", pages), ("held out:", held_out if given.held_out else [])):
        if some:
            first = across(forests[0], [page.rows for page in some])
            second = across(forests[1], [context(page, values.tolist()) for page, values in zip(some, first)])
            report(what, some, first, second)

    for left_out in sorted({page.type for page in pages}) if given.types else []:
        seen = [page for page in pages if page.type != left_out]
        unseen = [page for page in pages if page.type == left_out]
        forest = fit(seen, [page.rows for page in seen], **FIRST)
        report(f"first stage without {left_out}:", unseen, across(forest, [page.rows for page in unseen]))


if __name__ == "__main__":
    main()
