//! A small chain to try rules on: named accounts, one started subnet, one call per block.

use chain::{Call, Hyperparameter, Hyperparameters, ModuleError, Refusal, WeightVector};
use devchain::{Block, Event, Extrinsic, Genesis, Settings, State, storage::items};
use primitives::{AccountId, Coldkey, Hotkey, MechId, NetUid, Rao, Timestamp, Uid};

/// The subnet that [`World::new`] makes.
pub(crate) const NET: NetUid = NetUid(1);
pub(crate) const TAO: u64 = 1_000_000_000;

/// Coldkey number `n`; numbers up to [`FUNDED`] hold a million TAO.
pub(crate) fn cold(n: u8) -> AccountId {
    AccountId([n; 32])
}

/// Hotkey number `n`, of coldkey `n` once it is registered.
pub(crate) fn hot(n: u8) -> Hotkey {
    Hotkey::from_bytes([n + 100; 32])
}

/// Funded coldkeys, from 1; number 1 is sudo, number 2 owns the subnet.
pub(crate) const FUNDED: u8 = 20;
pub(crate) const SUDO: u8 = 1;
pub(crate) const OWNER: u8 = 2;

pub(crate) fn genesis() -> Genesis {
    let accounts: Vec<AccountId> = (1..=FUNDED).map(cold).collect();
    let new_subnet = Hyperparameters {
        tempo: 10,
        min_allowed_uids: 0,
        weights_set_rate_limit: 0,
        serving_rate_limit: 5,
        commit_reveal_weights_enabled: false,
        ..Hyperparameters::default()
    };
    let settings = Settings { min_lock_cost: Rao::from_whole(1000), new_subnet, ..Settings::development() };
    Genesis { settings, ..Genesis::development(&accounts) }
}

pub(crate) fn weights(uids: &[u16], values: &[u16]) -> WeightVector {
    WeightVector { uids: uids.iter().copied().map(Uid).collect(), values: values.to_vec() }
}

pub(crate) fn set_weights(uids: &[u16], values: &[u16]) -> Call {
    Call::SetWeights { netuid: NET, mechid: MechId::MAIN, weights: weights(uids, values), version_key: 0 }
}

pub(crate) fn set(value: Hyperparameter) -> Call {
    Call::SetHyperparameter { netuid: NET, value }
}

/// A call by the sudo account as root.
pub(crate) fn as_root(call: Call) -> (AccountId, Call) {
    (cold(SUDO), Call::Sudo { call: Box::new(call) })
}

pub(crate) fn register(n: u8) -> (AccountId, Call) {
    (cold(n), Call::BurnedRegister { netuid: NET, hotkey: hot(n) })
}

pub(crate) fn stake(n: u8, whole: u64) -> (AccountId, Call) {
    (cold(n), Call::AddStake { hotkey: hot(n), netuid: NET, amount: Rao::from_whole(whole) })
}

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) state: State,
}

impl World {
    /// A subnet that coldkey 2 has made and started; its hotkey 2 is uid 0.
    pub(crate) fn new() -> Self {
        Self::with(&genesis())
    }

    pub(crate) fn with(genesis: &Genesis) -> Self {
        let mut world = Self { state: State::genesis(genesis).unwrap() };
        world.ok(cold(OWNER), Call::RegisterNetwork { hotkey: hot(OWNER) });
        world.ok(cold(OWNER), Call::StartCall { netuid: NET });
        world
    }

    /// One block with these calls.
    pub(crate) fn block(&mut self, calls: &[(AccountId, Call)]) -> Block {
        let extrinsics: Vec<Extrinsic> =
            calls.iter().map(|(origin, call)| Extrinsic::new(*origin, call.clone())).collect();
        let time = Timestamp(self.state.head().time.0 + 12_000);
        self.state.block(time, &extrinsics)
    }

    /// One block with one call.
    pub(crate) fn call(&mut self, origin: AccountId, call: Call) -> Result<(), Refusal> {
        self.block(&[(origin, call)]).outcomes.remove(0)
    }

    /// All entries but those that the fee of a call by this account touches.
    pub(crate) fn all_but_fees(&self, origin: AccountId) -> Vec<(Vec<u8>, Vec<u8>)> {
        let author = self.state.value(&items::SETTINGS, &()).unwrap().author;
        let touched = [items::BALANCE.key(&origin), items::NONCE.key(&origin), items::BALANCE.key(&author)];
        let others = self.state.entries().filter(|(key, _)| !touched.contains(key));
        others.map(|(key, value)| (key.as_bytes().to_vec(), value.to_vec())).collect()
    }

    /// What a call costs its sender.
    pub(crate) fn fee(&self, origin: AccountId, call: Call) -> Rao {
        let block = self.clone().block(&[(origin, call)]);
        block.paid.first().expect("the call is part of the block").1
    }

    /// Lets an account have this much.
    pub(crate) fn fund(&mut self, account: AccountId, free: u64) {
        self.root_ok(Call::SetBalance { account, free: Rao(free) });
    }

    pub(crate) fn ok(&mut self, origin: AccountId, call: Call) {
        let name = call.name();
        assert_eq!(self.call(origin, call), Ok(()), "{name}");
    }

    /// One block with one call by sudo as root; what the inner call came to.
    pub(crate) fn root(&mut self, call: Call) -> Result<(), ModuleError> {
        let block = self.block(&[as_root(call)]);
        assert_eq!(block.outcomes, [Ok(())]);
        let sudid = block.events.iter().find_map(|event| match event {
            Event::Sudid { result } => Some(*result),
            _ => None,
        });
        sudid.expect("sudo tells what came of it")
    }

    pub(crate) fn root_ok(&mut self, call: Call) {
        let name = call.name();
        assert_eq!(self.root(call), Ok(()), "{name}");
    }

    pub(crate) fn sudo(&mut self, value: Hyperparameter) {
        self.root_ok(set(value));
    }

    pub(crate) fn blocks(&mut self, count: u64) {
        for _ in 0..count {
            self.block(&[]);
        }
    }

    /// Registers hotkeys, one per block: uids follow the order.
    pub(crate) fn register(&mut self, numbers: impl IntoIterator<Item = u8>) {
        for n in numbers {
            let (origin, call) = register(n);
            self.ok(origin, call);
        }
    }

    /// Empty blocks until an epoch has just run.
    pub(crate) fn reach_epoch(&mut self) {
        let schedule = self.state.subnet(NET).unwrap().schedule;
        let due = schedule.next_epoch_block(self.state.head().number + 1).unwrap();
        self.blocks(due - self.state.head().number);
    }

    pub(crate) fn uid(&self, n: u8) -> Option<Uid> {
        self.state.subnet(NET).unwrap().neuron(&hot(n)).map(|neuron| neuron.uid)
    }

    pub(crate) fn coldkey(n: u8) -> Coldkey {
        Coldkey(cold(n))
    }
}

pub(crate) fn module(error: ModuleError) -> Result<(), Refusal> {
    Err(error.into())
}

pub(crate) fn pool(code: u8) -> Result<(), Refusal> {
    Err(chain::InvalidTransaction::Custom(code).into())
}
