use super::*;

#[test]
fn markup_goes_and_text_stays() {
    let check = |source: &str, expect: &str| assert_eq!(plain(source), expect, "{source:?}");
    check("A '''bold''' and ''leaning'' word's end.", "A bold and leaning word's end.");
    check(
        "See [[Steelyard]], [[Weigh house|weigh-houses]] and [[:Category:X]].",
        "See Steelyard, weigh-houses and Category:X.",
    );
    check("[[File:a.png|thumb|A [[scale]] of ''brass'']]Text[[Category:Scales]]", "Text");
    check("[https://x.example/ The site] and [https://x.example/] and [sic]", "The site and  and [sic]");
    check("a<ref name=\"x\">{{cite|y}}</ref> b<ref name=x /> c<!-- no -->", "a b c");
    check(
        "{{Infobox|a={{b|c}}|d=[[e|f]]}}Text {{lang|fr|balance [[romaine]]}}{{citation needed}}.",
        "Text balance romaine.",
    );
    check("one<br>two<br/>three &ndash; &#33;&#x21;&nope; & more", "one\ntwo\nthree – !!&nope; & more");
    check(
        "__NOTOC__snake__case__x <nowiki>[[raw]]</nowiki> {{{1}}} {{ open",
        "snake__case__x [[raw]]  {{ open",
    );
    check("<syntaxhighlight lang=\"sh\">\nweigh --twice\n</syntaxhighlight>", "```\nweigh --twice\n```");
    check("1 < 2 and <b>x</b> <unknown", "1 < 2 and x <unknown");
}

#[test]
fn lines_keep_their_form() {
    let source = "Lead.\n\n== History ==\nOld.\n=== [[Empty]] ===\n== Uses ==\n* one\n** two\n# three\n: four\n;five\n----\n\n== References ==\n{{reflist}}\n";
    let expect = "Lead.\n\n## History\n\nOld.\n\n## Uses\n\n- one\n- two\n1. three\nfour\nfive";
    assert_eq!(plain(source), expect);
}

#[test]
fn tables_are_rows_of_cells() {
    let source = "{| class=\"wikitable\"\n|+ Weights\n! Good !! Pounds\n|-\n| [[Wool|wool]] || style=\"x\" | 12\n|-\n| iron\n| 7 {{small|of 8}}\n|}\nBehind.";
    let expect = "Weights\n| Good | Pounds |\n| --- | --- |\n| wool | 12 |\n| iron | 7 of 8 |\n\nBehind.";
    assert_eq!(plain(source), expect);
}

#[test]
fn hostile_markup_takes_time_by_its_length() {
    let n = 200_000;
    for source in [
        "{{".repeat(n),
        "[[".repeat(n),
        "{|\n".repeat(n),
        "{{}}".repeat(n),
        "[[a|".repeat(n) + &"]]".repeat(n),
        "{{lang|".repeat(n) + &"}}".repeat(n),
        "<ref>".repeat(n),
        "<!--".repeat(n),
        "<pre".repeat(n),
        "''".repeat(n),
        "[[{{".repeat(n) + &"]]".repeat(n),
        "[http://".repeat(n),
        "{|\n|".repeat(n) + &"\n|}".repeat(n),
        "=".repeat(n),
        "==\n".repeat(n),
        "|}".repeat(n),
        "{{|}}|".repeat(n),
    ] {
        let out = plain(&source);
        assert!(out.len() <= source.len() * 2, "{}", &source[..20]);
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_made_plain(source in "([\\[\\]{}|<>!=*#:;'&_\n -]|ref|/|a|é|\\[\\[|\\{\\{|\\}\\}|\\{\\||\\|\\}|\\|-){0,80}") {
        let once = plain(&source);
        proptest::prop_assert!(once.len() <= source.len() * 8 + 64);
    }
}
