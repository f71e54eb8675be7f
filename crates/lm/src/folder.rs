//! A model as a folder of Hugging Face's kind, out and in: `config.json`, safetensors in one file or several, and
//! whatever lies beside them, such as the tokenizer's files.

use std::{
    borrow::Cow,
    fs::{self, OpenOptions},
    io::{self, Read as _, Write as _},
    path::Path,
};

use safetensors::{Dtype, View};
use serde_json::json;
use thiserror::Error;

use crate::{
    config::Config,
    gguf::Gguf,
    hub_config::{Ends, MAX_CONFIG_BYTES},
    model::{Model, ModelError, Tensor, canonical_bits, little_endian},
    tensors::{LoadError, Source, Tensors},
};

/// Name of the configuration.
const CONFIG: &str = "config.json";
/// Files are made larger than asked for where there would be more than some so many: readers take at most 256.
const WANTED_FILES: u64 = 100;

/// A model or a training cannot be written down.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SaveError {
    /// The system refuses.
    #[error("{what} cannot be written: {reason}")]
    Unwritable {
        /// What was to be written.
        what: String,
        /// What was said.
        reason: String,
    },
    /// Something is there already.
    #[error("{folder} is not empty, expected a new or empty folder")]
    NotEmpty {
        /// Where.
        folder: String,
    },
    /// A number is too large to be written down as asked.
    #[error("tensor {tensor} has {value}, as f16 at most 65504 can be written")]
    Range {
        /// Whose number.
        tensor: String,
        /// The number.
        value: String,
    },
    /// A training has a number from which it could not go on.
    #[error("{what} has {value} at place {place}, expected {expected}")]
    Number {
        /// Of what: parameters or moments.
        what: &'static str,
        /// Where.
        place: usize,
        /// What stands there.
        value: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// The file could not be read again.
    #[error("{what} is {found}, at most {limit} could be read again")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// How much there is.
        found: usize,
        /// The bound.
        limit: usize,
    },
    /// A file that was to lie beside the model has another place in mind.
    #[error("file beside the model is named {name:?}, expected a plain name that the model does not use")]
    Name {
        /// Its name.
        name: String,
    },
}

/// How numbers are written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Numbers {
    /// To the last bit.
    #[default]
    F32,
    /// Half as long, rounded to the nearest, ties to even.
    Bf16,
    /// As long as these with three bits more of each number, of a size below 65,520; rounded in the same way.
    F16,
}

impl Numbers {
    /// Bytes of a number.
    fn width(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::Bf16 | Self::F16 => 2,
        }
    }
}

/// How a model is written down.
#[derive(Clone, Debug)]
pub struct SaveOptions<'a> {
    /// The type of the numbers.
    pub numbers: Numbers,
    /// A file of tensors becomes no longer than this, unless it holds one tensor or there would be too many files.
    pub max_file_bytes: u64,
    /// Tokens with which texts begin and end.
    pub ends: Ends,
    /// Names and contents of files that lie beside the model: those of the tokenizer.
    pub beside: &'a [(&'a str, &'a [u8])],
}

impl Default for SaveOptions<'_> {
    /// f32, files of at most 5 GB, nothing beside the model.
    fn default() -> Self {
        Self { numbers: Numbers::F32, max_file_bytes: 5_000_000_000, ends: Ends::default(), beside: &[] }
    }
}

impl From<ModelError> for LoadError {
    fn from(error: ModelError) -> Self {
        Self::malformed("model", error)
    }
}

impl Model {
    /// Writes the model into a new or empty folder, such that transformers loads it; `config.json` comes last.
    ///
    /// # Errors
    /// Something is in the folder, a file beside the model has no plain name, a number is too large, or the system
    /// refuses.
    pub fn save(&self, folder: &Path, options: &SaveOptions<'_>) -> Result<(), SaveError> {
        let unwritable = |error: &dyn std::fmt::Display| unwritable(folder, error);
        for (index, (name, _)) in options.beside.iter().enumerate() {
            let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
            let taken = *name == CONFIG || name.starts_with("model");
            let twice = options.beside[..index].iter().any(|(other, _)| other == name);
            if !plain || name.is_empty() || name.starts_with('.') || taken || twice {
                return Err(SaveError::Name { name: (*name).into() });
            }
        }
        if options.numbers == Numbers::F16 {
            self.check_f16()?;
        }
        fs::create_dir_all(folder).map_err(|error| unwritable(&error))?;
        if fs::read_dir(folder).map_err(|error| unwritable(&error))?.next().is_some() {
            return Err(SaveError::NotEmpty { folder: folder.display().to_string() });
        }
        for (name, contents) in options.beside {
            write_new(&folder.join(name), contents)?;
        }
        self.save_tensors(folder, options)?;
        let number_type = match options.numbers {
            Numbers::F32 => "float32",
            Numbers::Bf16 => "bfloat16",
            Numbers::F16 => "float16",
        };
        write_new(&folder.join(CONFIG), &self.config().to_hub_json(&options.ends, number_type))
    }

    /// Refuses numbers that would become infinite.
    fn check_f16(&self) -> Result<(), SaveError> {
        let wide = |x: &&f32| x.is_finite() && f16_bits(**x) & 0x7fff == 0x7c00;
        let mut tensors = self.tensors().iter();
        let found = tensors.find_map(|tensor| {
            let number = self.parameters()[tensor.range.clone()].iter().find(wide)?;
            Some(SaveError::Range { tensor: tensor.name.clone(), value: number.to_string() })
        });
        found.map_or(Ok(()), Err)
    }

    fn save_tensors(&self, folder: &Path, options: &SaveOptions<'_>) -> Result<(), SaveError> {
        let width = options.numbers.width() as u64;
        let total = self.parameters().len() as u64 * width;
        let limit = options.max_file_bytes.max(total / WANTED_FILES);
        let bytes = |tensor: &Tensor| tensor.range.len() as u64 * width;
        // Cut in order: a file ends before the tensor that would make it too long.
        let mut files: Vec<&[Tensor]> = Vec::new();
        let (mut rest, mut at, mut filled) = (self.tensors(), 0, 0);
        while let Some(tensor) = rest.get(at) {
            if at > 0 && filled + bytes(tensor) > limit {
                let (file, after) = rest.split_at(at);
                files.push(file);
                (rest, at, filled) = (after, 0, 0);
            } else {
                (at, filled) = (at + 1, filled + bytes(tensor));
            }
        }
        files.push(rest);
        let mut weight_map = serde_json::Map::new();
        for (index, tensors) in files.iter().enumerate() {
            let name = match files.len() {
                1 => "model.safetensors".into(),
                count => format!("model-{:05}-of-{count:05}.safetensors", index + 1),
            };
            weight_map.extend(tensors.iter().map(|tensor| (tensor.name.clone(), json!(name))));
            let views = tensors.iter().map(|tensor| {
                let numbers = &self.parameters()[tensor.range.clone()];
                (&tensor.name, LazyView { shape: &tensor.shape, numbers, written: options.numbers })
            });
            let path = folder.join(&name);
            // Transformers 4 refuses files that don't say whose they are.
            let whose = [("format".to_owned(), "pt".to_owned())].into();
            safetensors::serialize_to_file(views, Some(whose), &path)
                .map_err(|error| unwritable(&path, &error))?;
        }
        if files.len() > 1 {
            let index = json!({"metadata": {"total_size": total}, "weight_map": weight_map});
            let text = serde_json::to_vec_pretty(&index).expect("an index is plain texts");
            write_new(&folder.join("model.safetensors.index.json"), &text)?;
        }
        Ok(())
    }

    /// Reads a model from a folder with `config.json` and safetensors. Its context is the model's own or, where that
    /// is longer, `max_context`.
    ///
    /// # Errors
    /// A file is missing, a link, too large or malformed, the configuration asks for what is not done here, or the
    /// tensors are not exactly those of the configuration. Of tensors that it does not have, tables of rotary rates
    /// are passed over, and an output matrix where the embeddings stand for it, as long as it has the same numbers.
    pub fn load(folder: &Path, max_context: usize) -> Result<(Self, Ends), LoadError> {
        let mut source = Source::open(&folder.join(CONFIG))?;
        let limit = MAX_CONFIG_BYTES as u64;
        LoadError::check(format!("length of {} in bytes", source.name), source.len, limit)?;
        let mut text = Vec::new();
        let read = (&mut source).take(limit).read_to_end(&mut text);
        read.map_err(|error| LoadError::unreadable(CONFIG, &error))?;
        let (config, ends) = Config::from_hub_json(&text, max_context)?;
        let model = Self::from_all_tensors(&config, Tensors::from_safetensors(folder)?)?;
        Ok((model, ends))
    }

    /// Reads a model from a GGUF file, as [`Model::load`] does from a folder.
    ///
    /// # Errors
    /// As [`Gguf::open`] and [`Model::load`].
    pub fn load_gguf(path: &Path, max_context: usize) -> Result<(Self, Ends), LoadError> {
        let gguf = Gguf::open(path)?;
        let text = gguf.config()?.to_string();
        let (config, ends) = Config::from_hub_json(text.as_bytes(), max_context)?;
        Ok((Self::from_all_tensors(&config, gguf.into_tensors())?, ends))
    }

    /// A model of exactly these tensors.
    ///
    /// # Errors
    /// As [`Model::load`], for tensors.
    pub fn from_all_tensors(config: &Config, mut tensors: Tensors) -> Result<Self, LoadError> {
        let model = Self::from_tensors(config, |name, shape| tensors.take(name, shape))?;
        let shape = [config.vocab, config.dim];
        let head = "lm_head.weight";
        if config.tied && tensors.shape(head).is_some() {
            let embeddings = &model.parameters()[model.layout.embeddings.clone()];
            let same =
                tensors.take(head, &shape)?.iter().zip(embeddings).all(|(a, b)| a.to_bits() == b.to_bits());
            if !same {
                let reason = "it differs from the embeddings, to which it is tied";
                return Err(LoadError::malformed(head, reason));
            }
        }
        for layer in 0..config.layers {
            // Written by transformers before 4.32; they follow from the configuration.
            tensors.discard(&format!("model.layers.{layer}.self_attn.rotary_emb.inv_freq"));
        }
        tensors.finish()?;
        Ok(model)
    }
}

pub(crate) fn unwritable(path: &Path, error: &dyn std::fmt::Display) -> SaveError {
    SaveError::Unwritable { what: path.display().to_string(), reason: error.to_string() }
}

/// Writes a file that must not be there yet.
fn write_new(path: &Path, contents: &[u8]) -> Result<(), SaveError> {
    let write = || -> io::Result<()> {
        OpenOptions::new().write(true).create_new(true).open(path)?.write_all(contents)
    };
    write().map_err(|error| unwritable(path, &error))
}

/// A tensor whose bytes are made when they are written, one tensor at a time.
struct LazyView<'a> {
    shape: &'a [usize],
    numbers: &'a [f32],
    written: Numbers,
}

impl View for LazyView<'_> {
    fn dtype(&self) -> Dtype {
        match self.written {
            Numbers::F32 => Dtype::F32,
            Numbers::Bf16 => Dtype::BF16,
            Numbers::F16 => Dtype::F16,
        }
    }
    fn shape(&self) -> &[usize] {
        self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(match self.written {
            Numbers::F32 => little_endian(self.numbers),
            Numbers::Bf16 => self.numbers.iter().flat_map(|x| bf16_bits(*x).to_le_bytes()).collect(),
            Numbers::F16 => self.numbers.iter().flat_map(|x| f16_bits(*x).to_le_bytes()).collect(),
        })
    }
    fn data_len(&self) -> usize {
        self.numbers.len() * self.written.width()
    }
}

/// The upper half of the bits, rounded to the nearest, ties to even.
fn bf16_bits(x: f32) -> u16 {
    let bits = canonical_bits(x);
    let rounded = if x.is_nan() { bits } else { bits + 0x7fff + ((bits >> 16) & 1) };
    u16::try_from(rounded >> 16).expect("16 bits are left")
}

/// Sign, 5 bits of exponent, 10 of fraction, rounded to the nearest, ties to even; what is too large becomes infinite.
/// Source: IEEE 754, binary16.
fn f16_bits(x: f32) -> u16 {
    /// The least number that f16 has with all 10 bits, 2^-14.
    const LEAST_NORMAL: u32 = 0x3880_0000;
    /// Between the exponents of f32 and those of f16.
    const BIAS: u32 = (127 - 15) << 23;
    const INFINITE: u32 = 0x7c00;
    let bits = canonical_bits(x);
    let (sign, size) = (bits >> 16 & 0x8000, bits & 0x7fff_ffff);
    let rounded = if x.is_nan() {
        INFINITE | 0x200
    } else if size < LEAST_NORMAL {
        // Beside 0.5 the hardware rounds to multiples of 2^-24, of which f16 counts its smallest numbers.
        (f32::from_bits(size) + 0.5).to_bits() - 0.5f32.to_bits()
    } else {
        let shifted = size - BIAS;
        ((shifted + 0xfff + (shifted >> 13 & 1)) >> 13).min(INFINITE)
    };
    u16::try_from(sign | rounded).expect("16 bits are left")
}

/// A file that lies beside a model, such as the tokenizer's; nothing where there is none.
///
/// # Errors
/// Its name is not plain, or it is a link, not regular, longer than `most` bytes, or the system refuses.
pub fn read_beside(folder: &Path, name: &str, most: u64) -> Result<Option<Vec<u8>>, LoadError> {
    if Path::new(name).components().count() != 1 || name.contains(['/', '\\']) || name.starts_with('.') {
        return Err(LoadError::malformed(format!("name {name:?}"), "it is not plain"));
    }
    let path = folder.join(name);
    if path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(None);
    }
    let mut source = Source::open(&path)?;
    LoadError::check(format!("length of {} in bytes", source.name), source.len, most)?;
    let mut bytes = Vec::new();
    let read = (&mut source).take(most).read_to_end(&mut bytes);
    read.map_err(|error| LoadError::unreadable(name, &error))?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bf16_is_rounded_to_the_nearest_and_ties_to_even() {
        let check =
            |bits: u32, expected: u16| assert_eq!(bf16_bits(f32::from_bits(bits)), expected, "{bits:x}");
        check(0x3f80_0000, 0x3f80);
        check(0x3f80_8000, 0x3f80);
        check(0x3f81_8000, 0x3f82);
        check(0x3f80_8001, 0x3f81);
        check(0xbf80_7fff, 0xbf80);
        check(0x7f7f_ffff, 0x7f80);
        check(0xff80_0000, 0xff80);
        check(0xffc0_1234, 0x7fc0);
        check(0x0000_0001, 0);
    }

    #[test]
    fn f16_is_rounded_to_the_nearest_and_ties_to_even() {
        let check = |x: f32, expected: u16| assert_eq!(f16_bits(x), expected, "{x:e}");
        check(1.0, 0x3c00);
        check(-2.0, 0xc000);
        check(1.0 + 1.0 / 2048.0, 0x3c00);
        check(1.0 + 3.0 / 2048.0, 0x3c02);
        check(1.0 + 1.001 / 2048.0, 0x3c01);
        check(65504.0, 0x7bff);
        check(65519.996, 0x7bff);
        check(65520.0, 0x7c00);
        check(-1e30, 0xfc00);
        check(f32::INFINITY, 0x7c00);
        check(f32::NAN, 0x7e00);
        let least = 1.0 / 16_777_216.0;
        check(least, 1);
        check(least * 0.5, 0);
        check(least * 0.5001, 1);
        check(least * 1.5, 2);
        check(-least * 1023.5, 0x8400);
        check(1.0 / 16384.0, 0x0400);
        check(-0.0, 0x8000);
    }
}
