//! Words that are parted, or kept whole, against the rules: contractions, abbreviations and faces.
//!
//! Source: the exceptions of spaCy 3.8 for English (`lang/en/tokenizer_exceptions.py`, `lang/tokenizer_exceptions.py`).

use std::{collections::BTreeMap, sync::LazyLock};

use super::{classes::Classes, split::split_by_rules};

/// The longest special case; the faces are not ASCII.
pub(super) const LENGTH_MAX_BYTES: usize = 40;
/// Places in the table: four for each entry.
const SLOTS: usize = 1 << 13;

/// Verbs and pronouns, and what is joined to each, its parts between bars. With every joined part comes the same
/// without its apostrophe, and with every word the one with a capital.
const CONTRACTIONS: &[(&str, &str)] = &[
    ("i you he she it we they", "'ll 'll|'ve 'd 'd|'ve"),
    ("i", "'m 'm|a"),
    ("i you we they", "'ve"),
    ("you we they", "'re"),
    ("he she it", "'s"),
    ("who what when where why how there that this these those", "'ll 'll|'ve 'd 'd|'ve"),
    ("who what when where why how there that this", "'s"),
    ("who what when where why how there these those", "'re 've"),
    ("ca could do does did had may might must need ought sha should wo would", "n't n't|'ve"),
    ("could might must should would not", "'ve"),
    ("ai are is was were have has dare", "n't"),
];
/// Contractions that look like other words, and so are none.
const NO_CONTRACTIONS: &str =
    "Ill ill Its its Hell hell Shell shell Shed shed were Were Well well Whore whore";
/// What stays with its apostrophe where it has one and needs no other.
const PARTED: &str = "y'|all y|all how|'d|'y How|'d|'y can|not Can|not gon|na Gon|na got|ta Got|ta let|'s Let|'s \
    c'm|on C'm|on °|C|. °|F|. °|K|. °|c|. °|f|. °|k|.";
/// Hours, which are parted from these.
const HALVES: [&str; 4] = ["a.m.", "am", "p.m.", "pm"];
const WHOLE: &str = "
    ' '' \\\") <space> C++ — 's 'S \u{2018}s \u{2018}S 're 'd 'll 'em 'nuff 'Cause 'cause 'cos 'Cos 'coz 'Coz 'cuz 'Cuz
    'bout and/or w/o ma'am Ma'am o'clock O'clock doin' Doin' goin' Goin' havin' Havin' lovin' Lovin' nothin' Nothin'
    nuthin' Nuthin' ol' Ol' somethin' Somethin'
    a. b. c. d. e. f. g. h. i. j. k. l. m. n. o. p. q. r. s. t. u. v. w. x. y. z. ä. ö. ü.
    Mt. Ak. Ala. Apr. Ariz. Ark. Aug. Calif. Colo. Conn. Dec. Del. Feb. Fla. Ga. Ia. Id. Ill. Ind. Jan. Jul. Jun. Kan.
    Kans. Ky. La. Mar. Mass. Mich. Minn. Miss. N.C. N.D. N.H. N.J. N.M. N.Y. Neb. Nebr. Nev. Nov. Oct. Okla. Ore. Pa.
    S.C. Sep. Sept. Tenn. Va. Wash. Wis. a.m. Adm. Bros. co. Co. Corp. D.C. Dr. e.g. E.g. E.G. Gen. Gov. i.e. I.e. I.E.
    Inc. Jr. Ltd. Md. Messrs. Mo. Mont. Mr. Mrs. Ms. p.m. Ph.D. Prof. Rep. Rev. Sen. St. vs. v.s.
    :) :-) :)) :-)) :))) :-))) (: (-: =) (= :] :-] [: [-: [= =] :o) (o: :} :-} 8) 8-) (-8 ;) ;-) (; (-; :( :-( :((
    :-(( :((( :-((( ): )-: =( >:( :') :'-) :'( :'-( :/ :-/ =/ =| :| :-| ]= =[ :1 :P :-P :p :-p :O :-O :o :-o :0 :-0 :()
    >:o :* :-* :3 :-3 =3 :> :-> :X :-X :x :-x :D :-D ;D ;-D =D xD XD xDD XDD 8D 8-D ^_^ ^__^ ^___^ >.< >.> <.< ._. ;_;
    -_- -__- v.v V.V v_v V_V o_o o_O O_o O_O 0_o o_0 0_0 o.O O.o O.O o.o 0.0 o.0 0.o @_@ <3 <33 <333 </3 (^_^) (-_-)
    (._.) (>_<) (*_*) (¬_¬) ಠ_ಠ ಠ︵ಠ (ಠ_ಠ) ¯\\(ツ)/¯ (╯°□°）╯︵┻━┻ ><(((*>";

/// A special case.
pub(super) struct Special {
    text: String,
    /// Where each of its words ends.
    pub(super) ends: Vec<usize>,
    /// Where its words would end by the rules alone.
    pub(super) ends_by_rules: Vec<usize>,
}

/// All special cases.
pub(super) struct Specials {
    entries: Vec<Special>,
    /// Entries' places and one, by their hash; 0 is free.
    slots: Vec<u16>,
    /// First bytes of the first two words that the rules make of an entry which they part otherwise.
    joints: [[bool; 256]; 2],
}

static SPECIALS: LazyLock<Specials> = LazyLock::new(Specials::new);

impl Specials {
    pub(super) fn get() -> &'static Self {
        &SPECIALS
    }

    /// The special case of this text.
    #[inline]
    pub(super) fn find(&self, text: &str) -> Option<&Special> {
        if text.len() > LENGTH_MAX_BYTES {
            return None;
        }
        let mut slot = place(text.as_bytes());
        loop {
            let entry = self.slots[slot];
            if entry == 0 {
                return None;
            }
            let special = &self.entries[usize::from(entry) - 1];
            if special.text == text {
                return Some(special);
            }
            slot = (slot + 1) % SLOTS;
        }
    }

    /// Whether a special case can be made up of words that begin with these bytes, and more.
    #[inline]
    pub(super) fn can_join(&self, first: u8, second: u8) -> bool {
        self.joints[0][usize::from(first)] && self.joints[1][usize::from(second)]
    }

    fn new() -> Self {
        let mut cases: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut add = |word: String| {
            // An apostrophe is written in two ways.
            for word in [word.replace('\'', "’"), word] {
                let parts: Vec<String> = word.split('|').map(str::to_owned).collect();
                cases.insert(parts.concat(), parts);
            }
        };
        for (words, endings) in CONTRACTIONS {
            for word in words.split(' ') {
                for ending in endings.split(' ') {
                    for word in [word, &capital(word)] {
                        // `n't` begins in its word, all else at its apostrophe.
                        add(format!("{word}|{ending}"));
                        add(format!("{word}|{}", ending.replace('\'', "")));
                    }
                }
            }
        }
        for hour in 1..=12 {
            HALVES.iter().for_each(|half| add(format!("{hour}|{half}")));
        }
        PARTED.split_ascii_whitespace().for_each(|word| add(word.to_owned()));
        for word in WHOLE.split_ascii_whitespace() {
            // The bars of faces part nothing.
            for word in [word.replace('\'', "’"), word.to_owned()] {
                cases.insert(word.clone(), vec![word]);
            }
        }
        let listed = |text: &String| NO_CONTRACTIONS.split(' ').any(|word| word == text);
        let classes = Classes::get();
        let mut specials = Self { entries: Vec::new(), slots: vec![0; SLOTS], joints: [[false; 256]; 2] };
        for (text, parts) in cases.into_iter().filter(|(text, _)| !listed(text)) {
            let (mut end, mut ends) = (0, Vec::new());
            for part in parts {
                end += part.len();
                ends.push(end);
            }
            let mut ends_by_rules = Vec::new();
            split_by_rules(&text, classes, &mut ends_by_rules);
            if ends_by_rules.len() > 1 && ends != ends_by_rules {
                specials.joints[0][usize::from(text.as_bytes()[0])] = true;
                specials.joints[1][usize::from(text.as_bytes()[ends_by_rules[0]])] = true;
            }
            let mut slot = place(text.as_bytes());
            while specials.slots[slot] != 0 {
                slot = (slot + 1) % SLOTS;
            }
            specials.entries.push(Special { text, ends, ends_by_rules });
            specials.slots[slot] = u16::try_from(specials.entries.len()).expect("some 1,300 entries");
        }
        specials
    }
}

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_ascii_uppercase() + rest
}

/// Where a text of at most [`LENGTH_MAX_BYTES`] is looked for first.
#[inline]
fn place(text: &[u8]) -> usize {
    let mut hash = text.len() as u64;
    let mut eights = text.chunks_exact(8);
    for eight in &mut eights {
        hash = mix(hash ^ u64::from_le_bytes(eight.try_into().expect("eight bytes")));
    }
    let mut last = 0;
    for byte in eights.remainder() {
        last = last << 8 | u64::from(*byte);
    }
    (mix(hash ^ last) >> 40) as usize % SLOTS
}

fn mix(value: u64) -> u64 {
    // The golden ratio's fraction spreads neighbours.
    let product = value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    product ^ product >> 29
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_parted_and_exceptions_of_them_are_not() {
        let check = |text: &str, expect: &[usize]| {
            let found = Specials::get().find(text).map(|special| special.ends.clone());
            assert_eq!(found.as_deref().unwrap_or_default(), expect, "{text}");
        };
        check("don't", &[2, 5]);
        check("Don’t", &[2, 7]);
        check("dont", &[2, 4]);
        check("shouldn't've", &[6, 9, 12]);
        check("cannot", &[3, 6]);
        check("11a.m.", &[2, 6]);
        check("Mr.", &[3]);
        check(":|", &[2]);
        check("well", &[]);
        check("we'll", &[2, 5]);
        check("", &[]);
        check("thats", &[4, 5]);
        check("thatre", &[]);
        check("doesnt", &[4, 6]);
        let whole = Specials::get().entries.iter().filter(|special| special.ends.len() == 1).count();
        // spaCy has 1,347, of which 25 stand for themselves in any case: white space and plain words.
        assert_eq!((Specials::get().entries.len(), whole), (1322, 333));
    }
}
