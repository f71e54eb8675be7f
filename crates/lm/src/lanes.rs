//! Eight numbers at a time, one by one or with the machine's vectors, and the run-time choice between the two.
//!
//! A kernel is written once, over [`Lanes`]; [`Instructions::run`] compiles it for each of the machine's choices. All
//! give the same bits, since every operation here is rounded once and correctly by IEEE 754, and nothing is reordered.
//! This is the only module of the crate with unsafe code: the vector loads and stores, the steps into functions that may
//! use AVX2 and AVX-512, and the reads of the innermost loop of products, in [`tile`].

#![expect(unsafe_code, reason = "vector instructions; a scalar reference stands beside each of them")]

mod tile;

use std::fmt;

pub(crate) use tile::{Line, tile};

/// How many numbers a vector has: part of the contract on reductions, on every machine.
pub(crate) const LANES: usize = 8;
/// How many numbers a [`Wide`] vector has. Nothing is reduced over one, so it is no part of the contract.
pub(crate) const WIDE: usize = 2 * LANES;

/// 1.5 · 2^23: adding it to a small f32 and taking it away again rounds to a whole number.
pub(crate) const ROUNDER: f32 = 12_582_912.0;

/// Which instructions compute; never which bits come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instructions {
    /// One number at a time: the reference, on any machine.
    Scalar,
    /// AVX2 with fused multiply-add, on x86-64.
    Avx2,
    /// AVX-512's foundation and vector lengths, on x86-64.
    Avx512,
    /// NEON, on 64-bit ARM.
    Neon,
}

impl fmt::Display for Instructions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Scalar => "scalar",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Neon => "neon",
        })
    }
}

impl Instructions {
    /// All that this machine can run, slowest first.
    #[must_use]
    pub fn available() -> Vec<Self> {
        let all = [Self::Scalar, Self::Avx2, Self::Avx512, Self::Neon];
        all.into_iter().filter(|one| one.is_available()).collect()
    }

    /// The fastest that this machine can run.
    #[must_use]
    pub fn best() -> Self {
        let fast = [Self::Avx512, Self::Avx2, Self::Neon];
        fast.into_iter().find(|one| one.is_available()).unwrap_or(Self::Scalar)
    }

    /// Whether this machine can run them.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
            // Targets with it have it on every machine: compiled in, there is nothing to ask.
            Self::Neon => cfg!(all(target_arch = "aarch64", target_feature = "neon")),
        }
    }

    /// Runs a kernel with these instructions, or with the scalar ones where the machine lacks them.
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        #[cfg(target_arch = "x86_64")]
        if matches!(self, Self::Avx2 | Self::Avx512) && self.is_available() {
            // SAFETY: the line above has seen the features on this machine.
            return unsafe {
                match self {
                    Self::Avx512 => avx::run_512(kernel),
                    _ => avx::run_256(kernel),
                }
            };
        }
        #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
        if self == Self::Neon {
            return kernel.run::<neon::Neon>();
        }
        kernel.run::<Scalar>()
    }
}

/// A computation over vectors of any make. `run` and all that it calls in its loops are `#[inline(always)]`: only
/// then is it compiled for the instructions of its caller.
pub(crate) trait Kernel {
    /// What the computation returns.
    type Output;
    /// Computes with the given vectors.
    fn run<L: Lanes>(self) -> Self::Output;
}

/// Some f32. Each operation is IEEE 754's, lane by lane.
pub(crate) trait Vector: Copy {
    /// As many numbers in memory.
    type Numbers;
    /// The same number in all lanes.
    fn splat(x: f32) -> Self;
    /// The lanes from memory.
    fn load(from: &Self::Numbers) -> Self;
    /// The lanes to memory.
    fn store(self, to: &mut Self::Numbers);
    /// `self + other`.
    fn add(self, other: Self) -> Self;
    /// `self − other`.
    fn sub(self, other: Self) -> Self;
    /// `self · other`.
    fn mul(self, other: Self) -> Self;
    /// `self ÷ other`.
    fn div(self, other: Self) -> Self;
    /// `self · factor + addend`, rounded once.
    fn fma(self, factor: Self, addend: Self) -> Self;
    /// The square root.
    fn sqrt(self) -> Self;
    /// `self < other ? self : other`: a NaN on either side gives `other`.
    fn min(self, other: Self) -> Self;
    /// `self > other ? self : other`: a NaN on either side gives `other`.
    fn max(self, other: Self) -> Self;
    /// 2 to the power of a whole number from −126 to 127; any value for other input.
    fn power_of_two(self) -> Self;
    /// `self · 2^k`, rounded once, for `self` from 0.5 to 2 and whole `k` from −252 to 254.
    #[inline(always)]
    fn scaled(self, k: Self) -> Self {
        scaled_in_two(self, k)
    }
}

/// [`Vector::scaled`] in two factors, since 2^128 and 2^−150 are no f32: the first leaves all bits as they are.
#[inline(always)]
fn scaled_in_two<V: Vector>(x: V, k: V) -> V {
    let rounder = V::splat(ROUNDER);
    let half = k.fma(V::splat(0.5), rounder).sub(rounder);
    x.mul(half.power_of_two()).mul(k.sub(half).power_of_two())
}

/// Sixteen f32, where the lanes have nothing to do with each other.
pub(crate) trait Wide: Vector<Numbers = [f32; WIDE]> {
    /// Half of one.
    type Half;
    /// Whether it is one register, of which there are 32: products hold more sums in them then.
    const IS_ONE: bool;
    /// The first eight lanes and the last eight.
    fn halves(self) -> [Self::Half; 2];
}

/// Two vectors as a wide one.
#[derive(Clone, Copy)]
pub(crate) struct Pair<L>(L, L);

impl<L: Lanes> Pair<L> {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(L, L) -> L) -> Self {
        Self(f(self.0, other.0), f(self.1, other.1))
    }
}

impl<L: Lanes> Vector for Pair<L> {
    type Numbers = [f32; WIDE];
    #[inline(always)]
    fn splat(x: f32) -> Self {
        Self(L::splat(x), L::splat(x))
    }
    #[inline(always)]
    fn load(from: &[f32; WIDE]) -> Self {
        let [low, high] = from.as_chunks::<LANES>().0 else { unreachable!("two vectors") };
        Self(L::load(low), L::load(high))
    }
    #[inline(always)]
    fn store(self, to: &mut [f32; WIDE]) {
        let [low, high] = to.as_chunks_mut::<LANES>().0 else { unreachable!("two vectors") };
        self.0.store(low);
        self.1.store(high);
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, L::add)
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, L::sub)
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, L::mul)
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.zip(other, L::div)
    }
    #[inline(always)]
    fn fma(self, factor: Self, addend: Self) -> Self {
        Self(self.0.fma(factor.0, addend.0), self.1.fma(factor.1, addend.1))
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(self.0.sqrt(), self.1.sqrt())
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.zip(other, L::min)
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, L::max)
    }
    #[inline(always)]
    fn power_of_two(self) -> Self {
        Self(self.0.power_of_two(), self.1.power_of_two())
    }
    #[inline(always)]
    fn scaled(self, k: Self) -> Self {
        // Spelt out: a function handed on is compiled for any machine.
        Self(self.0.scaled(k.0), self.1.scaled(k.1))
    }
}

impl<L: Lanes> Wide for Pair<L> {
    type Half = L;
    const IS_ONE: bool = false;
    #[inline(always)]
    fn halves(self) -> [L; 2] {
        [self.0, self.1]
    }
}

/// Eight f32, which sums and maxima are made of.
pub(crate) trait Lanes: Vector<Numbers = [f32; LANES]> {
    /// Two of them.
    type Wide: Wide<Half = Self>;

    /// The lanes as numbers.
    #[inline(always)]
    fn to_array(self) -> [f32; LANES] {
        let mut lanes = [0.0; LANES];
        self.store(&mut lanes);
        lanes
    }

    /// The sum of the lanes in a fixed tree: distance 4, then 2, then 1.
    #[inline(always)]
    fn sum(self) -> f32 {
        let l = self.to_array();
        ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]))
    }

    /// The largest lane, compared in the tree of [`Lanes::sum`].
    #[inline(always)]
    fn largest(self) -> f32 {
        let l = self.to_array();
        let max = |a: f32, b: f32| if a > b { a } else { b };
        max(max(max(l[0], l[4]), max(l[2], l[6])), max(max(l[1], l[5]), max(l[3], l[7])))
    }

    /// Up to eight numbers from memory, `fill` in the lanes behind them.
    #[inline(always)]
    fn load_part(from: &[f32], fill: f32) -> Self {
        let mut lanes = [fill; LANES];
        lanes[..from.len()].copy_from_slice(from);
        Self::load(&lanes)
    }

    /// The first lanes to a slice of up to eight.
    #[inline(always)]
    fn store_part(self, to: &mut [f32]) {
        let lanes = self.to_array();
        to.copy_from_slice(&lanes[..to.len()]);
    }
}

/// The reference: eight numbers in an array. Without hardware for it, `mul_add` is a library call; its result is
/// fixed by IEEE 754 all the same.
#[derive(Clone, Copy)]
pub(crate) struct Scalar([f32; LANES]);

impl Scalar {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|lane| f(self.0[lane], other.0[lane])))
    }
}

impl Lanes for Scalar {
    type Wide = Pair<Self>;
}

impl Vector for Scalar {
    type Numbers = [f32; LANES];
    #[inline(always)]
    fn splat(x: f32) -> Self {
        Self([x; LANES])
    }
    #[inline(always)]
    fn load(from: &[f32; LANES]) -> Self {
        Self(*from)
    }
    #[inline(always)]
    fn store(self, to: &mut [f32; LANES]) {
        *to = self.0;
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }
    #[inline(always)]
    fn fma(self, factor: Self, addend: Self) -> Self {
        Self(std::array::from_fn(|lane| self.0[lane].mul_add(factor.0[lane], addend.0[lane])))
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(self.0.map(f32::sqrt))
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn power_of_two(self) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, −126 to 127")]
        Self(self.0.map(|k| f32::from_bits(((k as i32).wrapping_add(127) as u32) << 23)))
    }
}

#[cfg(target_arch = "x86_64")]
mod avx {
    use std::arch::x86_64::{
        __m256, __m512, _mm256_add_epi32, _mm256_add_ps, _mm256_castpd_ps, _mm256_castsi256_ps,
        _mm256_cvtps_epi32, _mm256_div_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_min_ps,
        _mm256_mul_ps, _mm256_scalef_ps, _mm256_set1_epi32, _mm256_set1_ps, _mm256_slli_epi32,
        _mm256_sqrt_ps, _mm256_storeu_ps, _mm256_sub_ps, _mm512_add_epi32, _mm512_add_ps, _mm512_castps_pd,
        _mm512_castps512_ps256, _mm512_castsi512_ps, _mm512_cvtps_epi32, _mm512_div_ps,
        _mm512_extractf64x4_pd, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_max_ps, _mm512_min_ps,
        _mm512_mul_ps, _mm512_scalef_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_slli_epi32,
        _mm512_sqrt_ps, _mm512_storeu_ps, _mm512_sub_ps,
    };

    use super::{Kernel, LANES, Lanes, Pair, Vector, WIDE, Wide, scaled_in_two};

    /// One AVX register, on a machine with or without those of twice the width. Values exist only inside of the two
    /// functions below, hence on machines that have such registers.
    #[derive(Clone, Copy)]
    struct Ymm<const BESIDE_ZMM: bool>(__m256);

    /// One AVX-512 register.
    #[derive(Clone, Copy)]
    struct Zmm(__m512);

    /// Compiles the kernel for AVX2 and FMA.
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn run_256<K: Kernel>(kernel: K) -> K::Output {
        kernel.run::<Ymm<false>>()
    }

    /// Compiles the kernel for AVX-512.
    #[target_feature(enable = "avx2,fma,avx512f,avx512vl")]
    pub(super) fn run_512<K: Kernel>(kernel: K) -> K::Output {
        kernel.run::<Ymm<true>>()
    }

    impl Lanes for Ymm<false> {
        type Wide = Pair<Self>;
    }

    impl Lanes for Ymm<true> {
        type Wide = Zmm;
    }

    // SAFETY of all blocks below: the types are private to this module and are named only in the two functions above,
    // whose caller has seen what they enable on this machine; those that touch memory do so through references to as
    // many numbers as they move.
    impl Wide for Zmm {
        type Half = Ymm<true>;
        const IS_ONE: bool = true;
        #[inline(always)]
        fn halves(self) -> [Ymm<true>; 2] {
            unsafe {
                let high = _mm512_extractf64x4_pd::<1>(_mm512_castps_pd(self.0));
                [Ymm(_mm512_castps512_ps256(self.0)), Ymm(_mm256_castpd_ps(high))]
            }
        }
    }

    impl Vector for Zmm {
        type Numbers = [f32; WIDE];
        #[inline(always)]
        fn splat(x: f32) -> Self {
            Self(unsafe { _mm512_set1_ps(x) })
        }
        #[inline(always)]
        fn load(from: &[f32; WIDE]) -> Self {
            Self(unsafe { _mm512_loadu_ps(from.as_ptr()) })
        }
        #[inline(always)]
        fn store(self, to: &mut [f32; WIDE]) {
            unsafe { _mm512_storeu_ps(to.as_mut_ptr(), self.0) }
        }
        #[inline(always)]
        fn add(self, other: Self) -> Self {
            Self(unsafe { _mm512_add_ps(self.0, other.0) })
        }
        #[inline(always)]
        fn sub(self, other: Self) -> Self {
            Self(unsafe { _mm512_sub_ps(self.0, other.0) })
        }
        #[inline(always)]
        fn mul(self, other: Self) -> Self {
            Self(unsafe { _mm512_mul_ps(self.0, other.0) })
        }
        #[inline(always)]
        fn div(self, other: Self) -> Self {
            Self(unsafe { _mm512_div_ps(self.0, other.0) })
        }
        #[inline(always)]
        fn fma(self, factor: Self, addend: Self) -> Self {
            Self(unsafe { _mm512_fmadd_ps(self.0, factor.0, addend.0) })
        }
        #[inline(always)]
        fn sqrt(self) -> Self {
            Self(unsafe { _mm512_sqrt_ps(self.0) })
        }
        #[inline(always)]
        fn min(self, other: Self) -> Self {
            Self(unsafe { _mm512_min_ps(self.0, other.0) })
        }
        #[inline(always)]
        fn max(self, other: Self) -> Self {
            Self(unsafe { _mm512_max_ps(self.0, other.0) })
        }
        #[inline(always)]
        fn power_of_two(self) -> Self {
            Self(unsafe {
                let biased = _mm512_add_epi32(_mm512_cvtps_epi32(self.0), _mm512_set1_epi32(127));
                _mm512_castsi512_ps(_mm512_slli_epi32::<23>(biased))
            })
        }
        #[inline(always)]
        fn scaled(self, k: Self) -> Self {
            Self(unsafe { _mm512_scalef_ps(self.0, k.0) })
        }
    }

    impl<const BESIDE_ZMM: bool> Vector for Ymm<BESIDE_ZMM> {
        type Numbers = [f32; LANES];
        #[inline(always)]
        fn splat(x: f32) -> Self {
            Self(unsafe { _mm256_set1_ps(x) })
        }
        #[inline(always)]
        fn load(from: &[f32; LANES]) -> Self {
            Self(unsafe { _mm256_loadu_ps(from.as_ptr()) })
        }
        #[inline(always)]
        fn store(self, to: &mut [f32; LANES]) {
            unsafe { _mm256_storeu_ps(to.as_mut_ptr(), self.0) }
        }
        #[inline(always)]
        fn add(self, other: Self) -> Self {
            Self(unsafe { _mm256_add_ps(self.0, other.0) })
        }
        #[inline(always)]
        fn sub(self, other: Self) -> Self {
            Self(unsafe { _mm256_sub_ps(self.0, other.0) })
        }
        #[inline(always)]
        fn mul(self, other: Self) -> Self {
            Self(unsafe { _mm256_mul_ps(self.0, other.0) })
        }
        #[inline(always)]
        fn div(self, other: Self) -> Self {
            Self(unsafe { _mm256_div_ps(self.0, other.0) })
        }
        #[inline(always)]
        fn fma(self, factor: Self, addend: Self) -> Self {
            Self(unsafe { _mm256_fmadd_ps(self.0, factor.0, addend.0) })
        }
        #[inline(always)]
        fn sqrt(self) -> Self {
            Self(unsafe { _mm256_sqrt_ps(self.0) })
        }
        #[inline(always)]
        fn min(self, other: Self) -> Self {
            Self(unsafe { _mm256_min_ps(self.0, other.0) })
        }
        #[inline(always)]
        fn max(self, other: Self) -> Self {
            Self(unsafe { _mm256_max_ps(self.0, other.0) })
        }
        #[inline(always)]
        fn power_of_two(self) -> Self {
            Self(unsafe {
                let biased = _mm256_add_epi32(_mm256_cvtps_epi32(self.0), _mm256_set1_epi32(127));
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(biased))
            })
        }
        #[inline(always)]
        fn scaled(self, k: Self) -> Self {
            if BESIDE_ZMM { Self(unsafe { _mm256_scalef_ps(self.0, k.0) }) } else { scaled_in_two(self, k) }
        }
    }
}

#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
mod neon {
    use std::arch::aarch64::{
        float32x4_t, vaddq_f32, vaddq_s32, vbslq_f32, vcgtq_f32, vcltq_f32, vcvtq_s32_f32, vdivq_f32,
        vdupq_n_f32, vdupq_n_s32, vfmaq_f32, vld1q_f32, vmulq_f32, vreinterpretq_f32_s32, vshlq_n_s32,
        vsqrtq_f32, vst1q_f32, vsubq_f32,
    };

    use super::{LANES, Lanes, Pair, Vector};

    /// Two NEON registers: the first four lanes and the last four.
    #[derive(Clone, Copy)]
    pub(super) struct Neon(float32x4_t, float32x4_t);

    impl Neon {
        #[inline(always)]
        fn each(self, f: impl Fn(float32x4_t) -> float32x4_t) -> Self {
            Self(f(self.0), f(self.1))
        }
        #[inline(always)]
        fn zip(self, other: Self, f: impl Fn(float32x4_t, float32x4_t) -> float32x4_t) -> Self {
            Self(f(self.0, other.0), f(self.1, other.1))
        }
    }

    impl Lanes for Neon {
        type Wide = Pair<Self>;
    }

    // SAFETY of all blocks below: the module is there only where every machine has NEON; those that touch memory do so
    // through references to four numbers.
    impl Vector for Neon {
        type Numbers = [f32; LANES];
        #[inline(always)]
        fn splat(x: f32) -> Self {
            unsafe { Self(vdupq_n_f32(x), vdupq_n_f32(x)) }
        }
        #[inline(always)]
        fn load(from: &[f32; LANES]) -> Self {
            let (low, high) = from.split_at(LANES / 2);
            unsafe { Self(vld1q_f32(low.as_ptr()), vld1q_f32(high.as_ptr())) }
        }
        #[inline(always)]
        fn store(self, to: &mut [f32; LANES]) {
            let (low, high) = to.split_at_mut(LANES / 2);
            unsafe {
                vst1q_f32(low.as_mut_ptr(), self.0);
                vst1q_f32(high.as_mut_ptr(), self.1);
            }
        }
        #[inline(always)]
        fn add(self, other: Self) -> Self {
            self.zip(other, |a, b| unsafe { vaddq_f32(a, b) })
        }
        #[inline(always)]
        fn sub(self, other: Self) -> Self {
            self.zip(other, |a, b| unsafe { vsubq_f32(a, b) })
        }
        #[inline(always)]
        fn mul(self, other: Self) -> Self {
            self.zip(other, |a, b| unsafe { vmulq_f32(a, b) })
        }
        #[inline(always)]
        fn div(self, other: Self) -> Self {
            self.zip(other, |a, b| unsafe { vdivq_f32(a, b) })
        }
        #[inline(always)]
        fn fma(self, factor: Self, addend: Self) -> Self {
            // The intrinsic's first argument is what is added to.
            unsafe { Self(vfmaq_f32(addend.0, self.0, factor.0), vfmaq_f32(addend.1, self.1, factor.1)) }
        }
        #[inline(always)]
        fn sqrt(self) -> Self {
            self.each(|a| unsafe { vsqrtq_f32(a) })
        }
        // Not the instructions named minimum and maximum: theirs of a NaN and of zeros of two signs differ.
        #[inline(always)]
        fn min(self, other: Self) -> Self {
            self.zip(other, |a, b| unsafe { vbslq_f32(vcltq_f32(a, b), a, b) })
        }
        #[inline(always)]
        fn max(self, other: Self) -> Self {
            self.zip(other, |a, b| unsafe { vbslq_f32(vcgtq_f32(a, b), a, b) })
        }
        #[inline(always)]
        fn power_of_two(self) -> Self {
            self.each(|k| unsafe {
                let biased = vaddq_s32(vcvtq_s32_f32(k), vdupq_n_s32(127));
                vreinterpretq_f32_s32(vshlq_n_s32::<23>(biased))
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every operation on one triple of vectors, as bits; a NaN counts as one value.
    struct Everything([[f32; LANES]; 3]);

    impl Kernel for Everything {
        type Output = Vec<u32>;
        #[inline(always)]
        fn run<L: Lanes>(self) -> Vec<u32> {
            let [a, b, c] = self.0.map(|lanes| L::load(&lanes));
            let k = L::load(&self.0[0].map(|x| (x.to_bits() % 254) as f32 - 126.0));
            let (one, power) = (L::load(&self.0[1].map(near_one)), L::load(&self.0[2].map(power)));
            let vectors = [
                a.add(b),
                a.sub(b),
                a.mul(b),
                a.div(b),
                a.fma(b, c),
                a.sqrt(),
                a.min(b),
                a.max(b),
                k.power_of_two(),
                one.scaled(power),
                L::splat(self.0[1][3]),
                L::load_part(&self.0[2][..5], -1.0),
            ];
            let mut out: Vec<f32> = vectors.iter().flat_map(|v| v.to_array()).collect();
            out.extend([a.sum(), b.largest()]);
            out.into_iter().map(as_bits).collect()
        }
    }

    /// The same of wide vectors.
    struct WideOnes([[f32; WIDE]; 3]);

    impl Kernel for WideOnes {
        type Output = Vec<u32>;
        #[inline(always)]
        fn run<L: Lanes>(self) -> Vec<u32> {
            let [a, b, c] = self.0.map(|lanes| L::Wide::load(&lanes));
            let k = L::Wide::load(&self.0[0].map(|x| (x.to_bits() % 254) as f32 - 126.0));
            let (one, power) =
                (L::Wide::load(&self.0[1].map(near_one)), L::Wide::load(&self.0[2].map(power)));
            let vectors = [
                a.add(b),
                a.sub(b),
                a.mul(b),
                a.div(b),
                a.fma(b, c),
                a.sqrt(),
                a.min(b),
                a.max(b),
                k.power_of_two(),
                one.scaled(power),
                L::Wide::splat(self.0[1][3]),
            ];
            let mut out = Vec::new();
            for wide in vectors {
                let mut lanes = [0.0; WIDE];
                wide.store(&mut lanes);
                assert_eq!(
                    wide.halves().map(|half| half.to_array().map(as_bits)).concat(),
                    lanes.map(as_bits)
                );
                out.extend(lanes.map(as_bits));
            }
            out
        }
    }

    /// The same mantissa, from 1 to 2.
    fn near_one(x: f32) -> f32 {
        f32::from_bits((x.to_bits() & 0x7f_ffff) | 0x3f80_0000)
    }

    /// A whole number for [`Vector::scaled`], more often than not one with a result that can be told from 0 and ∞.
    fn power(x: f32) -> f32 {
        (x.to_bits() % 300) as f32 - 160.0
    }

    fn as_bits(x: f32) -> u32 {
        if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() }
    }

    proptest! {
        #[test]
        fn all_instructions_give_the_bits_of_the_scalar_reference(bits: [[u32; LANES]; 3]) {
            let input = bits.map(|lanes| lanes.map(f32::from_bits));
            for instructions in Instructions::available() {
                prop_assert_eq!(instructions.run(Everything(input)), Instructions::Scalar.run(Everything(input)));
            }
        }

        #[test]
        fn wide_vectors_give_the_bits_of_the_scalar_reference(bits: [[u32; WIDE]; 3]) {
            let input = bits.map(|lanes| lanes.map(f32::from_bits));
            for instructions in Instructions::available() {
                prop_assert_eq!(instructions.run(WideOnes(input)), Instructions::Scalar.run(WideOnes(input)));
            }
        }
    }
}
