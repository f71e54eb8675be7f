//! The synapse protocol of SDK 10 and earlier, for peers that still speak it: opt-in, in both directions.
//!
//! `POST /<SynapseName>` with the whole object as JSON; identity and a hash over some of its fields stand in headers.
//! What this layer does not take over from the reference: a request without a signature is refused, the window is
//! [`Window::STANDARD`](crate::Window::STANDARD) and no timeout of the client widens it, nonces run through the same
//! [`Replay`](crate::Replay) store as [`btauth`](crate::btauth), whatever their uuid, and nobody is judged by a hotkey
//! that is not verified yet.
//!
//! Start with [`Class`]; then [`Request`] (the sender's side) and [`Verifier`] (the receiver's).
//!
//! Source: Bittensor SDK 10.5, `synapse`, `dendrite`, `axon`.

mod class;
mod reply;
mod request;
mod verify;

pub use class::{Class, ClassError, EMPTY_BODY_HASH, Field, FieldKind};
pub use reply::{reply_body, reply_headers};
pub use request::{Envelope, Request, SPOKEN_VERSION};
pub use verify::{Caller, Pending, SynapseError, Verifier};

/// Headers that the layer reads or writes.
pub(crate) mod name {
    pub(crate) const BODY_HASH: &str = "computed_body_hash";
    pub(crate) const AXON_HOTKEY: &str = "bt_header_axon_hotkey";
    pub(crate) const NONCE: &str = "bt_header_dendrite_nonce";
    pub(crate) const HOTKEY: &str = "bt_header_dendrite_hotkey";
    pub(crate) const UUID: &str = "bt_header_dendrite_uuid";
    pub(crate) const SIGNATURE: &str = "bt_header_dendrite_signature";
    pub(crate) const TIMEOUT: &str = "timeout";
}
