//! Words, and runs of words as hashes: what contamination and alignment compare.

/// The hashes of all runs of `n` words of a text, in its order. A word is a run of letters and digits in lower case,
/// so that marks, markup and white space are no difference.
///
/// The hash is the beginning of a BLAKE3 digest: whoever picks the words can't pick words that collide.
pub(crate) struct Grams {
    /// The words, parted by single spaces.
    folded: String,
    /// Where each word begins and ends in `folded`.
    words: Vec<(u32, u32)>,
    n: usize,
}

impl Grams {
    /// The runs of `n` words, at least 1. Text beyond 4 GiB is not looked at.
    pub(crate) fn of(text: &str, n: usize) -> Self {
        let mut folded = String::with_capacity(text.len());
        let mut words = Vec::new();
        for word in words_of(text) {
            if !folded.is_empty() {
                folded.push(' ');
            }
            let start = folded.len();
            fold_into(&mut folded, word);
            let (Ok(start), Ok(end)) = (u32::try_from(start), u32::try_from(folded.len())) else { break };
            words.push((start, end));
        }
        Self { folded, words, n: n.max(1) }
    }

    /// The run at this place, as text.
    pub(crate) fn text(&self, at: usize) -> &str {
        let (Some(first), Some(last)) = (self.words.get(at), self.words.get(at + self.n - 1)) else {
            return "";
        };
        self.folded.get(first.0 as usize..last.1 as usize).unwrap_or("")
    }

    /// The runs' hashes.
    pub(crate) fn hashes(&self) -> impl Iterator<Item = u64> {
        let count = (self.words.len() + 1).saturating_sub(self.n);
        (0..count).map(|at| {
            let digest = blake3::hash(self.text(at).as_bytes());
            let (head, _) = digest.as_bytes().split_first_chunk().expect("a digest has 32 bytes");
            u64::from_le_bytes(*head)
        })
    }
}

/// The words of a text: runs of letters and digits.
pub(crate) fn words_of(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// A word in lower case. By character: the final sigma's rule would make its form depend on its neighbours.
pub(crate) fn fold_into(to: &mut String, word: &str) {
    to.extend(word.chars().flat_map(char::to_lowercase));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_don_t_see_marks_and_case() {
        let hashes = |text: &str| Grams::of(text, 3).hashes().collect::<Vec<u64>>();
        assert_eq!(hashes("One, two -- THREE four."), hashes("one two three four"));
        assert_eq!(hashes("one two three four").len(), 2);
        assert_ne!(hashes("one two three"), hashes("one three two"));
        assert_ne!(hashes("ab c d"), hashes("a bc d"));
        assert!(hashes("one two").is_empty());
        assert_eq!(Grams::of("One, two, three!", 2).text(1), "two three");
    }
}
