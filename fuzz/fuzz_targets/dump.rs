//! Dumps: what holds for archives, and each page of theirs goes through the whole recipe.
#![no_main]

use corpus::{Document, Pii, Rules, document::fingerprint, extract, tokens};
use fuzz::{READING_MAX_BYTES, dump_of, each_step, within};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((layout, bytes)) = dump_of(input) else { return };
    let rules = Rules { pii: Pii::Replace, near_duplicates: true, heed_opt_out: true, ..Rules::default() };
    let unfiltered = Rules { filters: corpus::Filters::NONE, ..rules.clone() };
    within(READING_MAX_BYTES, || {
        each_step(&layout, bytes, |content| {
            let Ok(page) = layout.page(content) else { return };
            let filtered = Document::of_page(&page, &rules, &extract::main_text);
            let Ok(document) = Document::of_page(&page, &unfiltered, &extract::main_text) else {
                return assert!(filtered.is_err());
            };
            assert_eq!(document.fingerprint, fingerprint(&document.text));
            assert_eq!(document.tokens, tokens::count(&document.text));
            // Filters look at a document, they don't change it.
            assert!(filtered.is_err() || filtered == Ok(document));
        });
    });
});
