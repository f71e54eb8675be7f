//! Reading one header of a foreign request: present at most once, and printable text.

use http::HeaderMap;

/// What is wrong with a header before its value is looked at.
pub(crate) enum HeaderFault {
    Repeated,
    NotText,
}

/// The header's text, or `None` where it is absent.
///
/// A header that stands there twice is refused: a proxy in front of us might read the other one.
pub(crate) fn once<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, HeaderFault> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(HeaderFault::Repeated);
    }
    value.to_str().map(Some).map_err(|_| HeaderFault::NotText)
}

/// Reads a decimal number in its one form: digits, no sign, no zero in front.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !plain || (text.len() > 1 && text.starts_with('0')) {
        return None;
    }
    text.parse().ok()
}
