//! A running node as its callers see it.

use std::{future::Future, time::Duration};

use chain::{Call, Chain, Hyperparameter as H, InvalidTransaction, ModuleError, ReadError, SubmitError};
use devchain::{Config, Genesis, Handle, Order, Pace, spawn};
use primitives::{NetUid, Rao, Timestamp};
use wallet::Keypair;

use crate::world::{NET, as_root, cold, genesis, hot, set};

/// No test here waits longer than this, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, test).await.expect("the node answers in time") })
}

fn instant() -> Config {
    Config { pace: Pace::Instant, ..Config::stepped(genesis()) }
}

async fn with_subnet(node: &Handle) {
    node.submit(cold(2), None, Call::RegisterNetwork { hotkey: hot(2) }).await.unwrap();
    node.submit(cold(2), None, Call::StartCall { netuid: NET }).await.unwrap();
}

#[test]
fn a_call_is_included_or_refused_with_its_reason() {
    run(async {
        let node = spawn(instant()).unwrap();
        with_subnet(&node).await;
        let included =
            node.submit(cold(3), None, Call::BurnedRegister { netuid: NET, hotkey: hot(3) }).await.unwrap();
        // The first extrinsic of every block is its time.
        assert_eq!((included.block, included.index), (3, 1));
        let again = node.submit(cold(3), None, Call::BurnedRegister { netuid: NET, hotkey: hot(3) }).await;
        let refusal = ModuleError::HotKeyAlreadyRegisteredInSubNet.into();
        assert_eq!(again, Err(SubmitError::Refused { call: "burned_register", refusal }));
        let subnet = node.subnet(NET, 3).await.unwrap();
        assert_eq!((subnet.neurons.len(), subnet.head.number), (2, 3));
        assert_eq!(node.subnet(NET, 2).await.unwrap().neurons.len(), 1);
        let missing = node.subnet(NetUid(9), 3).await;
        assert_eq!(missing, Err(ReadError::NoSubnet { netuid: NetUid(9), block: 3 }));
    });
}

#[test]
fn a_stepped_node_takes_all_that_waits_into_one_block() {
    run(async {
        let node = spawn(Config::stepped(genesis())).unwrap();
        let send = |n| node.submit(cold(n), None, Call::Transfer { to: cold(9), amount: Rao(5) });
        let step = async {
            // Both calls are on their way once they have been polled, which `join` does first.
            node.step(Some(Timestamp(77))).unwrap()
        };
        let (one, two, made) = tokio::join!(send(3), send(4), step);
        assert_eq!((one.unwrap().index, two.unwrap().index), (1, 2));
        assert_eq!((made.head.number, made.head.time), (1, Timestamp(77)));
        assert_eq!(made.events.len(), 2);
        let earlier = node.step(Some(Timestamp(5))).unwrap();
        assert_eq!(earlier.head.time, Timestamp(77), "time never goes back");
        assert_eq!(
            node.balance(cold(9), 1).await.unwrap(),
            node.balance(cold(9), 0).await.unwrap().saturating_add(Rao(10))
        );
    });
}

#[test]
fn a_node_with_a_clock_makes_blocks_by_itself() {
    run(async {
        let node = spawn(Config { pace: Pace::Every(1), ..Config::stepped(genesis()) }).unwrap();
        let mut last = node.head().await.unwrap();
        for number in 1..=5 {
            let head = node.next_head(last.number).await.unwrap();
            assert_eq!((head.number, head.parent), (number, last.hash));
            last = head;
        }
        node.submit(cold(3), None, Call::Transfer { to: cold(4), amount: Rao(1) }).await.unwrap();
    });
}

#[test]
fn only_so_many_states_are_kept() {
    run(async {
        let node = spawn(Config { kept_states: 3, ..Config::stepped(genesis()) }).unwrap();
        for _ in 0..5 {
            node.step(None).unwrap();
        }
        assert!(node.state_at(3).is_ok());
        let gone = ReadError::NoBlock { block: 2, oldest: 3, head: 5 };
        assert_eq!(node.balance(cold(3), 2).await, Err(gone));
        let future = ReadError::NoBlock { block: 6, oldest: 3, head: 5 };
        assert_eq!(node.balance(cold(3), 6).await, Err(future));
    });
}

#[test]
fn a_node_goes_on_where_its_log_ends() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { folder: Some(folder.path().to_owned()), snapshot_every: 4, ..instant() };
        let node = spawn(config.clone()).unwrap();
        with_subnet(&node).await;
        let (origin, call) = as_root(set(H::Tempo(4)));
        node.submit(origin, None, call).await.unwrap();
        for _ in 0..7 {
            node.step(None).unwrap();
        }
        let before = node.state();
        drop(node);
        let node = spawn(config).unwrap();
        let after = node.state();
        assert_eq!((after.head(), after.digest()), (before.head(), before.digest()));
        let report = node.report().unwrap();
        assert_eq!((report.snapshot, report.replayed), (Some(8), 2));
        assert_eq!(
            node.submit(cold(3), None, Call::Transfer { to: cold(4), amount: Rao(1) }).await.unwrap().block,
            11
        );
    });
}

#[test]
fn by_lot_the_order_of_arrival_says_nothing_and_each_accounts_own_order_stays() {
    let order = |arrival: &[u8]| {
        run(async {
            let node = spawn(Config { order: Order::Lot, ..Config::stepped(genesis()) }).unwrap();
            let mut sent = Vec::new();
            for n in arrival {
                let call = Call::Transfer { to: cold(9), amount: Rao(u64::from(*n) * 1000) };
                sent.push((*n, node.send(cold(*n), None, call).await.unwrap()));
                let second = Call::Transfer { to: cold(9), amount: Rao(u64::from(*n) * 1000 + 1) };
                sent.push((*n, node.send(cold(*n), None, second).await.unwrap()));
            }
            node.step(Some(Timestamp(77))).unwrap();
            let mut placed = Vec::new();
            for (n, inclusion) in sent {
                placed.push((inclusion.await.unwrap().index, n));
            }
            let in_their_order: Vec<u32> = placed.iter().map(|(index, _)| *index).collect();
            assert!(in_their_order.chunks(2).all(|pair| pair[0] + 1 == pair[1]), "{placed:?}");
            placed.sort_unstable();
            placed
        })
    };
    let by_number = order(&[3, 4, 5, 6]);
    assert_eq!(by_number, order(&[6, 4, 3, 5]));
    let accounts: Vec<u8> = by_number.iter().map(|(_, n)| *n).collect();
    assert!(!accounts.is_sorted(), "the numbers of the accounts have no say: {accounts:?}");
}

#[test]
fn who_signs_in_process_sends_what_a_client_would_and_is_told_what_became_of_it() {
    let key = Keypair::development("Alice").unwrap();
    let account = key.public().account;
    let call = || Call::Transfer { to: cold(9), amount: Rao(5000) };
    let head = || {
        run(async {
            let node = spawn(Config::stepped(Genesis::development(&[account]))).unwrap();
            let chain = node.signing([key.clone()], [7; 32]);
            let first = chain.send(account, None, call()).await.unwrap();
            let second = chain.send(account, None, call()).await.unwrap();
            node.step(Some(Timestamp(77))).unwrap();
            assert_eq!((first.await.unwrap().index, second.await.unwrap().index), (1, 2));
            assert_eq!(node.state().nonce(account), 2);
            assert_eq!(node.state().balance(cold(9)), Rao(10_000));
            // Refusals have their reasons, of the pool and of the block.
            let stale = chain.send(account, Some(0), call()).await.err();
            let refusal = InvalidTransaction::Stale.into();
            assert_eq!(stale, Some(SubmitError::Refused { call: "transfer_keep_alive", refusal }));
            let failing = chain.send(account, None, Call::StartCall { netuid: NET }).await.unwrap();
            let made = node.step(Some(Timestamp(78))).unwrap();
            let refusal = ModuleError::SubnetNotExists.into();
            assert_eq!(failing.await, Err(SubmitError::Refused { call: "start_call", refusal }));
            let stranger = chain.send(cold(3), None, call()).await.err();
            assert!(matches!(stranger, Some(SubmitError::NoKey { .. })));
            made.head
        })
    };
    // The same salt gives the same signatures, and those the same blocks.
    assert_eq!(head(), head());
}
