//! Chains that live long: after every block the books add up to the rao, and now and then the chain is stopped, opened
//! from its snapshot and log, and replayed from its first block.
//!
//! Some hundred blocks by default; `WEIGH_FULL=1` runs 100,000.

use chain::{Call, Hyperparameter};
use devchain::{
    Block, Event, Extrinsic, State,
    log::{Log, Opened},
    storage::items,
};
use primitives::{AccountId, Rao, Timestamp};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use super::{TAO, amount, call, recycles};
use crate::world::{NET, OWNER, as_root, cold, genesis, hot, register, set, stake};

/// Blocks of one chain.
const BLOCKS: usize = 125;
/// Chains by default, and in full: 100,000 blocks.
const CHAINS: u32 = 3;
const FULL_CHAINS: u32 = 800;
/// Blocks from one snapshot to the next.
const SNAPSHOT_EVERY: u64 = 50;
/// Blocks after which a chain is stopped and opened again.
const STOP_EVERY: u64 = 60;

/// Calls that succeed now and then even in a short run: a test of refusals alone would prove little.
const CARRIED_OUT: [&str; 5] =
    ["add_stake", "batch_set_weights", "commit_mechanism_weights", "set_commitment", "transfer_keep_alive"];

/// What happens in one block.
#[derive(Clone, Debug)]
enum Step {
    Calls(Vec<(AccountId, Call)>),
    /// Sudo gives an account this much, and nothing else happens: what it had is then known.
    SetBalance(AccountId, Rao),
}

fn step() -> impl Strategy<Value = Step> {
    // Sudo pays for the call, so that it is none of these; nor is the author of blocks.
    let set = (2u8..30, amount()).prop_map(|(n, free)| Step::SetBalance(cold(n), Rao(free)));
    prop_oneof![25 => prop::collection::vec(call(), 0..5).prop_map(Step::Calls), 1 => set]
}

#[expect(clippy::disallowed_methods, reason = "how much is run is for whoever runs it")]
fn chains() -> u32 {
    let is_full = std::env::var_os("WEIGH_FULL").is_some_and(|value| value == "1");
    if is_full { FULL_CHAINS } else { CHAINS }
}

/// A chain and its log in a folder.
struct Logged {
    folder: tempfile::TempDir,
    log: Log,
    state: State,
}

impl Logged {
    /// A subnet that coldkey 2 has made and started, with some neurons, three of which have stake, and with or without
    /// commit–reveal.
    fn new(commit_reveal: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let Opened { log, state, .. } = Log::open(folder.path(), &genesis()).unwrap();
        let mut chain = Self { folder, log, state };
        let found = Call::RegisterNetwork { hotkey: hot(OWNER) };
        let begin = [(cold(OWNER), found), (cold(OWNER), Call::StartCall { netuid: NET })];
        let with_reveal = as_root(set(Hyperparameter::CommitRevealWeightsEnabled(commit_reveal)));
        let neurons = (3..7).map(register).chain((3..6).map(|n| stake(n, 100)));
        for call in begin.into_iter().chain(neurons).chain([with_reveal]) {
            assert_eq!(chain.block(&[call]).outcomes, [Ok(())]);
        }
        chain
    }

    fn block(&mut self, calls: &[(AccountId, Call)]) -> Block {
        let extrinsics: Vec<Extrinsic> =
            calls.iter().map(|(origin, call)| Extrinsic::new(*origin, call.clone())).collect();
        let block = self.state.block(Timestamp(self.state.head().time.0 + 12_000), &extrinsics);
        self.log.append(&block).unwrap();
        if block.head.number.is_multiple_of(SNAPSHOT_EVERY) {
            self.log.snapshot(&self.state).unwrap();
        }
        block
    }

    /// Stops the chain and goes on with what its folder leads to: once by the newest snapshot, once from block 0.
    fn stop_and_resume(self) -> Result<Self, TestCaseError> {
        let Self { folder, log, state } = self;
        drop(log);
        let (replayed, report) = Log::replay(folder.path(), &genesis()).unwrap();
        prop_assert_eq!((replayed.digest(), replayed.head()), (state.digest(), state.head()));
        prop_assert_eq!((report.replayed, report.torn), (state.head().number, None));
        let Opened { log, state: opened, report, .. } = Log::open(folder.path(), &genesis()).unwrap();
        let newest = state.head().number / SNAPSHOT_EVERY * SNAPSHOT_EVERY;
        prop_assert_eq!(report.snapshot, (newest > 0).then_some(newest));
        prop_assert_eq!((opened.digest(), opened.head()), (state.digest(), state.head()));
        Ok(Self { folder, log, state: opened })
    }
}

/// The TAO that a block's events say is gone.
fn lost(block: &Block) -> u64 {
    let dust = block.events.iter().filter_map(|event| match event {
        Event::DustLost { amount, .. } => Some(amount.0),
        _ => None,
    });
    dust.sum()
}

/// Issuance after = issuance before + emission − dust + what sudo gave and took; less where something was recycled.
fn issuance_follows(
    before: &State,
    block: &Block,
    after: &State,
    account: Option<AccountId>,
) -> Result<(), TestCaseError> {
    let audit = after.audit();
    prop_assert!(audit.is_ok(), "block {}: {:?}", block.head.number, audit);
    let emitted = |state: &State| state.value(&items::EMITTED, &()).unwrap_or_default();
    let minted = emitted(after).0.saturating_sub(emitted(before).0);
    let (had, has) = match account {
        Some(account) => (before.balance(account).0, after.balance(account).0),
        None => (0, 0),
    };
    let expect = u128::from(before.total_issuance().0) + u128::from(minted) + u128::from(has);
    let found = u128::from(after.total_issuance().0) + u128::from(lost(block)) + u128::from(had);
    if recycles(&block.events) {
        prop_assert!(found < expect + u128::from(TAO), "block {}: {:?}", block.head.number, block.events);
        return Ok(());
    }
    prop_assert_eq!(found, expect, "block {}: {:?}", block.head.number, block.events);
    Ok(())
}

#[test]
fn a_long_chain_keeps_its_books_and_comes_back_from_its_log() {
    let config = Config { cases: chains(), max_shrink_iters: 2000, ..Config::default() };
    // What succeeds in a short run must not depend on luck.
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let blocks = std::cell::Cell::new(0u64);
    let outcomes = std::cell::RefCell::new(std::collections::BTreeMap::<&'static str, [u64; 2]>::new());
    let steps = prop::collection::vec(step(), BLOCKS..=BLOCKS);
    let result = runner.run(&(any::<bool>(), steps), |(commit_reveal, steps)| {
        let mut chain = Logged::new(commit_reveal);
        for step in steps {
            let before = chain.state.clone();
            let (calls, account) = match step {
                Step::Calls(calls) => (calls, None),
                Step::SetBalance(account, free) => {
                    (vec![as_root(Call::SetBalance { account, free })], Some(account))
                }
            };
            let block = chain.block(&calls);
            issuance_follows(&before, &block, &chain.state, account)?;
            for ((_, call), outcome) in calls.iter().zip(&block.outcomes) {
                outcomes.borrow_mut().entry(call.name()).or_default()[usize::from(outcome.is_ok())] += 1;
            }
            blocks.set(blocks.get() + 1);
            if block.head.number.is_multiple_of(STOP_EVERY) {
                chain = chain.stop_and_resume()?;
            }
        }
        chain.stop_and_resume().map(drop)
    });
    println!("{} blocks; calls refused or failed, and carried out: {:?}", blocks.get(), outcomes.borrow());
    result.unwrap();
    for name in CARRIED_OUT {
        assert!(outcomes.borrow().get(name).is_some_and(|[_, done]| *done > 0), "{name} never succeeded");
    }
    assert!(blocks.get() >= u64::from(chains()) * BLOCKS as u64);
}
