//! Words of few bytes as numbers, to be found again without much ado.

/// A word of 1 to 15 bytes together with its length: a number that is not 0, another one for each word.
pub(crate) fn key(word: &[u8]) -> Option<u128> {
    let mut key = [0; 16];
    key[..15].get_mut(..word.len())?.copy_from_slice(word);
    key[15] = u8::try_from(word.len()).ok()?;
    Some(u128::from_le_bytes(key))
}

/// The place of a word's number among so many places, a power of two.
pub(crate) fn place(key: u128, places: usize) -> usize {
    // Source of the multiplier: Steele & Vigna, "Computationally easy, spectrally good multipliers", 2021.
    const MIX: u64 = 0xd134_2543_de82_ef95;
    #[expect(clippy::cast_possible_truncation, reason = "both halves are mixed")]
    let (low, high) = (key as u64, (key >> 64) as u64);
    let mixed = (low ^ high.wrapping_mul(MIX).rotate_left(29)).wrapping_mul(MIX);
    (mixed >> 32) as usize & (places - 1)
}
