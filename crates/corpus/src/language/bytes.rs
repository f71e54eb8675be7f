//! The bytes of a model, which are foreign: every count is bounded before anything is made of it.

use std::fmt;

use thiserror::Error;

/// The longest entry of a dictionary.
const ENTRY_MAX_BYTES: usize = 1 << 10;

/// A model's bytes are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ModelError {
    /// It ends early.
    #[error("language model ends within {what}")]
    Short {
        /// What was being read.
        what: &'static str,
    },
    /// A value is outside of what is read.
    #[error("language model has {what} {found}, expected {expected}")]
    Value {
        /// What has the value.
        what: &'static str,
        /// The value.
        found: String,
        /// What would be read.
        expected: String,
    },
}

/// What is left of a model's bytes.
pub(super) struct Reader<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], ModelError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(ModelError::Short { what })?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn i32(&mut self, what: &'static str) -> Result<i32, ModelError> {
        Ok(i32::from_le_bytes(self.take(4, what)?.try_into().expect("four bytes")))
    }

    pub(super) fn i64(&mut self, what: &'static str) -> Result<i64, ModelError> {
        Ok(i64::from_le_bytes(self.take(8, what)?.try_into().expect("eight bytes")))
    }

    pub(super) fn flag(&mut self, what: &'static str) -> Result<bool, ModelError> {
        let byte = self.take(1, what)?[0];
        if byte > 1 {
            expect("flag", byte, 1)?;
        }
        Ok(byte == 1)
    }

    /// Bytes up to a 0.
    pub(super) fn text(&mut self) -> Result<&'a [u8], ModelError> {
        let what = "an entry";
        let end = self.rest.iter().take(ENTRY_MAX_BYTES + 1).position(|byte| *byte == 0);
        let end = end.ok_or(if self.rest.len() > ENTRY_MAX_BYTES {
            ModelError::Value {
                what,
                found: "without an end".into(),
                expected: format!("at most {ENTRY_MAX_BYTES} bytes"),
            }
        } else {
            ModelError::Short { what }
        })?;
        let text = self.take(end, what)?;
        self.take(1, what)?;
        Ok(text)
    }

    pub(super) fn floats(&mut self, count: usize, what: &'static str) -> Result<Vec<f32>, ModelError> {
        let bytes = self.take(count * 4, what)?;
        let floats: Vec<f32> = bytes
            .chunks_exact(4)
            .map(|four| f32::from_le_bytes(four.try_into().expect("four bytes")))
            .collect();
        match floats.iter().find(|value| !value.is_finite()) {
            Some(value) => Err(ModelError::Value {
                what,
                found: format!("a value of {value}"),
                expected: "finite ones".into(),
            }),
            None => Ok(floats),
        }
    }
}

pub(super) fn expect<T: fmt::Display, E: fmt::Display>(
    what: &'static str,
    found: T,
    expected: E,
) -> Result<(), ModelError> {
    let (found, expected) = (found.to_string(), expected.to_string());
    if found == expected { Ok(()) } else { Err(ModelError::Value { what, found, expected }) }
}

/// A count within its bounds.
pub(super) fn within(what: &'static str, found: i64, min: usize, max: usize) -> Result<usize, ModelError> {
    match usize::try_from(found) {
        Ok(count) if (min..=max).contains(&count) => Ok(count),
        _ => Err(ModelError::Value { what, found: found.to_string(), expected: format!("{min} to {max}") }),
    }
}
