//! The chain's own encoding: types, calls, events, errors, storage and runtime calls by the names, indices and layouts of
//! the public chain's metadata.
//!
//! Every shape stands here once, as a Rust type that encodes itself and describes itself ([`scale_info::TypeInfo`]);
//! [`metadata`] gathers the descriptions, so that what clients are told is what they get. Rules know nothing of
//! this: [`extrinsic`] turns bytes into a [`chain::Call`] and back, [`storage`] shows the state under the real keys,
//! [`runtime`] answers runtime calls from it.

use blake2::{
    Blake2b, Digest as _,
    digest::consts::{U8, U16, U32},
};
use scale_info::Path;
use twox_hash::XxHash64;

mod bounded;
mod calls;
mod convert;
mod events;
pub(crate) mod extrinsic;
mod failures;
#[cfg(test)]
mod golden;
mod happened;
mod info;
pub(crate) mod metadata;
mod rows;
pub(crate) mod runtime;
mod sending;
mod shapes;
pub(crate) mod storage;

/// The runtime's name.
pub(crate) const SPEC_NAME: &str = "node-subtensor";
/// The version of the calls' layout, which clients sign for.
pub(crate) const TRANSACTION_VERSION: u32 = 1;

pub(crate) fn twox_64(bytes: &[u8]) -> [u8; 8] {
    XxHash64::oneshot(0, bytes).to_le_bytes()
}

pub(crate) fn twox_128(bytes: &[u8]) -> [u8; 16] {
    let mut hash = [0; 16];
    hash[..8].copy_from_slice(&XxHash64::oneshot(0, bytes).to_le_bytes());
    hash[8..].copy_from_slice(&XxHash64::oneshot(1, bytes).to_le_bytes());
    hash
}

pub(crate) fn blake2_128(bytes: &[u8]) -> [u8; 16] {
    Blake2b::<U16>::digest(bytes).into()
}

/// The identity of a runtime interface, from its name.
pub(crate) fn blake2_64(name: &str) -> [u8; 8] {
    Blake2b::<U8>::digest(name.as_bytes()).into()
}

pub(crate) fn blake2_256(bytes: &[u8]) -> [u8; 32] {
    Blake2b::<U32>::digest(bytes).into()
}

/// The path of a type, from its text with `::` between the segments.
fn path(text: &'static str) -> Path {
    Path::from_segments_unchecked(text.split("::"))
}

/// A parameter of a generic type of the chain: its name, and its type where the chain tells it.
macro_rules! parameter {
    ($name:ident) => {
        ::scale_info::TypeParameter::<::scale_info::form::MetaForm>::new(stringify!($name), None)
    };
    ($name:ident $of:ty) => {
        ::scale_info::TypeParameter::new(stringify!($name), Some(::scale_info::MetaType::new::<$of>()))
    };
}
use parameter;

/// A type of the chain: a Rust type of the same layout, and its description under the chain's path, with the parameters that
/// the chain's type has: polkadot.js finds the types of calls, events and addresses by them. Variants of enums are given
/// with their index.
macro_rules! shape {
    ($path:literal $(<$($parameter:ident $(: $of:ty)?),*>)? struct $name:ident {$($field:ident: $type:ty),* $(,)?}) => {
        #[derive(Clone, Debug, PartialEq, Eq, ::parity_scale_codec::Encode, ::parity_scale_codec::Decode)]
        pub(crate) struct $name { $(pub(crate) $field: $type),* }

        impl ::scale_info::TypeInfo for $name {
            type Identity = Self;
            fn type_info() -> ::scale_info::Type {
                let fields = ::scale_info::build::Fields::named()
                    $(.field(|field| field.ty::<$type>().name(stringify!($field)).type_name(stringify!($type))))*;
                ::scale_info::Type::builder()
                    .path($crate::wire::path($path))
                    .type_params([$($($crate::wire::parameter!($parameter $($of)?)),*)?])
                    .composite(fields)
            }
        }
    };
    ($path:literal $(<$($parameter:ident $(: $of:ty)?),*>)? struct $name:ident($($type:ty),* $(,)?)) => {
        #[derive(
            Clone, Debug, PartialEq, Eq, PartialOrd, Ord, ::parity_scale_codec::Encode, ::parity_scale_codec::Decode,
        )]
        pub(crate) struct $name($(pub(crate) $type),*);

        impl ::scale_info::TypeInfo for $name {
            type Identity = Self;
            fn type_info() -> ::scale_info::Type {
                let fields = ::scale_info::build::Fields::unnamed()
                    $(.field(|field| field.ty::<$type>().type_name(stringify!($type))))*;
                ::scale_info::Type::builder()
                    .path($crate::wire::path($path))
                    .type_params([$($($crate::wire::parameter!($parameter $($of)?)),*)?])
                    .composite(fields)
            }
        }
    };
    ($path:literal $(<$($parameter:ident $(: $of:ty)?),*>)? enum $name:ident {
        $($index:literal $variant:ident $({$($field:ident: $type:ty),* $(,)?})? $(($($item:ty),* $(,)?))?),* $(,)?
    }) => {
        #[expect(clippy::allow_attributes, reason = "whether a name breaks the convention depends on the shape")]
        #[allow(non_camel_case_types, clippy::large_enum_variant, reason = "names and layouts are the chain's")]
        #[derive(Clone, Debug, PartialEq, Eq, ::parity_scale_codec::Encode, ::parity_scale_codec::Decode)]
        pub(crate) enum $name {
            $(#[codec(index = $index)] $variant $({ $($field: $type),* })? $(($($item),*))?),*
        }

        impl ::scale_info::TypeInfo for $name {
            type Identity = Self;
            fn type_info() -> ::scale_info::Type {
                let variants = ::scale_info::build::Variants::new()$(.variant(stringify!($variant), |variant| {
                    variant.index($index)
                    $(.fields(::scale_info::build::Fields::named()$(.field(
                        |field| field.ty::<$type>().name(stringify!($field)).type_name(stringify!($type)),
                    ))*))?
                    $(.fields(::scale_info::build::Fields::unnamed()$(.field(
                        |field| field.ty::<$item>().type_name(stringify!($item)),
                    ))*))?
                }))*;
                ::scale_info::Type::builder()
                    .path($crate::wire::path($path))
                    .type_params([$($($crate::wire::parameter!($parameter $($of)?)),*)?])
                    .variant(variants)
            }
        }
    };
}
use shape;

/// Newtypes over an integer that may stand in a [`parity_scale_codec::Compact`].
macro_rules! compact_as {
    ($($name:ident($inner:ty),)*) => {$(
        impl ::parity_scale_codec::CompactAs for $name {
            type As = $inner;
            fn encode_as(&self) -> &$inner {
                &self.0
            }
            fn decode_from(inner: $inner) -> Result<Self, ::parity_scale_codec::Error> {
                Ok(Self(inner))
            }
        }
        impl From<::parity_scale_codec::Compact<$name>> for $name {
            fn from(compact: ::parity_scale_codec::Compact<$name>) -> Self {
                compact.0
            }
        }
    )*};
}
use compact_as;
