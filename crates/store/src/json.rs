//! JSON text that is known to be JSON: what bodies, payloads, results and score parts are kept as.

use std::{fmt, sync::Arc};

use serde::{Serialize, de::DeserializeOwned, de::IgnoredAny};
use thiserror::Error;

use crate::MAX_JSON_BYTES;

/// Why something is not a [`Json`].
#[derive(Debug, Error)]
pub enum JsonError {
    /// The text does not parse, or the value cannot be written, or it has another shape than was asked for.
    #[error("not the json that was expected: {0}")]
    Form(#[from] serde_json::Error),
    /// The text is too long for a row of the store.
    #[error("json has {found} bytes, expected at most {MAX_JSON_BYTES}; store it as an artifact")]
    TooLong {
        /// The length of the text in bytes.
        found: usize,
    },
}

/// JSON text of at most [`MAX_JSON_BYTES`], cheap to clone; equal where the text is equal.
///
/// It is kept as it was written: numbers are not re-read, so no digit changes between writing and reading.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Json(Arc<str>);

impl Json {
    /// The JSON text of `value`.
    ///
    /// # Errors
    /// [`JsonError`] where `value` has no JSON form or a too long one.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, JsonError> {
        Self::bounded(serde_json::to_string(value)?)
    }

    /// Takes `text` as it stands.
    ///
    /// # Errors
    /// [`JsonError`] where it is not JSON or too long.
    pub fn parse(text: impl Into<String>) -> Result<Self, JsonError> {
        let text = text.into();
        if text.len() <= MAX_JSON_BYTES {
            serde_json::from_str::<IgnoredAny>(&text)?;
        }
        Self::bounded(text)
    }

    /// The JSON `null`: a result that says nothing more than that the work is done.
    #[must_use]
    pub fn null() -> Self {
        Self("null".into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value behind the text.
    ///
    /// # Errors
    /// [`JsonError::Form`] where it has another shape.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, JsonError> {
        Ok(serde_json::from_str(&self.0)?)
    }

    fn bounded(text: String) -> Result<Self, JsonError> {
        if text.len() > MAX_JSON_BYTES {
            return Err(JsonError::TooLong { found: text.len() });
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_not_json_is_refused() {
        for text in ["", "{", "{\"a\":1,}", "nul", "1 2", "\"\0\""] {
            assert!(matches!(Json::parse(text), Err(JsonError::Form(_))), "{text:?}");
        }
        let long = format!("\"{}\"", "x".repeat(MAX_JSON_BYTES));
        assert!(
            matches!(Json::parse(long), Err(JsonError::TooLong { found }) if found == MAX_JSON_BYTES + 2)
        );
    }

    #[test]
    fn text_is_kept_as_written() {
        let text = "{ \"b\": 0.10, \"a\": [1e3] }";
        assert_eq!(Json::parse(text).unwrap().as_str(), text);
        assert_eq!(Json::of(&vec![1, 2]).unwrap().read::<Vec<u8>>().unwrap(), vec![1, 2]);
        assert_eq!(Json::null(), Json::of(&()).unwrap());
    }
}
