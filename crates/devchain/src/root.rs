//! Root: who is registered there, and the dividends that stakers on it may claim.
//!
//! Root's part of a validator's dividends on a subnet is not handed out. It raises what one rao of root stake with the
//! validator has earned there ([`ROOT_CLAIM_RATE`]); a staker is owed the rate times its stake less what was claimed
//! before or had been earned before it staked ([`ROOT_CLAIMED`]). The alpha itself lies in [`ROOT_CLAIMABLE`], and no
//! more than lies there is ever handed out.

use std::collections::BTreeSet;

use chain::{ModuleError, RootClaimType};
use primitives::{AlphaRao, Coldkey, Digest, Hotkey, NetUid, Rao, Uid};
use substrate_fixed::types::I96F32;

use crate::{
    Event,
    ledger::{Dispatch, Ledger, Origin},
    storage::items::{
        Bits, KEYS, NUM_STAKING_COLDKEYS, REGISTRATIONS_THIS_BLOCK, ROOT_CLAIM_RATE, ROOT_CLAIM_THRESHOLD,
        ROOT_CLAIM_TYPE, ROOT_CLAIMABLE, ROOT_CLAIMED, ROOT_SELL_TAO, STAKING_COLDKEY_INDEX,
        STAKING_COLDKEYS, STAKING_HOTKEYS, TAKE,
    },
};

/// Registrations on root in one block. Source: `MaxRegistrationsPerBlock`.
const MAX_REGISTRATIONS_PER_BLOCK: u16 = 1;
/// Subnets that one claim may name. Source: `MAX_SUBNET_CLAIMS`.
const MAX_SUBNET_CLAIMS: usize = 5;
/// The least that is claimed on a subnet, in rao of alpha. Source: `DefaultMinRootClaimAmount`.
const DEFAULT_CLAIM_THRESHOLD: u64 = 500_000;
/// The highest such threshold. Source: `MAX_ROOT_CLAIM_THRESHOLD`.
const MAX_CLAIM_THRESHOLD: u64 = 10_000_000;
/// Domain of the draw of who is paid in a block.
const CLAIM_DOMAIN: &str = "weighhouse devchain 1 root claims";

fn rate_from(bits: Bits) -> I96F32 {
    I96F32::from_bits(i128::try_from(bits).unwrap_or(i128::MAX))
}

impl Ledger {
    /// Gives a hotkey a slot on root: a free one, else that of the least staked if it has less. The real chain has a
    /// limit per interval too, of which it is unclear when an interval ends. Source: `do_root_register`, spec 425.
    pub(crate) fn root_register(&mut self, origin: Origin, hotkey: Hotkey) -> Dispatch {
        let coldkey = Coldkey(origin.signed()?);
        let root = NetUid::ROOT;
        if self.read(&REGISTRATIONS_THIS_BLOCK, &root) >= MAX_REGISTRATIONS_PER_BLOCK {
            return Err(ModuleError::TooManyRegistrationsThisBlock);
        }
        if self.uid_of(root, hotkey).is_some() {
            return Err(ModuleError::HotKeyAlreadyRegisteredInSubNet);
        }
        self.claim_hotkey(hotkey, coldkey)?;
        let settings = self.hyperparameters(root);
        let neurons = self.neurons(root);
        let uid = if neurons < settings.max_allowed_uids {
            self.append_neuron(root, hotkey)
        } else {
            let stake = |uid: Uid| (self.hotkey_alpha(self.read(&KEYS, &(root, uid)), root), uid);
            let least = (0..neurons).map(Uid).map(stake).min();
            let (lowest, uid) = least.ok_or(ModuleError::StakeTooLowForRoot)?;
            if lowest >= self.hotkey_alpha(hotkey, root) {
                return Err(ModuleError::StakeTooLowForRoot);
            }
            self.replace_neuron(root, uid, hotkey, &settings);
            uid
        };
        if !self.contains(&TAKE, &hotkey) {
            let take = self.settings.max_take;
            self.put(&TAKE, &hotkey, &take);
        }
        self.update(&REGISTRATIONS_THIS_BLOCK, &root, |count| *count = count.saturating_add(1));
        self.emit(Event::NeuronRegistered { netuid: root, uid, hotkey });
        Ok(())
    }

    /// Starts the count of root's registrations anew.
    pub(crate) fn restart_root_registrations(&mut self) {
        if self.read(&REGISTRATIONS_THIS_BLOCK, &NetUid::ROOT) > 0 {
            self.put(&REGISTRATIONS_THIS_BLOCK, &NetUid::ROOT, &0);
        }
    }

    /// Notes dividends for those who stake with a hotkey on root; with less stake than dividends the hotkey's owner
    /// gets them. Source: `increase_root_claimable_for_hotkey_and_subnet`.
    pub(crate) fn add_root_dividends(
        &mut self,
        hotkey: Hotkey,
        owner: Coldkey,
        netuid: NetUid,
        amount: AlphaRao,
    ) {
        let staked = self.hotkey_alpha(hotkey, NetUid::ROOT);
        if amount > staked {
            self.add_alpha(hotkey, owner, netuid, amount);
            return;
        }
        let earned = I96F32::saturating_from_num(amount.0);
        let more = earned.checked_div(I96F32::saturating_from_num(staked.0)).unwrap_or_default();
        self.update(&ROOT_CLAIM_RATE, &(hotkey, netuid), |rate| {
            let sum = rate_from(*rate).saturating_add(more);
            *rate = Bits::try_from(sum.to_bits()).unwrap_or(0);
        });
        self.update(&ROOT_CLAIMABLE, &(netuid, hotkey), |all| *all = all.saturating_add(amount));
    }

    /// What one coldkey has earned and not claimed.
    pub(crate) fn root_owed(&self, hotkey: Hotkey, coldkey: Coldkey, netuid: NetUid) -> AlphaRao {
        let staked = I96F32::saturating_from_num(self.alpha_of(hotkey, coldkey, NetUid::ROOT).0);
        let earned = rate_from(self.read(&ROOT_CLAIM_RATE, &(hotkey, netuid))).saturating_mul(staked);
        let claimed = I96F32::saturating_from_num(self.read(&ROOT_CLAIMED, &(netuid, hotkey, coldkey)));
        let owed = earned.saturating_sub(claimed);
        let owed = if owed.is_negative() { 0 } else { owed.saturating_to_num() };
        AlphaRao(owed).min(self.read(&ROOT_CLAIMABLE, &(netuid, hotkey)))
    }

    /// The subnets on which a hotkey has earned for root's stakers.
    fn claimable_subnets(&self, hotkey: Hotkey) -> Vec<(NetUid, I96F32)> {
        let rates = self.store.scan(&ROOT_CLAIM_RATE, &hotkey);
        rates.map(|((_, netuid), rate)| (netuid, rate_from(rate))).collect()
    }

    /// Root stake that came brings no part of what was earned before. Source:
    /// `add_stake_adjust_root_claimed_for_hotkey_and_coldkey`.
    pub(crate) fn root_stake_added(&mut self, hotkey: Hotkey, coldkey: Coldkey, amount: AlphaRao) {
        let staked = I96F32::saturating_from_num(amount.0);
        for (netuid, rate) in self.claimable_subnets(hotkey) {
            let before: u128 = rate.saturating_mul(staked).saturating_to_num();
            let key = (netuid, hotkey, coldkey);
            self.update(&ROOT_CLAIMED, &key, |claimed| *claimed = claimed.saturating_add(before));
        }
        self.index_staking_coldkey(coldkey);
    }

    /// Numbers a coldkey that stakes on root. Source: `maybe_add_coldkey_index`.
    pub(crate) fn index_staking_coldkey(&mut self, coldkey: Coldkey) {
        if !self.contains(&STAKING_COLDKEY_INDEX, &coldkey) {
            let index = self.read(&NUM_STAKING_COLDKEYS, &());
            self.put(&STAKING_COLDKEYS, &index, &coldkey);
            self.put(&STAKING_COLDKEY_INDEX, &coldkey, &index);
            self.put(&NUM_STAKING_COLDKEYS, &(), &index.saturating_add(1));
        }
    }

    /// Root stake that went takes its part of what was counted as claimed along. Source:
    /// `remove_stake_adjust_root_claimed_for_hotkey_and_coldkey`.
    pub(crate) fn root_stake_removed(&mut self, hotkey: Hotkey, coldkey: Coldkey, amount: AlphaRao) {
        let staked = I96F32::saturating_from_num(amount.0);
        for (netuid, rate) in self.claimable_subnets(hotkey) {
            let part: u128 = rate.saturating_mul(staked).saturating_to_num();
            let key = (netuid, hotkey, coldkey);
            self.update(&ROOT_CLAIMED, &key, |claimed| *claimed = claimed.saturating_sub(part));
        }
        let hotkeys = self.read(&STAKING_HOTKEYS, &coldkey);
        let stakes = |hotkey: &Hotkey| !self.alpha_of(*hotkey, coldkey, NetUid::ROOT).is_zero();
        if hotkeys.iter().any(stakes) {
            return;
        }
        let Some(index) = self.get(&STAKING_COLDKEY_INDEX, &coldkey) else { return };
        let last = self.read(&NUM_STAKING_COLDKEYS, &()).saturating_sub(1);
        let moved = self.read(&STAKING_COLDKEYS, &last);
        self.put(&STAKING_COLDKEYS, &index, &moved);
        self.put(&STAKING_COLDKEY_INDEX, &moved, &index);
        self.remove(&STAKING_COLDKEYS, &last);
        self.remove(&STAKING_COLDKEY_INDEX, &coldkey);
        self.put(&NUM_STAKING_COLDKEYS, &(), &last);
    }

    /// Hands out what one coldkey is owed by one hotkey on one subnet, if it is worth it: as root stake or as alpha.
    /// Returns what was sold for TAO.
    /// Source: `root_claim_on_subnet`.
    fn claim_on_subnet(
        &mut self,
        hotkey: Hotkey,
        coldkey: Coldkey,
        netuid: NetUid,
        kind: &RootClaimType,
    ) -> Option<Rao> {
        let owed = self.root_owed(hotkey, coldkey, netuid);
        let least = self.get(&ROOT_CLAIM_THRESHOLD, &netuid).unwrap_or(DEFAULT_CLAIM_THRESHOLD);
        if owed.is_zero() || owed.0 < least {
            return None;
        }
        let mut sold = Rao::ZERO;
        let keep = match kind {
            RootClaimType::Swap => false,
            RootClaimType::Keep => true,
            RootClaimType::KeepSubnets { subnets } => subnets.contains(&netuid),
        };
        if keep {
            self.add_alpha(hotkey, coldkey, netuid, owed);
        } else {
            let tao = self.quote_sale_without_fee(netuid, owed)?;
            sold = tao;
            self.move_sold(netuid, owed, tao);
            self.update(&ROOT_SELL_TAO, &netuid, |sold| *sold = sold.saturating_add(tao));
            let staked = self.buy_alpha_without_fee(NetUid::ROOT, tao)?;
            self.add_alpha(hotkey, coldkey, NetUid::ROOT, staked);
        }
        self.update(&ROOT_CLAIMABLE, &(netuid, hotkey), |all| *all = all.saturating_sub(owed));
        self.update(&ROOT_CLAIMED, &(netuid, hotkey, coldkey), |claimed| {
            *claimed = claimed.saturating_add(owed.0.into());
        });
        Some(sold)
    }

    /// Claims with all hotkeys on these subnets, or on all. Source: `do_root_claim`.
    fn claim(&mut self, coldkey: Coldkey, subnets: Option<&BTreeSet<NetUid>>) {
        let kind = self.read(&ROOT_CLAIM_TYPE, &coldkey);
        let mut tao = Rao::ZERO;
        for hotkey in self.read(&STAKING_HOTKEYS, &coldkey) {
            for (netuid, _) in self.claimable_subnets(hotkey) {
                if subnets.is_none_or(|subnets| subnets.contains(&netuid)) {
                    let sold = self.claim_on_subnet(hotkey, coldkey, netuid, &kind);
                    tao = tao.saturating_add(sold.unwrap_or_default());
                }
            }
        }
        self.emit(Event::RootClaimed { coldkey, tao });
    }

    /// Source: `claim_root`.
    pub(crate) fn claim_root(&mut self, origin: Origin, subnets: &BTreeSet<NetUid>) -> Dispatch {
        let coldkey = Coldkey(origin.signed()?);
        if !(1..=MAX_SUBNET_CLAIMS).contains(&subnets.len()) {
            return Err(ModuleError::InvalidSubnetNumber);
        }
        self.claim(coldkey, Some(subnets));
        Ok(())
    }

    /// Source: `set_root_claim_type`.
    pub(crate) fn set_root_claim_type(&mut self, origin: Origin, kind: &RootClaimType) -> Dispatch {
        let coldkey = Coldkey(origin.signed()?);
        if matches!(kind, RootClaimType::KeepSubnets { subnets } if subnets.is_empty()) {
            return Err(ModuleError::InvalidSubnetNumber);
        }
        self.put(&ROOT_CLAIM_TYPE, &coldkey, kind);
        self.emit(Event::RootClaimTypeSet { coldkey, kind: kind.clone() });
        Ok(())
    }

    /// Source: `sudo_set_root_claim_threshold`.
    pub(crate) fn set_root_claim_threshold(
        &mut self,
        origin: Origin,
        netuid: NetUid,
        threshold: u64,
    ) -> Dispatch {
        self.ensure_owner_or_root(origin, netuid)?;
        self.ensure_subnet(netuid)?;
        if threshold > MAX_CLAIM_THRESHOLD {
            return Err(ModuleError::InvalidRootClaimThreshold);
        }
        self.put(&ROOT_CLAIM_THRESHOLD, &netuid, &threshold);
        Ok(())
    }

    /// Pays a few of root's stakers without their asking. The real chain draws them by the hash of the block before,
    /// which a rule doesn't know here: by the block's number. Source: `run_auto_claim_root_divs`.
    pub(crate) fn claim_for_some(&mut self) {
        let coldkeys = self.read(&NUM_STAKING_COLDKEYS, &());
        if coldkeys == 0 {
            return;
        }
        let draw = Digest::of_parts(CLAIM_DOMAIN, &[&self.block.to_le_bytes()]);
        let words: Vec<u64> = draw
            .0
            .chunks_exact(8)
            .filter_map(|eight| eight.try_into().ok().map(u64::from_be_bytes))
            .collect();
        let mut last = words.first().copied().unwrap_or(0);
        let mut drawn = BTreeSet::new();
        for step in
            words.iter().cycle().take(usize::try_from(self.settings.root_claims_per_block).unwrap_or(0))
        {
            last = last.saturating_add(*step) % coldkeys;
            drawn.insert(last);
        }
        let drawn: Vec<Coldkey> =
            drawn.into_iter().filter_map(|index| self.get(&STAKING_COLDKEYS, &index)).collect();
        for coldkey in drawn {
            self.claim(coldkey, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use primitives::AccountId;

    use super::*;
    use crate::{
        Genesis,
        storage::items::{FIRST_EMISSION_BLOCK, MOVING_PRICE, SUBTOKEN_ENABLED},
    };

    const NET: NetUid = NetUid(1);
    const TAO: u64 = 1_000_000_000;

    fn cold(n: u8) -> Coldkey {
        Coldkey::from_bytes([n; 32])
    }

    fn hot(n: u8) -> Hotkey {
        Hotkey::from_bytes([100 + n; 32])
    }

    fn signed(n: u8) -> Origin {
        Origin::Signed(cold(n).0)
    }

    /// A subnet at whose moving price root's part is sold, and a validator with three quarters of the root stake of
    /// its own and a quarter of another's, after some epochs. The chain claims for nobody.
    fn earning() -> Ledger {
        let accounts: Vec<AccountId> = (1..9).map(|n| cold(n).0).collect();
        let mut genesis = Genesis::development(&accounts);
        genesis.settings.new_subnet.tempo = 10;
        genesis.settings.root_claims_per_block = 0;
        genesis.settings.min_lock_cost = Rao::from_whole(100_000);
        genesis.subnets = vec![crate::GenesisSubnet::of(cold(2), hot(2))];
        let mut ledger = genesis.ledger().expect("the genesis is one");
        ledger.put(&SUBTOKEN_ENABLED, &NET, &true);
        ledger.put(&FIRST_EMISSION_BLOCK, &NET, &1);
        ledger.put(&MOVING_PRICE, &NET, &(2 << 32));
        ledger.block = 1;
        ledger.burned_register(signed(3), NET, hot(3), None).expect("there is room");
        for (by, whole) in [(3, 30_000), (4, 10_000)] {
            let amount = Rao::from_whole(whole);
            ledger.add_stake(signed(by), hot(3), NetUid::ROOT, amount).expect("there is enough");
        }
        for block in 2..100 {
            ledger.block = block;
            ledger.block_step();
        }
        ledger
    }

    fn pot(ledger: &Ledger) -> u64 {
        ledger.read(&ROOT_CLAIMABLE, &(NET, hot(3))).0
    }

    fn on_root(ledger: &Ledger, n: u8) -> u64 {
        ledger.alpha_of(hot(3), cold(n), NetUid::ROOT).0
    }

    fn claim(ledger: &mut Ledger, n: u8) -> Dispatch {
        ledger.claim_root(signed(n), &[NET].into())
    }

    #[test]
    fn dividends_are_claimed_in_proportion_and_once() {
        let mut ledger = earning();
        let (before, pot) = (on_root(&ledger, 4), pot(&ledger));
        assert!(pot > TAO / 2, "{pot}");
        let owed = ledger.root_owed(hot(3), cold(4), NET).0;
        assert!(owed.abs_diff(pot / 4) <= pot / 1000, "{owed} of {pot}");
        claim(&mut ledger, 4).expect("one subnet is named");
        let gained = on_root(&ledger, 4) - before;
        // Sold at a price of about 1.
        assert!(gained.abs_diff(owed) < owed / 100, "{gained} for {owed}");
        claim(&mut ledger, 4).expect("one subnet is named");
        assert_eq!(on_root(&ledger, 4) - before, gained);
        ledger.audit().expect("the books add up");
    }

    #[test]
    fn kept_dividends_stay_alpha() {
        let mut ledger = earning();
        let none = RootClaimType::KeepSubnets { subnets: BTreeSet::new() };
        assert_eq!(ledger.set_root_claim_type(signed(4), &none), Err(ModuleError::InvalidSubnetNumber));
        let keep = RootClaimType::KeepSubnets { subnets: [NET].into() };
        ledger.set_root_claim_type(signed(4), &keep).expect("a subnet is named");
        let owed = ledger.root_owed(hot(3), cold(4), NET);
        claim(&mut ledger, 4).expect("one subnet is named");
        assert_eq!(ledger.alpha_of(hot(3), cold(4), NET).0.abs_diff(owed.0) / 100, 0);
        ledger.audit().expect("the books add up");
    }

    #[test]
    fn who_comes_later_has_no_part_in_what_was_earned_before() {
        let mut ledger = earning();
        ledger.add_stake(signed(5), hot(3), NetUid::ROOT, Rao::from_whole(100_000)).expect("there is enough");
        assert!(ledger.root_owed(hot(3), cold(5), NET).0 < 10);
        let owed = ledger.root_owed(hot(3), cold(4), NET);
        // Nor loses what was earned who takes stake back; it is claimed with what is left.
        let half = AlphaRao(5_000 * TAO);
        ledger.remove_stake(signed(4), hot(3), NetUid::ROOT, half).expect("it is there");
        let left = ledger.root_owed(hot(3), cold(4), NET);
        assert!(left.0.abs_diff(owed.0 / 2) < 10, "{left} of {owed}");
        ledger.audit().expect("the books add up");
    }

    #[test]
    fn claims_name_subnets_and_are_worth_it() {
        let mut ledger = earning();
        let nets = |count: u16| (1..=count).map(NetUid).collect::<BTreeSet<_>>();
        for count in [0, 6] {
            let claimed = ledger.claim_root(signed(4), &nets(count));
            assert_eq!(claimed, Err(ModuleError::InvalidSubnetNumber));
        }
        let mut set = |n, value| ledger.set_root_claim_threshold(signed(n), NET, value);
        assert_eq!(set(3, 1), Err(ModuleError::BadOrigin));
        assert_eq!(set(2, 10_000_001), Err(ModuleError::InvalidRootClaimThreshold));
        assert_eq!(set(2, 10_000_000), Ok(()));
    }

    #[test]
    fn the_chain_claims_for_some() {
        let mut ledger = earning();
        ledger.update_settings(|settings| settings.root_claims_per_block = 5);
        let before = [3, 4].map(|n| on_root(&ledger, n));
        for _ in 0..4 {
            ledger.block += 1;
            ledger.block_step();
        }
        let after = [3, 4].map(|n| on_root(&ledger, n));
        assert!(after[0] > before[0] && after[1] > before[1], "{before:?} {after:?}");
        ledger.audit().expect("the books add up");
        // Who stakes no more is not asked any more.
        ledger.remove_stake(signed(4), hot(3), NetUid::ROOT, AlphaRao(u64::MAX)).expect("it is there");
        assert_eq!(ledger.read(&NUM_STAKING_COLDKEYS, &()), 1);
    }
}
