//! What goes through the pipes between supervisor and child: one request, one result.
//!
//! Both are a length (eight bytes, little-endian) and that many bytes. A request's bytes are a JSON header behind
//! a length of its own, and then the task, the submission and each of the fetched, as long as the header says; a
//! result's are one JSON [`Reply`]. The supervisor's side is trusted, the child's is not: its result is read
//! strictly and under a cap.

use std::{
    collections::BTreeMap,
    io::{self, Read},
    num::NonZeroUsize,
    sync::Arc,
};

use mechanisms::{Case, ErasedCase, Fetch, Finding, Inputs};
use primitives::{Digest, Hotkey, Seed};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest request, in bytes: as much as the largest artifact.
pub const REQUEST_MAX_BYTES: u64 = store::artifacts::MAX_ARTIFACT_BYTES;
/// The longest result, in bytes: half of what a row of the store holds, since its finding is escaped once more there.
pub const RESULT_MAX_BYTES: u64 = (store::MAX_JSON_BYTES / 2) as u64;
/// Bytes of a length.
const LENGTH_BYTES: usize = size_of::<u64>();

/// Bytes in a pipe are not a message.
#[derive(Debug, Error)]
pub enum FrameError {
    /// A length above its cap.
    #[error("{what} has {found} bytes, at most {max} are allowed")]
    TooLong {
        /// `request`, `result`, or a part of one.
        what: &'static str,
        /// The announced length.
        found: u64,
        /// The cap, or what is left of the message.
        max: u64,
    },
    /// Fewer or more bytes than were announced.
    #[error("{what} has {found} bytes, {expected} were announced")]
    Length {
        /// `request`, `result`, or a part of one.
        what: &'static str,
        /// How many there are.
        found: u64,
        /// The announced length.
        expected: u64,
    },
    /// The bytes are not what this program writes.
    #[error("{what} can't be read: {reason}")]
    Foreign {
        /// `header` or `result`.
        what: &'static str,
        /// What the reader said.
        reason: String,
    },
    /// The pipe failed.
    #[error("pipe failed: {0}")]
    Io(#[from] io::Error),
}

/// What a child is told: which mechanism, and all that its examination sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The mechanism's id.
    pub mechanism: String,
    /// The case.
    pub case: ErasedCase,
    /// The submission, and the bytes that the mechanism needs.
    pub inputs: Inputs,
}

/// All of a request but its large parts, and how long those are.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    mechanism: String,
    round: u64,
    hotkey: Hotkey,
    root: Option<Digest>,
    audit_seed: Seed,
    task_bytes: u64,
    submission_bytes: u64,
    fetched: Vec<(Fetch, u64)>,
    is_last: bool,
    threads: NonZeroUsize,
}

impl Request {
    /// The request as pieces to be written one after the other; the large ones are shared, not copied.
    #[must_use]
    pub fn pieces(&self) -> Vec<Arc<Vec<u8>>> {
        let Inputs { submission, fetched, is_last, threads } = &self.inputs;
        let header = Header {
            mechanism: self.mechanism.clone(),
            round: self.case.round,
            hotkey: self.case.hotkey,
            root: self.case.root,
            audit_seed: self.case.audit_seed,
            task_bytes: self.case.task.len() as u64,
            submission_bytes: submission.len() as u64,
            fetched: fetched.iter().map(|(fetch, bytes)| (fetch.clone(), bytes.len() as u64)).collect(),
            is_last: *is_last,
            threads: *threads,
        };
        let header = serde_json::to_vec(&header).expect("a header is plain data");
        let blobs = || std::iter::once(submission).chain(fetched.values());
        let blob_bytes: u64 = blobs().map(|blob| blob.len() as u64).sum();
        let total = (LENGTH_BYTES + header.len()) as u64 + self.case.task.len() as u64 + blob_bytes;
        let mut first = total.to_le_bytes().to_vec();
        first.extend_from_slice(&(header.len() as u64).to_le_bytes());
        first.extend_from_slice(&header);
        first.extend_from_slice(&self.case.task);
        std::iter::once(Arc::new(first)).chain(blobs().cloned()).collect()
    }

    /// Reads one request of at most `max_bytes`, to the end of the pipe. No length is believed before its bytes
    /// have come.
    ///
    /// # Errors
    /// [`FrameError`] where the bytes are no request.
    pub fn read(mut from: impl Read, max_bytes: u64) -> Result<Self, FrameError> {
        let total = read_length(&mut from)?;
        if total > max_bytes {
            return Err(FrameError::TooLong { what: "request", found: total, max: max_bytes });
        }
        let mut body = Body { from: &mut from, left: total };
        let header_bytes = body.length()?;
        let header = body.part("header", header_bytes)?;
        let header: Header = serde_json::from_slice(&header)
            .map_err(|error| FrameError::Foreign { what: "header", reason: error.to_string() })?;
        let task = body.part("task", header.task_bytes)?;
        let submission = Arc::new(body.part("submission", header.submission_bytes)?);
        let mut fetched = BTreeMap::new();
        for (fetch, bytes) in header.fetched {
            fetched.insert(fetch, Arc::new(body.part("fetched", bytes)?));
        }
        let rest = body.left + io::copy(&mut from.take(1), &mut io::sink())?;
        if rest > 0 {
            let found = total.saturating_add(rest);
            return Err(FrameError::Length { what: "request", found, expected: total });
        }
        Ok(Self {
            mechanism: header.mechanism,
            case: Case {
                round: header.round,
                task,
                hotkey: header.hotkey,
                root: header.root,
                audit_seed: header.audit_seed,
            },
            inputs: Inputs { submission, fetched, is_last: header.is_last, threads: header.threads },
        })
    }
}

/// A request's bytes behind its length.
struct Body<'a, R> {
    from: &'a mut R,
    /// Bytes that the request still has.
    left: u64,
}

impl<R: Read> Body<'_, R> {
    fn length(&mut self) -> Result<u64, FrameError> {
        let bytes = self.part("length", LENGTH_BYTES as u64)?;
        Ok(u64::from_le_bytes(bytes.try_into().expect("a part has the length that was asked for")))
    }

    fn part(&mut self, what: &'static str, expected: u64) -> Result<Vec<u8>, FrameError> {
        if expected > self.left {
            return Err(FrameError::TooLong { what, found: expected, max: self.left });
        }
        let mut bytes = Vec::new();
        let found = self.from.by_ref().take(expected).read_to_end(&mut bytes)? as u64;
        if found < expected {
            return Err(FrameError::Length { what, found, expected });
        }
        self.left -= expected;
        Ok(bytes)
    }
}

fn read_length(from: &mut impl Read) -> Result<u64, FrameError> {
    let mut bytes = Vec::new();
    let found = from.take(LENGTH_BYTES as u64).read_to_end(&mut bytes)? as u64;
    let bytes = bytes.try_into().map_err(|_| FrameError::Length {
        what: "length",
        found,
        expected: LENGTH_BYTES as u64,
    })?;
    Ok(u64::from_le_bytes(bytes))
}

/// What a child answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Reply {
    /// The examination ran: it came to its end, or asks for more.
    Examined(Finding),
    /// The mechanism did not plan this task.
    ForeignTask(String),
    /// The child's catalogue has no such mechanism.
    UnknownMechanism(String),
}

impl Reply {
    /// The reply behind its length.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let json = serde_json::to_vec(self).expect("a reply is plain data");
        let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(&json);
        bytes
    }

    /// The reply that is all of `bytes`, as [`Reply::bytes`] writes it.
    ///
    /// # Errors
    /// [`FrameError`] where it is not.
    pub fn parse(mut bytes: &[u8]) -> Result<Self, FrameError> {
        let expected = read_length(&mut bytes)?;
        let found = bytes.len() as u64;
        if found != expected {
            return Err(FrameError::Length { what: "result", found, expected });
        }
        let foreign = |reason: String| FrameError::Foreign { what: "result", reason };
        let reply: Self = serde_json::from_slice(bytes).map_err(|error| foreign(error.to_string()))?;
        let again = reply.bytes();
        if again.get(LENGTH_BYTES..) != Some(bytes) {
            return Err(foreign("it is not written in the one form that a result has".to_owned()));
        }
        Ok(reply)
    }
}

/// The most bytes that a child may write, its length included.
#[must_use]
pub fn output_max_bytes(result_max_bytes: u64) -> u64 {
    result_max_bytes.saturating_add(LENGTH_BYTES as u64)
}

#[cfg(test)]
mod tests {
    use mechanisms::{CaseResult, Certificate, Outcome};
    use proptest::prelude::*;

    use super::*;

    fn request(task: Vec<u8>, submission: Vec<u8>, files: &[(String, Vec<u8>)]) -> Request {
        let fetched =
            files.iter().map(|(path, bytes)| (Fetch::File { path: path.clone() }, Arc::new(bytes.clone())));
        Request {
            mechanism: "sums".to_owned(),
            case: Case {
                round: 7,
                task,
                hotkey: Hotkey::default(),
                root: Some(Digest::of(b"root")),
                audit_seed: Seed::from_number(1),
            },
            inputs: Inputs { fetched: fetched.collect(), is_last: true, ..Inputs::of(Arc::new(submission)) },
        }
    }

    fn bytes(request: &Request) -> Vec<u8> {
        request.pieces().iter().flat_map(|piece| piece.iter().copied()).collect()
    }

    proptest! {
        #[test]
        fn decode_after_encode_is_the_identity(
            task: Vec<u8>,
            submission: Vec<u8>,
            files in proptest::collection::vec(("[a-z/]{0,9}", any::<Vec<u8>>()), 0..4),
            cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 8),
        ) {
            let request = request(task, submission, &files);
            let bytes = bytes(&request);
            prop_assert_eq!(Request::read(&bytes[..], REQUEST_MAX_BYTES).unwrap(), request);
            for cut in cuts.iter().map(|cut| cut.index(bytes.len())) {
                prop_assert!(Request::read(&bytes[..cut], REQUEST_MAX_BYTES).is_err());
            }
            let longer = [&bytes[..], b"x"].concat();
            prop_assert!(Request::read(&longer[..], REQUEST_MAX_BYTES).is_err());
        }

        #[test]
        fn foreign_bytes_are_an_error_and_never_a_panic(bytes: Vec<u8>, announced in 0_u64..64) {
            let framed = [&announced.to_le_bytes()[..], &bytes].concat();
            for bytes in [&bytes, &framed] {
                prop_assert!(Request::read(&bytes[..], REQUEST_MAX_BYTES).is_err());
                prop_assert!(Reply::parse(bytes).is_err());
            }
        }
    }

    #[test]
    fn a_length_above_the_cap_is_refused_before_its_bytes_are_read() {
        struct Endless(u64);
        impl Read for Endless {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                buffer.fill(0xff);
                self.0 += buffer.len() as u64;
                Ok(buffer.len())
            }
        }
        let mut endless = Endless(0);
        let error = Request::read(&mut endless, REQUEST_MAX_BYTES).unwrap_err();
        assert!(matches!(error, FrameError::TooLong { what: "request", found: u64::MAX, .. }), "{error}");
        assert!(endless.0 < 1024, "{} bytes were read", endless.0);
    }

    #[test]
    fn a_result_has_one_form() {
        let proof = Certificate::new(1, Some("record"), "rule", "expected", "found");
        for reply in [
            Reply::Examined(Finding::Done(CaseResult {
                outcome: Outcome::Ok,
                examined: Some("{}".to_owned()),
            })),
            Reply::Examined(Finding::Done(CaseResult { outcome: Outcome::Invalid(proof), examined: None })),
            Reply::Examined(Finding::Needs(vec![Fetch::Supply { digest: Digest::of(b"x") }])),
            Reply::ForeignTask("no".to_owned()),
        ] {
            let bytes = reply.bytes();
            assert_eq!(Reply::parse(&bytes).unwrap(), reply);
            let spaced = [&bytes[LENGTH_BYTES..], b" "].concat();
            let spaced = [&(spaced.len() as u64).to_le_bytes()[..], &spaced].concat();
            assert!(Reply::parse(&spaced).is_err());
            assert!(Reply::parse(&[&bytes[..], &bytes[..]].concat()).is_err(), "one result, not two");
        }
    }
}
