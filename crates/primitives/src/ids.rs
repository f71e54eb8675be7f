//! Small identifiers of the chain: neuron, subnet, mechanism, block.

use std::fmt;

use parity_scale_codec::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// A block's height; the genesis block is 0.
pub type BlockNumber = u64;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode,
            Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl $name {
            /// The identifier as an index into a vector with one entry per id.
            #[must_use]
            pub fn index(self) -> usize {
                usize::from(self.0)
            }
        }
    };
}

id! {
    /// A neuron's slot in a subnet. It is reused: scores belong to the [`crate::Hotkey`] that holds it.
    Uid(u16)
}
id! {
    /// A subnet's number on the chain; 0 is root.
    NetUid(u16)
}
id! {
    /// A mechanism's number inside a subnet (the chain's `mecid`); 0 always exists.
    MechId(u8)
}

impl NetUid {
    /// The root network, which holds stake and sets no weights.
    pub const ROOT: NetUid = NetUid(0);
}

impl MechId {
    /// The mechanism that every subnet has.
    pub const MAIN: MechId = MechId(0);
}
