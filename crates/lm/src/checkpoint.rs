//! Checkpoints: a training between two steps as one file, from which it goes on to the same bits.
//!
//! The file is one of safetensors, so that others can read it: the parameters under the names that they have in a model,
//! the moments of AdamW as two long vectors in the parameters' order, and all else as one JSON text among the texts about
//! the file. The same state is the same file, byte by byte. It is written beside the old one, whose place it takes when
//! all of it is on the disk, and read as a stranger's.
//!
//! Start with [`Trainer::save`]. What this is not: a model to hand on, which [`Model::save`] writes. The tokens are not
//! in the file; whoever goes on brings the same ones.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::Path,
};

use primitives::Seed;
use serde::{Deserialize, Serialize};

use crate::{
    KERNEL_VERSION,
    config::Config,
    encoding::Encoding,
    folder::{SaveError, unwritable},
    model::{Model, little_endian},
    tensors::{LoadError, MAX_HEADER_BYTES, MAX_TENSORS, Tensors, json_depth},
    train::{State, TrainConfig, Trainer},
};

/// Version of the file's form.
const FORMAT: u32 = 1;
/// Name of the text that says all but numbers.
const ABOUT: &str = "weighhouse.checkpoint";
/// Names of the tensors that are no parameters: [parameters] each.
const FIRST: &str = "adamw.first_moments";
const SECOND: &str = "adamw.second_moments";
/// Most bytes of the text; it has some 600.
const MAX_ABOUT_BYTES: usize = 1 << 16;
/// Deepest nesting of the text; it has 4 levels.
const MAX_ABOUT_DEPTH: usize = 64;
/// Tensors of the smallest layer: two norms, four matrices of the attention, three of the feed-forward part.
const LAYER_TENSORS: usize = 9;
/// The table is filled up to a multiple of so many bytes, as the format's own library does, for readers that map files.
const ALIGNMENT: usize = 8;
/// Numbers that are written at once.
const CHUNK: usize = 1 << 16;
/// For messages.
const CHECKPOINT: &str = "checkpoint";

/// What is read first: whether the rest can be understood.
#[derive(Deserialize)]
struct Versions {
    format: u32,
    kernel_version: u32,
}

/// All but numbers.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    format: u32,
    kernel_version: u32,
    model: Config,
    schedule: TrainConfig,
    seed: Seed,
    step: u64,
}

/// The table of the file, whose order is that of the names.
#[derive(Serialize)]
struct Table<'a> {
    #[serde(rename = "__metadata__")]
    texts: BTreeMap<&'a str, String>,
    #[serde(flatten)]
    tensors: BTreeMap<&'a str, Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    dtype: &'static str,
    shape: &'a [usize],
    data_offsets: [usize; 2],
}

impl Trainer {
    /// Writes a checkpoint: model, moments, step, configuration and seed. A kill or a power cut at any moment leaves the
    /// old file or the new one; of those who write the same path, one waits for the other where the system has locks.
    /// The file grows beside its place under a name that ends in `.partial`; one that a kill left is replaced.
    ///
    /// # Errors
    /// The state has a number that is not finite or a negative second moment, or more tensors than can be read again;
    /// or the system refuses. There is an old file or a new one after that, too.
    pub fn save(&self, path: &Path) -> Result<(), SaveError> {
        let table = self.table()?;
        replace(path, |file| self.write(&table, file)).map_err(|error| unwritable(path, &error))
    }

    /// What [`Trainer::save`] writes, in memory.
    ///
    /// # Errors
    /// As [`Trainer::save`], without the system.
    pub fn checkpoint_bytes(&self) -> Result<Vec<u8>, SaveError> {
        let (table, mut bytes) = (self.table()?, Vec::new());
        self.write(&table, &mut bytes).expect("memory takes what is written");
        Ok(bytes)
    }

    /// Reads a checkpoint, to go on with [`Trainer::step`]: on the same tokens to the bits of the training that was not
    /// interrupted, on any machine and with any number of threads.
    ///
    /// # Errors
    /// The file is missing, a link, malformed, of another version of format or kernels, its tensors are not exactly
    /// those of its configuration as finite f32, a second moment is negative, or a setting is out of range.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        Self::from_checkpoint(Tensors::from_safetensors_file(path)?)
    }

    /// As [`Trainer::load`], from memory.
    ///
    /// # Errors
    /// As [`Trainer::load`].
    pub fn from_checkpoint_bytes(bytes: Vec<u8>) -> Result<Self, LoadError> {
        Self::from_checkpoint(Tensors::from_safetensors_bytes(bytes)?)
    }

    fn from_checkpoint(mut tensors: Tensors) -> Result<Self, LoadError> {
        let About { model: config, schedule, seed, step, .. } = About::read(tensors.texts())?;
        schedule.check(&config).map_err(|error| LoadError::malformed(CHECKPOINT, error))?;
        tensors.check_encoding(Encoding::F32)?;
        // Names are made for every layer before the first tensor is missed.
        let most = tensors.names().count() / LAYER_TENSORS;
        LoadError::check("number of layers in the checkpoint", config.layers as u64, most as u64)?;
        let count = [usize::try_from(config.parameters()).unwrap_or(usize::MAX)];
        let [first_moments, second_moments] = [tensors.take(FIRST, &count)?, tensors.take(SECOND, &count)?];
        if let Some(place) = second_moments.iter().position(|moment| *moment < 0.0) {
            let reason = format!("it has {} at place {place}, expected at least 0", second_moments[place]);
            return Err(LoadError::malformed(SECOND, reason));
        }
        let model = Model::from_tensors(&config, |name, shape| tensors.take(name, shape))?;
        tensors.finish()?;
        let state = State { model, first_moments, second_moments, step };
        Self::resume(state, schedule, seed).map_err(|error| LoadError::malformed(CHECKPOINT, error))
    }

    /// The file up to the numbers.
    fn table(&self) -> Result<Vec<u8>, SaveError> {
        let State { model, first_moments, second_moments, step } = self.state();
        check("parameters", model.parameters(), f32::is_finite, "finite numbers")?;
        check("first moments", first_moments, f32::is_finite, "finite numbers")?;
        let good = |moment: f32| moment >= 0.0 && moment.is_finite();
        check("second moments", second_moments, good, "finite numbers of at least 0")?;
        let about = About {
            format: FORMAT,
            kernel_version: KERNEL_VERSION,
            model: model.config().clone(),
            schedule: self.config().clone(),
            seed: self.seed(),
            step: *step,
        };
        let about = serde_json::to_string(&about).expect("plain numbers and texts");
        let length = model.parameters().len();
        let flat = [length];
        let own = model.tensors().iter().map(|one| (&one.name[..], &one.shape[..], one.range.clone()));
        let more = [(FIRST, length..2 * length), (SECOND, 2 * length..3 * length)];
        let more = more.into_iter().map(|(name, range)| (name, &flat[..], range));
        let entry = |shape, range: std::ops::Range<usize>| Entry {
            dtype: Encoding::F32.name(),
            shape,
            data_offsets: [4 * range.start, 4 * range.end],
        };
        let tensors: BTreeMap<&str, Entry<'_>> =
            own.chain(more).map(|(name, shape, range)| (name, entry(shape, range))).collect();
        readable("number of tensors", tensors.len(), MAX_TENSORS)?;
        let table = Table { texts: [(ABOUT, about)].into(), tensors };
        let mut table = serde_json::to_vec(&table).expect("plain numbers and texts");
        table.resize(table.len().next_multiple_of(ALIGNMENT), b' ');
        readable("length of the table in bytes", table.len(), MAX_HEADER_BYTES)?;
        Ok([&(table.len() as u64).to_le_bytes()[..], &table].concat())
    }

    /// Writes all of the file, its numbers in pieces, so that they are never there twice.
    fn write(&self, table: &[u8], to: &mut impl Write) -> io::Result<()> {
        let State { model, first_moments, second_moments, .. } = self.state();
        to.write_all(table)?;
        let all = [model.parameters(), first_moments, second_moments];
        let mut chunks = all.into_iter().flat_map(|numbers| numbers.chunks(CHUNK));
        chunks.try_for_each(|numbers| to.write_all(&little_endian(numbers)))
    }
}

impl About {
    /// Finds the text among those about a file, and reads it.
    fn read(texts: &BTreeMap<String, String>) -> Result<Self, LoadError> {
        let malformed = |reason: String| LoadError::malformed(CHECKPOINT, reason);
        let text = match texts.get(ABOUT) {
            Some(text) if texts.len() == 1 => text,
            Some(_) => return Err(malformed(format!("it has {} texts, expected one", texts.len()))),
            None => return Err(malformed(format!("the text {ABOUT:?} is missing"))),
        };
        let (length, depth) = (text.len() as u64, json_depth(text.as_bytes()) as u64);
        LoadError::check(format!("length of {ABOUT:?} in bytes"), length, MAX_ABOUT_BYTES as u64)?;
        LoadError::check(format!("depth of {ABOUT:?}"), depth, MAX_ABOUT_DEPTH as u64)?;
        let words = |error: serde_json::Error| LoadError::malformed(ABOUT, error);
        let versions: Versions = serde_json::from_str(text).map_err(words)?;
        let same = |what: &str, found: u32, expected: u32| {
            let what = format!("{what} {found} of a checkpoint");
            let refused = LoadError::Unsupported { what, expected: expected.to_string() };
            if found == expected { Ok(()) } else { Err(refused) }
        };
        same("format", versions.format, FORMAT)?;
        same("kernel version", versions.kernel_version, KERNEL_VERSION)?;
        serde_json::from_str(text).map_err(words)
    }
}

/// Refuses numbers that the reader would refuse.
fn check(
    what: &'static str,
    numbers: &[f32],
    good: impl Fn(f32) -> bool,
    expected: &'static str,
) -> Result<(), SaveError> {
    match numbers.iter().position(|number| !good(*number)) {
        None => Ok(()),
        Some(place) => {
            let value = numbers[place].to_string();
            Err(SaveError::Number { what, place, value, expected })
        }
    }
}

/// Refuses what is beyond a bound of the reader.
fn readable(what: &'static str, found: usize, limit: usize) -> Result<(), SaveError> {
    if found <= limit { Ok(()) } else { Err(SaveError::TooLarge { what, found, limit }) }
}

/// Puts a file where there may be one already: whoever opens the path finds all of the one or all of the other.
#[expect(clippy::disallowed_methods, reason = "a folder is opened for its lock and its fsync")]
fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"));
    };
    let mut partial = name.to_owned();
    partial.push(".partial");
    let partial = path.with_file_name(partial);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = File::open(folder.unwrap_or(Path::new(".")))?;
    // Let go when the folder is closed, also by a kill. Some network file systems have no locks for folders.
    let _ = folder.lock();
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(&partial)?;
    let written = write(&mut file).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&partial, path));
    if written.is_err() {
        // What is reported is the first failure.
        let _ = fs::remove_file(&partial);
    }
    written?;
    folder.sync_all()
}
