//! Pages: any bytes are a page with a text and images, or a reason why not; the main text holds only words of the whole.
#![no_main]

use std::collections::BTreeSet;

use corpus::{Page, extract, images::Images};
use fuzz::bounded;
use libfuzzer_sys::fuzz_target;

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

fuzz_target!(|input: &[u8]| {
    bounded(input, || {
        let Ok(page) = Page::of_file("page.html", input) else { return };
        let (main, whole) = (extract::main_text(&page), extract::whole_text(&page));
        // The model judges fewer blocks than a page may have.
        assert!(whole.is_ok() || main.as_ref().err() == whole.as_ref().err());
        assert_eq!(main.as_ref().err(), Images::of(&page).as_ref().err());
        let (Ok(main), Ok(whole)) = (main, whole) else { return };
        let known: BTreeSet<&str> = words(&whole).collect();
        for word in words(&main) {
            // Items of ordered lists have their numbers before them.
            assert!(known.contains(word) || word.bytes().all(|byte| byte.is_ascii_digit()), "{word:?}");
        }
    });
});
