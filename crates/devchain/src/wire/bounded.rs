//! Lists with a bound, and numbers with a fixed point: generic types that the chain describes in a way of its own.

use parity_scale_codec::{Decode, Encode};
use scale_info::{MetaType, Type, TypeInfo, TypeParameter, build::Fields};

use super::path;

/// A list whose length the chain bounds; the bound is the rules' to check.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct BoundedVec<T>(pub(crate) Vec<T>);

/// The same under its other name.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct WeakBoundedVec<T>(pub(crate) Vec<T>);

macro_rules! bounded {
    ($($name:ident $path:literal;)*) => {$(
        impl<T: TypeInfo + 'static> TypeInfo for $name<T> {
            type Identity = Self;
            fn type_info() -> Type {
                Type::builder()
                    .path(path($path))
                    .type_params([TypeParameter::new("T", Some(MetaType::new::<T>())), TypeParameter::new("S", None)])
                    .composite(Fields::unnamed().field(|field| field.ty::<Vec<T>>().type_name("Vec<T>")))
            }
        }
    )*};
}

bounded! {
    BoundedVec "bounded_collections::bounded_vec::BoundedVec";
    WeakBoundedVec "bounded_collections::weak_bounded_vec::WeakBoundedVec";
}

/// A signed number with `FRACTION` fractional bits, as its raw bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct FixedI128<const FRACTION: usize> {
    pub(crate) bits: i128,
}

/// An unsigned number with `FRACTION` fractional bits, as its raw bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct FixedU128<const FRACTION: usize> {
    pub(crate) bits: u128,
}

/// A signed number of 64 bits with `FRACTION` fractional bits, as its raw bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct FixedI64<const FRACTION: usize> {
    pub(crate) bits: i64,
}

/// A number on the level of types, written in bits as the chain's library does it: the fraction's length in a
/// fixed-point type's parameter.
struct TypeNumber<const N: usize>;
struct Terminal;
struct Bit<const ONE: bool>;

impl TypeInfo for Terminal {
    type Identity = Self;
    fn type_info() -> Type {
        Type::builder().path(path("typenum::uint::UTerm")).composite(Fields::unit())
    }
}

impl<const ONE: bool> TypeInfo for Bit<ONE> {
    type Identity = Self;
    fn type_info() -> Type {
        let name = if ONE { "typenum::bit::B1" } else { "typenum::bit::B0" };
        Type::builder().path(path(name)).composite(Fields::unit())
    }
}

macro_rules! type_numbers {
    ($($number:literal = $rest:ty, $bit:literal;)*) => {$(
        impl TypeInfo for TypeNumber<$number> {
            type Identity = Self;
            fn type_info() -> Type {
                Type::builder()
                    .path(path("typenum::uint::UInt"))
                    .type_params([
                        TypeParameter::new("U", Some(MetaType::new::<$rest>())),
                        TypeParameter::new("B", Some(MetaType::new::<Bit<$bit>>())),
                    ])
                    .composite(
                        Fields::named()
                            .field(|field| field.ty::<$rest>().name("msb").type_name("U"))
                            .field(|field| field.ty::<Bit<$bit>>().name("lsb").type_name("B")),
                    )
            }
        }
    )*};
}

type_numbers! {
    1 = Terminal, true;
    2 = TypeNumber<1>, false;
    4 = TypeNumber<2>, false;
    8 = TypeNumber<4>, false;
    16 = TypeNumber<8>, false;
    32 = TypeNumber<16>, false;
    64 = TypeNumber<32>, false;
}

macro_rules! fixed {
    ($($name:ident $bits:ty, $fraction:literal, $path:literal;)*) => {$(
        impl TypeInfo for $name<$fraction> {
            type Identity = Self;
            fn type_info() -> Type {
                Type::builder()
                    .path(path($path))
                    .type_params([TypeParameter::new("Frac", Some(MetaType::new::<TypeNumber<$fraction>>()))])
                    .composite(Fields::named().field(|field| field.ty::<$bits>().name("bits").type_name(stringify!($bits))))
            }
        }
    )*};
}

fixed! {
    FixedI128 i128, 32, "substrate_fixed::FixedI128";
    FixedI128 i128, 64, "substrate_fixed::FixedI128";
    FixedU128 u128, 32, "substrate_fixed::FixedU128";
    FixedU128 u128, 64, "substrate_fixed::FixedU128";
    FixedI64 i64, 32, "substrate_fixed::FixedI64";
}
