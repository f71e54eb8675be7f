"""Which words of a page's blocks stand in its gold text.

The words of both are laid against each other in order (patience diff: n-grams that occur once in both, the longest
rising chain of them, then the gaps between with shorter n-grams), so that a menu's word that happens to stand in the
gold text counts for nothing. What is left on both sides is laid once more, in long runs only: some golds order
sections otherwise than the page.
"""

import re
from bisect import bisect_left

WORD = re.compile(r"\w+")
NGRAMS = (8, 5, 3, 2, 1)
# Runs that count out of order.
LONG_NGRAMS = (6, 4)
# Words of a page per word of gold beyond which a lone common word is chance.
LONE_MAX_SPAN = 40


def words(text):
    return WORD.findall(text.lower())


def ngrams(seq, start, end, n, first):
    """Where each n-gram stands: the first place, or only the places of those that occur once."""
    places = {}
    for i in range(start, end - n + 1):
        gram = tuple(seq[i : i + n])
        if gram not in places:
            places[gram] = i
        elif not first:
            places[gram] = -1
    return places


def rising(pairs):
    """The longest chain of pairs that rises on both sides."""
    tails, ends, before = [], [], []
    for n, (_, gold) in enumerate(pairs):
        j = bisect_left(tails, gold)
        tails[j : j + 1], ends[j : j + 1] = [gold], [n]
        before.append(ends[j - 1] if j else -1)
    chain, n = [], ends[-1] if ends else -1
    while n >= 0:
        chain.append(pairs[n])
        n = before[n]
    return chain[::-1]


def match(page, gold, sizes):
    """For each word of the page its place in the gold text, or -1."""
    found = [-1] * len(page)
    # A page that shows its text twice has no n-gram that occurs once: then the first copy counts.
    steps = [(n, False) for n in sizes] + [(n, True) for n in sizes if n >= 3]
    gaps = [(0, len(page), 0, len(gold))]
    while gaps:
        p0, p1, g0, g1 = gaps.pop()
        for n, first in steps:
            lone = n == 1 and p1 - p0 > LONE_MAX_SPAN * (g1 - g0 + 1)
            if lone or p1 - p0 < n or g1 - g0 < n:
                continue
            in_gold = ngrams(gold, g0, g1, n, first)
            in_page = ngrams(page, p0, p1, n, first)
            pairs = sorted((i, in_gold[g]) for g, i in in_page.items() if i >= 0 and in_gold.get(g, -1) >= 0)
            if not pairs:
                continue
            p, g = p0, g0
            for i, j in rising(pairs):
                if i < p or j < g:
                    continue
                end, gold_end = i + n, j + n
                while i > p and j > g and page[i - 1] == gold[j - 1]:
                    i, j = i - 1, j - 1
                while end < p1 and gold_end < g1 and page[end] == gold[gold_end]:
                    end, gold_end = end + 1, gold_end + 1
                found[i:end] = range(j, gold_end)
                gaps.append((p, i, g, j))
                p, g = end, gold_end
            gaps.append((p, p1, g, g1))
            break
    return found


def labels(blocks, gold):
    """How many words of each block stand in the gold text; both as lists of words."""
    page = [word for block in blocks for word in block]
    found = match(page, gold, NGRAMS)
    for _ in range(3):
        taken = set(found)
        rest = [j for j in range(len(gold)) if j not in taken]
        free = [i for i, at in enumerate(found) if at < 0]
        again = match([page[i] for i in free], [gold[j] for j in rest], LONG_NGRAMS)
        for i, at in zip(free, again):
            if at >= 0:
                found[i] = rest[at]
        if sum(at >= 0 for at in again) < 4:
            break
    counts, at = [], 0
    for block in blocks:
        counts.append(sum(place >= 0 for place in found[at : at + len(block)]))
        at += len(block)
    return counts
