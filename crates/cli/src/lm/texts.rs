//! The documents of files and folders: each text file is one, each line of a `.jsonl` file, each document of a shard.
//!
//! Files come in the order of their paths, whatever the order of arguments or of the file system, so that the same files
//! are the same documents everywhere.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Read},
    path::{Path, PathBuf},
};

use corpus::{
    Limits, Shard,
    shard::{DocumentRow, documents_of_parquet},
};
use flate2::read::MultiGzDecoder;
use primitives::Digest;
use serde::Deserialize;

use super::{LmError, shown};

/// Most bytes of all texts together: they are kept in memory, and their tokens beside them.
const TEXTS_MAX_BYTES: u64 = 4 << 30;
/// Most folders in each other that are gone into.
const DEPTH_MAX: usize = 32;
/// What a file of a folder has to end with.
const ENDINGS: [&str; 4] = [".txt", ".md", ".jsonl", ".jsonl.gz"];
/// What makes a folder a shard's.
const SHARD_FILES: [&str; 2] = ["manifest.json", "ledger.parquet"];
/// Domain of the digest of documents.
const DIGEST_DOMAIN: &str = "weighhouse lm documents v1";

/// A text by itself: what stands before it says nothing about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    /// Which of the files it is from.
    pub(crate) file: usize,
    pub(crate) text: String,
}

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    /// Files, and folders of shards, in order.
    pub(crate) files: Vec<PathBuf>,
    /// Documents that are not empty, in order.
    pub(crate) documents: Vec<Document>,
    bytes: u64,
}

impl Texts {
    /// Reads files and whatever folders hold.
    pub(crate) fn read(named: &[PathBuf]) -> Result<Self, LmError> {
        let mut texts = Self::default();
        for path in named {
            let about = fs::metadata(path).map_err(|error| unread(path, error))?;
            if about.is_dir() {
                texts.gather(path, DEPTH_MAX)?;
            } else {
                texts.files.push(path.clone());
            }
        }
        texts.files.sort();
        texts.files.dedup();
        for index in 0..texts.files.len() {
            texts.read_file(index)?;
        }
        if texts.documents.is_empty() {
            let named: Vec<String> = named.iter().map(|path| shown(path)).collect();
            return Err(LmError::NoText { named: named.join(", ") });
        }
        Ok(texts)
    }

    /// Bytes of all documents.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Names the documents by what they say, in order.
    pub(crate) fn digest(&self) -> Digest {
        let parts: Vec<&[u8]> = self.documents.iter().map(|document| document.text.as_bytes()).collect();
        Digest::of_parts(DIGEST_DOMAIN, &parts)
    }

    /// Takes the files of a folder that end as texts do; links and hidden files are passed over.
    fn gather(&mut self, folder: &Path, depth: usize) -> Result<(), LmError> {
        if SHARD_FILES.iter().all(|name| folder.join(name).is_file()) {
            self.files.push(folder.to_owned());
            return Ok(());
        }
        for entry in fs::read_dir(folder).map_err(|error| unread(folder, error))? {
            let entry = entry.map_err(|error| unread(folder, error))?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(|error| unread(folder, error))?);
            let name = entry.file_name().to_string_lossy().to_lowercase();
            if name.starts_with('.') {
                continue;
            }
            if kind.is_dir() && depth > 0 {
                self.gather(&path, depth - 1)?;
            } else if kind.is_file() && ENDINGS.iter().any(|ending| name.ends_with(ending)) {
                self.files.push(path);
            }
        }
        Ok(())
    }

    fn read_file(&mut self, index: usize) -> Result<(), LmError> {
        let path = self.files[index].clone();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        if path.is_dir() {
            let opened = Shard::open_folder(&path, &Limits::default());
            let (shard, _) = opened.map_err(|error| shard_error(&path, &error))?;
            return self.add_rows(index, shard.documents);
        }
        let file = File::open(&path).map_err(|error| unread(&path, error))?;
        let left = TEXTS_MAX_BYTES - self.bytes;
        if name.ends_with(".parquet") {
            let limits = Limits::default();
            let bytes = bounded(&path, file, limits.encoded_max_bytes as u64)?;
            let rows = documents_of_parquet(bytes, &limits).map_err(|error| shard_error(&path, &error))?;
            return self.add_rows(index, rows);
        }
        if name.ends_with(".jsonl") {
            return self.add_lines(index, file);
        }
        if name.ends_with(".jsonl.gz") {
            return self.add_lines(index, MultiGzDecoder::new(BufReader::new(file)));
        }
        let text = String::from_utf8(bounded(&path, file, left)?).map_err(|error| {
            let valid_bytes = error.utf8_error().valid_up_to();
            LmError::NotUtf8 { path: path.clone(), valid_bytes }
        })?;
        self.add(index, text)
    }

    fn add(&mut self, file: usize, text: String) -> Result<(), LmError> {
        let bytes = self.bytes + text.len() as u64;
        if bytes > TEXTS_MAX_BYTES {
            return Err(LmError::TooMuch { path: self.files[file].clone(), max: TEXTS_MAX_BYTES });
        }
        if !text.is_empty() {
            self.bytes = bytes;
            self.documents.push(Document { file, text });
        }
        Ok(())
    }

    fn add_rows(&mut self, file: usize, rows: Vec<DocumentRow>) -> Result<(), LmError> {
        rows.into_iter().try_for_each(|row| self.add(file, row.text))
    }

    /// Takes the `text` of each line.
    fn add_lines(&mut self, file: usize, lines: impl Read) -> Result<(), LmError> {
        #[derive(Deserialize)]
        struct Line {
            text: String,
        }
        let path = self.files[file].clone();
        let mut lines = BufReader::new(lines);
        let mut bytes = Vec::new();
        for number in 1.. {
            bytes.clear();
            // JSON writes a byte with at most six; what stands beside the text is small change.
            let most = (TEXTS_MAX_BYTES - self.bytes).saturating_mul(6).saturating_add(1 << 20);
            let read = (&mut lines).take(most).read_until(b'\n', &mut bytes);
            if read.map_err(|error| unread(&path, error))? == 0 {
                break;
            }
            if bytes.trim_ascii().is_empty() {
                continue;
            }
            let line: Line = serde_json::from_slice(&bytes).map_err(|error| LmError::Line {
                path: path.clone(),
                line: number,
                reason: error.to_string(),
            })?;
            self.add(file, line.text)?;
        }
        Ok(())
    }
}

/// A file's bytes, unless there are more than so many.
fn bounded(path: &Path, file: File, most: u64) -> Result<Vec<u8>, LmError> {
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| unread(path, error))?;
    if bytes.len() as u64 > most {
        return Err(LmError::TooMuch { path: path.to_owned(), max: most });
    }
    Ok(bytes)
}

fn unread(path: &Path, error: io::Error) -> LmError {
    LmError::Text { path: path.to_owned(), error }
}

fn shard_error(path: &Path, error: &dyn std::error::Error) -> LmError {
    LmError::Shard { path: path.to_owned(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn read(named: &[&Path]) -> Vec<(String, String)> {
        let named: Vec<PathBuf> = named.iter().map(|path| path.to_path_buf()).collect();
        let texts = Texts::read(&named).unwrap();
        let name = |index: usize| texts.files[index].file_name().unwrap().to_string_lossy().into_owned();
        texts.documents.iter().map(|one| (name(one.file), one.text.clone())).collect()
    }

    #[test]
    fn documents_come_in_the_order_of_paths_from_every_kind_of_file() {
        let root = tempfile::tempdir().unwrap();
        let place = |name: &str| root.path().join(name);
        fs::create_dir(place("b")).unwrap();
        fs::write(place("b/two.md"), "# two").unwrap();
        fs::write(place("b/.hidden.txt"), "hidden").unwrap();
        fs::write(place("a.txt"), "one").unwrap();
        fs::write(place("empty.txt"), "").unwrap();
        fs::write(place("z.rs"), "passed over").unwrap();
        let lines = "{\"text\": \"three\", \"id\": 1}\n\n{\"text\": \"\"}\n{\"text\": \"four\"}";
        fs::write(place("c.jsonl"), lines).unwrap();
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(b"{\"text\": \"five\"}\n").unwrap();
        fs::write(place("d.JSONL.gz"), packed.finish().unwrap()).unwrap();
        let expect = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect()
        };
        let all = [
            ("a.txt", "one"),
            ("two.md", "# two"),
            ("c.jsonl", "three"),
            ("c.jsonl", "four"),
            ("d.JSONL.gz", "five"),
        ];
        assert_eq!(read(&[root.path()]), expect(&all));
        // A file that is named is taken whatever it ends with, once, and the order of arguments is none.
        let named = [place("z.rs"), place("a.txt"), place("a.txt")];
        let named: Vec<&Path> = named.iter().map(PathBuf::as_path).collect();
        assert_eq!(read(&named), expect(&[("a.txt", "one"), ("z.rs", "passed over")]));
    }

    #[test]
    fn what_is_no_text_is_refused_with_its_place() {
        let root = tempfile::tempdir().unwrap();
        let check = |name: &str, bytes: &[u8], says: &str| {
            let path = root.path().join(name);
            fs::write(&path, bytes).unwrap();
            let error = Texts::read(&[path]).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        };
        check("a.txt", b"ab\xff", "a.txt is not utf-8 from byte 2 on");
        check("b.jsonl", b"{\"text\": \"x\"}\n{\"tex\": 1}", "b.jsonl, line 2: missing field `text`");
        check("c.jsonl", b"[1]", "c.jsonl, line 1: ");
        check("d.jsonl.gz", b"no gzip", "d.jsonl.gz can't be read");
        check("e.parquet", b"no table", "shard ");
        check("f.txt", b"", "no text in ");
        assert!(Texts::read(&[root.path().join("none")]).unwrap_err().exit_code() == 3);
    }
}
