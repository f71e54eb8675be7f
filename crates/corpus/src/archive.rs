//! Archives: where a record begins and ends, and what it says.
//!
//! WARC (with WET and WAT, whose records are conversions and metadata) and ARC, as gzip members or zstd frames of one
//! record each, or as plain records one after the other; and dumps, which [`crate::Layout`] cuts. A *step* is what one
//! ledger row covers: one member, or one plain record with the line ends behind it, or a gap up to the next of these.
//! Every byte belongs to a step. [`Reader`] reads an archive of any length in bounded memory; [`step`] finds the first
//! one in some bytes by the same rules, so that a validator who holds a row's bytes alone sees whether they are exactly
//! one.
//!
//! Own code over DEFLATE and zstd libraries, since a step's length in stored bytes is a claim that must be checked to the
//! byte, and unpacking must stop at a bound of ours: a record reader that owns the stream hides both.

use std::{
    fmt,
    io::{self, Cursor, Read, Seek},
    str::FromStr,
};

use flate2::Decompress;
use parity_scale_codec::{Decode, Encode};
use primitives::Digest;
use thiserror::Error;
use zstd::stream::raw::Decoder;

use crate::layout::Layout;

mod body;
mod cut;
mod gap;
mod head;
mod stored;

use body::{Block, Body, Broken, KEEP_MAX_BYTES, Member, frame};
use gap::{GAP_MAX_BYTES, SHOWN_BYTES, Vain};
use head::{HEAD_MAX_BYTES, Head, field};
use stored::{HELD_BYTES, Stored};

/// The longest record, unpacked. Crawlers cut bodies at 1 MB or 5 MB.
pub const RECORD_MAX_BYTES: usize = 16 << 20;
/// Unpacked bytes beyond which the end of a gzip member is not looked for: sixty times the longest record.
const MEMBER_MAX_BYTES: u64 = 1 << 30;
/// Unpacked per stored byte. DEFLATE reaches 1,032; pages stay below 40.
pub const RATIO_MAX: u64 = 200;
/// Below this length a member's ratio says nothing: a few hundred equal bytes are no bomb.
pub(crate) const RATIO_FROM_BYTES: u64 = 64 << 10;
/// Where a header is looked for first; nearly all end within it.
const LOOK_BYTES: usize = 8 << 10;
/// Magic and method of a gzip member.
const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 0x08];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Upper bytes of the magic numbers of frames that decoders pass over; the lowest half byte is free.
const SKIPPABLE_MAGIC: [u8; 3] = [0x2a, 0x4d, 0x18];

/// What kind of record a ledger row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum RecordKind {
    /// A whole file of a folder.
    #[codec(index = 0)]
    File,
    /// What an archive says of itself.
    #[codec(index = 1)]
    Warcinfo,
    /// What a crawler asked.
    #[codec(index = 2)]
    Request,
    /// What a server answered.
    #[codec(index = 3)]
    Response,
    /// Facts about another record.
    #[codec(index = 4)]
    Metadata,
    /// A document without the exchange that fetched it.
    #[codec(index = 5)]
    Resource,
    /// A document made of another record, such as the text in a WET file.
    #[codec(index = 6)]
    Conversion,
    /// A page that had not changed since an earlier visit.
    #[codec(index = 7)]
    Revisit,
    /// Any other kind, and what is no record.
    #[codec(index = 8)]
    Other,
    /// What stands around the records of a dump.
    #[codec(index = 9)]
    Frame,
    /// A page of a wiki.
    #[codec(index = 10)]
    WikiPage,
    /// A question with its answers, or another post of a forum.
    #[codec(index = 11)]
    Thread,
    /// A row of a table.
    #[codec(index = 12)]
    Row,
}

impl RecordKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 13] = [
        Self::File,
        Self::Warcinfo,
        Self::Request,
        Self::Response,
        Self::Metadata,
        Self::Resource,
        Self::Conversion,
        Self::Revisit,
        Self::Other,
        Self::Frame,
        Self::WikiPage,
        Self::Thread,
        Self::Row,
    ];

    /// The kind's name in reports, which is the archive format's own.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Warcinfo => "warcinfo",
            Self::Request => "request",
            Self::Response => "response",
            Self::Metadata => "metadata",
            Self::Resource => "resource",
            Self::Conversion => "conversion",
            Self::Revisit => "revisit",
            Self::Other => "other",
            Self::Frame => "frame",
            Self::WikiPage => "wiki_page",
            Self::Thread => "thread",
            Self::Row => "row",
        }
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for RecordKind {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or(())
    }
}

/// Bytes are none that a step could be found in.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no record begins here: {what}")]
pub struct Unreadable {
    /// What is wrong.
    pub what: &'static str,
}

/// One record, as far as it could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its kind.
    pub kind: RecordKind,
    /// The address that it is about, without angle brackets.
    pub url: String,
    /// Its own name, without angle brackets; empty in ARC.
    pub record_id: String,
    /// When it was taken, as the record says it.
    pub date: String,
    /// The content type of its block.
    pub content_type: String,
    /// The content type that the crawler found by looking.
    pub identified_type: String,
    /// The status line's number and the header lines of a response.
    pub http: Option<HttpHead>,
    /// What the server sent behind its header, else the block.
    pub payload: Vec<u8>,
}

impl Record {
    /// A record of this kind with nothing else in it.
    pub(crate) fn of_kind(kind: RecordKind) -> Self {
        Self {
            kind,
            url: String::new(),
            record_id: String::new(),
            date: String::new(),
            content_type: String::new(),
            identified_type: String::new(),
            http: None,
            payload: Vec::new(),
        }
    }
}

/// Header lines: names in lower case with their values, in order.
pub type Fields = Vec<(String, String)>;

/// The head of a server's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpHead {
    /// The status.
    pub status: u16,
    /// Names in lower case with their values.
    pub fields: Fields,
}

impl HttpHead {
    /// The first field of this name, which is in lower case; empty where there is none.
    #[must_use]
    pub fn field(&self, name: &str) -> &str {
        field(&self.fields, name)
    }
}

/// What a step holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// One record.
    Record(Box<Record>),
    /// It is longer, unpacked, than [`RECORD_MAX_BYTES`], or shrinks more than [`RATIO_MAX`] times.
    TooLarge {
        /// What it says that it is.
        kind: RecordKind,
        /// The digest of the step's stored bytes.
        stored: Digest,
    },
    /// No record, or not exactly one.
    Malformed {
        /// What it says that it is.
        kind: RecordKind,
        /// The digest of the step's stored bytes.
        stored: Digest,
    },
    /// Bytes that begin no record, up to the next beginning.
    Gap {
        /// What is wrong with the first of them.
        error: Unreadable,
        /// The digest of the step's stored bytes.
        stored: Digest,
    },
}

/// One step and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where it begins, in stored bytes.
    pub offset_bytes: u64,
    /// Stored bytes that it takes.
    pub length_bytes: u64,
    /// What it holds.
    pub content: Content,
}

impl Step {
    /// The record's kind.
    #[must_use]
    pub fn kind(&self) -> RecordKind {
        match &self.content {
            Content::Record(record) => record.kind,
            Content::TooLarge { kind, .. } | Content::Malformed { kind, .. } => *kind,
            Content::Gap { .. } => RecordKind::Other,
        }
    }

    /// The digest of the record's payload; where there is no such, of the step's stored bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        match &self.content {
            Content::Record(record) => Digest::of(&record.payload),
            Content::TooLarge { stored, .. }
            | Content::Malformed { stored, .. }
            | Content::Gap { stored, .. } => *stored,
        }
    }
}

/// The first step of `bytes`.
///
/// # Errors
/// [`Unreadable`] where there are none, or they are made to be costly.
pub fn step(bytes: &[u8]) -> Result<Step, Unreadable> {
    first_step(bytes, &Layout::Records)
}

/// The first step of `bytes` by another layout.
pub(crate) fn first_step(bytes: &[u8], layout: &Layout) -> Result<Step, Unreadable> {
    let mut reader = Reader::new(Cursor::new(bytes), 0, bytes.len() as u64, layout.clone());
    match reader.step() {
        Ok(Some(step)) => Ok(step),
        Ok(None) => Err(Unreadable { what: "there are no bytes" }),
        Err(_) => Err(Unreadable { what: "unpacking it costs too much" }),
    }
}

/// The steps of an archive, or of a run of its bytes, one by one.
///
/// Holds one record and some 1.2 MB beside it, and what zstd needs where it is packed so: up to 128 MiB for frames that
/// ask for it.
pub struct Reader<R> {
    stored: Stored<R>,
    first_byte: u64,
    layout: Layout,
    inflater: Decompress,
    held: Vec<u8>,
    decoder: Option<Decoder<'static>>,
    vain: Vain,
}

/// Whether an archive's first gzip member or zstd frame holds more than one record, so that records have no place of
/// their own among the stored bytes.
pub(crate) fn is_member_of_many(from: impl Read, length_bytes: u64) -> io::Result<bool> {
    let mut stored = Stored::new(from, length_bytes);
    let is_frame = stored.ahead(4)?.starts_with(&ZSTD_MAGIC);
    let found = if is_frame {
        frame(&mut stored, &mut None).and_then(|mut frame| has_second(&mut frame.body))
    } else {
        let (mut inflater, mut held) = (Decompress::new_gzip(15), Vec::new());
        has_second(&mut Member::new(&mut stored, &mut inflater, &mut held))
    };
    match found {
        Ok(has_second) => Ok(has_second),
        Err(Broken::Io(error)) => Err(error),
        Err(Broken::Bytes) => Ok(false),
    }
}

/// Whether a record stands behind the first one.
fn has_second(body: &mut impl Body) -> Result<bool, Broken> {
    let Some(head) = look(body, u64::MAX, Head::parse)? else { return Ok(false) };
    body.consume(head.length);
    let mut left = head.block_bytes;
    while left > 0 {
        let ahead = body.ahead(1)?.len();
        if ahead == 0 {
            return Ok(false);
        }
        let step = usize::try_from(left).map_or(ahead, |left| left.min(ahead));
        body.consume(step);
        left -= step as u64;
    }
    let second = |bytes: &[u8]| {
        let ends = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        Head::parse(&bytes[ends..])
    };
    Ok(look(body, u64::MAX, second)?.is_some())
}

/// What is said of bytes that begin no step, by the first of them alone: what follows them would have a say in whether
/// they are cut or damaged, and whoever holds a gap's bytes alone finds the same gap.
fn no_step(begins: &[u8]) -> Unreadable {
    let what = if begins.starts_with(&GZIP_MAGIC) {
        "no whole gzip member, or one that unpacks to more than 1 GiB"
    } else if begins.starts_with(&ZSTD_MAGIC) {
        "no whole zstd frame"
    } else {
        "no whole WARC or ARC record"
    };
    Unreadable { what }
}

/// What was found in a step, before its stored bytes are known.
enum Found {
    Record(Box<Record>),
    TooLarge(RecordKind),
    Malformed(RecordKind),
}

impl<R: Read + Seek> Reader<R> {
    /// Reads so many bytes; `from` stands at the first of them, which is the archive's byte `first_byte`.
    pub fn new(from: R, first_byte: u64, length_bytes: u64, layout: Layout) -> Self {
        Self {
            stored: Stored::new(from, length_bytes),
            first_byte,
            layout,
            inflater: Decompress::new_gzip(15),
            held: Vec::new(),
            decoder: None,
            vain: Vain::new(length_bytes),
        }
    }

    /// Also takes the digest of what is read; nothing has been read yet.
    #[must_use]
    pub fn digesting(self) -> Self {
        Self { stored: self.stored.digesting(), ..self }
    }

    /// The digest of the stored bytes of all steps since the last call; none where it was not asked for by
    /// [`Reader::digesting`].
    pub fn take_run_digest(&mut self) -> Option<Digest> {
        self.stored.take_run()
    }

    /// The next step; none behind the last.
    ///
    /// # Errors
    /// What the source says; and `InvalidData` where it is made to be costly.
    pub fn step(&mut self) -> io::Result<Option<Step>> {
        if self.stored.left_bytes() == 0 {
            return Ok(None);
        }
        let from = self.stored.position();
        let begins = no_step(self.stored.ahead(ZSTD_MAGIC.len())?);
        let content = match self.found() {
            Ok(Found::Record(record)) => Content::Record(record),
            Ok(Found::TooLarge(kind)) => Content::TooLarge { kind, stored: self.stored.digest() },
            Ok(Found::Malformed(kind)) => Content::Malformed { kind, stored: self.stored.digest() },
            Err(Broken::Io(error)) => return Err(error),
            Err(Broken::Bytes) => {
                self.gap(from)?;
                Content::Gap { error: begins, stored: self.stored.digest() }
            }
        };
        self.stored.finish();
        let length_bytes = self.stored.position() - from;
        Ok(Some(Step { offset_bytes: self.first_byte + from, length_bytes, content }))
    }

    fn found(&mut self) -> Result<Found, Broken> {
        if self.layout != Layout::Records {
            return cut::record(&mut self.stored, &self.layout);
        }
        let from = self.stored.position();
        let magic = self.stored.ahead(4)?;
        if magic.starts_with(&GZIP_MAGIC) {
            let mut member = Member::new(&mut self.stored, &mut self.inflater, &mut self.held);
            let found = in_member(&mut member);
            let unpacked = member.unpacked_bytes();
            let stored = self.stored.position() - from;
            if matches!(found, Err(Broken::Bytes)) {
                self.vain.spend(unpacked + stored)?;
            }
            return Ok(judged(found?, unpacked, stored));
        }
        if magic.starts_with(&ZSTD_MAGIC) {
            let frame = frame(&mut self.stored, &mut self.decoder);
            let stored = self.stored.position() - from;
            if matches!(frame, Err(Broken::Bytes)) {
                self.vain.spend(KEEP_MAX_BYTES as u64)?;
            }
            let mut frame = frame?;
            let unpacked = frame.unpacked_bytes();
            if frame.is_large {
                let head = look(&mut frame.body, u64::MAX, Head::parse)?;
                return Ok(Found::TooLarge(head.map_or(RecordKind::Other, |head| head.kind)));
            }
            return Ok(judged(in_member(&mut frame.body)?, unpacked, stored));
        }
        if magic.first().is_some_and(|low| low & 0xf0 == 0x50) && magic.get(1..4) == Some(&SKIPPABLE_MAGIC) {
            return self.skippable();
        }
        self.plain()
    }

    /// A plain record.
    fn plain(&mut self) -> Result<Found, Broken> {
        let head = look(&mut self.whole(), u64::MAX, Head::parse)?;
        let head = head.ok_or(Broken::Bytes)?;
        let block_bytes = head.block_bytes;
        if block_bytes.saturating_add(head.length as u64) > self.stored.left_bytes() {
            return Err(Broken::Bytes);
        }
        self.stored.consume(head.length);
        let mut rest = Block { stored: &mut self.stored, left_bytes: block_bytes };
        let found = block(head, &mut rest)?;
        let left = rest.left_bytes;
        self.stored.skip(left)?;
        loop {
            let ahead = self.stored.ahead(LOOK_BYTES)?;
            let ends = ahead.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            let is_all = ends == ahead.len();
            self.stored.consume(ends);
            if !is_all || ends == 0 {
                return Ok(found);
            }
        }
    }

    /// A frame of zstd's that holds something else than packed bytes.
    fn skippable(&mut self) -> Result<Found, Broken> {
        let &[_, _, _, _, a, b, c, d, ..] = self.stored.ahead(8)? else {
            return Err(Broken::Bytes);
        };
        let length = u64::from(u32::from_le_bytes([a, b, c, d]));
        if length + 8 > self.stored.left_bytes() {
            return Err(Broken::Bytes);
        }
        self.stored.skip(length + 8)?;
        Ok(Found::Malformed(RecordKind::Other))
    }

    fn whole(&mut self) -> Block<'_, R> {
        let left_bytes = self.stored.left_bytes();
        Block { stored: &mut self.stored, left_bytes }
    }

    /// Goes from where no step begins to where one does.
    fn gap(&mut self, from: u64) -> io::Result<()> {
        self.stored.go_back(from)?;
        let (mut first, mut before) = (1, 0);
        loop {
            let passed = self.stored.position() - from;
            let limit = usize::try_from(GAP_MAX_BYTES - passed).expect("a gap is short");
            let left = self.stored.left_bytes();
            let ahead = self.stored.ahead(HELD_BYTES / 2)?;
            let is_last = ahead.len() as u64 == left;
            // A beginning shows itself in some bytes, which have to be ahead.
            let to = if is_last { ahead.len() } else { ahead.len() - SHOWN_BYTES };
            let to = to.min(limit);
            let found = gap::beginning(ahead, first.min(to), to, before, &mut self.inflater, &mut self.vain)?;
            before = ahead[to.saturating_sub(1)];
            self.stored.consume(found.unwrap_or(to));
            first = 0;
            if found.is_some() || to == limit || is_last {
                return Ok(());
            }
        }
    }
}

/// The record in a member, which is read to its end.
fn in_member(body: &mut impl Body) -> Result<(Found, bool), Broken> {
    let head = look(body, u64::MAX, Head::parse)?;
    let found = match head {
        None => Found::Malformed(RecordKind::Other),
        Some(head) => {
            body.consume(head.length);
            block(head, body)?
        }
    };
    // What is left of a record that is no good is not looked at, and neither is what a large one says of its length.
    let mut is_one = true;
    loop {
        let rest = body.ahead(HEAD_MAX_BYTES)?;
        if rest.is_empty() {
            return Ok((found, is_one));
        }
        is_one &= rest.iter().all(|byte| matches!(byte, b'\r' | b'\n'));
        let rest = rest.len();
        body.consume(rest);
    }
}

/// What a member holds, once its lengths are known.
fn judged((found, is_one): (Found, bool), unpacked: u64, stored: u64) -> Found {
    let kind = match &found {
        Found::Record(record) => record.kind,
        Found::TooLarge(kind) | Found::Malformed(kind) => *kind,
    };
    let is_bomb = unpacked > RATIO_FROM_BYTES && unpacked / RATIO_MAX > stored;
    match found {
        _ if unpacked > KEEP_MAX_BYTES as u64 || is_bomb => Found::TooLarge(kind),
        // A second record behind the first: the member is not one record.
        Found::Record(_) if !is_one => Found::Malformed(kind),
        // Its header states more than there is.
        Found::TooLarge(_) if unpacked <= RECORD_MAX_BYTES as u64 => Found::Malformed(kind),
        found => found,
    }
}

/// The record whose header this is; `body` stands at its block.
fn block(head: Head, body: &mut impl Body) -> Result<Found, Broken> {
    let kind = head.kind;
    if head.block_bytes > RECORD_MAX_BYTES as u64 {
        return Ok(Found::TooLarge(kind));
    }
    let mut payload_bytes = usize::try_from(head.block_bytes).expect("at most the longest record");
    let mut http = None;
    if head.is_exchange() {
        let Some((answer, length)) = look(body, head.block_bytes, HttpHead::parse)? else {
            return Ok(Found::Malformed(kind));
        };
        body.consume(length);
        payload_bytes -= length;
        http = Some(answer);
    }
    let mut payload = Vec::new();
    body.take(&mut payload, payload_bytes)?;
    if payload.len() < payload_bytes {
        return Ok(Found::Malformed(kind));
    }
    Ok(Found::Record(Box::new(head.record(http, payload))))
}

/// Parses what is ahead, at most so many bytes of it: the first kilobytes, or as many as a head may have.
fn look<T>(body: &mut impl Body, most: u64, parse: impl Fn(&[u8]) -> Option<T>) -> Result<Option<T>, Broken> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    for wanted in [LOOK_BYTES, HEAD_MAX_BYTES] {
        let ahead = body.ahead(wanted.min(most))?;
        let ahead = &ahead[..ahead.len().min(most)];
        let parsed = parse(ahead);
        if parsed.is_some() || ahead.len() < wanted {
            return Ok(parsed);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
