//! Heads of answers: what was read is read alike when it is written anew, whatever follows.
#![no_main]

use corpus::archive::HttpHead;
use fuzz::bounded;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    bounded(input, || {
        let Some((head, length)) = HttpHead::parse(input) else { return };
        assert!(length <= input.len());
        assert_eq!(HttpHead::parse(&input[..length]), Some((head.clone(), length)));
        assert!(HttpHead::parse(&input[..length - 1]).is_none());
        let mut text = format!("HTTP/1.1 {:03} X\r\n", head.status);
        for (name, value) in &head.fields {
            assert_eq!(
                head.fields.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str()),
                Some(head.field(name))
            );
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        // A name with white space before it would go on with the line above; one with a return in it ends there.
        let is_plain = |text: &str| !text.contains(['\r', '\u{fffd}']);
        if head.fields.iter().all(|(name, value)| is_plain(name) && is_plain(value)) && text.len() < 60_000 {
            let again = HttpHead::parse(text.as_bytes()).expect("a head that was read");
            assert_eq!(again, (head, text.len()));
        }
    });
});
