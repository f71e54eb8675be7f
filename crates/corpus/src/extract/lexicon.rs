//! Words that tell what a block is for.

use std::sync::LazyLock;

use super::text::hash;

/// What pages write beside their text, by purpose. A word counts for the first that has it.
const PURPOSES: [&str; Purpose::COUNT] = [
    "login log sign signup register subscribe subscription newsletter account password username email forgot logout \
     member join",
    "cookie cookies privacy policy terms copyright rights reserved conditions consent gdpr accessibility disclaimer \
     sitemap preferences",
    "share tweet facebook twitter instagram pinterest linkedin whatsapp youtube tiktok reddit telegram print copy link \
     follow",
    "menu search home skip close open toggle navigation back next previous prev page more view show load loading \
     expand collapse top browse filter sort",
    "related similar recommended recommendations popular trending latest recent featured sponsored advertisement ad \
     ads promoted also read articles posts stories news",
    "comment comments reply replies posted ago says said likes like votes vote upvote joined quote edited posts thread \
     topic user users anonymous answer answers answered asked views permalink report badges reputation",
    "cart bag buy price sale size sizes color colors quantity qty stock shipping returns delivery checkout wishlist \
     review reviews rating stars discount save free order shop sold",
    "about contact us careers jobs help support faq faqs blog press team company investors partners services products \
     solutions resources events",
    "january february march april may june july august september october november december jan feb mar apr jun jul \
     aug sep sept oct nov dec monday tuesday wednesday thursday friday saturday sunday am pm",
    "by author written editor staff updated published min minute minutes read bio",
];

/// The commonest words of English, German, French, Spanish, Italian, Portuguese and Dutch: running text has them, lists
/// of names and links have not.
const STOP_WORDS: &str = "the of and to a in is it you that was for on are with as i his they be at one have this from \
    or had by but not what all were we when your can there an each which she do how their if will up about out then \
    them these so some her would make like him into has more no my than been who its now did may der die und das ist \
    nicht ein eine zu mit den auf für von im dem des sich auch es als sie wir ich de la le les et en un une du est que \
    pour dans qui sur pas par plus avec au ce il se sont el los las y con para su del lo como más pero sus di che non \
    per sono della anche da si nel o os um uma não com mais na em ao van het een dat op te zijn voor niet";

/// What a word is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Purpose(pub(super) usize);

impl Purpose {
    pub(super) const COUNT: usize = 10;
    pub(super) const LEGAL: usize = 1;
    pub(super) const UGC: usize = 5;
}

/// What is known of a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) purpose: Option<Purpose>,
    pub(super) is_stop: bool,
}

/// By the words' hashes.
static WORDS: LazyLock<Vec<(u64, Known)>> = LazyLock::new(|| {
    let mut words: Vec<(u64, Known)> = Vec::new();
    let mut entry = |word: &str, set: &dyn Fn(&mut Known)| {
        let at = words.binary_search_by_key(&hash(word), |entry| entry.0).unwrap_or_else(|at| {
            words.insert(at, (hash(word), Known::default()));
            at
        });
        set(&mut words[at].1);
    };
    for (number, list) in PURPOSES.iter().enumerate() {
        for word in list.split(' ') {
            entry(word, &|known| _ = known.purpose.get_or_insert(Purpose(number)));
        }
    }
    for word in STOP_WORDS.split(' ') {
        entry(word, &|known| known.is_stop = true);
    }
    words
});

/// What is known of a word by its hash.
pub(super) fn known(word: u64) -> Known {
    WORDS.binary_search_by_key(&word, |entry| entry.0).map_or_else(|_| Known::default(), |at| WORDS[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_their_first_purpose() {
        let known = |word: &str| known(hash(word));
        assert_eq!(known("cookies"), Known { purpose: Some(Purpose(Purpose::LEGAL)), is_stop: false });
        assert_eq!(known("read").purpose, Some(Purpose(4)));
        assert!(known("may").is_stop && known("may").purpose == Some(Purpose(8)));
        assert_eq!(known("weighhouse"), Known::default());
        let all: std::collections::BTreeSet<&str> =
            PURPOSES.iter().flat_map(|list| list.split(' ')).chain(STOP_WORDS.split(' ')).collect();
        assert_eq!(WORDS.len(), all.len());
        assert!(!all.contains(""));
    }
}
