//! Amounts on chain: integers, one type per asset, checked arithmetic.

use std::{fmt, iter::Sum};

use parity_scale_codec::{Decode, Encode};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Rao in one TAO, and the smallest units in one alpha.
pub const RAO_PER_TAO: u64 = 1_000_000_000;

/// An amount could not be computed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AmountError {
    /// More would be taken than there is.
    #[error("amount {have} is less than {want}")]
    Insufficient {
        /// What is there, in the smallest unit.
        have: u64,
        /// What was to be taken, in the smallest unit.
        want: u64,
    },
    /// The sum does not fit 64 bits.
    #[error("amount {left} + {right} exceeds {}", u64::MAX)]
    Overflow {
        /// The left term.
        left: u64,
        /// The right term.
        right: u64,
    },
}

macro_rules! amount {
    ($(#[$doc:meta])* $name:ident, $sign:literal) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode,
            Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);

            /// `whole` times 10⁹ of the smallest unit, at most the largest amount there is.
            #[must_use]
            pub const fn from_whole(whole: u64) -> Self {
                Self(whole.saturating_mul(RAO_PER_TAO))
            }

            /// The sum.
            ///
            /// # Errors
            /// [`AmountError::Overflow`] past 64 bits.
            pub fn checked_add(self, other: Self) -> Result<Self, AmountError> {
                let sum = self.0.checked_add(other.0);
                sum.map(Self).ok_or(AmountError::Overflow { left: self.0, right: other.0 })
            }

            /// The difference.
            ///
            /// # Errors
            /// [`AmountError::Insufficient`] where `other` is larger.
            pub fn checked_sub(self, other: Self) -> Result<Self, AmountError> {
                let rest = self.0.checked_sub(other.0);
                rest.map(Self).ok_or(AmountError::Insufficient { have: self.0, want: other.0 })
            }

            /// The sum, or the largest amount: as the chain adds.
            #[must_use]
            pub const fn saturating_add(self, other: Self) -> Self {
                Self(self.0.saturating_add(other.0))
            }

            /// The difference, or nothing: as the chain subtracts.
            #[must_use]
            pub const fn saturating_sub(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }

            /// Whether this is nothing.
            #[must_use]
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }
        }

        impl fmt::Display for $name {
            /// Whole units with nine decimals, exact: `1.000000001 τ`.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let text = format!("{}.{:09} {}", self.0 / RAO_PER_TAO, self.0 % RAO_PER_TAO, $sign);
                f.pad(&text)
            }
        }

        impl Sum for $name {
            /// The sum, saturating as the chain adds.
            fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
                items.fold(Self::ZERO, Self::saturating_add)
            }
        }
    };
}

amount! {
    /// An amount of TAO in rao (10⁻⁹ TAO).
    Rao, "τ"
}
amount! {
    /// An amount of one subnet's alpha in its smallest unit (10⁻⁹ alpha). Which subnet is told by the context.
    AlphaRao, "α"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overdrawing_says_what_there_is() {
        let error = Rao(3).checked_sub(Rao(5)).unwrap_err();
        assert_eq!(error.to_string(), "amount 3 is less than 5");
        assert!(Rao(u64::MAX).checked_add(Rao(1)).is_err());
    }

    #[test]
    fn display_is_exact() {
        assert_eq!(Rao(1_000_000_001).to_string(), "1.000000001 τ");
        assert_eq!(AlphaRao(5).to_string(), "0.000000005 α");
    }
}
