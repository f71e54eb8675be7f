//! Byte-level BPE: words are merged pair by pair, the pair of the lowest rank first.
//!
//! Start with [`Bpe::encode`]. Words that come often are kept in a [`Cache`], which changes nothing but the time.
//! Source: Sennrich et al., "Neural machine translation of rare words with subword units", 2016.

mod file;

use std::{cmp::Reverse, collections::BinaryHeap};

use crate::{
    nfc::Composed,
    short_word,
    tokenizer::{Token, TokenizerError},
    words::Words,
};

/// Stands for no token, no rank, no neighbour.
const NONE: u32 = u32::MAX;
/// Longest word whose pairs are searched one after the other, in bytes; the pairs of a longer one stand in a heap.
const SHORT_WORD: usize = 32;

/// A byte-level BPE.
#[derive(Clone, Debug)]
pub(crate) struct Bpe {
    words: Words,
    composes: bool,
    /// The token of each byte that has one.
    bytes: Vec<u32>,
    /// Whether all have one.
    complete: bool,
    merges: Merges,
    /// Numbers of the tokens that need no merges, by their bytes; empty unless the file asks for it.
    whole: Vec<u32>,
    pieces: Pieces,
    start: u32,
}

/// What tokens stand for.
#[derive(Clone, Debug, Default)]
struct Pieces {
    bytes: Vec<u8>,
    /// By number; a number without a token has none.
    spans: Vec<Option<Span>>,
}

/// Where the bytes of a token are.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    length: u32,
    special: bool,
    /// Whether the file spells them with the letters that stand for bytes.
    spelled: bool,
}

impl Pieces {
    fn get(&self, id: u32) -> Option<(&[u8], bool)> {
        let span = (*self.spans.get(id as usize)?)?;
        Some((self.bytes_of(span), span.special))
    }

    fn bytes_of(&self, span: Span) -> &[u8] {
        &self.bytes[span.start as usize..][..span.length as usize]
    }
}

/// What pairs become, by their left token.
#[derive(Clone, Debug, Default)]
struct Merges {
    /// Where the pairs of a left token begin; one more than there are tokens.
    starts: Vec<u32>,
    /// By the right token.
    pairs: Vec<Merge>,
}

#[derive(Clone, Copy, Debug)]
struct Merge {
    right: u32,
    rank: u32,
    merged: u32,
}

impl Merges {
    /// Merges of (left, right) with rank and result; of equal pairs the last one counts.
    fn new(vocab: usize, mut list: Vec<(u32, Merge)>) -> Self {
        list.sort_unstable_by_key(|(left, merge)| (*left, merge.right, Reverse(merge.rank)));
        list.dedup_by_key(|(left, merge)| (*left, merge.right));
        let mut starts = vec![0u32; vocab + 1];
        for (left, _) in &list {
            starts[*left as usize + 1] += 1;
        }
        for at in 0..vocab {
            starts[at + 1] += starts[at];
        }
        Self { starts, pairs: list.into_iter().map(|(_, merge)| merge).collect() }
    }

    /// Rank and result of a pair.
    fn get(&self, left: u32, right: u32) -> Option<(u32, u32)> {
        let left = left as usize;
        let pairs = &self.pairs[self.starts[left] as usize..self.starts[left + 1] as usize];
        let at = pairs.binary_search_by_key(&right, |merge| merge.right).ok()?;
        Some((pairs[at].rank, pairs[at].merged))
    }
}

/// Words that came before, with their tokens. A place for each of their hashes: a new word takes the place of another.
#[derive(Clone, Debug)]
pub(crate) struct Cache(Vec<Cached>);

#[derive(Clone, Copy, Debug, Default)]
struct Cached {
    /// The word's bytes and its length, which is not 0.
    word: u128,
    ids: [u32; Cached::TOKENS],
    count: u32,
}

impl Cached {
    /// Most tokens of a word that is kept.
    const TOKENS: usize = 7;
}

impl Cache {
    /// Most words; their 400 kB fit into the caches of a core.
    const MOST: usize = 1 << 13;

    /// A cache for texts of so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self(vec![Cached::default(); (bytes / 16).next_power_of_two().clamp(16, Self::MOST)])
    }

    fn place(&mut self, key: u128) -> &mut Cached {
        let at = short_word::place(key, self.0.len());
        &mut self.0[at]
    }
}

impl Bpe {
    /// How many tokens a model needs to know.
    pub(crate) fn vocab(&self) -> usize {
        self.pieces.spans.len()
    }

    /// The token before a text.
    pub(crate) fn start(&self) -> u32 {
        self.start
    }

    /// What a token stands for, and whether it is a special one, which has a name instead.
    pub(crate) fn piece(&self, id: u32) -> Option<(&[u8], bool)> {
        self.pieces.get(id)
    }

    /// Adds the tokens of a text.
    pub(crate) fn encode(
        &self,
        text: &str,
        cache: &mut Cache,
        out: &mut Vec<Token>,
    ) -> Result<(), TokenizerError> {
        let composed = if self.composes { Composed::of(text) } else { None };
        let origin = |place| composed.as_ref().map_or(place, |composed| composed.origin(place));
        let text = composed.as_ref().map_or(text, |composed| &composed.text);
        if !self.complete {
            let missing = |(_, byte): &(usize, u8)| self.bytes[usize::from(*byte)] == NONE;
            if let Some((place, byte)) = text.bytes().enumerate().find(missing) {
                return Err(TokenizerError::NoToken { byte, place: origin(place) });
            }
        }
        let first = out.len();
        self.words.each(text, |word| self.encode_word(word.as_bytes(), cache, out));
        if composed.is_some() {
            let (mut place, mut before) = (0, 0);
            for token in &mut out[first..] {
                place += token.bytes as usize;
                let end = origin(place);
                token.bytes = u32::try_from(end - before).unwrap_or(u32::MAX);
                before = end;
            }
        }
        Ok(())
    }

    fn token(&self, id: u32) -> Token {
        Token { id, bytes: self.pieces.spans[id as usize].map_or(0, |span| span.length) }
    }

    fn encode_word(&self, word: &[u8], cache: &mut Cache, out: &mut Vec<Token>) {
        let Some(key) = short_word::key(word) else {
            return self.merge_word(word, out);
        };
        let cached = cache.place(key);
        if cached.word == key {
            out.extend(cached.ids[..cached.count as usize].iter().map(|id| self.token(*id)));
            return;
        }
        let first = out.len();
        self.merge_word(word, out);
        let tokens = &out[first..];
        if let Some(ids) = cached.ids.get_mut(..tokens.len()) {
            ids.iter_mut().zip(tokens).for_each(|(id, token)| *id = token.id);
            (cached.word, cached.count) = (key, u32::try_from(tokens.len()).expect("a few"));
        }
    }

    fn merge_word(&self, word: &[u8], out: &mut Vec<Token>) {
        if let Ok(at) =
            self.whole.binary_search_by_key(&word, |id| self.pieces.get(*id).map_or(&[], |(bytes, _)| bytes))
        {
            out.push(self.token(self.whole[at]));
        } else if word.len() <= SHORT_WORD {
            self.merge_short(word, out);
        } else {
            self.merge_long(word, out);
        }
    }

    /// Merges the pair of lowest rank, the leftmost first, until none is left.
    fn merge_short(&self, word: &[u8], out: &mut Vec<Token>) {
        let mut length = word.len();
        let mut ids = [NONE; SHORT_WORD];
        for (id, byte) in ids.iter_mut().zip(word) {
            *id = self.bytes[usize::from(*byte)];
        }
        // Of the pair that begins at each place.
        let mut pairs = [(NONE, NONE); SHORT_WORD];
        let pair = |ids: &[u32], at: usize| self.merges.get(ids[at], ids[at + 1]).unwrap_or((NONE, NONE));
        for at in 1..length {
            pairs[at - 1] = pair(&ids, at - 1);
        }
        loop {
            let ranked = pairs[..length.saturating_sub(1)].iter().map(|(rank, _)| *rank).enumerate();
            let Some((at, rank)) = ranked.min_by_key(|(_, rank)| *rank) else { break };
            if rank == NONE {
                break;
            }
            ids[at] = pairs[at].1;
            ids.copy_within(at + 2..length, at + 1);
            pairs.copy_within(at + 1..length, at);
            length -= 1;
            if at > 0 {
                pairs[at - 1] = pair(&ids, at - 1);
            }
            if at + 1 < length {
                pairs[at] = pair(&ids, at);
            }
        }
        out.extend(ids[..length].iter().map(|id| self.token(*id)));
    }

    /// As [`Bpe::merge_short`], in O(n log n) of the word's length.
    fn merge_long(&self, word: &[u8], out: &mut Vec<Token>) {
        const END: usize = usize::MAX;
        struct Piece {
            id: u32,
            before: usize,
            after: usize,
            alive: bool,
        }
        let mut pieces: Vec<Piece> = word
            .iter()
            .enumerate()
            .map(|(at, byte)| Piece {
                id: self.bytes[usize::from(*byte)],
                before: at.checked_sub(1).unwrap_or(END),
                after: if at + 1 < word.len() { at + 1 } else { END },
                alive: true,
            })
            .collect();
        let candidate = |pieces: &[Piece], left: usize| {
            let right = pieces.get(left)?.after;
            let pair = (pieces[left].id, pieces.get(right)?.id);
            let (rank, merged) = self.merges.get(pair.0, pair.1)?;
            Some(Reverse((rank, left, pair, merged)))
        };
        let mut queue: BinaryHeap<_> =
            (0..pieces.len()).filter_map(|left| candidate(&pieces, left)).collect();
        while let Some(Reverse((_, left, pair, merged))) = queue.pop() {
            // An entry is stale when one of its two pieces has been merged since.
            let right = pieces[left].after;
            if !pieces[left].alive || right == END || (pieces[left].id, pieces[right].id) != pair {
                continue;
            }
            let after = pieces[right].after;
            pieces[right].alive = false;
            (pieces[left].id, pieces[left].after) = (merged, after);
            if after != END {
                pieces[after].before = left;
            }
            queue.extend(candidate(&pieces, left));
            queue.extend(candidate(&pieces, pieces[left].before));
        }
        out.extend(pieces.iter().filter(|piece| piece.alive).map(|piece| self.token(piece.id)));
    }
}
