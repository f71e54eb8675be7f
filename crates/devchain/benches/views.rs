//! How long runtime calls take on a full subnet: 256 neurons, of which 64 validate, all with weights and bonds.
//!
//! Prints milliseconds per call.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::disallowed_methods, reason = "a benchmark takes the time")]

use std::time::Instant;

use chain::{Call, Hyperparameters, WeightVector};
use devchain::{Extrinsic, Genesis, Settings, State};
use parity_scale_codec::Encode;
use primitives::{AccountId, Hotkey, MechId, NetUid, Rao, Timestamp, Uid};

const NET: NetUid = NetUid(1);
const NEURONS: u16 = 256;
const VALIDATORS: u16 = 64;
const TEMPO: u16 = 80;
/// Times that each call is made.
const ROUNDS: u32 = 50;

fn account(role: u8, n: u16) -> AccountId {
    let mut bytes = [role; 32];
    bytes[..2].copy_from_slice(&n.to_be_bytes());
    AccountId(bytes)
}

fn hotkey(n: u16) -> Hotkey {
    Hotkey(account(2, n))
}

fn block(state: &mut State, calls: Vec<(AccountId, Call)>) {
    let extrinsics: Vec<_> = calls.into_iter().map(|(origin, call)| Extrinsic::new(origin, call)).collect();
    let made = state.block(Timestamp(0), &extrinsics);
    assert!(made.outcomes.iter().all(Result::is_ok), "{:?}", made.outcomes);
}

/// The subnet, after an epoch in which all validators' weights counted.
fn subnet() -> State {
    let accounts: Vec<AccountId> = (0..NEURONS).map(|n| account(1, n)).collect();
    let new_subnet = Hyperparameters {
        tempo: TEMPO,
        weights_set_rate_limit: 0,
        max_burn: Rao(2_000_000),
        commit_reveal_weights_enabled: false,
        ..Hyperparameters::default()
    };
    let settings = Settings { new_subnet, ..Settings::development() };
    let genesis = Genesis { settings, ..Genesis::development(&accounts) };
    let mut state = State::genesis(&genesis).expect("the genesis is one");
    block(&mut state, vec![(account(1, 0), Call::RegisterNetwork { hotkey: hotkey(0) })]);
    block(&mut state, vec![(account(1, 0), Call::StartCall { netuid: NET })]);
    for n in 1..NEURONS {
        block(&mut state, vec![(account(1, n), Call::BurnedRegister { netuid: NET, hotkey: hotkey(n) })]);
    }
    let stake = |n| Call::AddStake { hotkey: hotkey(n), netuid: NET, amount: Rao::from_whole(10) };
    block(&mut state, (0..VALIDATORS).map(|n| (account(1, n), stake(n))).collect());
    for _ in 0..TEMPO {
        block(&mut state, Vec::new());
    }
    let weights = |n: u16| {
        let uids: Vec<Uid> = (0..NEURONS).map(Uid).collect();
        let values = uids.iter().map(|uid| uid.0 + 1).collect();
        let weights = WeightVector { uids, values };
        (hotkey(n).0, Call::SetWeights { netuid: NET, mechid: MechId::MAIN, weights, version_key: 0 })
    };
    block(&mut state, (0..VALIDATORS).map(weights).collect());
    for _ in 0..TEMPO {
        block(&mut state, Vec::new());
    }
    assert!(!state.bonds(NET.0, Uid(1)).is_empty(), "the epoch left bonds");
    state
}

fn main() {
    let state = subnet();
    let columns: Vec<u16> = (0..=73).collect();
    let coldkey = account(1, 1);
    for (name, arguments) in [
        ("NeuronInfoRuntimeApi_get_neurons", NET.encode()),
        ("NeuronInfoRuntimeApi_get_neurons_lite", NET.encode()),
        ("NeuronInfoRuntimeApi_get_neuron", (NET, 255_u16).encode()),
        ("SubnetInfoRuntimeApi_get_metagraph", NET.encode()),
        ("SubnetInfoRuntimeApi_get_selective_mechagraph", (NET, 0_u8, columns).encode()),
        ("SubnetInfoRuntimeApi_get_selective_metagraph", (NET, vec![8_u16]).encode()),
        ("SubnetInfoRuntimeApi_get_subnet_state", NET.encode()),
        ("SubnetInfoRuntimeApi_get_subnet_hyperparams_v3", NET.encode()),
        ("SubnetInfoRuntimeApi_get_all_dynamic_info", Vec::new()),
        ("StakeInfoRuntimeApi_get_stake_info_for_coldkey", coldkey.encode()),
        ("SwapRuntimeApi_sim_swap_tao_for_alpha", (NET, 1_000_000_000_u64).encode()),
    ] {
        let answer = state.runtime_call(name, &arguments).expect("the call is in the table");
        let start = Instant::now();
        for _ in 0..ROUNDS {
            std::hint::black_box(state.runtime_call(name, &arguments).expect("it was a moment ago"));
        }
        let millis = start.elapsed().as_secs_f64() * 1e3 / f64::from(ROUNDS);
        println!("{name}: {millis:.3} ms, {} bytes", answer.len());
    }
}
