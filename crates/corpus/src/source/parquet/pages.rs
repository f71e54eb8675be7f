//! What the pages of a column say that they unpack to.
//!
//! The library reserves that much before it looks at a page. So the headers are gone through first: the few numbers that
//! matter are read, and all else is passed over.
//!
//! Source: parquet-format, `parquet.thrift`, `PageHeader`; Apache Thrift, "Thrift Compact protocol encoding".

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
};

use super::damaged;

/// How much of a header is looked at first, and how much at most: some writers put the least and the greatest value there.
const HEADER_LOOK_BYTES: usize = 1 << 10;
const HEADER_MAX_BYTES: usize = 1 << 20;
/// Pages of one column in one row group: writers make pages of thousands of rows, and row groups of a million at most.
const PAGES_MAX: usize = 1 << 18;
/// Structures in one another; the format has three.
const DEPTH_MAX: usize = 8;
/// Types of fields.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
const STRUCT: u8 = 12;

/// The most that a page of these bytes of the file says that it takes, packed and unpacked.
pub(super) fn largest(file: &mut File, first_byte: u64, length_bytes: u64) -> io::Result<u64> {
    let (mut at, mut left, mut most) = (first_byte, length_bytes, 0);
    let mut bytes = Vec::new();
    let mut pages = 0;
    while left > 0 {
        pages += 1;
        if pages > PAGES_MAX {
            return Err(damaged(format!("a column has more than {PAGES_MAX} pages in a row group")));
        }
        let (head, page) = header(file, at, left, &mut bytes)?;
        let whole = (head as u64).saturating_add(page.stored);
        if whole > left {
            return Err(damaged("a page is longer than its column"));
        }
        most = most.max(page.stored.saturating_add(page.unpacked));
        at += whole;
        left -= whole;
    }
    Ok(most)
}

struct Page {
    unpacked: u64,
    stored: u64,
}

/// The header that stands at this place, and its length.
fn header(file: &mut File, at: u64, left: u64, bytes: &mut Vec<u8>) -> io::Result<(usize, Page)> {
    for look in [HEADER_LOOK_BYTES, HEADER_MAX_BYTES] {
        bytes.clear();
        file.seek(SeekFrom::Start(at))?;
        file.take(left.min(look as u64)).read_to_end(bytes)?;
        let mut rest = &bytes[..];
        if let Some(page) = page(&mut rest) {
            return Ok((bytes.len() - rest.len(), page));
        }
    }
    Err(damaged("a page's header is damaged"))
}

fn page(rest: &mut &[u8]) -> Option<Page> {
    let (mut unpacked, mut stored, mut field) = (None, None, 0);
    while let Some(shape) = next_field(rest, &mut field)? {
        match field {
            2 => unpacked = Some(number(rest)?),
            3 => stored = Some(number(rest)?),
            _ => pass(rest, shape, 0)?,
        }
    }
    let size = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
    Some(Page { unpacked: size(unpacked)?, stored: size(stored)? })
}

/// The type of a structure's next field, whose number is put into `field`; none at its end. The outer option is none
/// for damaged bytes.
#[expect(clippy::option_option, reason = "damaged, ended, or a field")]
fn next_field(rest: &mut &[u8], field: &mut i64) -> Option<Option<u8>> {
    let head = byte(rest)?;
    if head == 0 {
        return Some(None);
    }
    *field = match head >> 4 {
        0 => number(rest)?,
        step => field.checked_add(i64::from(step))?,
    };
    Some(Some(head & 0x0f))
}

/// Passes over a value.
fn pass(rest: &mut &[u8], shape: u8, depth: usize) -> Option<()> {
    match shape {
        TRUE | FALSE => Some(()),
        BYTE => byte(rest).map(drop),
        I16..=I64 => varint(rest).map(drop),
        DOUBLE => skip(rest, 8),
        BINARY => {
            let length = varint(rest)?;
            skip(rest, length)
        }
        LIST | SET | MAP | STRUCT if depth == DEPTH_MAX => None,
        LIST | SET => {
            let head = byte(rest)?;
            let count = if head >> 4 == 15 { varint(rest)? } else { u64::from(head >> 4) };
            let item = head & 0x0f;
            (0..count).try_for_each(|_| pass_item(rest, item, depth + 1))
        }
        MAP => {
            let count = varint(rest)?;
            let head = if count > 0 { byte(rest)? } else { 0 };
            let (key, value) = (head >> 4, head & 0x0f);
            (0..count).try_for_each(|_| {
                pass_item(rest, key, depth + 1)?;
                pass_item(rest, value, depth + 1)
            })
        }
        STRUCT => {
            let mut field = 0;
            while let Some(shape) = next_field(rest, &mut field)? {
                pass(rest, shape, depth + 1)?;
            }
            Some(())
        }
        _ => None,
    }
}

/// Passes over a value in a list or map, where truth takes a byte: each takes one at least.
fn pass_item(rest: &mut &[u8], shape: u8, depth: usize) -> Option<()> {
    match shape {
        TRUE | FALSE => byte(rest).map(drop),
        shape => pass(rest, shape, depth),
    }
}

fn byte(rest: &mut &[u8]) -> Option<u8> {
    let (&first, behind) = rest.split_first()?;
    *rest = behind;
    Some(first)
}

fn skip(rest: &mut &[u8], bytes: u64) -> Option<()> {
    *rest = rest.get(usize::try_from(bytes).ok()?..)?;
    Some(())
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = byte(rest)?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// A number in zigzag.
fn number(rest: &mut &[u8]) -> Option<i64> {
    let number = varint(rest)?;
    Some((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
}
