//! Integers of 128 bits as decimal text, for `#[serde(with = "primitives::decimal")]`: numbers in JSON carry 64
//! bits at most, and readers that take them for floats keep 53.

use serde::de::{self, Deserializer, Visitor};
use serde::ser::Serializer;
use std::fmt;

/// Writes decimal text where people read it and the number itself elsewhere.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(value: &u128, serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        serializer.collect_str(value)
    } else {
        serializer.serialize_u128(*value)
    }
}

/// Reads what [`serialize`] wrote; in formats that people read, a plain number as well.
///
/// # Errors
/// For text that is no decimal number below 2^128, and those of the deserializer.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
    if deserializer.is_human_readable() {
        deserializer.deserialize_any(Decimal)
    } else {
        deserializer.deserialize_u128(Decimal)
    }
}

struct Decimal;

impl Visitor<'_> for Decimal {
    type Value = u128;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a whole number from 0 to 2^128 - 1, as a number or as decimal text")
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<u128, E> {
        Ok(value.into())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<u128, E> {
        u128::try_from(value).map_err(|_| E::invalid_value(de::Unexpected::Signed(value), &self))
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<u128, E> {
        Ok(value)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<u128, E> {
        text.parse().map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Held(#[serde(with = "super")] u128);

    #[test]
    fn every_value_is_kept_in_json() {
        for value in [0, 1, u128::from(u64::MAX), u128::from(u64::MAX) + 1, u128::MAX] {
            let json = serde_json::to_value(Held(value)).unwrap();
            assert_eq!(json, serde_json::json!(value.to_string()));
            assert_eq!(serde_json::from_value::<Held>(json).unwrap(), Held(value));
        }
        assert_eq!(serde_json::from_str::<Held>("7").unwrap(), Held(7));
        assert_eq!(serde_json::from_str::<Held>("18446744073709551615").unwrap(), Held(u64::MAX.into()));
    }

    #[test]
    fn what_is_no_such_number_is_refused_with_the_bound() {
        for text in ["-1", "1.5", "\"\"", "\"0x10\"", "\"340282366920938463463374607431768211456\"", "null"] {
            let said = serde_json::from_str::<Held>(text).unwrap_err().to_string();
            assert!(said.contains("2^128 - 1"), "{text}: {said}");
        }
    }
}
