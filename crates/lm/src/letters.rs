//! The letters that stand for bytes in the files of byte-level BPE: printable bytes for themselves, the characters from
//! 256 up for the others. Source: Radford et al., GPT-2, `encoder.py`, 2019.

/// The letters of all bytes.
pub(crate) const ALPHABET: [char; 256] = {
    let mut letters = ['\0'; 256];
    let (mut byte, mut next) = (0u8, 256u32);
    loop {
        letters[byte as usize] = if matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff) {
            byte as char
        } else {
            next += 1;
            char::from_u32(next - 1).expect("256 to 323 are characters")
        };
        if byte == u8::MAX {
            break letters;
        }
        byte += 1;
    }
};

/// The bytes of the letters below 324.
const BYTES: [Option<u8>; 324] = {
    let mut bytes = [None; 324];
    let mut byte = 0u8;
    loop {
        bytes[ALPHABET[byte as usize] as usize] = Some(byte);
        if byte == u8::MAX {
            break bytes;
        }
        byte += 1;
    }
};

/// Appends the bytes that the letters of a text stand for. If one of them stands for none, the text's own bytes are
/// appended and the answer is false.
pub(crate) fn append_bytes(text: &str, out: &mut Vec<u8>) -> bool {
    let before = out.len();
    for letter in text.chars() {
        let Some(byte) = BYTES.get(letter as usize).copied().flatten() else {
            out.truncate(before);
            out.extend(text.as_bytes());
            return false;
        };
        out.push(byte);
    }
    true
}

/// The letters of bytes.
pub(crate) fn letters(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| ALPHABET[usize::from(*byte)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_stand_for_bytes() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        let text = letters(&all);
        assert!(text.starts_with("ĀāĂ") && text.contains("Ġ!\"#") && text.ends_with("ýþÿ"), "{text}");
        let mut back = Vec::new();
        assert!(append_bytes(&text, &mut back));
        assert_eq!(back, all);
        assert!(!append_bytes("ab c", &mut back));
        assert_eq!(&back[256..], b"ab c");
    }
}
