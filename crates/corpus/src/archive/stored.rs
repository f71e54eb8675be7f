//! Stored bytes, read once from front to back, with a way back to where the step under way began.

use std::io::{self, Read, Seek, SeekFrom};

use primitives::Digest;

/// How much is held: several packed pages, and the longest header with room to spare.
pub(super) const HELD_BYTES: usize = 256 << 10;

/// A window over what is read. `mark ≤ at ≤ end`: `mark` is where the step under way begins, or how far its bytes have
/// been passed already; `at` is the next byte; behind `end` nothing has been read.
pub(super) struct Stored<R> {
    from: R,
    held: Vec<u8>,
    mark: usize,
    at: usize,
    end: usize,
    /// Where `at` stands among the stored bytes, the first of which is number 0.
    position: u64,
    length_bytes: u64,
    /// Of the step's bytes that are no longer held.
    passed: Option<blake3::Hasher>,
    /// Of all finished steps since it was asked for last, and as it was before the step under way passed any bytes.
    run: blake3::Hasher,
    run_before: Option<blake3::Hasher>,
}

impl<R: Read> Stored<R> {
    /// `from` stands at the first of so many bytes.
    pub(super) fn new(from: R, length_bytes: u64) -> Self {
        Self {
            from,
            held: Vec::new(),
            mark: 0,
            at: 0,
            end: 0,
            position: 0,
            length_bytes,
            passed: None,
            run: blake3::Hasher::new(),
            run_before: None,
        }
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn left_bytes(&self) -> u64 {
        self.length_bytes - self.position
    }

    /// At least `wanted` of the next bytes, at most [`HELD_BYTES`] / 2, or all that are left.
    pub(super) fn ahead(&mut self, wanted: usize) -> io::Result<&[u8]> {
        debug_assert!(wanted <= HELD_BYTES / 2);
        let wanted = usize::try_from(self.left_bytes()).map_or(wanted, |left| left.min(wanted));
        while self.end - self.at < wanted {
            self.read_more()?;
        }
        // What stands behind the last byte of the run is not looked at.
        let end = usize::try_from(self.left_bytes()).map_or(self.end, |left| self.end.min(self.at + left));
        Ok(&self.held[self.at..end])
    }

    fn read_more(&mut self) -> io::Result<()> {
        if self.held.is_empty() {
            self.held.resize(HELD_BYTES, 0);
        }
        if self.end == self.held.len() {
            if self.mark == 0 || self.end - self.mark > HELD_BYTES / 2 {
                self.pass();
            }
            self.held.copy_within(self.mark..self.end, 0);
            (self.at, self.end, self.mark) = (self.at - self.mark, self.end - self.mark, 0);
        }
        match self.from.read(&mut self.held[self.end..]) {
            Ok(0) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it has become shorter")),
            Ok(read) => {
                self.end += read;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Lets go of the step's bytes up to `at`.
    fn pass(&mut self) {
        self.run_before.get_or_insert_with(|| self.run.clone());
        self.passed.get_or_insert_with(blake3::Hasher::new).update(&self.held[self.mark..self.at]);
        self.run.update(&self.held[self.mark..self.at]);
        self.mark = self.at;
    }

    /// Goes on behind so many bytes that are ahead.
    pub(super) fn consume(&mut self, bytes: usize) {
        self.at += bytes;
        self.position += bytes as u64;
    }

    /// Goes on behind so many bytes, of which there must be as many.
    pub(super) fn skip(&mut self, mut bytes: u64) -> io::Result<()> {
        while bytes > 0 {
            let ahead = self.ahead(1)?.len();
            let step = usize::try_from(bytes).map_or(ahead, |bytes| bytes.min(ahead));
            self.consume(step);
            bytes -= step as u64;
        }
        Ok(())
    }

    /// Ends the step under way.
    pub(super) fn finish(&mut self) {
        self.run.update(&self.held[self.mark..self.at]);
        (self.mark, self.passed, self.run_before) = (self.at, None, None);
    }

    /// The digest of the step's bytes up to here.
    pub(super) fn digest(&mut self) -> Digest {
        let mut hasher = self.passed.clone().unwrap_or_default();
        hasher.update(&self.held[self.mark..self.at]);
        Digest(*hasher.finalize().as_bytes())
    }

    /// The digest of all finished steps since the last call.
    pub(super) fn take_run(&mut self) -> Digest {
        let digest = Digest(*self.run.finalize().as_bytes());
        self.run.reset();
        digest
    }
}

impl<R: Read + Seek> Stored<R> {
    /// Goes back to where the step under way began, which is at this position.
    pub(super) fn go_back(&mut self, position: u64) -> io::Result<()> {
        if self.passed.take().is_none() {
            self.at = self.mark;
        } else {
            let back = i64::try_from(self.position - position + (self.end - self.at) as u64);
            let back = back.map_err(|_| io::Error::other("a step of more than 2^63 bytes"))?;
            self.from.seek(SeekFrom::Current(-back))?;
            (self.mark, self.at, self.end) = (0, 0, 0);
            self.run = self.run_before.take().expect("kept with the first bytes that were passed");
        }
        self.position = position;
        Ok(())
    }
}
