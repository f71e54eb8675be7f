//! Filters and languages against what datatrove and fastText say, and on texts that nobody would write.

use std::{fs, io::Read as _};

use corpus::{
    C4, Document, Filters, FineWeb, Gopher, Page, Pii, Reason, Redacted, Repetition, Rules, Verdict,
    language::Model,
};
use proptest::prelude::*;

use crate::shared::shared;

/// The key of each filter in the shared file, and the name of its reason.
fn reasons(verdict: &Verdict) -> [(&'static str, Option<&'static str>); 4] {
    [
        ("gopher_repetition", verdict.repetition.map(Repetition::peer_name)),
        ("gopher_quality", verdict.gopher.map(Gopher::peer_name)),
        ("c4", verdict.c4.map(C4::peer_name)),
        ("fineweb_quality", verdict.fineweb.map(FineWeb::peer_name)),
    ]
}

fn parity() -> Option<Vec<serde_json::Value>> {
    let packed = fs::File::open(shared("filters/parity.jsonl.gz")?).unwrap();
    let mut json = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut json).unwrap();
    Some(json.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[test]
fn decisions_are_those_of_datatrove() {
    let Some(texts) = parity() else { return };
    let mut same = [0u32; 4];
    for page in &texts {
        let verdict = Verdict::of(page["text"].as_str().unwrap());
        for (count, (key, reason)) in same.iter_mut().zip(reasons(&verdict)) {
            let expected = page["reject"][key].as_str();
            *count += u32::from(reason == expected);
            if reason != expected {
                println!("{} {key}: {reason:?}, expected {expected:?}", page["id"]);
            }
        }
    }
    println!("equal decisions on {} texts, by filter: {same:?}", texts.len());
    assert!(same.iter().all(|count| *count as usize * 1000 >= texts.len() * 998), "{same:?}");
}

#[test]
fn languages_are_those_of_fasttext() {
    let Some(place) = std::env::var_os("WEIGH_LID") else {
        println!("skipped: WEIGH_LID names no lid.176.ftz");
        return;
    };
    let Some(texts) = parity() else { return };
    let bytes = fs::read(place).unwrap();
    let model = Model::read(&bytes).unwrap();
    let same =
        texts.iter().filter(|page| page["lang"] == model.guess(page["text"].as_str().unwrap()).code).count();
    println!("{same} of {} texts labelled as fastText labels them", texts.len());
    assert!(same * 1000 >= texts.len() * 999);
    // Whole texts are mostly English; their lines are of many kinds.
    assert_eq!(model.guess("Was die Waage sagte, wurde aufgeschrieben.").code, "de");
    assert_eq!(model.guess("秤の示した値は書き留められた。").code, "ja");
    // No byte of it may bring the reader down, wherever it is cut.
    for at in (0..bytes.len()).step_by(bytes.len() / 200) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0xff;
        if let Ok(model) = Model::read(&damaged) {
            let _guess = model.guess("any text");
        }
        assert!(Model::read(&bytes[..at]).is_err());
    }
    for at in 0..120 {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x80;
        if let Ok(model) = Model::read(&damaged) {
            let _guess = model.guess("any text");
        }
    }
}

/// The whole story of a text in each of its stages.
fn go_through(text: &str) {
    let verdict = Verdict::of(text);
    let passes = reasons(&verdict).iter().all(|(_, reason)| reason.is_none());
    assert_eq!(Filters::ALL.check(text).is_ok(), passes);
    let once = Redacted::of(text);
    assert!(!Redacted::of(&once.text).any(), "{text:.80}");
    let _wishes = corpus::OptOut::of_html(text);
}

/// What isn't linear would take hours.
#[test]
fn texts_that_nobody_would_write_are_judged_in_linear_time() {
    const BYTES: usize = 2 << 20;
    let long = |pattern: &str, bytes: usize| pattern.repeat(bytes / pattern.len());
    for pattern in ["a", "!", "the weight and the measure "] {
        go_through(&long(pattern, BYTES));
    }
    let patterns = [
        "a",
        " ",
        "\n",
        ".",
        "...",
        "!",
        "'",
        "’s",
        "\"",
        "#",
        "@",
        "a@",
        "a.",
        "1.",
        "1.1.1.1 ",
        "::",
        "://",
        "[",
        "[1]",
        "{",
        "<",
        "<meta ",
        "<!--",
        "-",
        "a-",
        "a\n",
        "a\n\n",
        "a b ",
        "(:",
        ":)",
        "“",
        "…",
        "é",
        "漢",
        "🙂",
        "\u{a0}",
        "\u{2028}",
        "don't ",
        "5km",
        "$",
        "US$",
        "¯\\(ツ)/¯",
        ":-",
        "a,b",
        "x=",
        "co.",
        "a:b@",
    ];
    for pattern in patterns {
        go_through(&long(pattern, BYTES / 16));
    }
    // As many different words as fit.
    let words: String = (0..BYTES / 32).map(|i| format!("w{i:06} ")).collect();
    go_through(&words);
    // The same run again and again, at many lengths.
    let runs: String = (0..BYTES / 32).map(|i| format!("w{:06} ", i % 10_007)).collect();
    go_through(&runs);
}

proptest! {
    #[test]
    fn no_text_brings_a_filter_down(text in "\\PC{0,200}") {
        go_through(&text);
    }

    #[test]
    fn no_text_of_marks_brings_a_filter_down(
        text in "[a-cA-C0-9 \\n\\r\\t.,:;!?'\"’“”…$€%°+*^/<>=@#&_~()\\[\\]{}|\\\\–—é漢🙂\u{a0}\u{1c}\u{85}-]{0,120}"
    ) {
        go_through(&text);
    }
}

#[test]
fn a_tasks_rules_leave_out_what_they_name() {
    let blocklist = corpus::Blocklist::read(b"bad.example\n").unwrap();
    let all =
        Rules { blocklist, heed_opt_out: true, pii: Pii::Drop, filters: Filters::NONE, ..Rules::default() };
    let page = |url: &str, html: &str| {
        let page = Page::of_file("a.html", html.as_bytes()).unwrap();
        Page { url: url.to_owned(), ..page }
    };
    let extract = |page: &Page| {
        let text = page.text.rsplit_once("<p>").map_or("", |(_, text)| text.trim_end_matches("</p>"));
        Ok(text.to_owned())
    };
    let check = |page: &Page, rules: &Rules, expect: Result<&str, Reason>| {
        let made = Document::of_page(page, rules, &extract);
        assert_eq!(made.as_ref().map(|document| document.text.as_str()), expect.as_ref().map(|text| *text));
    };
    let plain = page("https://good.example/", "<p>Weights and measures</p>");
    check(&plain, &all, Ok("Weights and measures"));
    check(&page("https://www.bad.example/", "<p>Weights</p>"), &all, Err(Reason::Url));
    let reserved = page("", "<meta name=robots content=noai><p>Weights</p>");
    check(&reserved, &all, Err(Reason::OptOut));
    check(&reserved, &Rules { heed_opt_out: false, ..all.clone() }, Ok("Weights"));
    let personal = page("", "<p>Write to me@site.org</p>");
    check(&personal, &all, Err(Reason::Pii));
    check(&personal, &Rules { pii: Pii::Replace, ..all.clone() }, Ok("Write to email@example.com"));
    check(&personal, &Rules { pii: Pii::Keep, ..all.clone() }, Ok("Write to me@site.org"));
    let short = Rules { filters: Filters::ALL, ..all.clone() };
    check(&plain, &short, Err(Reason::Repetition(Repetition::Top2)));
}
