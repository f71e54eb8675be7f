//! How long a block takes: small subnets as a simulator makes them, and a full one.
//!
//! Every block is made on a state of which copies are kept, with some transfers, and the metagraph is read after it;
//! validators set weights once per tempo. Prints microseconds per block.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::disallowed_methods, reason = "a benchmark takes the time")]

use std::{collections::VecDeque, time::Instant};

use chain::{Call, Hyperparameters, WeightVector};
use devchain::{Extrinsic, Genesis, Settings, State};
use primitives::{AccountId, Hotkey, MechId, NetUid, Rao, Timestamp, Uid};

const NET: NetUid = NetUid(1);
/// States kept, as a node does.
const KEPT: usize = 256;

fn account(role: u8, n: u16) -> AccountId {
    let mut bytes = [role; 32];
    bytes[..2].copy_from_slice(&n.to_be_bytes());
    AccountId(bytes)
}

struct Case {
    name: &'static str,
    neurons: u16,
    validators: u16,
    tempo: u16,
    transfers: u16,
    blocks: u32,
}

fn run(case: &Case) {
    let accounts: Vec<AccountId> = (0..case.neurons).map(|n| account(1, n)).collect();
    let new_subnet = Hyperparameters {
        tempo: case.tempo,
        weights_set_rate_limit: 0,
        commit_reveal_weights_enabled: false,
        ..Hyperparameters::default()
    };
    let settings = Settings { new_subnet, ..Settings::development() };
    let genesis = Genesis { settings, ..Genesis::development(&accounts) };
    let mut state = State::genesis(&genesis).expect("the genesis is one");
    let hotkey = |n| Hotkey(account(2, n));
    let block = |state: &mut State, calls: Vec<(AccountId, Call)>| {
        let extrinsics: Vec<_> =
            calls.into_iter().map(|(origin, call)| Extrinsic::new(origin, call)).collect();
        state.block(Timestamp(0), &extrinsics)
    };
    block(&mut state, vec![(account(1, 0), Call::RegisterNetwork { hotkey: hotkey(0) })]);
    block(&mut state, vec![(account(1, 0), Call::StartCall { netuid: NET })]);
    for n in 1..case.neurons {
        let made =
            block(&mut state, vec![(account(1, n), Call::BurnedRegister { netuid: NET, hotkey: hotkey(n) })]);
        assert!(made.outcomes[0].is_ok(), "{:?}", made.outcomes);
        while state.subnet(NET).expect("it exists").burn > Rao::from_whole(1) {
            block(&mut state, Vec::new());
        }
    }
    for n in 0..case.validators {
        let amount = Rao::from_whole(10 + u64::from(n));
        block(&mut state, vec![(account(1, n), Call::AddStake { hotkey: hotkey(n), netuid: NET, amount })]);
    }
    let mut kept: VecDeque<State> = VecDeque::new();
    let (mut changes, mut extrinsics) = (0, 0);
    let start = Instant::now();
    for number in 0..case.blocks {
        let turn = number % u32::from(case.tempo);
        let mut calls: Vec<_> = (0..case.transfers)
            .map(|n| {
                let to = account(1, (n + 1) % case.neurons);
                (account(1, n % case.neurons), Call::Transfer { to, amount: Rao(1) })
            })
            .collect();
        if let Some(n) = u16::try_from(turn).ok().filter(|n| *n < case.validators) {
            let uids: Vec<Uid> = (0..case.neurons).map(Uid).collect();
            let values = uids.iter().map(|uid| uid.0.wrapping_mul(n + 7) % 1000).collect();
            let weights = WeightVector { uids, values };
            let call = Call::SetWeights { netuid: NET, mechid: MechId::MAIN, weights, version_key: 0 };
            calls.push((hotkey(n).0, call));
        }
        extrinsics += calls.len();
        let made = block(&mut state, calls);
        changes += made.changes.len();
        assert_eq!(state.subnet(NET).expect("it exists").head, made.head);
        kept.push_back(state.clone());
        if kept.len() > KEPT {
            kept.pop_front();
        }
    }
    let micros = start.elapsed().as_secs_f64() * 1e6;
    let blocks = f64::from(case.blocks);
    println!(
        "{}: {:.1} µs per block, {:.1} changes and {:.1} extrinsics per block, {} entries",
        case.name,
        micros / blocks,
        f64::from(u32::try_from(changes).unwrap_or(u32::MAX)) / blocks,
        f64::from(u32::try_from(extrinsics).unwrap_or(u32::MAX)) / blocks,
        state.entries().count(),
    );
}

fn main() {
    let small = Case {
        name: "empty blocks, 16 neurons",
        neurons: 16,
        validators: 3,
        tempo: 360,
        transfers: 0,
        blocks: 50_000,
    };
    run(&small);
    run(&Case { name: "4 transfers, 16 neurons", transfers: 4, ..small });
    run(&Case { name: "16 neurons, tempo 20", tempo: 20, ..small });
    run(&Case {
        name: "256 neurons, 64 validators, tempo 360",
        neurons: 256,
        validators: 64,
        blocks: 5000,
        ..small
    });
}
