//! A mechanism's own words: the first comment of its module, for the website and the command line.

/// A paragraph of what a mechanism says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chapter {
    /// Its first words where they are bold, without a full stop; else empty.
    pub title: String,
    /// The text without the marks of links and code.
    pub text: String,
}

/// The first comment's paragraphs.
pub(crate) fn chapters(source: &str) -> Vec<Chapter> {
    let comment: Vec<&str> =
        source.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim).collect();
    let paragraphs =
        comment.split(|line| line.is_empty()).map(|lines| lines.join(" ")).filter(|text| !text.is_empty());
    paragraphs
        .map(|text| match text.strip_prefix("**").and_then(|text| text.split_once("**")) {
            Some((title, rest)) => {
                Chapter { title: title.trim_end_matches('.').to_owned(), text: plain(rest.trim()) }
            }
            None => Chapter { title: String::new(), text: plain(&text) },
        })
        .collect()
}

/// Text without the marks of links and code.
fn plain(text: &str) -> String {
    text.replace("[`", "").replace("`]", "").replace('`', "")
}

#[cfg(test)]
mod tests {
    use crate::catalogue;

    #[test]
    fn every_mechanism_has_its_words_and_honest_and_dishonest_miners() {
        for mechanism in catalogue() {
            let chapters = mechanism.chapters();
            let titles: Vec<&str> = chapters.iter().map(|chapter| chapter.title.as_str()).collect();
            for expected in ["What is paid", "Why it can't be gamed", "What is known to be weak"] {
                assert!(titles.contains(&expected), "{}: {titles:?}", mechanism.id());
            }
            let attacks = mechanism.attacks().len();
            assert!(attacks > 0 && mechanism.strategies().len() > attacks, "{}", mechanism.id());
        }
    }
}
