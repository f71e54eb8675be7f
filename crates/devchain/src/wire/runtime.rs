//! Runtime calls: questions that clients ask of the state as a whole, by the names of the real chain.

use frame_metadata::v15::{RuntimeApiMetadata, RuntimeApiMethodMetadata, RuntimeApiMethodParamMetadata};
use parity_scale_codec::{Compact, DecodeAll, Encode};
use scale_info::meta_type;

use super::{extrinsic::UncheckedExtrinsic, info::*, types::*};
use crate::State;

/// A runtime call could not be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallError {
    /// There is no such method.
    NoMethod,
    /// The arguments are not what the method takes.
    Arguments,
}

macro_rules! runtime_calls {
    ($($api:literal {$($method:ident($($argument:ident: $type:ty),*) -> $output:ty;)*})*) => {
        /// All methods, for the metadata.
        #[expect(clippy::too_many_lines, reason = "a table")]
        pub(crate) fn descriptions() -> Vec<RuntimeApiMetadata> {
            vec![$(RuntimeApiMetadata {
                name: $api,
                methods: vec![$(RuntimeApiMethodMetadata {
                    name: stringify!($method),
                    inputs: vec![$(RuntimeApiMethodParamMetadata {
                        name: stringify!($argument),
                        ty: meta_type::<$type>(),
                    }),*],
                    output: meta_type::<$output>(),
                    docs: Vec::new(),
                }),*],
                docs: Vec::new(),
            }),*]
        }

        /// Answers `Api_method` with these SCALE-encoded arguments.
        ///
        /// # Errors
        /// [`CallError`].
        pub(crate) fn call(state: &State, name: &str, arguments: &[u8]) -> Result<Vec<u8>, CallError> {
            match name {
                $($(concat!($api, "_", stringify!($method)) => {
                    let ($($argument,)*) =
                        <($($type,)*)>::decode_all(&mut &arguments[..]).map_err(|_| CallError::Arguments)?;
                    let answer: $output = methods::$method(state, $($argument),*);
                    Ok(answer.encode())
                })*)*
                _ => Err(CallError::NoMethod),
            }
        }
    };
}

runtime_calls! {
    "AccountNonceApi" {
        account_nonce(account: AccountId32) -> u32;
    }
    "SubnetRegistrationRuntimeApi" {
        get_network_registration_cost() -> TaoBalance;
    }
}
mod methods {
    use super::*;
    pub(super) fn account_nonce(state: &State, account: AccountId32) -> u32 {
        state.nonce(account.into())
    }
    pub(super) fn get_network_registration_cost(state: &State) -> TaoBalance {
        state.lock_cost().into()
    }
}
pub(crate) fn symbol(_netuid: primitives::NetUid) -> String {
    String::new()
}
