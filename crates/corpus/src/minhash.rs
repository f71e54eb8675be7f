//! MinHash: signatures by which near duplicates are found without comparing every pair of texts.
//!
//! Two texts are similar by the share *s* of word 5-grams that they have in common, of all that either has. A
//! [`Signature`] keeps the least value of each of 112 hash functions over the 5-grams of a text; each agrees between two
//! texts with probability *s*. They are taken as 14 bands of 8: two texts that agree in a whole band are candidates, which
//! happens with probability 1 − (1 − s⁸)¹⁴: 0.2 % at s = 0.33, 52 % at 0.69, 92 % at 0.8, 99.96 % at 0.9.
//!
//! Source: Broder, "On the resemblance and containment of documents" (1997); for 5-grams and 14 × 8, Penedo et al., "The
//! FineWeb Datasets" (2024), section 3.4, and datatrove's defaults.
//!
//! # The bits
//! All arithmetic is modulo 2⁶⁴ and `mix` is the last step of SplitMix64.
//! - *Folding.* Each character becomes its lower case and that its canonical decomposition. Non-spacing marks and format
//!   characters (soft hyphens, joiners) go. A run of letters and digits is a word. Within it each number, which is a run
//!   of decimal digits of any script with single decimal or thousands separators inside, is the digit 0. Characters of
//!   scripts that are written without spaces are words of their own. The rest parts words.
//! - *A word* with code points c₁ … cₖ hashes to mix(Σ cᵢ · Cᵏ⁻ⁱ).
//! - *A 5-gram* of words w₁ … w₅ hashes to x, the upper 32 bits of mix(Σ wᵢ · W⁵⁻ⁱ).
//! - *Hash function i* takes x to aᵢ · x + bᵢ modulo 2³², where a₀, b₀, a₁, … are the upper halves of SplitMix64's
//!   stream from seed 0, and each aᵢ is made odd.
//! - *A band* of minima m₀ … m₇ and number j is h₄, where h₀ = j and hₖ₊₁ = mix(hₖ + m₂ₖ + 2³² · m₂ₖ₊₁).

use unicode_normalization::char::{decompose_canonical, is_combining_mark};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

/// Bands in a signature.
pub const BANDS: usize = 14;
/// Hash functions in a band.
pub const BAND_ROWS: usize = 8;
/// Words in a run.
pub const GRAM_WORDS: usize = 5;

const HASHES: usize = BANDS * BAND_ROWS;
/// Hash functions that are computed side by side: two registers of four on every x86-64.
const LANES: usize = 8;
/// Words that are gathered before their 5-grams are taken, so that a text of any length needs the same memory.
const BLOCK_WORDS: usize = 512;

/// SplitMix64's step, 2⁶⁴ divided by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
/// C and W: odd, with bits all over. They are the first outputs of SplitMix64 from seed 1, made odd.
const CHAR_FACTOR: u64 = mix(STEP.wrapping_add(1)) | 1;
const WORD_FACTOR: u64 = mix(STEP.wrapping_mul(2).wrapping_add(1)) | 1;

/// aᵢ and bᵢ. With an odd aᵢ the function is a permutation. On numbers that are as good as random already, linear
/// permutations give minima that agree as often as those of random ones.
///
/// Source: Broder, Charikar, Frieze and Mitzenmacher, "Min-Wise Independent Permutations" (2000), section 5.
const FUNCTIONS: ([u32; HASHES], [u32; HASHES]) = {
    let (mut a, mut b) = ([0; HASHES], [0; HASHES]);
    let (mut state, mut i) = (0u64, 0);
    while i < HASHES {
        state = state.wrapping_add(STEP);
        a[i] = (mix(state) >> 32) as u32 | 1;
        state = state.wrapping_add(STEP);
        b[i] = (mix(state) >> 32) as u32;
        i += 1;
    }
    (a, b)
};
static FACTORS: [u32; HASHES] = FUNCTIONS.0;
static ADDENDS: [u32; HASHES] = FUNCTIONS.1;

/// The last step of SplitMix64, in which each input bit changes each output bit about half the time.
///
/// Source: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators" (2014), with variant 13 of Stafford.
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The least values of 112 hash functions over a text's 5-grams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    minima: [u32; HASHES],
}

impl Signature {
    /// The signature of a text; none where it has fewer than five words, for then it has no 5-gram and is nobody's
    /// near duplicate. Takes time linear in the text and memory that does not depend on it.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let mut minima = [u32::MAX; HASHES];
        let mut words = Words { hashes: [0; BLOCK_WORDS], count: 0 };
        let mut has_grams = false;
        each_word(text, |word| {
            words.hashes[words.count] = word;
            words.count += 1;
            if words.count == BLOCK_WORDS {
                has_grams |= words.lower(&mut minima);
            }
        });
        has_grams |= words.lower(&mut minima);
        has_grams.then_some(Self { minima })
    }

    /// The bands: texts that have one in common at the same place are candidates.
    ///
    /// Two different bands are equal by accident with probability 2⁻⁶⁴.
    #[must_use]
    pub fn bands(&self) -> [u64; BANDS] {
        let (bands, _) = self.minima.as_chunks::<BAND_ROWS>();
        let mut hashes = [0u64; BANDS];
        for ((number, hash), band) in (0u64..).zip(&mut hashes).zip(bands) {
            let (pairs, _) = band.as_chunks::<2>();
            *hash = pairs.iter().fold(number, |hash, [low, high]| {
                mix(hash.wrapping_add(u64::from(*low) + (u64::from(*high) << 32)))
            });
        }
        hashes
    }

    /// How many of the 112 minima two texts have in common. Divided by 112 it is an unbiased estimate of their
    /// similarity, with a standard error of at most 4.7 points.
    #[must_use]
    pub fn agreeing(&self, other: &Self) -> usize {
        self.minima.iter().zip(&other.minima).filter(|(a, b)| a == b).count()
    }
}

/// Whether two signatures with these bands are candidates: one band is the same in both.
#[must_use]
pub fn share_a_band(one: &[u64; BANDS], other: &[u64; BANDS]) -> bool {
    one.iter().zip(other).any(|(one, other)| one == other)
}

/// Words whose 5-grams are not in the minima yet.
struct Words {
    hashes: [u64; BLOCK_WORDS],
    count: usize,
}

impl Words {
    /// Takes the 5-grams into the minima and keeps the last four words, with which further ones begin. Whether there
    /// was any.
    fn lower(&mut self, minima: &mut [u32; HASHES]) -> bool {
        let words = &self.hashes[..self.count];
        let mut block = [0u32; BLOCK_WORDS];
        let mut grams = 0;
        for (gram, words) in block.iter_mut().zip(words.windows(GRAM_WORDS)) {
            let sum = words.iter().fold(0u64, |sum, word| sum.wrapping_mul(WORD_FACTOR).wrapping_add(*word));
            *gram = (mix(sum) >> 32) as u32;
            grams += 1;
        }
        lower(minima, &block[..grams]);
        let first_kept = self.count.saturating_sub(GRAM_WORDS - 1);
        self.hashes.copy_within(first_kept..self.count, 0);
        self.count -= first_kept;
        grams > 0
    }
}

/// Takes 5-grams into the minima. A few functions at a time go over all of them, so that factors, addends and minima
/// stay in registers. Minima are kept as signed numbers of the same order: the oldest x86-64 compares no others.
fn lower(minima: &mut [u32; HASHES], grams: &[u32]) {
    const SIGN: u32 = 1 << 31;
    let (minima, _) = minima.as_chunks_mut::<LANES>();
    let (factors, _) = FACTORS.as_chunks::<LANES>();
    let (addends, _) = ADDENDS.as_chunks::<LANES>();
    for ((minima, factors), addends) in minima.iter_mut().zip(factors).zip(addends) {
        let mut least = minima.map(|value| (value ^ SIGN).cast_signed());
        let addends = addends.map(|addend| addend ^ SIGN);
        for gram in grams {
            for ((least, factor), addend) in least.iter_mut().zip(factors).zip(&addends) {
                let value = factor.wrapping_mul(*gram).wrapping_add(*addend);
                *least = value.cast_signed().min(*least);
            }
        }
        *minima = least.map(|value| value.cast_unsigned() ^ SIGN);
    }
}

/// Calls `each` with the hash of each folded word of a text.
fn each_word(text: &str, each: impl FnMut(u64)) {
    let mut folding = Folding { each, hash: 0, is_word: false, number: Number::Outside };
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c.is_ascii_alphabetic() {
            folding.letter(c.to_ascii_lowercase());
            // Most of most texts, in a loop of its own.
            let bytes = rest.as_str().as_bytes();
            let count = bytes.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
            for byte in &bytes[..count] {
                folding.push(char::from(byte.to_ascii_lowercase()));
            }
            rest = rest.as_str()[count..].chars();
        } else if c.is_ascii() {
            folding.folded(c);
        } else {
            c.to_lowercase().for_each(|c| decompose_canonical(c, |c| folding.folded(c)));
        }
    }
    folding.end();
}

/// Whether the last characters were a number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Number {
    Outside,
    /// The last was a digit.
    Digits,
    /// The last was a separator behind a digit; the number goes on if a digit follows.
    Separator,
}

/// A word under way.
struct Folding<F> {
    each: F,
    hash: u64,
    is_word: bool,
    number: Number,
}

impl<F: FnMut(u64)> Folding<F> {
    /// One character in lower case and decomposed.
    #[inline]
    fn folded(&mut self, c: char) {
        match c {
            'a'..='z' => self.letter(c),
            '0'..='9' => self.digit(),
            '.' | ',' => self.separator(),
            _ if c.is_ascii() => self.end(),
            _ => self.beyond_ascii(c),
        }
    }

    fn beyond_ascii(&mut self, c: char) {
        let is_mark = is_combining_mark(c) && c.general_category() == GeneralCategory::NonspacingMark;
        match c {
            _ if is_mark => {}
            _ if is_unspaced(c) => {
                self.end();
                self.letter(c);
                self.end();
            }
            _ if c.is_alphabetic() => self.letter(c),
            // Decimal signs of Arabic, and of APL.
            '،' | '٫' | '⎖' | '⎗' | '⎘' => self.separator(),
            _ => match c.general_category() {
                GeneralCategory::DecimalNumber => self.digit(),
                GeneralCategory::Format => {}
                _ if c.is_numeric() => self.letter(c),
                _ => self.end(),
            },
        }
    }

    #[inline]
    fn letter(&mut self, c: char) {
        if self.number == Number::Separator {
            self.end();
        }
        self.number = Number::Outside;
        self.push(c);
    }

    fn digit(&mut self) {
        if self.number == Number::Outside {
            self.push('0');
        }
        self.number = Number::Digits;
    }

    fn separator(&mut self) {
        match self.number {
            Number::Digits => self.number = Number::Separator,
            Number::Outside | Number::Separator => self.end(),
        }
    }

    #[inline]
    fn push(&mut self, c: char) {
        self.hash = self.hash.wrapping_mul(CHAR_FACTOR).wrapping_add(u64::from(u32::from(c)));
        self.is_word = true;
    }

    #[inline]
    fn end(&mut self) {
        if self.is_word {
            (self.each)(mix(self.hash));
        }
        (self.hash, self.is_word, self.number) = (0, false, Number::Outside);
    }
}

/// Letters of scripts that are written without spaces between words: Thai, Lao, Myanmar, Khmer, Hiragana, Katakana
/// and Han. A run of them would be a clause, and five such a paragraph.
fn is_unspaced(c: char) -> bool {
    let in_script = matches!(
        c,
        '\u{e00}'..='\u{eff}'
            | '\u{1000}'..='\u{109f}'
            | '\u{1780}'..='\u{17ff}'
            | '\u{3005}'..='\u{3007}'
            | '\u{3040}'..='\u{30ff}'
            | '\u{31f0}'..='\u{31ff}'
            | '\u{3400}'..='\u{4dbf}'
            | '\u{4e00}'..='\u{9fff}'
            | '\u{f900}'..='\u{faff}'
            | '\u{ff66}'..='\u{ff9d}'
            | '\u{20000}'..='\u{3ffff}'
    );
    in_script && c.is_alphabetic()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use primitives::{Seed, Stream};

    use super::*;

    fn words(text: &str) -> Vec<u64> {
        let mut words = Vec::new();
        each_word(text, |word| words.push(word));
        words
    }

    #[test]
    fn words_are_folded() {
        let check = |text: &str, same: &str| assert_eq!(words(text), words(same), "{text:?} {same:?}");
        check("Weights, and MEASURES!", "weights and measures");
        check("Café naïve Ångström", "cafe naive angstrom");
        check("cafe\u{301}", "café");
        check("1789 and 3.14 and 1,234,567.8", "0 and 0 and 0");
        check("٣٫١٤ ４２", "0 0");
        check("in 1789, the", "in 0 the");
        check("a1b22c", "a0b0c");
        check("1.a 1..2 .5", "0 a 0 0 0");
        check("weigh\u{ad}house", "weighhouse");
        check("東京都", "東 京 都");
        check("ไทย", "ไ ท ย");
        check("", " \n—…");
        assert_eq!(words("東京").len(), 2);
        assert_eq!(words("don't stop").len(), 3);
        assert_ne!(words("ab"), words("ba"));
        assert_ne!(words("a"), words("aa"));
    }

    /// The bits were computed by `benches/peers/minhash.py` from this module's documentation.
    #[test]
    fn signatures_have_these_bits() {
        let text = "The weighhouse of Ångström weighed 1,234.5 pounds of wool — and, in 1789, the scales said so; \
            東京 ไทย.";
        let expect = [
            0xbbf9_f6ac_62eb_04bd,
            0xaf9a_13e9_ad35_9631,
            0x66c0_4082_5305_8ef7,
            0xe33c_5097_20de_f934,
            0x7998_0e2e_df99_f352,
            0xea2f_09a6_e905_19ff,
            0xcc29_8281_1d18_c63e,
            0x890c_0889_ca78_7c57,
            0x8e84_29b5_f815_4cac,
            0xc252_a82a_e794_9146,
            0xc229_0c2a_9a35_5b12,
            0x5661_4857_b911_3873,
            0xd73c_8398_39b0_e305,
            0xd462_e127_073b_9833,
        ];
        assert_eq!(Signature::of(text).unwrap().bands(), expect);
    }

    #[test]
    fn a_text_of_four_words_has_no_signature() {
        assert_eq!(Signature::of(""), None);
        assert_eq!(Signature::of("weights and measures only"), None);
        let five = Signature::of("one two three four five").unwrap();
        assert_eq!(five, Signature::of("One, two: three -- four five!").unwrap());
        assert_ne!(five.bands(), Signature::of("five four three two one").unwrap().bands());
    }

    #[test]
    fn a_signature_is_of_the_set_of_runs() {
        // Longer than a block of words, and each of them three times.
        let once: String = (0..BLOCK_WORDS + 7).map(|i| format!("w{} ", letters(i))).collect();
        let whole = format!("{once}{once}");
        assert_eq!(Signature::of(&whole), Signature::of(&format!("{whole}{once}")));
    }

    fn letters(number: usize) -> String {
        number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect()
    }

    /// The 5-grams of words that are given by their numbers.
    fn runs(words: &[usize]) -> BTreeSet<u128> {
        words
            .windows(GRAM_WORDS)
            .map(|run| run.iter().fold(0, |sum, word| sum << 16 | *word as u128))
            .collect()
    }

    fn vocabulary() -> Vec<String> {
        (0..5000).map(|i| format!("w{}", letters(i))).collect()
    }

    fn candidates(a: &Signature, b: &Signature) -> bool {
        share_a_band(&a.bands(), &b.bands())
    }

    /// 1 − (1 − s⁸)¹⁴.
    fn theory(s: f64) -> f64 {
        let squared = s * s;
        let fourth = squared * squared;
        1.0 - (0..BANDS).fold(1.0, |miss, _| miss * (1.0 - fourth * fourth))
    }

    /// A text of 104 words and a variant of it in which the last `changed` words are others.
    fn pair(vocabulary: &[String], stream: &mut Stream, changed: usize) -> (String, String, f64) {
        let mut draw = || stream.index(vocabulary.len());
        let one: Vec<usize> = (0..104).map(|_| draw()).collect();
        let mut other = one.clone();
        other[104 - changed..].fill_with(&mut draw);
        let (a, b) = (runs(&one), runs(&other));
        let common = a.intersection(&b).count();
        let union = a.len() + b.len() - common;
        #[expect(clippy::cast_precision_loss, reason = "counts of a few hundred")]
        let similarity = common as f64 / union as f64;
        let text = |words: &[usize]| {
            words.iter().map(|word| vocabulary[*word].as_str()).collect::<Vec<&str>>().join(" ")
        };
        (text(&one), text(&other), similarity)
    }

    #[test]
    fn recall_and_false_positives_are_what_theory_predicts() {
        const PAIRS: u32 = 6000;
        let vocabulary = vocabulary();
        let mut stream = Seed::from_number(8).stream("minhash", 0);
        for changed in [1, 3, 5, 7, 10, 13, 16, 19, 22, 26, 30, 35, 40, 50, 60, 80, 100] {
            let (mut found, mut agreeing, mut predicted, mut mean) = (0u32, 0usize, 0.0, 0.0);
            for _ in 0..PAIRS {
                let (one, other, similarity) = pair(&vocabulary, &mut stream, changed);
                let (one, other) = (Signature::of(&one).unwrap(), Signature::of(&other).unwrap());
                found += u32::from(candidates(&one, &other));
                agreeing += one.agreeing(&other);
                predicted += theory(similarity);
                mean += similarity;
            }
            let share = f64::from(found) / f64::from(PAIRS);
            let (predicted, mean) = (predicted / f64::from(PAIRS), mean / f64::from(PAIRS));
            #[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
            let estimate = agreeing as f64 / (112.0 * f64::from(PAIRS));
            println!("s {mean:.3} estimated {estimate:.3}: found {share:.4}, theory {predicted:.4}");
            // Three standard deviations of 6,000 pairs are 1.9 points at most.
            assert!((share - predicted).abs() < 0.02, "s {mean}: found {share}, theory {predicted}");
            assert!((estimate - mean).abs() < 0.005, "s {mean}: estimated {estimate}");
        }
    }

    #[test]
    fn unrelated_texts_are_no_candidates() {
        let vocabulary = vocabulary();
        let mut stream = Seed::from_number(9).stream("minhash", 0);
        let mut seen: BTreeSet<(usize, u64)> = BTreeSet::new();
        for _ in 0..4000 {
            let text: Vec<&str> =
                (0..60).map(|_| vocabulary[stream.index(vocabulary.len())].as_str()).collect();
            for band in Signature::of(&text.join(" ")).unwrap().bands().into_iter().enumerate() {
                assert!(seen.insert(band));
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_has_a_signature_or_fewer_than_five_words(text: String) {
            proptest::prop_assert_eq!(Signature::of(&text).is_some(), words(&text).len() >= GRAM_WORDS);
            // Case is folded but for the few letters whose capitals fold to others.
            if text.is_ascii() {
                proptest::prop_assert_eq!(Signature::of(&text.to_uppercase()), Signature::of(&text));
            }
        }
    }
}
