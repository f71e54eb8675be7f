//! The block step: prices, minting, each subnet's part of the block, and the epochs that are due.
//!
//! Formulas come from `yuma::emission`; this module knows where the amounts lie. Order within a block as in
//! `coinbase/block_step.rs`: registration prices, reveals, coinbase, moving prices, root proportions, children, root claims.

use std::collections::BTreeMap;

use chain::Hyperparameters;
use primitives::{AlphaRao, BlockNumber, NetUid, Rao};
use substrate_fixed::types::{I96F32, U64F64, U96F32};
use yuma::emission::{self, SubnetPrice};

use crate::{
    Event,
    ledger::Ledger,
    storage::items::{
        ALPHA_IN_EMISSION, ALPHA_OUT_EMISSION, ALPHA_UNASSIGNED, BLOCK_EMISSION, BLOCKS_SINCE_STEP,
        EMISSION_ENABLED, EMITTED, EPOCH_INDEX, EXCESS_TAO, FIRST_EMISSION_BLOCK, HYPERPARAMETERS,
        LAST_EPOCH_BLOCK, LAST_STEP_BLOCK, MINER_BURNED, MOVING_PRICE, PENDING_EPOCH_AT, PENDING_OWNER_CUT,
        PENDING_ROOT, PENDING_SERVER, PENDING_VALIDATOR, PROTOCOL_ALPHA, ROOT_PROPORTION, SUBNET_ALPHA_IN,
        SUBNET_ALPHA_OUT, SUBNET_TAO, SUBTOKEN_ENABLED, TAO_IN_EMISSION, TOTAL_STAKE,
    },
};

/// Blocks after which the moving price has reached half of its largest rate. Source: `EMAPriceHalvingBlocks`.
const EMA_PRICE_HALVING_BLOCKS: u64 = 201_600;

/// What a subnet has gathered since its last epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) server: AlphaRao,
    pub(crate) validator: AlphaRao,
    pub(crate) root: AlphaRao,
    pub(crate) owner_cut: AlphaRao,
}

/// A subnet and its settings, read once per block.
type Subnets = Vec<(NetUid, Hyperparameters)>;

impl Ledger {
    /// What a block does before its extrinsics. Source: `block_step` in `coinbase/block_step.rs`.
    pub(crate) fn block_step(&mut self) {
        let subnets: Subnets =
            self.subnets().into_iter().map(|netuid| (netuid, self.hyperparameters(netuid))).collect();
        for (netuid, settings) in &subnets {
            self.decay_burns(*netuid, settings);
        }
        self.restart_root_registrations();
        self.reveal_timelocked_weights();
        let emitting = self.subnets_to_emit_to(&subnets);
        self.emit_to_subnets(&emitting);
        let ran = self.run_epochs(&subnets);
        for netuid in &emitting {
            self.move_price(*netuid);
        }
        for netuid in &emitting {
            let proportion = self.root_proportion(*netuid).to_bits();
            self.put(&ROOT_PROPORTION, netuid, &proportion);
        }
        for netuid in ran {
            self.set_pending_children(netuid);
        }
        self.claim_for_some();
        self.reveal_commitments();
    }

    /// Started subnets that take registrations.
    fn subnets_to_emit_to(&self, subnets: &Subnets) -> Vec<NetUid> {
        let emits = |netuid: &NetUid, settings: &Hyperparameters| {
            self.get(&FIRST_EMISSION_BLOCK, netuid).is_some_and(|first| first <= self.block)
                && self.read(&SUBTOKEN_ENABLED, netuid)
                && settings.network_registration_allowed
        };
        subnets
            .iter()
            .filter(|(netuid, settings)| emits(netuid, settings))
            .map(|(netuid, _)| *netuid)
            .collect()
    }

    /// The moving average of a subnet's price.
    pub(crate) fn moving_price(&self, netuid: NetUid) -> I96F32 {
        let bits = self.read(&MOVING_PRICE, &netuid);
        I96F32::from_bits(i128::try_from(bits).unwrap_or(i128::MAX))
    }

    fn moving_price_u64f64(&self, netuid: NetUid) -> U64F64 {
        U64F64::saturating_from_num(self.moving_price(netuid))
    }

    /// All of a subnet's alpha: in its pool and outside.
    fn alpha_issuance(&self, netuid: NetUid) -> u64 {
        let inside = self.read(&SUBNET_ALPHA_IN, &netuid);
        inside.saturating_add(self.read(&SUBNET_ALPHA_OUT, &netuid)).0
    }

    fn root_proportion(&self, netuid: NetUid) -> U96F32 {
        let root_tao = self.read(&SUBNET_TAO, &NetUid::ROOT).0;
        emission::root_proportion(root_tao, self.alpha_issuance(netuid), self.tao_weight())
    }

    pub(crate) fn tao_weight(&self) -> U96F32 {
        emission::tao_weight(self.settings.tao_weight)
    }

    fn emit_to_subnets(&mut self, subnets: &[NetUid]) {
        let minted = emission::block_emission(self.read(&EMITTED, &()).0);
        self.put(&BLOCK_EMISSION, &(), &Rao(minted));
        let prices: BTreeMap<NetUid, SubnetPrice> = subnets
            .iter()
            .map(|netuid| {
                let price = SubnetPrice {
                    moving_price: self.moving_price_u64f64(*netuid),
                    miner_burned: U96F32::from_bits(self.read(&MINER_BURNED, netuid)),
                    emission_enabled: self.read(&EMISSION_ENABLED, netuid),
                };
                (*netuid, price)
            })
            .collect();
        let tao = emission::subnet_tao(&prices, minted);
        let moving: Vec<U64F64> = prices.values().map(|price| price.moving_price).collect();
        let root_sells = emission::root_sells(&moving);
        for netuid in subnets {
            self.emit_to_subnet(*netuid, tao.get(netuid).copied().unwrap_or_default(), root_sells);
        }
    }

    /// Source: `inject_and_maybe_swap`, `emit_to_subnets` in `coinbase/run_coinbase.rs`.
    fn emit_to_subnet(&mut self, netuid: NetUid, tao: U96F32, root_sells: bool) {
        let terms = emission::subnet_terms(
            tao,
            self.alpha_price(netuid),
            self.alpha_issuance(netuid),
            self.root_proportion(netuid),
        );
        let mut excess = Rao(terms.excess_tao.saturating_to_num());
        if !excess.is_zero() {
            match self.buy_alpha_without_fee(netuid, excess) {
                Some(alpha) => {
                    self.mint(excess);
                    self.update(&PROTOCOL_ALPHA, &netuid, |all| *all = all.saturating_add(alpha));
                }
                None => excess = Rao::ZERO,
            }
        }
        self.put(&EXCESS_TAO, &netuid, &excess);
        let tao_in = Rao(terms.tao_in.saturating_to_num());
        if !tao_in.is_zero() {
            self.mint(tao_in);
            self.update(&SUBNET_TAO, &netuid, |all| *all = all.saturating_add(tao_in));
            self.update(&TOTAL_STAKE, &(), |total| *total = total.saturating_add(tao_in));
        }
        self.put(&TAO_IN_EMISSION, &netuid, &tao_in);
        let alpha_in = AlphaRao(terms.alpha_in.saturating_to_num());
        if !alpha_in.is_zero() {
            self.update(&SUBNET_ALPHA_IN, &netuid, |all| *all = all.saturating_add(alpha_in));
        }
        self.put(&ALPHA_IN_EMISSION, &netuid, &alpha_in);

        let alpha_out = AlphaRao(terms.alpha_out.saturating_to_num());
        self.put(&ALPHA_OUT_EMISSION, &netuid, &alpha_out);
        self.update(&SUBNET_ALPHA_OUT, &netuid, |all| *all = all.saturating_add(alpha_out));
        let cut = if self.hyperparameters(netuid).owner_cut_enabled { self.settings.owner_cut } else { 0 };
        let parts = emission::participants(terms.alpha_out, cut, self.root_proportion(netuid));
        let mut rest = alpha_out;
        for (item, part) in [
            (&PENDING_OWNER_CUT, parts.owner),
            (&PENDING_SERVER, parts.server),
            (&PENDING_VALIDATOR, parts.validator),
            (&PENDING_ROOT, if root_sells { parts.root } else { 0 }),
        ] {
            let part = AlphaRao(part).min(rest);
            if !part.is_zero() {
                rest = rest.saturating_sub(part);
                self.update(item, &netuid, |all| *all = all.saturating_add(part));
            }
        }
        if !root_sells {
            // Recycled: as if it had never been issued.
            let recycled = AlphaRao(parts.root).min(rest);
            rest = rest.saturating_sub(recycled);
            self.update(&SUBNET_ALPHA_OUT, &netuid, |all| *all = all.saturating_sub(recycled));
        }
        self.leave_unassigned(netuid, rest);
    }

    /// Notes alpha outside the pool that nobody holds.
    pub(crate) fn leave_unassigned(&mut self, netuid: NetUid, amount: AlphaRao) {
        if !amount.is_zero() {
            self.update(&ALPHA_UNASSIGNED, &netuid, |all| *all = all.saturating_add(amount));
        }
    }

    /// Source: `update_moving_price`, of a subnet that is emitted to.
    fn move_price(&mut self, netuid: NetUid) {
        let Some(start) = self.get(&FIRST_EMISSION_BLOCK, &netuid) else { return };
        let price = self.alpha_price(netuid);
        // Counted from the block of the start call, the one before the first emission.
        let blocks = self.block.saturating_sub(start.saturating_sub(1));
        let next = emission::moving_price(self.moving_price(netuid), price, blocks, EMA_PRICE_HALVING_BLOCKS);
        let bits = u128::try_from(next.to_bits()).unwrap_or(0);
        self.put(&MOVING_PRICE, &netuid, &bits);
    }

    /// Runs the epochs that are due, at most so many; the rest are put off by a block. Returns which ran.
    /// Source: `drain_pending`, `distribute_emissions_to_subnets`.
    fn run_epochs(&mut self, subnets: &Subnets) -> Vec<NetUid> {
        let block = self.block;
        let mut due = Vec::new();
        let most = self.most_epochs(subnets);
        for (netuid, settings) in subnets {
            self.update(&BLOCKS_SINCE_STEP, netuid, |blocks| *blocks = blocks.saturating_add(1));
            if !self.schedule(*netuid, settings).is_due(block) {
                continue;
            }
            if due.len() >= most {
                let to_block = block + 1;
                self.put(&PENDING_EPOCH_AT, netuid, &to_block);
                self.emit(Event::EpochDeferred { netuid: *netuid, from_block: block, to_block });
                continue;
            }
            due.push((*netuid, self.drain_pending(*netuid)));
            self.put(&BLOCKS_SINCE_STEP, netuid, &0);
            self.put(&LAST_EPOCH_BLOCK, netuid, &block);
            self.put(&PENDING_EPOCH_AT, netuid, &0);
            self.update(&EPOCH_INDEX, netuid, |index| *index = index.saturating_add(1));
        }
        let ran = due.iter().map(|(netuid, _)| *netuid).collect();
        for (netuid, pending) in due {
            self.run_epoch(netuid, pending);
            self.put(&LAST_STEP_BLOCK, &netuid, &block);
        }
        ran
    }

    fn drain_pending(&mut self, netuid: NetUid) -> Pending {
        let mut drain = |item| self.update(item, &netuid, std::mem::take);
        Pending {
            server: drain(&PENDING_SERVER),
            validator: drain(&PENDING_VALIDATOR),
            root: drain(&PENDING_ROOT),
            owner_cut: drain(&PENDING_OWNER_CUT),
        }
    }

    /// Gives a subnet another tempo, whose count starts in the present block.
    pub(crate) fn restart_schedule(&mut self, netuid: NetUid) {
        let block: BlockNumber = self.block;
        self.put(&LAST_EPOCH_BLOCK, &netuid, &block);
        self.put(&PENDING_EPOCH_AT, &netuid, &0);
    }

    pub(crate) fn put_hyperparameters(&mut self, netuid: NetUid, settings: &Hyperparameters) {
        self.put(&HYPERPARAMETERS, &netuid, settings);
    }
}
