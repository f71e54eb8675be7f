//! Classes of characters, as tokenisation and the rules ask for them.
//!
//! Sources: the classes of spaCy 3.8 (`lang/char_classes.py`, `lang/punctuation.py`, `pipeline/sentencizer.pyx`) and the
//! sets of datatrove 0.10.1 (`utils/text.py`). Where those name a script or a category of some version of Unicode, the
//! code points are written out here, so that a newer version of the standard library changes nothing.

use std::sync::LazyLock;

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory as _};

/// A letter of the scripts that the rules know.
pub(crate) const ALPHA: u16 = 1;
/// One that can stand where a lower-case one may.
pub(crate) const LOWER: u16 = 1 << 1;
/// One that can stand where an upper-case one may.
pub(crate) const UPPER: u16 = 1 << 2;
/// Taken off a word's beginning.
pub(crate) const PREFIX: u16 = 1 << 3;
/// Taken off a word's end.
pub(crate) const SUFFIX: u16 = 1 << 4;
/// A word of its own inside a word.
pub(crate) const ICON: u16 = 1 << 5;
/// A quotation mark.
pub(crate) const QUOTE: u16 = 1 << 6;
/// After it a full stop is taken off a word's end.
pub(crate) const BEFORE_STOP: u16 = 1 << 7;
/// A sign of a currency.
pub(crate) const CURRENCY: u16 = 1 << 8;
/// No part of a word by the count of Gopher's rules.
pub(crate) const SYMBOL: u16 = 1 << 9;
/// Ends a line as FineWeb's rules want it.
pub(crate) const TERMINAL: u16 = 1 << 10;
/// Ends a sentence.
pub(crate) const SENTENCE_END: u16 = 1 << 11;
/// A letter by Unicode's category L.
pub(crate) const LETTER: u16 = 1 << 12;
/// A mark by Unicode's category P.
pub(crate) const MARK: u16 = 1 << 13;
/// A decimal digit of any script.
pub(crate) const DIGIT: u16 = 1 << 14;

const PUNCTUATION: &str = "…,:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪";
const QUOTES: &str = "'\"”“`‘´’‚,„»«「」『』（）〔〕【】《》\u{3008}\u{3009}\u{2329}\u{232a}⟦⟧";
const CURRENCIES: &str = "$£€¥฿₽﷼₴₠₡₢₣₤₥₦₧₨₩₪₫₭₮₯₰₱₲₳₵₶₷₸₹₺₻₼₾₿";
const PREFIXES_BESIDE: &str = "§%=—–";
const SUFFIXES_BESIDE: &str = "—–";
const BEFORE_STOP_BESIDE: &str = "0123456789%²-+|";
/// Beside controls and [`TERMINALS`].
const SYMBOLS: &str =
    "!/—”:％１〈&(、━\\【#%「」，】；+^]~“《„';’{|∶´[=-`*．（–？！：$～«〉,><》)?）。…@_.\"}►»";

/// Ranges of letters that have a case.
const CASED: &str = "\
    41-5a 61-7a c0-d6 d8-f6 f8-1bf 1c4-2af 386 388-38a 38c 38e-38f 391-3a9 3ac-3af 3b1-3c9 3cc-3ce 400-401 \
    403-40a 40c-40d 410-451 453-45a 45c-45d 490-491 496-497 4a2-4a3 4ae-4af 4ba-4bb 4d8-4d9 4e8-4e9 \
    1d00-1d25 1d6b-1d77 1d79-1d9a 1e00-1eff 2c60-2c7b 2c7e-2c7f a722-a76f a771-a787 a78b-a78e a790-a7b9 a7fa \
    ab30-ab5a ab60-ab64 ff21-ff3a ff41-ff5a";

/// Ranges of scripts without case: their letters count as lower and as upper.
const UNCASED: &str = "\
    591-5f4 620-64a 66e-6d5 6e5-6ff 750-77f 8a0-8bd 900-9ff b80-cff d80-dff 1100-137f 2e80-2fdf 2ff0-30ff \
    31c0-31ef 3200-4dbf 4e00-9fff ac00-d7af f900-faff fb1d-fbb1 fbd3-fd3d fd50-fdc7 fdf0-fdfb fe30-fe4f \
    fe70-fefc 1ee00-1eebb 1f200-1f2ff 20000-2a6df 2a700-2ebef 2f800-2fa1f";

/// Symbols, drawings and emoji as far as the source knows them.
const ICONS: &str = "\
    a6 a9 ae b0 482 58d-58e 60e-60f 6de 6e9 6fd-6fe 7f6 9fa b70 bf3-bf8 bfa c7f d4f d79 f01-f03 f13 f15-f17 \
    f1a-f1f f34 f36 f38 fbe-fc5 fc7-fcc fce-fcf fd5-fd8 109e-109f 1390-1399 1940 19de-19ff 1b61-1b6a \
    1b74-1b7c 2100-2101 2103-2106 2108-2109 2114 2116-2117 211e-2123 2125 2127 2129 212e 213a-213b 214a \
    214c-214d 214f 218a-218b 2195-2199 219c-219f 21a1-21a2 21a4-21a5 21a7-21ad 21af-21cd 21d0-21d1 21d3 \
    21d5-21f3 2300-2307 230c-231f 2322-2328 232b-237b 237d-239a 23b4-23db 23e2-2426 2440-244a 249c-24e9 \
    2500-25b6 25b8-25c0 25c2-25f7 2600-266e 2670-2767 2794-27bf 2800-28ff 2b00-2b2f 2b45-2b46 2b4d-2b73 \
    2b76-2b95 2b98-2bc8 2bca-2bfe 2ce5-2cea 2e80-2e99 2e9b-2ef3 2f00-2fd5 2ff0-2ffb 3004 3012-3013 3020 \
    3036-3037 303e-303f 3190-3191 3196-319f 31c0-31e3 3200-321e 322a-3247 3250 3260-327f 328a-32b0 32c0-32fe \
    3300-33ff 4dc0-4dff a490-a4c6 a828-a82b a836-a837 a839 aa77-aa79 fdfd ffe4 ffe8 ffed-ffee fffc-fffd \
    10137-1013f 10179-10189 1018c-1018e 10190-1019b 101a0 101d0-101fc 10877-10878 10ac8 1173f 16b3c-16b3f \
    16b45 1bc9c 1d000-1d0f5 1d100-1d126 1d129-1d164 1d16a-1d16c 1d183-1d184 1d18c-1d1a9 1d1ae-1d1e8 \
    1d200-1d241 1d245 1d300-1d356 1d800-1d9ff 1da37-1da3a 1da6d-1da74 1da76-1da83 1da85-1da86 1ecac \
    1f000-1f02b 1f030-1f093 1f0a0-1f0ae 1f0b1-1f0bf 1f0c1-1f0cf 1f0d1-1f0f5 1f110-1f16b 1f170-1f1ac \
    1f1e6-1f202 1f210-1f23b 1f240-1f248 1f250-1f251 1f260-1f265 1f300-1f3fa 1f400-1f6d4 1f6e0-1f6ec \
    1f6f0-1f6f9 1f700-1f773 1f780-1f7d8 1f800-1f80b 1f810-1f847 1f850-1f859 1f860-1f887 1f890-1f8ad \
    1f900-1f90b 1f910-1f93e 1f940-1f970 1f973-1f976 1f97a 1f97c-1f9a2 1f9b0-1f9b9 1f9c0-1f9c2 1f9d0-1f9ff \
    1fa60-1fa6d";

/// Marks that end a line, in every script.
const TERMINALS: &str = "\
    21 2e 3f 589 61d-61f 6d4 700-702 7f9 837 839 83d-83e 964-965 104a-104b 1362 1367-1368 166e 1735-1736 \
    17d4-17d6 17d9-17da 1803 1809 1944-1945 1aa8-1aab 1b5a-1b5b 1b5e-1b5f 1b7d-1b7e 1c3b-1c3c 1c7e-1c7f \
    203c-203d 2047-2049 2e2e 2e3c 2e53-2e54 3002 a4ff a60e-a60f a6f3 a6f7 a876-a877 a8ce-a8cf a92f a9c8-a9c9 \
    aa5d-aa5f aaf0-aaf1 abeb fe52 fe56-fe57 ff01 ff0e ff1f ff61 10a56-10a57 10f55-10f59 10f86-10f89 \
    11047-11048 110be-110c1 11141-11143 111c5-111c6 111cd 111de-111df 11238-11239 1123b-1123c 112a9 \
    1144b-1144c 115c2-115c3 115c9-115d7 11641-11642 1173c-1173e 11944 11946 11a42-11a43 11a9b-11a9c \
    11c41-11c42 11ef7-11ef8 11f43-11f44 16a6e-16a6f 16af5 16b37-16b38 16b44 16e98 1bc9f 1da88";

/// Those of them that end no sentence: spaCy's list is older.
const NO_SENTENCE_ENDS: &str = "\
    61d-61e 837 839 83d-83e 17d4-17d6 17d9-17da 1b7d-1b7e 2e53-2e54 10f55-10f59 10f86-10f89 11944 11946 \
    11ef7-11ef8 11f43-11f44 16e98";

/// Code points that the table holds: the basic plane.
const TABLE_LENGTH: u32 = 1 << 16;

static TABLE: LazyLock<Box<[u16]>> = LazyLock::new(|| {
    let of = |code| char::from_u32(code).map_or(0, compute);
    (0..TABLE_LENGTH).map(of).collect()
});
static RANGES: LazyLock<Ranges> = LazyLock::new(Ranges::new);

/// The classes of all characters, fetched once for many.
#[derive(Clone, Copy)]
pub(crate) struct Classes(&'static [u16]);

impl Classes {
    pub(crate) fn get() -> Self {
        Self(&TABLE)
    }

    /// The classes of a character.
    #[inline]
    pub(crate) fn of(self, c: char) -> u16 {
        self.0.get(c as usize).copied().unwrap_or_else(|| compute(c))
    }
}

struct Ranges {
    cased: Vec<(u32, u32)>,
    uncased: Vec<(u32, u32)>,
    icons: Vec<(u32, u32)>,
    terminals: Vec<(u32, u32)>,
    no_sentence_ends: Vec<(u32, u32)>,
}

impl Ranges {
    fn new() -> Self {
        let parse = |list: &str| {
            let code = |text: &str| u32::from_str_radix(text, 16).expect("the lists above are hexadecimal");
            let range = |item: &str| {
                let (first, last) = item.split_once('-').unwrap_or((item, item));
                (code(first), code(last))
            };
            list.split_ascii_whitespace().map(range).collect()
        };
        Self {
            cased: parse(CASED),
            uncased: parse(UNCASED),
            icons: parse(ICONS),
            terminals: parse(TERMINALS),
            no_sentence_ends: parse(NO_SENTENCE_ENDS),
        }
    }
}

fn within(ranges: &[(u32, u32)], c: char) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= c as u32);
    after > 0 && c as u32 <= ranges[after - 1].1
}

fn compute(c: char) -> u16 {
    let ranges = &*RANGES;
    let mut class = 0;
    let mut add = |when: bool, bits: u16| class |= if when { bits } else { 0 };
    let cased = within(&ranges.cased, c);
    add(cased, ALPHA);
    // U+0294 has no case by itself; its block counts as lower.
    add(cased && (c.is_lowercase() || c == '\u{294}'), LOWER | BEFORE_STOP);
    add(cased && c.is_uppercase(), UPPER);
    add(within(&ranges.uncased, c), ALPHA | LOWER | UPPER | BEFORE_STOP);
    add(within(&ranges.icons, c), ICON | PREFIX | SUFFIX);
    // What is listed one by one is of the basic plane; characters beyond it have no place in the table, and are computed
    // each time.
    let listed = |list: &str| (c as u32) < TABLE_LENGTH && list.contains(c);
    add(listed(PUNCTUATION), PREFIX | SUFFIX | BEFORE_STOP);
    add(listed(QUOTES), PREFIX | SUFFIX | BEFORE_STOP | QUOTE);
    add(listed(CURRENCIES), PREFIX | CURRENCY);
    add(listed(PREFIXES_BESIDE), PREFIX);
    add(listed(SUFFIXES_BESIDE), SUFFIX);
    add(listed(BEFORE_STOP_BESIDE), BEFORE_STOP);
    let terminal = within(&ranges.terminals, c);
    add(terminal, TERMINAL | SYMBOL);
    add(terminal && !within(&ranges.no_sentence_ends, c), SENTENCE_END);
    let control = matches!(c, '\0'..'\t' | '\u{b}' | '\u{c}' | '\r'..' ' | '\u{7f}'..'\u{a0}');
    add(control || listed(SYMBOLS), SYMBOL);
    let group = c.general_category_group();
    add(group == GeneralCategoryGroup::Letter, LETTER);
    add(group == GeneralCategoryGroup::Punctuation, MARK);
    let is_number = group == GeneralCategoryGroup::Number;
    add(is_number && c.general_category() == GeneralCategory::DecimalNumber, DIGIT);
    class
}
