"""What the second stage sees of a block: the first stage's probabilities around it, as integers.

Each definition here has its twin in `extract`; probabilities are per mille, divisions round down, -1 stands for nothing.
"""

from bisect import bisect_left, bisect_right
from itertools import accumulate

import numpy as np

# Probability from which a block is surely main text.
SURE_PERMILLE = 700
# Blocks on either side whose mean is taken.
WINDOWS = (2, 5, 12)
# The block's element and so many around it.
LEVELS = 6
NAMES = (
    ["own"]
    + [f"at{d:+}" for d in (-4, -3, -2, -1, 1, 2, 3, 4)]
    + [f"window{n}" for n in WINDOWS]
    + [f"level{n}_{what}" for n in range(LEVELS) for what in (("mean", "most", "rest") if n < 4 else ("mean", "rest"))]
    + ["near_records", "far_records", "alike", "alike_rest", "section", "heading"]
    + ["page", "best_f1", "chosen", "above_cut", "words_above", "expected_words", "share_before"]
    + ["mean_before", "mean_behind", "sure_before", "sure_behind", "words_to_before", "words_to_behind"]
)


def best_cut(permille, words):
    """The best expected F1 per mille, over all numbers of blocks taken in falling order of probability, and the order."""
    order = sorted(range(len(words)), key=lambda k: -permille[k])
    total = sum(p * w for p, w in zip(permille, words))
    best, hit, taken = 0, 0, 0
    for k in order:
        hit += permille[k] * words[k]
        taken += words[k]
        best = max(best, 2000 * hit // max(1, 1000 * taken + total))
    return best, order


def context(page, permille):
    """[blocks, len(NAMES)] of int16."""
    words, n = page.words, len(page.words)
    mass = [p * w for p, w in zip(permille, words)]
    mean = lambda mass, words: mass // words if words else -1

    node_words, node_mass, node_most = ([0] * len(page.parent) for _ in range(3))
    alike, section = {}, {}
    for k, node in enumerate(page.node):
        node_words[node] += words[k]
        node_mass[node] += mass[k]
        node_most[node] = max(node_most[node], permille[k])
        for groups, key in ((alike, page.template[k]), (section, page.heading[k])):
            group = groups.setdefault(key, [0, 0])
            group[0] += mass[k]
            group[1] += words[k]
    for node in range(len(page.parent) - 1, 0, -1):
        up = page.parent[node]
        node_words[up] += node_words[node]
        node_mass[up] += node_mass[node]
        node_most[up] = max(node_most[up], node_most[node])

    words_to, mass_to = [0, *accumulate(words)], [0, *accumulate(mass)]
    page_words, total = max(1, words_to[-1]), mass_to[-1]
    best, order = best_cut(permille, words)
    above, taken = [0] * n, 0
    for k in order:
        above[k], taken = taken, taken + words[k]
    sure = [k for k in range(n) if permille[k] >= SURE_PERMILLE]

    rows = []
    for k in range(n):
        own, w = permille[k], words[k]
        row = [own] + [permille[k + d] if 0 <= k + d < n else -1 for d in (-4, -3, -2, -1, 1, 2, 3, 4)]
        for radius in WINDOWS:
            low, high = max(0, k - radius), min(n, k + radius + 1)
            row.append(mean(mass_to[high] - mass_to[low], words_to[high] - words_to[low]))
        node = page.node[k]
        for level in range(LEVELS):
            row.append(mean(node_mass[node], node_words[node]))
            if level < 4:
                row.append(node_most[node])
            row.append(mean(node_mass[node] - mass[k], node_words[node] - w))
            node = max(page.parent[node], 0)
        for record in page.records[k]:
            row.append(mean(node_mass[page.parent[record]], node_words[page.parent[record]]) if record >= 0 else -1)
        group_mass, group_words = alike[page.template[k]]
        row += [mean(group_mass, group_words), mean(group_mass - mass[k], group_words - w)]
        row += [mean(*section[page.heading[k]]), permille[page.heading[k]] if page.heading[k] >= 0 else -1]
        row += [total // page_words, best, int(2 * own >= best), 2 * own - best, 1000 * above[k] // page_words]
        row += [min(total // 1000, 20000), 1000 * mass_to[k] // max(1, total), mass_to[k] // max(1, words_to[k])]
        row.append((total - mass_to[k + 1]) // max(1, page_words - words_to[k + 1]))
        before, behind = bisect_left(sure, k), bisect_right(sure, k)
        row.append(min(k - sure[before - 1], 200) if before else 201)
        row.append(min(sure[behind] - k, 200) if behind < len(sure) else 201)
        row.append(min(words_to[k] - words_to[sure[before - 1] + 1], 2000) if before else -1)
        row.append(min(words_to[sure[behind]] - words_to[k + 1], 2000) if behind < len(sure) else -1)
        rows.append(row)
    return np.array(rows, np.int16).reshape(n, len(NAMES))
