//! Posts of Stack Exchange brought into threads.
//!
//! `Posts.xml` has a line for each post in the order of their numbers, answers far from their questions. [`arrange`] writes
//! the same lines so that each question is followed by its answers and a blank line: what
//! [`crate::Layout::Threads`] cuts. The same posts give the same file on every machine, in bounded memory.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use super::{SourceError, archives::open_file, shown, unpacked};
use crate::{archive::RECORD_MAX_BYTES, layout::Post};

/// Bytes of lines that are sorted at once.
const RUN_BYTES: usize = 192 << 20;
/// What a line takes beside its bytes.
const LINE_BASE_BYTES: usize = 64;
/// Sorted runs that are merged at once: 96 GiB of posts, more than any site has. Systems allow 1,024 open files.
const RUNS_MAX: usize = 512;
/// Thread, answers behind the question, and the post's own number.
type Key = (u64, bool, u64);

/// Writes the posts of `Posts.xml`, packed or not, as threads to `out`, beside which it keeps its sorted runs meanwhile.
///
/// Lines that hold no post, such as the first and the last, are left out.
///
/// # Errors
/// [`SourceError`] where something can't be read or written, or there are too many posts.
pub fn arrange(posts: &Path, out: &Path) -> Result<(), SourceError> {
    arrange_in_runs(posts, out, RUN_BYTES)
}

fn arrange_in_runs(posts: &Path, out: &Path, run_bytes: usize) -> Result<(), SourceError> {
    let read = |source| SourceError::Io { path: shown(posts), source };
    let written = |source| SourceError::Io { path: shown(out), source };
    let mut runs = Runs { out, files: Vec::new() };
    let mut from = BufReader::new(unpacked::open(posts)?);
    let (mut lines, mut held): (Vec<(Key, Vec<u8>)>, usize) = (Vec::new(), 0);
    while let Some(line) = next_line(&mut from).map_err(read)? {
        let Some(key) = Post::key(&line) else { continue };
        held += line.len() + LINE_BASE_BYTES;
        lines.push((key, line));
        if held >= run_bytes {
            runs.add(&mut lines)?;
            held = 0;
        }
    }
    runs.add(&mut lines)?;
    let part = out.with_extension("part");
    let merged = runs.merge(&part);
    merged.and_then(|()| rename(&part, out)).map_err(written)
}

/// A line with its end; longer ones than a record are passed over.
fn next_line(from: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let max = RECORD_MAX_BYTES as u64;
    from.by_ref().take(max).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    let is_long = line.len() as u64 == max;
    while line.len() as u64 == max && line.last() != Some(&b'\n') {
        line.clear();
        from.by_ref().take(max).read_until(b'\n', &mut line)?;
    }
    if is_long {
        line.clear();
    } else if line.last() != Some(&b'\n') {
        line.push(b'\n');
    }
    Ok(Some(line))
}

/// Sorted runs on disk, which go when this does.
struct Runs<'a> {
    out: &'a Path,
    files: Vec<PathBuf>,
}

impl Runs<'_> {
    /// Sorts lines and writes them as one more run.
    fn add(&mut self, lines: &mut Vec<(Key, Vec<u8>)>) -> Result<(), SourceError> {
        if lines.is_empty() {
            return Ok(());
        }
        if self.files.len() == RUNS_MAX {
            return Err(SourceError::Files { root: shown(self.out), max: RUNS_MAX });
        }
        lines.sort();
        let place = self.out.with_extension(format!("run{:03}", self.files.len()));
        self.files.push(place.clone());
        let wrote = create(&place).and_then(|file| {
            let mut file = BufWriter::new(file);
            for ((thread, is_answer, id), line) in lines.drain(..) {
                file.write_all(&thread.to_le_bytes())?;
                file.write_all(&[u8::from(is_answer)])?;
                file.write_all(&id.to_le_bytes())?;
                file.write_all(&(line.len() as u64).to_le_bytes())?;
                file.write_all(&line)?;
            }
            file.flush()
        });
        wrote.map_err(|source| SourceError::Io { path: shown(&place), source })
    }

    fn merge(&self, part: &Path) -> io::Result<()> {
        let mut runs = Vec::new();
        let mut heads = BinaryHeap::new();
        for (number, place) in self.files.iter().enumerate() {
            let file = open_file(place).map_err(io::Error::other)?;
            let mut run = BufReader::with_capacity(64 << 10, file);
            if let Some((key, line)) = next_of(&mut run)? {
                heads.push(Reverse((key, number, line)));
            }
            runs.push(run);
        }
        let mut out = BufWriter::new(create(part)?);
        let mut thread = None;
        while let Some(Reverse((key, number, line))) = heads.pop() {
            if thread.is_some_and(|thread| thread != key.0) {
                out.write_all(b"\n")?;
            }
            thread = Some(key.0);
            out.write_all(&line)?;
            if let Some((key, line)) = next_of(&mut runs[number])? {
                heads.push(Reverse((key, number, line)));
            }
        }
        if thread.is_some() {
            out.write_all(b"\n")?;
        }
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }
}

impl Drop for Runs<'_> {
    fn drop(&mut self) {
        for place in &self.files {
            let _gone = fs::remove_file(place);
        }
    }
}

fn next_of(run: &mut impl Read) -> io::Result<Option<(Key, Vec<u8>)>> {
    let mut head = [0; 25];
    match run.read(&mut head[..1])? {
        0 => return Ok(None),
        _ => run.read_exact(&mut head[1..])?,
    }
    let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| head[at + byte]));
    let mut line = vec![0; usize::try_from(number(17)).map_err(io::Error::other)?];
    run.read_exact(&mut line)?;
    Ok(Some(((number(0), head[8] == 1, number(9)), line)))
}

#[expect(clippy::disallowed_methods, reason = "this module writes what it arranges")]
fn create(place: &Path) -> io::Result<File> {
    File::create(place)
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests of the edge lay out files")]
mod tests {
    use super::*;

    #[test]
    fn answers_follow_their_questions_whatever_the_length_of_a_run() {
        let root = tempfile::tempdir().unwrap();
        let question = |id: u32| format!("  <row Id=\"{id}\" PostTypeId=\"1\" Body=\"q{id}\" />\n");
        let answer = |id: u32, to: u32| {
            format!("  <row Id=\"{id}\" PostTypeId=\"2\" ParentId=\"{to}\" Body=\"a\" />\n")
        };
        let mut xml = String::from("<?xml version=\"1.0\"?>\n<posts>\n");
        for id in 0..40 {
            // Answers to earlier and later questions, and one to none that there is.
            xml.push_str(&if id % 4 == 0 { question(id) } else { answer(id, (id * 7) % 40 / 4 * 4) });
        }
        xml.push_str(&answer(40, 4000));
        xml.push_str("</posts>");
        let posts = root.path().join("Posts.xml");
        fs::write(&posts, &xml).unwrap();
        let arranged = |run_bytes| {
            let out = root.path().join("Posts.threads");
            arrange_in_runs(&posts, &out, run_bytes).unwrap();
            assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2, "no runs are left");
            fs::read_to_string(out).unwrap()
        };
        let whole = arranged(RUN_BYTES);
        assert_eq!(arranged(300), whole);
        let threads: Vec<&str> = whole.split_terminator("\n\n").collect();
        assert_eq!(threads.len(), 11);
        assert!(threads[..10].iter().all(|thread| thread.contains("PostTypeId=\"1\"")));
        assert_eq!(whole.lines().filter(|line| !line.is_empty()).count(), 41);
    }
}
