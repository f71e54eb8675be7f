//! Keys of the state: an item's number and its parts, big-endian, so that keys sort as their parts do.

use std::{cmp::Ordering, fmt, hash::Hash};

use primitives::{AccountId, Coldkey, Hotkey, NetUid, Uid};

/// Bytes of the longest key: an item's number, two accounts and a netuid.
const MAX_KEY_BYTES: usize = 1 + 32 + 32 + 2;

/// One key of the state, held inline so that a look-up follows no pointer.
#[derive(Clone, Copy)]
pub struct Key {
    len: u8,
    bytes: [u8; MAX_KEY_BYTES],
}

impl Key {
    /// The key of `parts` under the item with number `item`.
    pub(crate) fn new(item: u8, parts: &impl KeyParts) -> Self {
        let mut key = Self { len: 0, bytes: [0; MAX_KEY_BYTES] };
        key.push(&[item]);
        parts.write(&mut key);
        key
    }

    /// Reads a key back; none where it is empty or too long.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() || bytes.len() > MAX_KEY_BYTES {
            return None;
        }
        let mut key = Self { len: 0, bytes: [0; MAX_KEY_BYTES] };
        key.push(bytes);
        Some(key)
    }

    /// The key's bytes: the item's number, then its parts.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The number of the item that this is a key of.
    #[must_use]
    pub fn item(&self) -> u8 {
        self.bytes[0]
    }

    fn push(&mut self, part: &[u8]) {
        let start = usize::from(self.len);
        let end = start + part.len();
        self.bytes[start..end].copy_from_slice(part);
        self.len = u8::try_from(end).expect("a key is at most 67 bytes long");
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for Key {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.as_bytes() {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// What an item's keys are made of.
pub trait KeyParts: Sized {
    /// Appends the parts to `key`.
    fn write(&self, key: &mut Key);
    /// Takes the parts off the front of `bytes`; none where there are too few.
    fn read(bytes: &mut &[u8]) -> Option<Self>;
}

impl KeyParts for () {
    fn write(&self, _key: &mut Key) {}
    fn read(_bytes: &mut &[u8]) -> Option<Self> {
        Some(())
    }
}

macro_rules! key_part {
    ($($name:ty, $size:literal, |$value:ident| $write:expr, |$bytes:ident| $read:expr;)*) => {$(
        impl KeyParts for $name {
            fn write(&self, key: &mut Key) {
                let $value = self;
                key.push(&$write);
            }
            fn read(from: &mut &[u8]) -> Option<Self> {
                let ($bytes, rest) = from.split_first_chunk::<$size>()?;
                *from = rest;
                Some($read)
            }
        }
    )*};
}

key_part! {
    u16, 2, |v| v.to_be_bytes(), |b| u16::from_be_bytes(*b);
    u64, 8, |v| v.to_be_bytes(), |b| u64::from_be_bytes(*b);
    NetUid, 2, |v| v.0.to_be_bytes(), |b| NetUid(u16::from_be_bytes(*b));
    Uid, 2, |v| v.0.to_be_bytes(), |b| Uid(u16::from_be_bytes(*b));
    AccountId, 32, |v| v.0, |b| AccountId(*b);
    Hotkey, 32, |v| *v.as_bytes(), |b| Hotkey::from_bytes(*b);
    Coldkey, 32, |v| *v.as_bytes(), |b| Coldkey::from_bytes(*b);
}

impl<A: KeyParts, B: KeyParts> KeyParts for (A, B) {
    fn write(&self, key: &mut Key) {
        self.0.write(key);
        self.1.write(key);
    }
    fn read(bytes: &mut &[u8]) -> Option<Self> {
        Some((A::read(bytes)?, B::read(bytes)?))
    }
}

impl<A: KeyParts, B: KeyParts, C: KeyParts> KeyParts for (A, B, C) {
    fn write(&self, key: &mut Key) {
        self.0.write(key);
        self.1.write(key);
        self.2.write(key);
    }
    fn read(bytes: &mut &[u8]) -> Option<Self> {
        Some((A::read(bytes)?, B::read(bytes)?, C::read(bytes)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_their_parts_do() {
        let key = |netuid, uid| Key::new(7, &(NetUid(netuid), Uid(uid)));
        assert!(key(1, 255) < key(1, 256));
        assert!(key(1, 65_535) < key(2, 0));
        assert!(Key::new(6, &AccountId([255; 32])) < key(0, 0));
    }

    #[test]
    fn parts_come_back_from_a_key() {
        let parts = (Hotkey::from_bytes([3; 32]), Coldkey::from_bytes([4; 32]), NetUid(513));
        let key = Key::new(9, &parts);
        let mut bytes = &key.as_bytes()[1..];
        assert_eq!(<(Hotkey, Coldkey, NetUid)>::read(&mut bytes), Some(parts));
        assert!(bytes.is_empty());
        assert_eq!(Key::from_bytes(key.as_bytes()), Some(key));
        assert_eq!(Key::from_bytes(&[0; 68]), None);
    }
}
