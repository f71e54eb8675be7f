//! Dumps cut into steps: each ends where the next begins, or behind the mark that ends it.

use std::io::{self, Read};

use memchr::memmem;

use super::{
    Found, RECORD_MAX_BYTES, Record, RecordKind,
    body::Broken,
    stored::{HELD_BYTES, Stored},
};
use crate::layout::{Layout, WIKI_PAGE};

/// The step that begins here, of any bytes.
pub(super) fn record<R: Read>(stored: &mut Stored<R>, layout: &Layout) -> Result<Found, Broken> {
    let (kind, mark, is_within) = match layout {
        Layout::Records => return Err(Broken::Bytes),
        Layout::Wiki if stored.ahead(WIKI_PAGE.len())?.starts_with(WIKI_PAGE) => {
            (RecordKind::WikiPage, WIKI_PAGE, false)
        }
        Layout::Wiki => (RecordKind::Frame, WIKI_PAGE, false),
        Layout::Threads => (RecordKind::Thread, &b"\n\n"[..], true),
        Layout::Rows(_) => (RecordKind::Row, &b"\n"[..], true),
    };
    let Some(payload) = up_to(stored, mark, is_within)? else { return Ok(Found::TooLarge(kind)) };
    Ok(Found::Record(Box::new(Record { payload, ..Record::of_kind(kind) })))
}

/// The bytes from here up to the next mark, the one here not counted, with it where it is within the step; none where
/// they are more than a record may have.
fn up_to<R: Read>(stored: &mut Stored<R>, mark: &[u8], is_within: bool) -> io::Result<Option<Vec<u8>>> {
    let finder = memmem::Finder::new(mark);
    let mut taken = Some(Vec::new());
    // A mark that begins the step is not its end.
    let mut from = usize::from(!is_within);
    loop {
        let left = stored.left_bytes();
        let mut ahead = stored.ahead(1)?;
        let mut found = finder.find(&ahead[from.min(ahead.len())..]);
        if found.is_none() && (ahead.len() as u64) < left {
            ahead = stored.ahead(HELD_BYTES / 2)?;
            found = finder.find(&ahead[from.min(ahead.len())..]);
        }
        let is_last = ahead.len() as u64 == left;
        let length = match found {
            Some(at) => from + at + if is_within { mark.len() } else { 0 },
            None if is_last => ahead.len(),
            // A mark may lie across the end.
            None => ahead.len() - (mark.len() - 1),
        };
        if let Some(bytes) = &mut taken {
            bytes.extend_from_slice(&ahead[..length]);
            if bytes.len() > RECORD_MAX_BYTES {
                taken = None;
            }
        }
        stored.consume(length);
        if found.is_some() || is_last {
            return Ok(taken);
        }
        from = 0;
    }
}
