//! What a record is made of, however it is stored: plain bytes, a gzip member, a zstd frame.

use std::io::{self, Read};

use flate2::{Decompress, FlushDecompress, Status};
use zstd::{
    stream::raw::{Decoder, InBuffer, Operation as _, OutBuffer},
    zstd_safe::DParameter,
};

use super::{MEMBER_MAX_BYTES, RECORD_MAX_BYTES, head::HEAD_MAX_BYTES, stored::Stored};

/// What a member may hold beside the longest block.
pub(super) const KEEP_MAX_BYTES: usize = RECORD_MAX_BYTES + HEAD_MAX_BYTES;
/// What a member is unpacked into at least while its headers are looked for.
const LOOK_BYTES: usize = 16 << 10;
/// Room that is made at once for what a header only claims.
const GROW_BYTES: usize = 1 << 20;
/// Room behind a payload: with what ends a record in it, and the 258 bytes of the longest match that an inflater wants
/// ahead of it to be fast, a member is unpacked to its end in one go.
const BEHIND_BYTES: usize = 512;
/// What is kept of a large frame's packed bytes, to tell its kind.
const LARGE_KEEP_BYTES: usize = 256 << 10;
/// Room that is made first for what a frame unpacks to.
const UNPACK_BYTES: usize = 256 << 10;
/// zstd's own limit on how far a frame may look back; its memory follows it.
const WINDOW_LOG_MAX: u32 = 27;
/// The longest block of a frame. Source: RFC 8878, 3.1.1.2.4.
const BLOCK_MAX_BYTES: u32 = 128 << 10;
/// The longest header of a frame. Source: RFC 8878, 3.1.1.1.
const FRAME_HEAD_MAX_BYTES: usize = 18;

/// Why a step can't be read to its end.
pub(super) enum Broken {
    /// Its source fails.
    Io(io::Error),
    /// Its bytes are no step. Why, the bytes behind it have a say in: see [`super::no_step`].
    Bytes,
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Unpacked bytes, in order.
pub(super) trait Body {
    /// At least `wanted` of the next bytes, at most [`super::HELD_BYTES`] / 2, or all that are left.
    fn ahead(&mut self, wanted: usize) -> Result<&[u8], Broken>;

    /// Goes on behind so many bytes that are ahead.
    fn consume(&mut self, bytes: usize);

    /// Moves the next `bytes` into `out`, which is empty, or all that are left.
    fn take(&mut self, out: &mut Vec<u8>, bytes: usize) -> Result<(), Broken>;
}

/// The block of a plain record; all of it is there.
pub(super) struct Block<'a, R> {
    pub(super) stored: &'a mut Stored<R>,
    pub(super) left_bytes: u64,
}

impl<R: Read> Body for Block<'_, R> {
    fn ahead(&mut self, wanted: usize) -> Result<&[u8], Broken> {
        let left = usize::try_from(self.left_bytes).unwrap_or(usize::MAX);
        let bytes = self.stored.ahead(wanted.min(left))?;
        Ok(&bytes[..bytes.len().min(left)])
    }

    fn consume(&mut self, bytes: usize) {
        self.stored.consume(bytes);
        self.left_bytes -= bytes as u64;
    }

    fn take(&mut self, out: &mut Vec<u8>, bytes: usize) -> Result<(), Broken> {
        while out.len() < bytes && self.left_bytes > 0 {
            let wanted = bytes - out.len();
            let ahead = self.ahead(1)?;
            let ahead = &ahead[..ahead.len().min(wanted)];
            out.extend_from_slice(ahead);
            let taken = ahead.len();
            self.consume(taken);
        }
        Ok(())
    }
}

/// A gzip member under way.
pub(super) struct Member<'a, R> {
    stored: &'a mut Stored<R>,
    inflater: &'a mut Decompress,
    /// What is unpacked and ahead, from `at` on.
    held: &'a mut Vec<u8>,
    at: usize,
    is_ended: bool,
}

impl<'a, R: Read> Member<'a, R> {
    pub(super) fn new(
        stored: &'a mut Stored<R>,
        inflater: &'a mut Decompress,
        held: &'a mut Vec<u8>,
    ) -> Self {
        inflater.reset(true);
        held.clear();
        Self { stored, inflater, held, at: 0, is_ended: false }
    }

    /// Unpacked so far.
    pub(super) fn unpacked_bytes(&self) -> u64 {
        self.inflater.total_out()
    }

    /// Unpacks into the room that `out` has, until it is full or the member ends.
    fn inflate(&mut self, out: &mut Vec<u8>) -> Result<(), Broken> {
        while !self.is_ended && out.len() < out.capacity() {
            let (read, made) = (self.inflater.total_in(), out.len());
            let input = self.stored.ahead(1)?;
            if input.is_empty() {
                return Err(Broken::Bytes);
            }
            let status = self.inflater.decompress_vec(input, out, FlushDecompress::None);
            let status = status.map_err(|_| Broken::Bytes)?;
            let read = usize::try_from(self.inflater.total_in() - read).expect("within what was ahead");
            self.stored.consume(read);
            if self.unpacked_bytes() > MEMBER_MAX_BYTES {
                return Err(Broken::Bytes);
            }
            self.is_ended = status == Status::StreamEnd;
            if !self.is_ended && read == 0 && out.len() == made {
                return Err(Broken::Bytes);
            }
        }
        Ok(())
    }
}

impl<R: Read> Body for Member<'_, R> {
    fn ahead(&mut self, wanted: usize) -> Result<&[u8], Broken> {
        if self.held.len() - self.at < wanted && !self.is_ended {
            let mut held = std::mem::take(self.held);
            held.drain(..self.at);
            self.at = 0;
            held.reserve_exact(wanted.max(LOOK_BYTES).saturating_sub(held.len()));
            let unpacked = self.inflate(&mut held);
            *self.held = held;
            unpacked?;
        }
        Ok(&self.held[self.at..])
    }

    fn consume(&mut self, bytes: usize) {
        self.at += bytes;
    }

    fn take(&mut self, out: &mut Vec<u8>, bytes: usize) -> Result<(), Broken> {
        let ready = (self.held.len() - self.at).min(bytes);
        let room = bytes + if ready < bytes { BEHIND_BYTES } else { 0 };
        out.reserve_exact(room.min(ready.max(GROW_BYTES)));
        out.extend_from_slice(&self.held[self.at..self.at + ready]);
        self.consume(ready);
        while out.len() < bytes && !self.is_ended {
            if out.len() == out.capacity() {
                out.reserve_exact((room - out.len()).min(out.len().max(GROW_BYTES)));
            }
            self.inflate(out)?;
        }
        if let Some(beyond) = out.get(bytes..).filter(|beyond| !beyond.is_empty()) {
            self.held.clear();
            self.held.extend_from_slice(beyond);
            self.at = 0;
            out.truncate(bytes);
        }
        Ok(())
    }
}

/// An unpacked frame.
pub(super) struct Unpacked {
    bytes: Vec<u8>,
    at: usize,
}

impl Body for Unpacked {
    fn ahead(&mut self, _wanted: usize) -> Result<&[u8], Broken> {
        Ok(&self.bytes[self.at..])
    }

    fn consume(&mut self, bytes: usize) {
        self.at += bytes;
    }

    fn take(&mut self, out: &mut Vec<u8>, bytes: usize) -> Result<(), Broken> {
        let taken = (self.bytes.len() - self.at).min(bytes);
        out.extend_from_slice(&self.bytes[self.at..self.at + taken]);
        self.consume(taken);
        Ok(())
    }
}

/// What there is of a frame.
pub(super) struct Frame {
    /// What it holds; of one that is too large the beginning.
    pub(super) body: Unpacked,
    pub(super) is_large: bool,
}

impl Frame {
    pub(super) fn unpacked_bytes(&self) -> u64 {
        self.body.bytes.len() as u64
    }
}

/// Goes behind a zstd frame, block by block, and unpacks it where it is not too large: its end is known without
/// unpacking anything.
///
/// Source: RFC 8878, 3.1.1.
pub(super) fn frame<R: Read>(
    stored: &mut Stored<R>,
    decoder: &mut Option<Decoder<'static>>,
) -> Result<Frame, Broken> {
    let head = stored.ahead(FRAME_HEAD_MAX_BYTES)?;
    let (head_bytes, content_bytes, is_summed) = frame_head(head).ok_or(Broken::Bytes)?;
    let mut is_large = content_bytes.is_some_and(|bytes| bytes > KEEP_MAX_BYTES as u64);
    let mut packed = Vec::new();
    keep(stored, head_bytes, &mut packed, &mut is_large)?;
    loop {
        let block = stored.ahead(3)?;
        let &[a, b, c, ..] = block else { return Err(Broken::Bytes) };
        let head = u32::from_le_bytes([a, b, c, 0]);
        let (is_last, kind, size) = (head & 1 == 1, head >> 1 & 3, head >> 3);
        if kind == 3 || size > BLOCK_MAX_BYTES {
            return Err(Broken::Bytes);
        }
        let size = if kind == 1 { 1 } else { size as usize };
        keep(stored, 3 + size, &mut packed, &mut is_large)?;
        if is_last {
            break;
        }
    }
    if is_summed {
        keep(stored, 4, &mut packed, &mut is_large)?;
    }
    let mut bytes = Vec::new();
    is_large |= unpack(&packed, &mut bytes, decoder, is_large)?;
    Ok(Frame { body: Unpacked { bytes, at: 0 }, is_large })
}

/// Length of a frame's header, what the frame says that it unpacks to, and whether a checksum follows it.
pub(super) fn frame_head(bytes: &[u8]) -> Option<(usize, Option<u64>, bool)> {
    let descriptor = *bytes.strip_prefix(&super::ZSTD_MAGIC)?.first()?;
    let (is_single, is_summed) = (descriptor & 0x20 != 0, descriptor & 0x04 != 0);
    let dictionary_bytes = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let content = match descriptor >> 6 {
        0 => usize::from(is_single),
        1 => 2,
        2 => 4,
        _ => 8,
    };
    if descriptor & 0x08 != 0 {
        return None;
    }
    let at = 5 + usize::from(!is_single) + dictionary_bytes;
    let stated = bytes.get(at..at + content)?;
    let mut number = [0; 8];
    number[..content].copy_from_slice(stated);
    let number = u64::from_le_bytes(number);
    let content_bytes = match content {
        0 => None,
        2 => Some(number + 256),
        _ => Some(number),
    };
    Some((at + content, content_bytes, is_summed))
}

/// Goes on behind so many bytes; keeps them as long as all together are not too many.
fn keep<R: Read>(
    stored: &mut Stored<R>,
    bytes: usize,
    packed: &mut Vec<u8>,
    is_large: &mut bool,
) -> Result<(), Broken> {
    let mut left = bytes;
    while left > 0 {
        let ahead = stored.ahead(1)?;
        if ahead.is_empty() {
            return Err(Broken::Bytes);
        }
        let taken = ahead.len().min(left);
        // Bytes that don't shrink take a few more in a frame; of a large one the beginning tells its kind.
        let room = if *is_large { LARGE_KEEP_BYTES } else { KEEP_MAX_BYTES + KEEP_MAX_BYTES / 64 };
        if packed.len() + taken <= room {
            packed.extend_from_slice(&ahead[..taken]);
        } else {
            *is_large = true;
        }
        stored.consume(taken);
        left -= taken;
    }
    Ok(())
}

/// Unpacks a frame, or the beginning of a large one, into `bytes`; whether there is more than a record may have.
fn unpack(
    packed: &[u8],
    bytes: &mut Vec<u8>,
    decoder: &mut Option<Decoder<'static>>,
    is_cut: bool,
) -> Result<bool, Broken> {
    let decoder = match decoder {
        Some(decoder) => decoder,
        none => {
            let mut made = Decoder::new()?;
            made.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))?;
            none.insert(made)
        }
    };
    decoder.reinit()?;
    let mut input = InBuffer::around(packed);
    loop {
        if bytes.len() > KEEP_MAX_BYTES {
            return Ok(true);
        }
        if bytes.len() == bytes.capacity() {
            bytes.reserve_exact(bytes.len().clamp(UNPACK_BYTES, GROW_BYTES * 4));
        }
        let (read, made) = (input.pos(), bytes.len());
        let left = {
            let mut output = OutBuffer::around_pos(bytes, made);
            decoder.run(&mut input, &mut output)
        };
        match left {
            Ok(0) => return Ok(false),
            Ok(_) if input.pos() == read && bytes.len() == made && bytes.len() < bytes.capacity() => {
                return if is_cut { Ok(true) } else { Err(Broken::Bytes) };
            }
            Ok(_) => {}
            Err(_) if is_cut => return Ok(true),
            Err(_) => return Err(Broken::Bytes),
        }
    }
}
