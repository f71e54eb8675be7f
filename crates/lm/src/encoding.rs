//! How the numbers of a tensor are written down in a file, and how they become f32.
//!
//! Quantised numbers stand in blocks with a scale of their own. A product and a sum are each rounded once, as in the
//! reference; nothing is fused. Source of the layouts: ggml, `ggml-common.h` and `dequantize_row_*` in
//! `ggml-quants.c`.

/// How numbers are written down. The unit is a block: a run of numbers along the last dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    F32,
    F16,
    Bf16,
    Q8_0,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q4K,
    Q5K,
    Q6K,
}

impl Encoding {
    /// All there are.
    pub(crate) const ALL: [Self; 11] = [
        Self::F32,
        Self::F16,
        Self::Bf16,
        Self::Q8_0,
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q4K,
        Self::Q5K,
        Self::Q6K,
    ];

    /// The name in both formats.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::Q8_0 => "Q8_0",
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q4K => "Q4_K",
            Self::Q5K => "Q5_K",
            Self::Q6K => "Q6_K",
        }
    }

    /// Numbers in a block.
    pub(crate) fn block_len(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::Bf16 => 1,
            Self::Q8_0 | Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 => 32,
            Self::Q4K | Self::Q5K | Self::Q6K => 256,
        }
    }

    /// Bytes of a block.
    pub(crate) fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Q8_0 => 34,
            Self::Q4_0 => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q4K => 144,
            Self::Q5K => 176,
            Self::Q6K => 210,
        }
    }

    /// Decodes whole blocks: `bytes` has a multiple of [`Encoding::block_bytes`], and `out` as many blocks.
    pub(crate) fn decode(self, bytes: &[u8], out: &mut [f32]) {
        debug_assert_eq!(bytes.len() / self.block_bytes(), out.len() / self.block_len());
        let blocks = bytes.chunks_exact(self.block_bytes()).zip(out.chunks_exact_mut(self.block_len()));
        match self {
            Self::F32 => {
                blocks.for_each(|(b, out)| out[0] = f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            }
            Self::F16 => blocks.for_each(|(b, out)| out[0] = half(b)),
            Self::Bf16 => blocks.for_each(|(b, out)| out[0] = f32::from_le_bytes([0, 0, b[0], b[1]])),
            Self::Q8_0 => blocks.for_each(|(b, out)| q8_0(b, out)),
            Self::Q4_0 => blocks.for_each(|(b, out)| q4_0(b, out)),
            Self::Q4_1 => blocks.for_each(|(b, out)| q4_1(b, out)),
            Self::Q5_0 => blocks.for_each(|(b, out)| q5_0(b, out)),
            Self::Q5_1 => blocks.for_each(|(b, out)| q5_1(b, out)),
            Self::Q4K => blocks.for_each(|(b, out)| q4_k(b, out)),
            Self::Q5K => blocks.for_each(|(b, out)| q5_k(b, out)),
            Self::Q6K => blocks.for_each(|(b, out)| q6_k(b, out)),
        }
    }
}

/// The half-precision number in the first two bytes. Source: IEEE 754, binary16.
fn half(bytes: &[u8]) -> f32 {
    let bits = u32::from(u16::from_le_bytes([bytes[0], bytes[1]]));
    let (sign, exponent, fraction) = ((bits & 0x8000) << 16, (bits >> 10) & 0x1f, bits & 0x3ff);
    match exponent {
        // Below 2^-14 numbers are multiples of 2^-24; such a product is exact in f32.
        0 => {
            let tiny = fraction as f32 * f32::from_bits((127 - 24) << 23);
            f32::from_bits(tiny.to_bits() | sign)
        }
        0x1f => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 127 - 15) << 23 | fraction << 13),
    }
}

/// Splits a block of fixed layout: a scale, 32 signed bytes.
fn q8_0(block: &[u8], out: &mut [f32]) {
    let scale = half(block);
    for (out, byte) in out.iter_mut().zip(&block[2..]) {
        *out = f32::from(byte.cast_signed()) * scale;
    }
}

/// A scale, 32 nibbles of −8 to 7: the low ones first.
fn q4_0(block: &[u8], out: &mut [f32]) {
    let scale = half(block);
    let (low, high) = out.split_at_mut(16);
    for ((low, high), byte) in low.iter_mut().zip(high).zip(&block[2..]) {
        *low = (f32::from(byte & 15) - 8.0) * scale;
        *high = (f32::from(byte >> 4) - 8.0) * scale;
    }
}

/// A scale, a minimum, 32 nibbles of 0 to 15: the low ones first.
fn q4_1(block: &[u8], out: &mut [f32]) {
    let (scale, least) = (half(block), half(&block[2..]));
    let (low, high) = out.split_at_mut(16);
    for ((low, high), byte) in low.iter_mut().zip(high).zip(&block[4..]) {
        *low = f32::from(byte & 15) * scale + least;
        *high = f32::from(byte >> 4) * scale + least;
    }
}

/// The 32 numbers of 0 to 31 of four bytes with the fifth bits and 16 with the nibbles.
fn five_bits(bytes: &[u8]) -> [f32; 32] {
    let fifth = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let nibbles = &bytes[4..20];
    std::array::from_fn(|at| {
        let byte = nibbles[at % 16];
        let nibble = if at < 16 { byte & 15 } else { byte >> 4 };
        f32::from(nibble) + if fifth >> at & 1 == 1 { 16.0 } else { 0.0 }
    })
}

/// A scale, 32 numbers of −16 to 15.
fn q5_0(block: &[u8], out: &mut [f32]) {
    let scale = half(block);
    for (out, number) in out.iter_mut().zip(five_bits(&block[2..])) {
        *out = (number - 16.0) * scale;
    }
}

/// A scale, a minimum, 32 numbers of 0 to 31.
fn q5_1(block: &[u8], out: &mut [f32]) {
    let (scale, least) = (half(block), half(&block[2..]));
    for (out, number) in out.iter_mut().zip(five_bits(&block[4..])) {
        *out = number * scale + least;
    }
}

/// Scale and minimum of the `index`th of eight runs of 32, six bits each, packed into twelve bytes.
fn scale_and_least(packed: &[u8], index: usize) -> (f32, f32) {
    let (scale, least) = if index < 4 {
        (packed[index] & 63, packed[index + 4] & 63)
    } else {
        (
            packed[index + 4] & 15 | packed[index - 4] >> 6 << 4,
            packed[index + 4] >> 4 | packed[index] >> 6 << 4,
        )
    };
    (f32::from(scale), f32::from(least))
}

/// A scale of scales, one of minima, the packed ones, 256 nibbles: of 32 bytes the low ones, then the high ones.
fn q4_k(block: &[u8], out: &mut [f32]) {
    let (scale, least, packed) = (half(block), half(&block[2..]), &block[4..16]);
    for (index, run) in out.chunks_exact_mut(32).enumerate() {
        let (run_scale, run_least) = scale_and_least(packed, index);
        let (scale, least) = (scale * run_scale, least * run_least);
        let bytes = &block[16 + index / 2 * 32..][..32];
        for (out, byte) in run.iter_mut().zip(bytes) {
            let nibble = if index % 2 == 0 { byte & 15 } else { byte >> 4 };
            *out = scale * f32::from(nibble) - least;
        }
    }
}

/// As [`q4_k`], with 32 bytes of fifth bits before the nibbles: a bit for each run.
fn q5_k(block: &[u8], out: &mut [f32]) {
    let (scale, least, packed, fifth) = (half(block), half(&block[2..]), &block[4..16], &block[16..48]);
    for (index, run) in out.chunks_exact_mut(32).enumerate() {
        let (run_scale, run_least) = scale_and_least(packed, index);
        let (scale, least) = (scale * run_scale, least * run_least);
        let bytes = &block[48 + index / 2 * 32..][..32];
        for ((out, byte), fifth) in run.iter_mut().zip(bytes).zip(fifth) {
            let nibble = if index % 2 == 0 { byte & 15 } else { byte >> 4 };
            *out = scale * f32::from(nibble | (fifth >> index & 1) << 4) - least;
        }
    }
}

/// 128 bytes of low nibbles, 64 of upper bit pairs, 16 signed scales, a scale of scales; numbers of −32 to 31.
fn q6_k(block: &[u8], out: &mut [f32]) {
    let (low, high, scales, scale) = (&block[..128], &block[128..192], &block[192..208], half(&block[208..]));
    for (at, out) in out.iter_mut().enumerate() {
        // Each half of 128 numbers has four quarters of 32, which share 64 low bytes and 32 upper ones.
        let (part, quarter, column) = (at / 128, at / 32 % 4, at % 32);
        let byte = low[64 * part + 32 * (quarter % 2) + column];
        let nibble = if quarter < 2 { byte & 15 } else { byte >> 4 };
        let upper = high[32 * part + column] >> (2 * quarter) & 3;
        let run_scale = f32::from(scales[at / 16].cast_signed());
        *out = scale * run_scale * (f32::from(nibble | upper << 4) - 32.0);
    }
}
