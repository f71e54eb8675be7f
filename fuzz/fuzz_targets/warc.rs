//! Archives and dumps: every byte belongs to a step, and whoever holds a step's bytes alone finds the same step.
#![no_main]

use corpus::archive::{Content, RECORD_MAX_BYTES, Step};
use fuzz::{layout_of, within};
use libfuzzer_sys::fuzz_target;
use primitives::Digest;

/// Two records, what they are unpacked from, and what a page of one of them takes.
const HELD_MAX_BYTES: usize = 12 * RECORD_MAX_BYTES;

fuzz_target!(|input: &[u8]| {
    let Some((layout, bytes)) = layout_of(input) else { return };
    within(HELD_MAX_BYTES, || {
        let mut reader = layout.reader(bytes);
        let mut at = 0;
        while let Some(step) = reader.step().expect("memory can be read, and little of it costs little") {
            assert!(step.offset_bytes == at && step.length_bytes > 0);
            let from = usize::try_from(at).expect("within the input");
            at += step.length_bytes;
            let alone = &bytes[from..usize::try_from(at).expect("within the input")];
            if let Content::Record(record) = &step.content {
                assert!(record.payload.len() <= RECORD_MAX_BYTES);
            }
            // Pages are any text or a reason.
            let _page = layout.page(&step.content);
            assert_eq!(layout.step(alone), Ok(Step { offset_bytes: 0, ..step }));
        }
        assert_eq!(at, bytes.len() as u64);
        assert_eq!(reader.take_run_digest(), Digest::of(bytes));
    });
});
