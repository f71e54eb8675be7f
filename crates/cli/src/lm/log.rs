//! The log of a training: a line of JSON for every step, the same for every run, however often it was interrupted.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use lm::Step;
use serde_json::json;

use super::LmError;

/// The log's name in the folder of a training.
pub(crate) const LOG: &str = "training.jsonl";
/// Most bytes of a line: four numbers with their names.
const LINE_MAX_BYTES: u64 = 1024;

/// A log that is written on.
pub(crate) struct Log {
    path: PathBuf,
    out: BufWriter<File>,
}

impl Log {
    /// A log with the lines of so many steps, which another run has written; what that one wrote behind them goes.
    pub(crate) fn open(folder: &Path, steps: u64) -> Result<Self, LmError> {
        let path = folder.join(LOG);
        let failed = |error| LmError::File { path: path.clone(), error };
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        let mut lines = BufReader::new(&file);
        let (mut bytes, mut line) = (0, Vec::new());
        for step in 0..steps {
            line.clear();
            let read = io::Read::take(&mut lines, LINE_MAX_BYTES).read_until(b'\n', &mut line);
            bytes += read.map_err(failed)? as u64;
            if !line.ends_with(b"\n") {
                let reason = format!("it lacks the line of step {step}, and {steps} steps were done");
                return Err(LmError::Damaged { path, reason });
            }
        }
        file.set_len(bytes).map_err(failed)?;
        let mut file = file;
        io::Seek::seek(&mut file, io::SeekFrom::End(0)).map_err(failed)?;
        Ok(Self { path, out: BufWriter::new(file) })
    }

    pub(crate) fn add(&mut self, number: u64, step: &Step) -> Result<(), LmError> {
        let Step { loss, gradient_norm, rate } = step;
        let line = json!({"step": number, "loss": loss, "gradient_norm": gradient_norm, "rate": rate});
        let written = writeln!(self.out, "{line}");
        written.map_err(|error| LmError::File { path: self.path.clone(), error })
    }

    /// Makes sure that what was added survives.
    pub(crate) fn keep(&mut self) -> Result<(), LmError> {
        let kept = self.out.flush().and_then(|()| self.out.get_ref().sync_data());
        kept.map_err(|error| LmError::File { path: self.path.clone(), error })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_log_goes_on_behind_the_steps_that_count() {
        let folder = tempfile::tempdir().unwrap();
        let step = |loss: f64| Step { loss, gradient_norm: 1.0, rate: 0.5 };
        let write = |from: u64, to: u64| {
            let mut log = Log::open(folder.path(), from).unwrap();
            (from..to).for_each(|number| log.add(number, &step(number as f64)).unwrap());
            log.keep().unwrap();
            fs::read_to_string(folder.path().join(LOG)).unwrap()
        };
        let whole = write(0, 5);
        assert_eq!(whole.lines().count(), 5);
        assert_eq!(write(3, 5), whole);
        fs::write(folder.path().join(LOG), &whole[..whole.len() - 3]).unwrap();
        assert_eq!(write(4, 5), whole);
        let error = Log::open(folder.path(), 6).err().unwrap().to_string();
        assert!(error.contains("it lacks the line of step 5, and 6 steps were done"), "{error}");
    }
}
