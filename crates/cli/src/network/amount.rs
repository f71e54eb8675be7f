//! Amounts as people write them: TAO and alpha with a point, up to nine digits behind it.

use std::{fmt, str::FromStr};

use primitives::{AlphaRao, Rao};
use thiserror::Error;

/// Digits behind the point.
const DIGITS: usize = 9;
/// Rao in one TAO, or in one alpha.
const WHOLE: u64 = 1_000_000_000;

/// An amount of TAO or alpha, in rao.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Amount(u64);

/// A text is no amount.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{text:?} is no amount: expected digits with at most {DIGITS} behind a point, up to {}",
    shown(Rao(u64::MAX))
)]
pub(crate) struct AmountError {
    text: String,
}

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let bad = || AmountError { text: text.to_owned() };
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || part.len() > DIGITS || !is_digits(whole) || !is_digits(part) {
            return Err(bad());
        }
        let whole: u64 = whole.parse().map_err(|_| bad())?;
        let part: u64 = format!("{part:0<DIGITS$}").parse().map_err(|_| bad())?;
        whole.checked_mul(WHOLE).and_then(|rao| rao.checked_add(part)).map(Self).ok_or_else(bad)
    }
}

impl From<Amount> for Rao {
    fn from(amount: Amount) -> Self {
        Self(amount.0)
    }
}

impl From<Amount> for AlphaRao {
    fn from(amount: Amount) -> Self {
        Self(amount.0)
    }
}

/// An amount of TAO as text.
pub(crate) fn shown(amount: Rao) -> String {
    format!("{} TAO", Plain(amount.0))
}

/// An amount of a subnet's alpha as text.
pub(crate) fn shown_alpha(amount: AlphaRao) -> String {
    format!("{} alpha", Plain(amount.0))
}

struct Plain(u64);

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / WHOLE, self.0 % WHOLE);
        if part == 0 {
            return write!(f, "{whole}");
        }
        let part = format!("{part:0DIGITS$}");
        write!(f, "{whole}.{}", part.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_to_the_rao() {
        for (text, rao) in
            [("0", 0), ("1", WHOLE), ("0.5", WHOLE / 2), ("1.000000001", WHOLE + 1), ("3.", 3 * WHOLE)]
        {
            assert_eq!(text.parse(), Ok(Amount(rao)), "{text}");
        }
        for text in ["", ".5", "1.0000000001", "-1", "1e3", "18446744074", "1,5", " 1"] {
            assert!(text.parse::<Amount>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for rao in [0, 1, 500, WHOLE, WHOLE + 10, u64::MAX] {
            let text = shown(Rao(rao));
            assert_eq!(text.trim_end_matches(" TAO").parse(), Ok(Amount(rao)), "{text}");
        }
    }
}
