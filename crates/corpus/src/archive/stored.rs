//! Stored bytes, read once from front to back, with a way back to where the step under way began.

use std::io::{self, Read, Seek, SeekFrom};

use primitives::Digest;

/// How much is held: a hundred packed pages, so that what is read is moved, and added to the run's digest, in few large
/// pieces. Vector instructions slow a processor down for a while each time that they begin.
pub(super) const HELD_BYTES: usize = 1 << 20;

/// A window over what is read. `run_to ≤ mark ≤ at ≤ end`: `run_to` is how far bytes have been added to the run's digest;
/// `mark` is where the step under way begins, or how far its bytes have been passed already; `at` is the next byte; behind
/// `end` nothing has been read.
pub(super) struct Stored<R> {
    from: R,
    held: Vec<u8>,
    run_to: usize,
    mark: usize,
    at: usize,
    end: usize,
    /// Where `at` stands among the stored bytes, the first of which is number 0.
    position: u64,
    length_bytes: u64,
    /// Of the step's bytes that are no longer held.
    passed: Option<blake3::Hasher>,
    /// Where it is wanted, of all finished steps up to `run_to` since it was asked for last, and as it was before the step
    /// under way passed any bytes.
    run: Option<blake3::Hasher>,
    run_before: Option<blake3::Hasher>,
}

impl<R: Read> Stored<R> {
    /// `from` stands at the first of so many bytes.
    pub(super) fn new(from: R, length_bytes: u64) -> Self {
        Self {
            from,
            held: Vec::new(),
            run_to: 0,
            mark: 0,
            at: 0,
            end: 0,
            position: 0,
            length_bytes,
            passed: None,
            run: None,
            run_before: None,
        }
    }

    /// Also takes the digest of finished steps; nothing has been read yet.
    pub(super) fn digesting(self) -> Self {
        Self { run: Some(blake3::Hasher::new()), ..self }
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
            let all = usize::try_from(self.length_bytes).unwrap_or(HELD_BYTES);
            self.held.resize(HELD_BYTES.min(all), 0);
        }
        if self.end == self.held.len() {
            self.add_to_run();
            if self.mark == 0 || self.end - self.mark > HELD_BYTES / 2 {
                self.pass();
            }
            self.held.copy_within(self.mark..self.end, 0);
            (self.at, self.end) = (self.at - self.mark, self.end - self.mark);
            (self.mark, self.run_to) = (0, 0);
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

    /// Adds what is held of finished steps, or passed of the one under way, to the run's digest.
    fn add_to_run(&mut self) {
        if let Some(run) = &mut self.run {
            run.update(&self.held[self.run_to..self.mark]);
        }
        self.run_to = self.mark;
    }

    /// Lets go of the step's bytes up to `at`; those before them are in the run's digest.
    fn pass(&mut self) {
        if self.run_before.is_none() {
            self.run_before.clone_from(&self.run);
        }
        self.passed.get_or_insert_with(blake3::Hasher::new).update(&self.held[self.mark..self.at]);
        self.mark = self.at;
        self.add_to_run();
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
        (self.mark, self.passed, self.run_before) = (self.at, None, None);
    }

    /// The digest of the step's bytes up to here.
    pub(super) fn digest(&mut self) -> Digest {
        let mut hasher = self.passed.clone().unwrap_or_default();
        hasher.update(&self.held[self.mark..self.at]);
        Digest(*hasher.finalize().as_bytes())
    }

    /// The digest of all finished steps since the last call, where it is taken.
    pub(super) fn take_run(&mut self) -> Option<Digest> {
        self.add_to_run();
        let run = self.run.as_mut()?;
        let digest = Digest(*run.finalize().as_bytes());
        run.reset();
        Some(digest)
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
            (self.run_to, self.mark, self.at, self.end) = (0, 0, 0, 0);
            self.run = self.run_before.take();
        }
        self.position = position;
        Ok(())
    }
}
