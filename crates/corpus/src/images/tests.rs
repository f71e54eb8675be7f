use super::*;

fn page(url: &str, html: &str) -> Page {
    Page { url: url.into(), ..Page::of_file("page.html", html.as_bytes()).unwrap() }
}

fn images(html: &str) -> Images {
    Images::of(&page("https://x.example/a/page.html", html)).unwrap()
}

/// The address, `alt` and caption of each pair, and the number of each reason.
fn check(html: &str, expect: &[(&str, &str, &str)], dropped: &[(Why, u32)]) {
    let images = images(html);
    let found: Vec<(&str, &str, &str)> = images
        .pairs
        .iter()
        .map(|pair| (pair.src.as_str(), pair.alt.as_str(), pair.caption.as_str()))
        .collect();
    let expect: Vec<(String, &str, &str)> = expect
        .iter()
        .map(|(src, alt, caption)| (format!("https://x.example/{src}"), *alt, *caption))
        .collect();
    let expect: Vec<(&str, &str, &str)> =
        expect.iter().map(|(src, alt, caption)| (src.as_str(), *alt, *caption)).collect();
    assert_eq!(found, expect, "{html}");
    assert_eq!(images.dropped.into_iter().collect::<Vec<_>>(), dropped, "{html}");
}

#[test]
fn words_come_from_the_image_and_from_its_figure() {
    check("<img src=i.jpg alt=' a  red\nkite '>", &[("a/i.jpg", "a red kite", "")], &[]);
    check("<img src=i.jpg alt='a < b &amp; c'>", &[("a/i.jpg", "a < b & c", "")], &[]);
    check(
        "<figure><a href=/><img src=i.jpg></a><div><figcaption>A <b>kite</b>.</figcaption></div></figure>",
        &[("a/i.jpg", "", "A kite.")],
        &[],
    );
    // The gallery's words are no words of a figure in it, nor another figure's.
    check(
        "<figure><figure><img src=i.jpg><figcaption>one</figcaption></figure><figure><img src=j.jpg></figure>\
         <figcaption>all</figcaption></figure>",
        &[("a/i.jpg", "", "one"), ("a/j.jpg", "", "all")],
        &[],
    );
    check(
        "<div class='wp-caption alignleft'><img src=i.jpg alt=x><p class=wp-caption-text>A kite</div>",
        &[("a/i.jpg", "x", "A kite")],
        &[],
    );
}

#[test]
fn every_image_that_makes_no_pair_has_its_reason() {
    let alone = |image: &str, why: Why| check(image, &[], &[(why, 1)]);
    alone("<img alt='a red kite'>", Why::NoAddress);
    alone("<img src='data:image/png;base64,AA==' alt='a red kite'>", Why::DataUri);
    alone("<img src='file:///i.jpg' alt='a red kite'>", Why::Scheme);
    alone("<img src='https://:80/i.jpg' alt='a red kite'>", Why::BadAddress);
    alone(&format!("<img src='/{}' alt='a red kite'>", "x".repeat(9000)), Why::LongAddress);
    alone("<img src=i.gif width=1 height=1 alt='a red kite'>", Why::Pixel);
    alone("<img src=i.gif style='width:0px' alt='a red kite'>", Why::Pixel);
    alone("<img src=i.SVG?x alt='a red kite'>", Why::Drawing);
    alone("<img src=/Logos/kite.png alt='a red kite'>", Why::Furniture);
    alone("<img src=i.jpg>", Why::NoWords);
    alone("<img src=i.jpg alt=''>", Why::NoWords);
    alone("<img src=i.jpg alt=i.jpg>", Why::AltFileName);
    alone("<img src=i.jpg alt=https://x.example/>", Why::AltAddress);
    alone("<img src=i.jpg alt=kite>", Why::AltShort);
    alone("<canvas><img src=i.jpg alt='a red kite'></canvas>", Why::NotShown);
    alone("<template><img src=i.jpg alt='a red kite'></template>", Why::NotShown);
    alone("<svg><image href=i.jpg alt='a red kite'></svg>", Why::NotShown);
    let many = format!("<p>{}", "<img src=i.jpg>".repeat(IMAGES_MAX + 3));
    let most = u32::try_from(IMAGES_MAX).unwrap();
    check(&many, &[], &[(Why::TooMany, 3), (Why::NoWords, most)]);
    let names: BTreeSet<&str> = Why::ALL.iter().map(|why| why.name()).collect();
    assert_eq!(names.len(), Why::ALL.len());
    assert!(Why::ALL.is_sorted());
}

#[test]
fn the_same_image_is_told_once() {
    let image = "<img src=i.jpg alt='a red kite'>";
    check(&image.repeat(3), &[("a/i.jpg", "a red kite", "")], &[(Why::Repeated, 2)]);
    check(
        &[image, "<img src=i.jpg alt='a kite, red'>"].concat(),
        &[("a/i.jpg", "a red kite", ""), ("a/i.jpg", "a kite, red", "")],
        &[],
    );
    let lazy = "<img src='data:image/gif;base64,AA==' data-src=i.jpg alt='a red kite'>";
    check(
        &format!("{lazy}<noscript>{image}</noscript>"),
        &[("a/i.jpg", "a red kite", "")],
        &[(Why::NoscriptCopy, 1)],
    );
    // A copy of a smaller size is one, too, wherever it stands.
    check(
        &format!("<noscript>{image}</noscript><img srcset='i.jpg 300w, j.jpg 900w' alt='a red kite'>"),
        &[("a/j.jpg", "a red kite", "")],
        &[(Why::NoscriptCopy, 1)],
    );
    // Where only the copy has an address, it is the image.
    let placeholder = "<img src='data:image/gif;base64,AA==' alt='a red kite'>";
    check(
        &format!("{placeholder}<noscript>{image}</noscript>"),
        &[("a/i.jpg", "a red kite", "")],
        &[(Why::DataUri, 1)],
    );
}

#[test]
fn addresses_are_those_that_the_page_means() {
    let image = "<img src=i.jpg alt='a red kite'>";
    check(
        &format!("<base target=_blank><base href=/b/c><base href=/d/>{image}"),
        &[("b/i.jpg", "a red kite", "")],
        &[],
    );
    check(&format!("<base href='javascript:x'>{image}"), &[("a/i.jpg", "a red kite", "")], &[]);
    let file = Images::of(&page("texts/page.html", image)).unwrap();
    assert_eq!(file.dropped, BTreeMap::from([(Why::BadAddress, 1)]));
    let absolute = "<img src=//y.example/i.jpg alt='a red kite'>";
    assert_eq!(Images::of(&page("", absolute)).unwrap().dropped, BTreeMap::from([(Why::BadAddress, 1)]));
    let absolute = "<img src=http://y.example/i.jpg alt='a red kite'>";
    assert_eq!(Images::of(&page("", absolute)).unwrap().pairs[0].src, "http://y.example/i.jpg");
    let linked =
        images(&format!("<a href='/full?x#y'><div>{image}</div></a>{image}<a href='mailto:x@y'>{image}</a>"));
    assert_eq!(linked.pairs[0].link, "https://x.example/full?x");
    let mail = images(&format!("<a href='mailto:x@y'>{image}</a>"));
    assert_eq!(mail.pairs[0].link, "");
}

#[test]
fn an_image_knows_what_stands_around_it() {
    let html = "<h1>Birds</h1><p>one<h2>Of <i>prey</i></h2><p>two <img src=i.jpg alt='a red kite' width=30> three\
                <div style='display: none'>hidden</div><select><option>choice</select><p>four<h2>Others</h2>";
    let pair = &images(html).pairs[0];
    assert_eq!(pair.heading, "Of prey");
    assert_eq!(pair.text_before, "Birds\none\nOf prey\ntwo");
    assert_eq!(pair.text_after, "three\nfour\nOthers");
    assert_eq!((pair.image, pair.block, pair.width, pair.height), (0, 3, Some(30), None));
    let word = "wörd ".repeat(100);
    let html = format!("<p>{word}</p><img src=i.jpg alt='a red kite'><p>{word}");
    let pair = &images(&html).pairs[0];
    assert!(pair.text_before.starts_with("wörd wörd ") && pair.text_before.ends_with(" wörd"));
    assert!(pair.text_after.starts_with("wörd wörd "));
    let lengths = [&pair.text_before, &pair.text_after].map(|text| text.chars().count());
    assert_eq!(lengths, [CONTEXT_MAX_CHARS - 1; 2], "without the space at the cut");
    let alone = &images("<img src=i.jpg alt='a red kite'>").pairs[0];
    assert_eq!([&alone.heading, &alone.text_before, &alone.text_after], [""; 3]);
    assert_eq!((alone.block, alone.text_offset), (0, None));
}

/// Without what pages of sites have around their text, all of it is main text.
#[test]
fn an_image_in_the_main_text_knows_its_place() {
    let html = "<img src=0.jpg alt='image 0'><h1>Kïtes\0</h1><ul><li>one <img src=1.jpg alt='image 1'>two<li>three</ul>\
                <blockquote>four<br>five<img src=2.jpg alt='image 2'><br>six</blockquote><img src=3.jpg alt='image 3'>\
                <pre>x\n\n\n  <img src=4.jpg alt='image 4'>y</pre><table><tr><td>a<td><img src=5.jpg alt='image 5'>b</table>\
                <img src=6.jpg alt='image 6'>";
    let page = page("https://x.example/", html);
    let text = document::text(&page, &crate::extract::main_text).unwrap();
    let before = |offset: u32| text.chars().take(offset as usize).collect::<String>();
    let found: Vec<Option<String>> =
        Images::of(&page).unwrap().pairs.iter().map(|pair| pair.text_offset.map(before)).collect();
    let quote = "# Kïtes\u{fffd}\n\n- one two\n- three\n\n> four\n> five";
    let after = [quote, "\n> six"].concat();
    let listing = [&after, "\n\n```\nx"].concat();
    let cell = [&listing, "\n\n   y\n```\n\n| a"].concat();
    let expect = [
        None,
        Some("# Kïtes\u{fffd}\n\n- one".to_owned()),
        Some(quote.to_owned()),
        Some(after),
        Some(listing),
        Some(cell),
        None,
    ];
    assert_eq!(found, expect, "{text}");
}

#[test]
fn no_page_takes_long_or_much() {
    // Each of many images stands behind many blocks, in many elements, below a long address.
    let deep = format!("{}<img src=i.jpg alt='a red kite'>", "<div class=wp-caption>".repeat(500));
    assert_eq!(images(&deep).pairs.len(), 1);
    let base = format!("<base href=/{}/>", "x".repeat(8000));
    let sets: String = (0..3000)
        .map(|number| {
            let set: String = (0..100).map(|size| format!("{number}-{size} {size}w,")).collect();
            format!("<p>word<option>choice</option><img srcset='{set}' alt='image {number}'>")
        })
        .collect();
    let found = images(&[&base[..], &sets].concat());
    assert_eq!(found.count(), 3000);
    assert_eq!(found.dropped, BTreeMap::from([(Why::TooMany, 952)]));
    let sources = format!("<picture>{}", "<source srcset='x 1w'><img src=y alt='a red kite'>".repeat(10_000));
    assert_eq!(images(&sources).count(), 10_000);
    let words = format!("<img src=i.jpg alt='{}'>", "word".repeat(1 << 20));
    assert_eq!(images(&words).pairs[0].alt.chars().count(), WORDS_MAX_CHARS);
    let too_deep = format!("{}<img src=i.jpg>", "<div>".repeat(600));
    assert_eq!(Images::of(&page("", &too_deep)), Err(Reason::TooNested));
}

proptest::proptest! {
    #[test]
    fn any_page_is_read(html in "(<(img|p|picture|source|figure|figcaption|noscript|h2|pre|a|base|li|td|select)( (src|srcset|alt|data-src|href|width|style)='[a-z0-9:/, %;é]{0,12}'){0,3}>|</(p|picture|figure|noscript|a|pre)>|[a-zé \n]{1,6}){0,30}") {
        let page = page("https://x.example/a", &html);
        let images = Images::of(&page).unwrap();
        let text = document::text(&page, &crate::extract::main_text).unwrap_or_default();
        let length = text.chars().count();
        let mut last = 0;
        for pair in &images.pairs {
            proptest::prop_assert!(pair.src.starts_with("http"));
            proptest::prop_assert!(pair.text_before.chars().count() <= CONTEXT_MAX_CHARS);
            proptest::prop_assert!(pair.text_after.chars().count() <= CONTEXT_MAX_CHARS);
            if let Some(offset) = pair.text_offset {
                proptest::prop_assert!(offset >= last && offset as usize <= length);
                last = offset;
            }
        }
        let tree = Tree::of(&html).unwrap();
        let count = (0..tree.len()).filter(|node| matches!(tree.tag(*node), Some(Tag::Img | Tag::Image))).count();
        proptest::prop_assert_eq!(images.count(), count as u64);
    }
}
