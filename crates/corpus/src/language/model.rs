//! fastText's models of languages, read by our own code: `lid.176.ftz` and others of its kind.
//!
//! The format and the arithmetic are those of fastText 0.9 (`dictionary.cc`, `quantmatrix.cc`, `productquantizer.cc`,
//! `loss.cc`); see Joulin et al., "FastText.zip: Compressing text classification models" (2016). A text's vector is the
//! mean of the vectors of its words and of their runs of characters; the label is the leaf of a Huffman tree with the
//! greatest product of decisions. Sums are of `f32`, within each word
//! and then over the words of the text in its order, and the logistic function is the
//! project's own, so that a text gets the same label and the same score on every machine.
//!
//! A model's bytes are foreign: every count is bounded before anything is made of it, and every index is checked.

use std::fmt;

use super::{
    Guess,
    bytes::{ModelError, Reader, expect, within},
    matrix::Matrix,
};
use crate::numbering::{Hasher, Table};
use primitives::{Digest, math};

/// The longest model: `lid.176.ftz` has 1 MB, `lid.176.bin` 131 MB.
pub const MODEL_MAX_BYTES: usize = 256 << 20;

/// Source: `FASTTEXT_FILEFORMAT_MAGIC_INT32` and `FASTTEXT_VERSION` in fastText's `fasttext.cc`.
const MAGIC: i32 = 793_712_314;
const VERSION: i32 = 12;
/// `loss_name::hs`.
const HIERARCHICAL_SOFTMAX: i32 = 1;
/// `model_name::sup`.
const SUPERVISED: i32 = 3;
const DIMENSION_MAX: usize = 1024;
const ENTRIES_MAX: usize = 1 << 21;
const LABELS_MAX: usize = 1 << 12;
const BUCKETS_MAX: usize = 1 << 24;
/// Characters of the longest runs.
const RUN_MAX_CHARS: usize = 16;
/// Places that a word may be away from its own in the table.
const PROBES_MAX: usize = 1 << 10;
const END_OF_LINE: &str = "</s>";
const LABEL_PREFIX: &str = "__label__";
/// What is added to a decision's probability before it is multiplied. Source: `std_log` in fastText's `utils.h`.
const PROBABILITY_FLOOR: f64 = 1e-5;
/// What the decisions below a node can multiply its product by: each at most 1 and the floor, as many as labels.
const FACTORS_MAX: f64 = 1.05;

/// A model of languages.
pub struct Model {
    digest: Digest,
    dimension: usize,
    buckets: u32,
    run_chars: (usize, usize),
    words: Vec<Box<[u8]>>,
    /// Words' numbers and one by fastText's hash; 0 is free.
    slots: Vec<u32>,
    /// The buckets that were kept; none where all were.
    kept_buckets: Option<KeptBuckets>,
    input: Matrix,
    output: Matrix,
    labels: Vec<&'static str>,
    tree: Vec<Node>,
}

/// An inner node's children: leaves come first, as the labels do.
#[derive(Clone, Copy)]
struct Node {
    left: usize,
    right: usize,
}

impl Model {
    /// Reads a model.
    ///
    /// # Errors
    /// A [`ModelError`] that says what is wrong.
    pub fn read(bytes: &[u8]) -> Result<Self, ModelError> {
        within("bytes", bytes.len() as i64, 0, MODEL_MAX_BYTES)?;
        let mut from = Reader { rest: bytes };
        expect("magic number", from.i32("the magic number")?, MAGIC)?;
        expect("version", from.i32("the version")?, VERSION)?;
        let mut setting = |what| from.i32(what);
        let dimension = within("dimension", setting("dimension")?.into(), 1, DIMENSION_MAX)?;
        for what in ["window", "epochs", "least count", "negatives"] {
            setting(what)?;
        }
        expect("length of word runs", setting("length of word runs")?, 1)?;
        expect("loss", setting("loss")?, HIERARCHICAL_SOFTMAX)?;
        expect("kind of model", setting("kind of model")?, SUPERVISED)?;
        let buckets = within("buckets", setting("buckets")?.into(), 1, BUCKETS_MAX)?;
        let run_min = within("least run", setting("least run")?.into(), 1, RUN_MAX_CHARS)?;
        let run_max = within("longest run", setting("longest run")?.into(), run_min, RUN_MAX_CHARS)?;
        setting("rate of updates")?;
        from.take(8, "the threshold of sampling")?;

        let entries = within("entries", from.i32("the dictionary")?.into(), 1, ENTRIES_MAX)?;
        let words_count = within("words", from.i32("the dictionary")?.into(), 0, entries)?;
        let labels_count = within("labels", from.i32("the dictionary")?.into(), 2, LABELS_MAX)?;
        if words_count + labels_count != entries {
            expect("words and labels", words_count + labels_count, entries)?;
        }
        from.take(8, "the count of tokens")?;
        let pruned = from.i64("the kept buckets")?;
        let (mut words, mut labels, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..entries {
            let entry = from.text()?;
            let count = from.i64("an entry's count")?;
            let kind = from.take(1, "an entry's kind")?[0];
            expect("kind of an entry", kind, u8::from(number >= words_count))?;
            if number < words_count {
                words.push(entry.into());
            } else {
                labels.push(label(entry)?);
                counts.push(within("count of a label", count, 0, 1 << 50)? as u64);
            }
        }
        let kept_buckets = match pruned {
            ..0 => None,
            count => Some(KeptBuckets::read(&mut from, within("kept buckets", count, 0, buckets)?, buckets)?),
        };
        let rows = words_count + kept_buckets.as_ref().map_or(buckets, |kept| kept.rows.len());
        let is_quantised = from.flag("the kind of the input")?;
        let input = Matrix::read(&mut from, is_quantised, rows, dimension, "input")?;
        let is_quantised = from.flag("the kind of the output")?;
        let output = Matrix::read(&mut from, is_quantised, labels_count, dimension, "output")?;
        if !from.rest.is_empty() {
            expect("bytes behind its end", from.rest.len(), 0)?;
        }
        let slots = slots_of(&words)?;
        Ok(Self {
            digest: Digest::of(bytes),
            dimension,
            buckets: u32::try_from(buckets).expect("at most 2^24"),
            run_chars: (run_min, run_max),
            words,
            slots,
            kept_buckets,
            input,
            output,
            labels,
            tree: huffman(&counts),
        })
    }

    /// The digest of the model's bytes: a recipe that uses a model names it.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The likeliest language of a text; line ends count as spaces.
    #[must_use]
    pub fn guess(&self, text: &str) -> Guess {
        let hasher = Hasher::of(text);
        let mut table = Table::new(text.len() / 16);
        // Each different word, its vector and how many rows it is the sum of.
        let mut known: Vec<(&str, u64)> = Vec::new();
        let mut vectors: Vec<f32> = Vec::new();
        let (mut sum, mut rows) = (vec![0f32; self.dimension], 0u64);
        let mut framed = Vec::new();
        let is_space = |c: char| matches!(c, ' ' | '\t'..='\r' | '\0');
        let words = text.split(is_space).filter(|word| !word.is_empty() && !word.starts_with(LABEL_PREFIX));
        for word in words.chain([END_OF_LINE]) {
            let number = table.number(hasher.text(word), |number| known[number as usize].0 == word) as usize;
            let first = number * self.dimension;
            if number == known.len() {
                vectors.resize(first + self.dimension, 0.0);
                let (mut count, vector) = (0, &mut vectors[first..]);
                self.word_rows(word.as_bytes(), &mut framed, &mut |row| {
                    self.input.add_row(row, vector);
                    count += 1;
                });
                known.push((word, count));
            }
            let vector = &vectors[first..first + self.dimension];
            sum.iter_mut().zip(vector).for_each(|(sum, value)| *sum += value);
            rows += known[number].1;
        }
        if rows == 0 {
            return Guess { code: super::UNDETERMINED, permille: 0 };
        }
        let scale = 1.0 / rows as f32;
        sum.iter_mut().for_each(|value| *value *= scale);
        self.likeliest(&sum)
    }

    /// The rows of a word: its own, and those of its runs of characters between marks for its ends.
    fn word_rows(&self, word: &[u8], framed: &mut Vec<u8>, add: &mut impl FnMut(usize)) {
        if let Some(number) = self.word(word) {
            add(number);
        }
        if word == END_OF_LINE.as_bytes() {
            return;
        }
        framed.clear();
        framed.push(b'<');
        framed.extend_from_slice(word);
        framed.push(b'>');
        let is_inner = |byte: u8| byte & 0xc0 == 0x80;
        for start in 0..framed.len() {
            if is_inner(framed[start]) {
                continue;
            }
            let (mut hash, mut end) = (HASH_START, start);
            for chars in 1..=self.run_chars.1 {
                if end == framed.len() {
                    break;
                }
                loop {
                    hash = hash_step(hash, framed[end]);
                    end += 1;
                    if end == framed.len() || !is_inner(framed[end]) {
                        break;
                    }
                }
                let is_mark = chars == 1 && (start == 0 || end == framed.len());
                if chars >= self.run_chars.0
                    && !is_mark
                    && let Some(row) = self.bucket_row(hash % self.buckets)
                {
                    add(row);
                }
            }
        }
    }

    fn bucket_row(&self, bucket: u32) -> Option<usize> {
        let row = match &self.kept_buckets {
            None => bucket as usize,
            Some(kept) => kept.row(bucket)?,
        };
        Some(self.words.len() + row)
    }

    fn word(&self, word: &[u8]) -> Option<usize> {
        let mask = self.slots.len() - 1;
        let mut at = word.iter().fold(HASH_START, |hash, byte| hash_step(hash, *byte)) as usize & mask;
        loop {
            let number = (self.slots[at] as usize).checked_sub(1)?;
            if *self.words[number] == *word {
                return Some(number);
            }
            at = (at + 1) & mask;
        }
    }

    /// The leaf with the greatest product of the decisions on its way; of equal ones the first found.
    fn likeliest(&self, vector: &[f32]) -> Guess {
        let leaves = self.labels.len();
        let (mut best, mut best_product) = (0, 0.0f64);
        // Right children wait here while the left ones are walked.
        let mut waiting = vec![(2 * leaves - 2, 1.0f64)];
        while let Some((node, product)) = waiting.pop() {
            if product * FACTORS_MAX < best_product {
                continue;
            }
            if node < leaves {
                if product > best_product {
                    (best, best_product) = (node, product);
                }
                continue;
            }
            let inner = node - leaves;
            let right = logistic(self.output.dot_row(inner, vector));
            let Node { left: left_child, right: right_child } = self.tree[inner];
            waiting.push((right_child, product * (right + PROBABILITY_FLOOR)));
            waiting.push((left_child, product * (1.0 - right + PROBABILITY_FLOOR)));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a product in [0, 1]")]
        let permille = (best_product.clamp(0.0, 1.0) * 1000.0) as u16;
        Guess { code: self.labels[best], permille }
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Model({}, {} words, {} labels)", self.digest, self.words.len(), self.labels.len())
    }
}

/// Models are equal as their bytes are.
impl PartialEq for Model {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Model {}

fn logistic(value: f32) -> f64 {
    1.0 / (1.0 + math::exp(-f64::from(value)))
}

/// FNV-1a of 32 bits, each byte with its sign. Source: fastText's `Dictionary::hash`.
const HASH_START: u32 = 2_166_136_261;

#[inline]
fn hash_step(hash: u32, byte: u8) -> u32 {
    (hash ^ i32::from(byte.cast_signed()).cast_unsigned()).wrapping_mul(16_777_619)
}

fn slots_of(words: &[Box<[u8]>]) -> Result<Vec<u32>, ModelError> {
    let mut slots = vec![0u32; (words.len() * 2 + 2).next_power_of_two()];
    let mask = slots.len() - 1;
    for (word, number) in words.iter().zip(1..) {
        let mut at = word.iter().fold(HASH_START, |hash, byte| hash_step(hash, *byte)) as usize & mask;
        let mut probes = 0;
        while slots[at] != 0 {
            at = (at + 1) & mask;
            probes += 1;
            within("words of one hash", probes, 0, PROBES_MAX)?;
        }
        slots[at] = number;
    }
    Ok(slots)
}

/// The Huffman tree over labels with these counts, which fall. Source: fastText's `HierarchicalSoftmaxLoss::buildTree`.
fn huffman(counts: &[u64]) -> Vec<Node> {
    /// Of nodes that aren't made yet.
    const NO_COUNT: u64 = 1_000_000_000_000_000;
    let leaves = counts.len();
    let mut all = counts.to_vec();
    all.resize(2 * leaves - 1, NO_COUNT);
    // The rarest leaf that has no parent and one, and the oldest node that has none.
    let (mut leaf, mut node) = (leaves, leaves);
    let mut tree = Vec::with_capacity(leaves - 1);
    for made in leaves..2 * leaves - 1 {
        let mut rarest = || {
            if leaf > 0 && all[leaf - 1] < all[node] {
                leaf -= 1;
                leaf
            } else {
                node += 1;
                node - 1
            }
        };
        let (left, right) = (rarest(), rarest());
        all[made] = all[left].saturating_add(all[right]);
        tree.push(Node { left, right });
    }
    tree
}

/// The buckets that were kept and their rows: a bit for each bucket, so that the many that weren't cost little.
struct KeptBuckets {
    /// 64 buckets each.
    bits: Vec<u64>,
    /// How many were kept before each 64.
    before: Vec<u32>,
    /// By the buckets' order.
    rows: Vec<u32>,
}

impl KeptBuckets {
    fn read(from: &mut Reader<'_>, count: usize, buckets: usize) -> Result<Self, ModelError> {
        let mut pairs = Vec::new();
        for _ in 0..count {
            let bucket = within("kept bucket", from.i32("a kept bucket")?.into(), 0, buckets - 1)?;
            let row = within("row of a kept bucket", from.i32("a kept bucket")?.into(), 0, count - 1)?;
            pairs.push((bucket, u32::try_from(row).expect("below 2^24")));
        }
        pairs.sort_unstable();
        if let Some(twice) = pairs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            expect("bucket that is kept twice", twice[0].0, "none")?;
        }
        let mut bits = vec![0u64; buckets / 64 + 1];
        for (bucket, _) in &pairs {
            bits[bucket / 64] |= 1 << (bucket % 64);
        }
        let count_before = |kept: &mut u32, word: &u64| {
            let before = *kept;
            *kept += word.count_ones();
            Some(before)
        };
        let before = bits.iter().scan(0, count_before).collect();
        Ok(Self { bits, before, rows: pairs.into_iter().map(|(_, row)| row).collect() })
    }

    #[inline]
    fn row(&self, bucket: u32) -> Option<usize> {
        let place = bucket as usize / 64;
        let (word, bit) = (self.bits[place], 1u64 << (bucket % 64));
        if word & bit == 0 {
            return None;
        }
        Some(self.rows[(self.before[place] + (word & (bit - 1)).count_ones()) as usize] as usize)
    }
}

/// A label's language code.
fn label(entry: &[u8]) -> Result<&'static str, ModelError> {
    let text = std::str::from_utf8(entry).unwrap_or_default();
    let code = text.strip_prefix(LABEL_PREFIX).unwrap_or_default();
    let known = CODES.split_ascii_whitespace().find(|known| *known == code);
    known.ok_or_else(|| ModelError::Value {
        what: "label",
        found: format!("{:?}", String::from_utf8_lossy(entry).chars().take(40).collect::<String>()),
        expected: "__label__ and one of the languages of lid.176".into(),
    })
}

/// The languages of lid.176. Source: <https://fasttext.cc/docs/en/language-identification.html>.
const CODES: &str = "af als am an ar arz as ast av az azb ba bar bcl be bg bh bn bo bpy br bs bxr ca cbk ce ceb ckb co cs \
    cv cy da de diq dsb dty dv el eml en eo es et eu fa fi fr frr fy ga gd gl gn gom gu gv he hi hif hr hsb ht hu hy ia \
    id ie ilo io is it ja jbo jv ka kk km kn ko krc ku kv kw ky la lb lez li lmo lo lrc lt lv mai mg mhr min mk ml mn mr \
    mrj ms mt mwl my myv mzn nah nap nds ne new nl nn no oc or os pa pam pfl pl pms pnb ps pt qu rm ro ru rue sa sah sc \
    scn sco sd sh si sk sl so sq sr su sv sw ta te tg th tk tl tr tt tyv ug uk ur uz vec vep vi vls vo wa war wuu xal xmf \
    yi yo yue zh";
