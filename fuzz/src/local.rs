//! The chain of the targets that are about one: a subnet with neurons, stake, weights and a commitment, and what is sent
//! to it.

use chain::{Axon, Call, CommitmentField, MechId, Uid, WeightVector};
use devchain::{Extrinsic, Genesis, State};
use parity_scale_codec::{Compact, Encode};
use primitives::{AccountId, Digest, Hotkey, NetUid, Rao, Timestamp};
use protocol::Scheme;
use wallet::Keypair;

use crate::key;

/// The subnet that there is.
const NET: NetUid = NetUid(1);
/// The block that the chain has come to: later than the longest era of the seeds begins.
const HEAD: u64 = 100;

fn account(scheme: Scheme, byte: u8) -> AccountId {
    key(scheme, byte).public().account
}

fn hotkey(byte: u8) -> Hotkey {
    Hotkey(account(Scheme::Sr25519, byte))
}

/// The chain: the keys of the seeds have TAO, the first of them is sudo and owns the subnet.
pub fn chain_at() -> State {
    let funded = [
        account(Scheme::Sr25519, 1),
        account(Scheme::Ed25519, 1),
        account(Scheme::Sr25519, 2),
        account(Scheme::Sr25519, 3),
    ];
    let mut genesis = Genesis::development(&funded);
    genesis.settings.new_subnet.weights_set_rate_limit = 0;
    let mut state = State::genesis(&genesis).expect("a genesis");
    let owner = funded[0];
    let commitment =
        Call::SetCommitment { netuid: NET, fields: vec![CommitmentField::Raw(b"model".to_vec())] };
    let axon = Axon { ip: 1 << 24, port: 8091, ip_type: 4, ..Axon::default() };
    let weights = WeightVector { uids: vec![Uid(0), Uid(1)], values: vec![3, 1] };
    let calls = [
        (owner, Call::RegisterNetwork { hotkey: hotkey(11) }),
        (owner, Call::StartCall { netuid: NET }),
        (funded[1], Call::BurnedRegister { netuid: NET, hotkey: hotkey(12) }),
        (funded[2], Call::BurnedRegister { netuid: NET, hotkey: hotkey(13) }),
        (owner, Call::AddStake { hotkey: hotkey(11), netuid: NET, amount: Rao::from_whole(100) }),
        (funded[1], Call::AddStake { hotkey: hotkey(12), netuid: NET, amount: Rao::from_whole(50) }),
        (hotkey(13).0, commitment),
        (hotkey(13).0, Call::ServeAxon { netuid: NET, axon }),
        (hotkey(11).0, Call::SetWeights { netuid: NET, mechid: MechId::MAIN, weights, version_key: 0 }),
    ];
    let mut calls = calls.into_iter();
    while state.head().number < HEAD {
        let extrinsic = calls.next().map(|(origin, call)| Extrinsic::new(origin, call));
        let time = Timestamp(state.head().time.0 + 12_000);
        let made = state.block(time, extrinsic.as_slice());
        assert!(made.outcomes.iter().all(Result::is_ok), "{:?}", made.outcomes);
    }
    state
}

/// The hash of a block as signers and chain know it.
pub fn hash_of(number: u64) -> Option<Digest> {
    let mut hash = [3; 32];
    hash[..8].copy_from_slice(&number.to_le_bytes());
    (number <= HEAD).then_some(Digest(hash))
}

/// An extrinsic with this call, immortal.
pub fn sign_extrinsic(key: &Keypair, nonce: u32, call: &[u8]) -> Vec<u8> {
    signed(key, nonce, call, &[0], 0)
}

fn signed(key: &Keypair, nonce: u32, call: &[u8], era: &[u8], birth: u64) -> Vec<u8> {
    let hash = |number| hash_of(number).expect("a block that there is").0;
    let extra = [era, &(Compact(nonce), Compact(0u64), 0u8).encode()].concat();
    let payload = [call, &extra, &(425u32, 1u32, hash(0), hash(birth), 0u8).encode()].concat();
    let payload = if payload.len() > 256 { chain::blake2_256(&payload).0.to_vec() } else { payload };
    let (public, signature) = (key.public(), key.sign(&payload, [7; 32]));
    let scheme = public.scheme.number();
    let inner = [&[0x84, 0][..], &public.account.0, &[scheme], &signature.0, &extra, call].concat();
    inner.encode()
}

/// Calls as they travel: a payment, weights, a batch, a long remark, a commitment, stake, one by sudo, a setting.
pub fn calls() -> Vec<Vec<u8>> {
    let to = account(Scheme::Sr25519, 2).0;
    let pay = (5u8, 3u8, 0u8, to, Compact(1_000_000u64)).encode();
    let weights = (7u8, 0u8, NET.0, vec![0u16, 1], vec![5u16, 6], 0u64).encode();
    let setting = (19u8, 16u8, NET.0, 30_000u16).encode();
    vec![
        [&[11, 2][..], &Compact(2u32).encode(), &pay, &weights].concat(),
        (0u8, 0u8, vec![7u8; 300]).encode(),
        (18u8, 0u8, NET.0, Compact(1u32), 6u8, *b"model").encode(),
        (7u8, 2u8, hotkey(11), NET.0, 5_000_000_000u64).encode(),
        [&[12, 0][..], &setting].concat(),
        pay,
        weights,
        setting,
    ]
}

/// Each of the calls, signed by keys of both schemes, immortal and mortal.
pub fn genuine_extrinsics() -> Vec<Vec<u8>> {
    let keys = [key(Scheme::Sr25519, 1), key(Scheme::Ed25519, 1)];
    let eras: [(&[u8], u64); 2] = [(&[0], 0), (&[0x35, 0], 67)];
    let each = |call: &Vec<u8>| {
        let by = |key| eras.map(|(era, birth)| signed(key, 3, call, era, birth));
        keys.iter().flat_map(by).collect::<Vec<_>>()
    };
    calls().iter().flat_map(each).collect()
}

/// The runtime calls that there are.
pub const METHODS: &[&str] = &[
    "AccountNonceApi_account_nonce",
    "TransactionPaymentApi_query_info",
    "TransactionPaymentApi_query_fee_details",
    "TransactionPaymentApi_query_weight_to_fee",
    "TransactionPaymentApi_query_length_to_fee",
    "DelegateInfoRuntimeApi_get_delegates",
    "DelegateInfoRuntimeApi_get_delegate",
    "DelegateInfoRuntimeApi_get_delegated",
    "NeuronInfoRuntimeApi_get_neurons",
    "NeuronInfoRuntimeApi_get_neuron",
    "NeuronInfoRuntimeApi_get_neurons_lite",
    "NeuronInfoRuntimeApi_get_neuron_lite",
    "SubnetInfoRuntimeApi_get_subnet_info",
    "SubnetInfoRuntimeApi_get_subnets_info",
    "SubnetInfoRuntimeApi_get_subnet_info_v2",
    "SubnetInfoRuntimeApi_get_subnets_info_v2",
    "SubnetInfoRuntimeApi_get_subnet_hyperparams",
    "SubnetInfoRuntimeApi_get_subnet_hyperparams_v2",
    "SubnetInfoRuntimeApi_get_all_dynamic_info",
    "SubnetInfoRuntimeApi_get_all_metagraphs",
    "SubnetInfoRuntimeApi_get_metagraph",
    "SubnetInfoRuntimeApi_get_all_mechagraphs",
    "SubnetInfoRuntimeApi_get_mechagraph",
    "SubnetInfoRuntimeApi_get_dynamic_info",
    "SubnetInfoRuntimeApi_get_subnet_state",
    "SubnetInfoRuntimeApi_get_selective_metagraph",
    "SubnetInfoRuntimeApi_get_coldkey_auto_stake_hotkey",
    "SubnetInfoRuntimeApi_get_selective_mechagraph",
    "SubnetInfoRuntimeApi_get_subnet_to_prune",
    "SubnetInfoRuntimeApi_get_subnet_account_id",
    "SubnetInfoRuntimeApi_get_next_epoch_start_block",
    "SubnetInfoRuntimeApi_get_subnet_hyperparams_v3",
    "StakeInfoRuntimeApi_get_stake_info_for_coldkey",
    "StakeInfoRuntimeApi_get_stake_info_for_coldkeys",
    "StakeInfoRuntimeApi_get_stake_info_for_hotkey_coldkey_netuid",
    "StakeInfoRuntimeApi_get_stake_fee",
    "SubnetRegistrationRuntimeApi_get_network_registration_cost",
    "SwapRuntimeApi_current_alpha_price",
    "SwapRuntimeApi_current_alpha_price_all",
    "SwapRuntimeApi_sim_swap_tao_for_alpha",
    "SwapRuntimeApi_sim_swap_alpha_for_tao",
];
