//! Where the next step begins, behind bytes that are none.
//!
//! A beginning is believed on what it shows within a few kilobytes, never on what is missing: somebody who holds the
//! gap's bytes alone finds no beginning in them either.

use std::io;

use flate2::{Decompress, FlushDecompress};

use super::{
    GZIP_MAGIC, ZSTD_MAGIC,
    body::frame_head,
    head::{Head, is_warc},
};

/// The longest gap in one step; what is behind is another.
pub(super) const GAP_MAX_BYTES: u64 = super::RECORD_MAX_BYTES as u64;
/// What a beginning has to show itself in, stored.
pub(super) const SHOWN_BYTES: usize = 4 << 10;
/// Unpacked bytes of a member's beginning that are looked at.
const UNPACKED_BYTES: usize = 4 << 10;
/// Bytes unpacked in vain that an archive may cost whatever its length, and per byte of it. What is damaged by accident
/// costs less than one per byte.
const VAIN_BASE_BYTES: u64 = 4 << 30;
const VAIN_PER_BYTE: u64 = 64;

/// What looking for beginnings has cost.
pub(super) struct Vain {
    bytes: u64,
    max: u64,
}

impl Vain {
    pub(super) fn new(length_bytes: u64) -> Self {
        Self { bytes: 0, max: VAIN_BASE_BYTES.saturating_add(length_bytes.saturating_mul(VAIN_PER_BYTE)) }
    }

    pub(super) fn spend(&mut self, bytes: u64) -> io::Result<()> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes <= self.max {
            return Ok(());
        }
        let max = self.max;
        let message = format!("more than {max} bytes were unpacked in vain: it is made to be costly");
        Err(io::Error::new(io::ErrorKind::InvalidData, message))
    }
}

/// The first place from `from` on and before `to` at which a step begins. `before` is the byte before the first.
pub(super) fn beginning(
    bytes: &[u8],
    from: usize,
    to: usize,
    before: u8,
    inflater: &mut Decompress,
    vain: &mut Vain,
) -> io::Result<Option<usize>> {
    let mut next = from;
    while let Some(at) = candidate(bytes, next, to, before) {
        next = at + 1;
        let shown = &bytes[at..bytes.len().min(at + SHOWN_BYTES)];
        let is_line = at.checked_sub(1).map_or(before, |before| bytes[before]) == b'\n';
        let begins = match shown[0] {
            byte if byte == GZIP_MAGIC[0] && shown.starts_with(&GZIP_MAGIC) => {
                vain.spend((SHOWN_BYTES + UNPACKED_BYTES) as u64)?;
                is_member(shown, inflater)
            }
            byte if byte == ZSTD_MAGIC[0] => is_frame(shown),
            b'W' if is_line => is_version(shown),
            byte if is_line && byte.is_ascii_lowercase() => is_arc(shown),
            _ => false,
        };
        if begins {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// The first place from `from` on and before `to` at which a magic number or a line may begin.
fn candidate(bytes: &[u8], from: usize, to: usize, before: u8) -> Option<usize> {
    if from >= to {
        return None;
    }
    if from.checked_sub(1).map_or(before, |last| bytes[last]) == b'\n' {
        let blank = bytes[from..to].iter().take_while(|byte| **byte == b'\n').count();
        return Some(from + blank).filter(|at| *at < to);
    }
    let at = from + memchr::memchr3(GZIP_MAGIC[0], ZSTD_MAGIC[0], b'\n', &bytes[from..to])?;
    if bytes[at] == b'\n' { Some(at + 1).filter(|at| *at < to) } else { Some(at) }
}

/// `WARC/` and a version.
fn is_version(bytes: &[u8]) -> bool {
    is_warc(bytes)
        && matches!(bytes.get(5..8), Some([major, b'.', minor]) if major.is_ascii_digit() && minor.is_ascii_digit())
}

/// The whole heading line of an ARC record.
fn is_arc(bytes: &[u8]) -> bool {
    // Few lines end with a number.
    let line = memchr::memchr(b'\n', bytes).map_or(&[][..], |end| bytes[..end].trim_ascii_end());
    line.last().is_some_and(u8::is_ascii_digit) && !is_warc(bytes) && Head::parse(bytes).is_some()
}

/// A gzip member that begins with a record's header.
fn is_member(bytes: &[u8], inflater: &mut Decompress) -> bool {
    inflater.reset(true);
    let mut unpacked = Vec::with_capacity(UNPACKED_BYTES);
    // What came out before an error counts: more bytes may only add to it.
    let _status = inflater.decompress_vec(bytes, &mut unpacked, FlushDecompress::None);
    is_version(&unpacked) || is_arc(&unpacked)
}

/// A zstd frame whose header and first block have a form that there is.
fn is_frame(bytes: &[u8]) -> bool {
    let Some((head_bytes, ..)) = frame_head(bytes) else { return false };
    matches!(bytes.get(head_bytes..head_bytes + 3), Some([first, ..]) if first >> 1 & 3 != 3)
}
