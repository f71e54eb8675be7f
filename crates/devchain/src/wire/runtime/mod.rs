//! Runtime calls: questions that clients ask of the state as a whole, by the names of the real chain.
//!
//! The table below names them all; each is a function of the state and its arguments, in one module per idea. What the
//! real chain keeps and this one does not is read through [`storage`]'s table like everything else there: it answers
//! with the item's default until the table gives it a source.

use std::collections::BTreeMap;

use frame_metadata::v15::{RuntimeApiMetadata, RuntimeApiMethodMetadata, RuntimeApiMethodParamMetadata};
use parity_scale_codec::{Compact, DecodeAll, Encode};
use primitives::NetUid as Net;
use scale_info::meta_type;
use thiserror::Error;

use super::{bounded::FixedU128, extrinsic::UncheckedExtrinsic, info::*, shapes::*, storage};
use crate::State;

mod fees;
mod metagraph;
mod neurons;
mod stakes;
mod subnets;
mod swaps;
#[cfg(test)]
mod tests;

/// A runtime call could not be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CallError {
    /// There is no such method.
    #[error("there is no such runtime call")]
    NoMethod,
    /// The arguments are not what the method takes.
    #[error("the arguments are not what the runtime call takes")]
    Arguments,
}

/// A delegate, a network, and what is staked with the one on the other.
type Delegated = (DelegateInfo, (Compact<NetUid>, Compact<AlphaBalance>));

/// Coldkeys with what they can unstake on each subnet.
type Availability = BTreeMap<AccountId32, BTreeMap<NetUid, StakeAvailability>>;

/// What a method's function returns: its output, or that these arguments have none.
trait Answer<T> {
    fn answer(self) -> Result<T, CallError>;
}

impl<T> Answer<T> for T {
    fn answer(self) -> Result<T, CallError> {
        Ok(self)
    }
}

impl<T> Answer<T> for Result<T, CallError> {
    fn answer(self) -> Result<T, CallError> {
        self
    }
}

macro_rules! runtime_calls {
    ($($api:literal in $module:ident {$($method:ident($($argument:ident: $type:ty),*) -> $output:ty;)*})*) => {
        /// All methods, for the metadata.
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
                    let answer: $output = Answer::<$output>::answer($module::$method(state, $($argument),*))?;
                    Ok(answer.encode())
                })*)*
                _ => Err(CallError::NoMethod),
            }
        }
    };
}

runtime_calls! {
    "AccountNonceApi" in accounts {
        account_nonce(account: AccountId32) -> u32;
    }
    "TransactionPaymentApi" in fees {
        query_info(uxt: UncheckedExtrinsic, len: u32) -> RuntimeDispatchInfo;
        query_fee_details(uxt: UncheckedExtrinsic, len: u32) -> FeeDetails;
        query_weight_to_fee(weight: Weight) -> TaoBalance;
        query_length_to_fee(length: u32) -> TaoBalance;
    }
    "DelegateInfoRuntimeApi" in stakes {
        get_delegates() -> Vec<DelegateInfo>;
        get_delegate(delegate_account: AccountId32) -> Option<DelegateInfo>;
        get_delegated(delegatee_account: AccountId32) -> Vec<Delegated>;
    }
    "NeuronInfoRuntimeApi" in neurons {
        get_neurons(netuid: NetUid) -> Vec<NeuronInfo>;
        get_neuron(netuid: NetUid, uid: u16) -> Option<NeuronInfo>;
        get_neurons_lite(netuid: NetUid) -> Vec<NeuronInfoLite>;
        get_neuron_lite(netuid: NetUid, uid: u16) -> Option<NeuronInfoLite>;
    }
    "SubnetInfoRuntimeApi" in subnets {
        get_subnet_info(netuid: NetUid) -> Option<SubnetInfo>;
        get_subnets_info() -> Vec<Option<SubnetInfo>>;
        get_subnet_info_v2(netuid: NetUid) -> Option<SubnetInfov2>;
        get_subnets_info_v2() -> Vec<Option<SubnetInfov2>>;
        get_subnet_hyperparams(netuid: NetUid) -> Option<SubnetHyperparams>;
        get_subnet_hyperparams_v2(netuid: NetUid) -> Option<SubnetHyperparamsV2>;
        get_all_dynamic_info() -> Vec<Option<DynamicInfo>>;
        get_all_metagraphs() -> Vec<Option<Metagraph>>;
        get_metagraph(netuid: NetUid) -> Option<Metagraph>;
        get_all_mechagraphs() -> Vec<Option<Metagraph>>;
        get_mechagraph(netuid: NetUid, mecid: MechId) -> Option<Metagraph>;
        get_dynamic_info(netuid: NetUid) -> Option<DynamicInfo>;
        get_subnet_state(netuid: NetUid) -> Option<SubnetState>;
        get_selective_metagraph(netuid: NetUid, metagraph_indexes: Vec<u16>) -> Option<SelectiveMetagraph>;
        get_coldkey_auto_stake_hotkey(coldkey: AccountId32, netuid: NetUid) -> Option<AccountId32>;
        get_selective_mechagraph(netuid: NetUid, subid: MechId, metagraph_indexes: Vec<u16>) -> Option<SelectiveMetagraph>;
        get_subnet_to_prune() -> Option<NetUid>;
        get_subnet_account_id(netuid: NetUid) -> Option<AccountId32>;
        get_next_epoch_start_block(netuid: NetUid) -> Option<u64>;
        get_subnet_hyperparams_v3(netuid: NetUid) -> Option<Vec<HyperparamEntry>>;
    }
    "StakeInfoRuntimeApi" in stakes {
        get_stake_info_for_coldkey(coldkey_account: AccountId32) -> Vec<StakeInfo>;
        get_stake_info_for_coldkeys(coldkey_accounts: Vec<AccountId32>) -> Vec<(AccountId32, Vec<StakeInfo>)>;
        get_stake_info_for_hotkey_coldkey_netuid(hotkey_account: AccountId32, coldkey_account: AccountId32, netuid: NetUid) -> Option<StakeInfo>;
        get_stake_availability_for_coldkeys(coldkey_accounts: Vec<AccountId32>, netuids: Option<Vec<NetUid>>) -> Availability;
        get_stake_fee(origin: Option<(AccountId32, NetUid)>, origin_coldkey_account: AccountId32, destination: Option<(AccountId32, NetUid)>, destination_coldkey_account: AccountId32, amount: u64) -> u64;
        get_coldkey_lock(coldkey: AccountId32, netuid: NetUid) -> Option<LockState>;
        get_hotkey_conviction(hotkey: AccountId32, netuid: NetUid) -> FixedU128<64>;
        get_most_convicted_hotkey_on_subnet(netuid: NetUid) -> Option<AccountId32>;
    }
    "SubnetRegistrationRuntimeApi" in subnets {
        get_network_registration_cost() -> TaoBalance;
    }
    "SwapRuntimeApi" in swaps {
        current_alpha_price(netuid: NetUid) -> u64;
        current_alpha_price_all() -> Vec<SubnetPrice>;
        sim_swap_tao_for_alpha(netuid: NetUid, tao: TaoBalance) -> SimSwapResult;
        sim_swap_alpha_for_tao(netuid: NetUid, alpha: AlphaBalance) -> SimSwapResult;
    }
}

/// Numbers of accounts' extrinsics.
mod accounts {
    use super::*;

    pub(super) fn account_nonce(state: &State, account: AccountId32) -> u32 {
        state.nonce(account.into())
    }
}

/// A value of a subnet by its item's name, or the item's default.
fn value<T: parity_scale_codec::Decode>(state: &State, name: &str, netuid: Net) -> T {
    storage::read(state, name, &netuid)
}

fn compact<T, W: From<T>>(value: T) -> Compact<W> {
    Compact(value.into())
}

/// A stored vector as clients get it.
fn compacts<T, W: From<T>>(values: Vec<T>) -> Vec<Compact<W>> {
    values.into_iter().map(compact).collect()
}

/// All networks, root too, in the order of the chain's map: by the bytes of their numbers, lowest first.
/// Source: `get_all_subnet_netuids`.
fn networks(state: &State) -> Vec<Net> {
    let root = state.ledger().subnet_exists(Net::ROOT).then_some(Net::ROOT);
    let mut all: Vec<Net> = root.into_iter().chain(state.subnets()).collect();
    all.sort_by_key(|netuid| netuid.0.to_le_bytes());
    all
}
