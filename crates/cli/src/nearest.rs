//! The name that somebody meant who typed another one.

/// Of these names the one that is fewest changes away, where those are few enough to be a slip.
pub(crate) fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // One change in three letters: `prot` is `port`, and `seed` is not `state`.
    let changes_max = (typed.chars().count() / 3).max(1);
    let distances = known.into_iter().map(|name| (strsim::damerau_levenshtein(typed, name), name));
    let near = distances.filter(|(changes, _)| *changes <= changes_max);
    near.min_by_key(|(changes, _)| *changes).map(|(_, name)| name)
}

/// A question that ends a message, or nothing.
pub(crate) fn asked<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(typed, known).map_or_else(String::new, |name| format!("did you mean {name:?}? "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_another_word_finds_none() {
        let known = ["source", "seed", "state", "port"];
        assert_eq!(nearest("prot", known), Some("port"));
        assert_eq!(nearest("stat", known), Some("state"));
        assert_eq!(nearest("validators", known), None);
        assert_eq!(asked("prot", known), "did you mean \"port\"? ");
        assert_eq!(asked("weather", known), "");
    }
}
