//! Scores: a number from 0 to 1 that is never NaN.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A number is not a score.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("score {found} is not from 0 to 1")]
pub struct UnitError {
    /// The number that was given.
    pub found: f64,
}

/// A score from 0 (earned nothing) to 1, totally ordered.
///
/// An f64 whose operations are only + − × ÷ and comparison, which IEEE 754 fixes to the last bit on every
/// machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Unit(f64);

impl Unit {
    /// Earned nothing.
    pub const ZERO: Unit = Unit(0.0);
    /// The best there is.
    pub const ONE: Unit = Unit(1.0);

    /// The score `value`.
    ///
    /// # Errors
    /// [`UnitError`] for NaN and values outside of 0 to 1.
    pub fn new(value: f64) -> Result<Self, UnitError> {
        if (0.0..=1.0).contains(&value) {
            // Adding zero turns −0 into +0, so that equal scores have equal bits.
            Ok(Self(value + 0.0))
        } else {
            Err(UnitError { found: value })
        }
    }

    /// The score nearest to `value`: below 0 and NaN give 0, above 1 gives 1.
    #[must_use]
    pub fn clamped(value: f64) -> Self {
        if value >= 1.0 {
            Self::ONE
        } else if value > 0.0 {
            Self(value)
        } else {
            Self::ZERO
        }
    }

    /// The quotient of two counts, clamped to a score; 0 where the whole is 0.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts above 2^53 lose bits the same way everywhere")]
    pub fn ratio(part: u64, whole: u64) -> Self {
        if whole == 0 { Self::ZERO } else { Self::clamped(part as f64 / whole as f64) }
    }

    /// The score as a number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }

    /// Whether nothing was earned.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0 <= 0.0
    }
}

impl Eq for Unit {}

impl Ord for Unit {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Unit {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl TryFrom<f64> for Unit {
    type Error = UnitError;
    fn try_from(value: f64) -> Result<Self, UnitError> {
        Self::new(value)
    }
}

impl From<Unit> for f64 {
    fn from(unit: Unit) -> f64 {
        unit.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_zero_to_one_is_a_score() {
        for bad in [f64::NAN, -0.1, 1.000_001, f64::INFINITY] {
            assert!(Unit::new(bad).is_err(), "{bad}");
        }
        assert_eq!(Unit::new(-0.0).unwrap().get().to_bits(), 0);
        assert_eq!(Unit::clamped(f64::NAN), Unit::ZERO);
        assert_eq!(Unit::ratio(1, 0), Unit::ZERO);
        assert_eq!(Unit::ratio(3, 2), Unit::ONE);
        assert!(serde_json::from_str::<Unit>("1.5").is_err());
    }
}
