//! One subnet's epoch: its state handed to `yuma`, the result stored, the emission distributed.

use std::collections::BTreeMap;

use chain::{Hyperparameters, storage_index};
use primitives::{AlphaRao, BlockNumber, Hotkey, MechId, NetUid, Uid};
use substrate_fixed::types::U96F32;
use yuma::{
    EpochInput, EpochOutput,
    emission::dividends::{self, Validator},
    mechanisms::{self, SubnetEpoch},
};

use crate::{
    Event, Rules,
    coinbase::Pending,
    event::NeuronEmission,
    ledger::Ledger,
    null_consensus,
    storage::{
        Item,
        items::{
            ACTIVE, AUTO_STAKE, BONDS, CONSENSUS, DIVIDENDS, EMISSION, EPOCH_INDEX, INCENTIVE, KEYS,
            LAST_STEP_BLOCK, LAST_UPDATE, LAST_YUMA_STEP, MECHANISM_SPLIT, MINER_BURNED, OWNER, PERMIT,
            REGISTERED_AT, STAKE_WEIGHT, SUBNET_ALPHA_OUT, SUBNET_OWNER, TRUST, WEIGHT_COMMITS, WEIGHTS,
        },
    },
};

/// What all mechanisms of a subnet share in an epoch.
struct Members {
    hotkeys: Vec<Hotkey>,
    registered_at: Vec<BlockNumber>,
    stake: Vec<u64>,
    permits: Vec<bool>,
    owner_uid: Option<u16>,
}

impl Ledger {
    /// Runs a subnet's epoch and hands out what it has gathered. Source: `distribute_emission`.
    ///
    /// A state that the consensus can't compute (more stake than its arithmetic holds) gives an epoch in which
    /// nothing is distributed; the alpha then belongs to nobody.
    pub(crate) fn run_epoch(&mut self, netuid: NetUid, pending: Pending) {
        let total = pending.server.saturating_add(pending.validator).saturating_add(pending.root);
        let settings = self.hyperparameters(netuid);
        let members = self.members(netuid);
        let earned = self.consensus(netuid, &settings, &members, total).unwrap_or_default();
        let miners: u64 = earned.iter().map(|(incentive, _)| incentive.0).sum();
        // Without incentives the validators get the miners' part too.
        let for_validators =
            if miners == 0 { pending.validator.saturating_add(pending.server) } else { pending.validator };
        let mut summary: Vec<NeuronEmission> =
            (0..).map(Uid).zip(&earned).map(|(uid, _)| uid).map(empty).collect();

        let parts = self.dividends(netuid, &members, &earned, for_validators, pending.root);
        let mut left = total.saturating_add(pending.owner_cut);
        left = left.saturating_sub(self.pay_owner_cut(netuid, pending.owner_cut));
        left = left.saturating_sub(self.pay_incentives(netuid, &settings, &members, &earned, &mut summary));
        left = left.saturating_sub(self.pay_dividends(netuid, &parts, &mut summary));
        self.leave_unassigned(netuid, left);

        summary.retain(|neuron| !neuron.incentive.is_zero() || !neuron.dividends.is_zero());
        let epoch = self.read(&EPOCH_INDEX, &netuid);
        self.emit(Event::EpochRan { netuid, epoch, owner_cut: pending.owner_cut, emission: summary });
    }

    fn members(&self, netuid: NetUid) -> Members {
        let uids = (0..self.neurons(netuid)).map(Uid);
        let hotkeys: Vec<Hotkey> = uids.clone().map(|uid| self.read(&KEYS, &(netuid, uid))).collect();
        Members {
            registered_at: uids.map(|uid| self.read(&REGISTERED_AT, &(netuid, uid))).collect(),
            stake: hotkeys.iter().map(|hotkey| self.stake_weight_of(*hotkey, netuid)).collect(),
            permits: self.read(&PERMIT, &netuid),
            owner_uid: self.owner_hotkey(netuid).and_then(|own| self.uid_of(netuid, own)).map(|uid| uid.0),
            hotkeys,
        }
    }

    /// Runs every mechanism's epoch and stores the outcome; returns what each neuron earned as miner and as
    /// validator. None where an epoch can't be computed: then nothing is stored.
    fn consensus(
        &mut self,
        netuid: NetUid,
        settings: &Hyperparameters,
        members: &Members,
        alpha: AlphaRao,
    ) -> Option<Vec<(AlphaRao, AlphaRao)>> {
        let split = self.store.get(&MECHANISM_SPLIT, &netuid);
        let count = settings.mechanism_count;
        let null = self.is_null(netuid);
        let parts = mechanisms::split_emission(alpha.0, count.into(), split.as_deref()).ok()?;
        let mut epochs = Vec::with_capacity(parts.len());
        for (mechid, part) in (0..count).zip(parts) {
            let index = storage_index(netuid, MechId(mechid));
            let input = self.epoch_input(netuid, index, settings, members, part);
            let outcome = if null { null_consensus::epoch(&input) } else { yuma::epoch(&input).ok()? };
            epochs.push((part, outcome));
        }
        let subnet = mechanisms::combine(&epochs, alpha.0).ok()?;
        for (mechid, (_, epoch)) in (0..count).zip(&epochs) {
            let index = storage_index(netuid, MechId(mechid));
            self.put(&INCENTIVE, &index, &epoch.incentive);
            // Bonds stand still while they aren't asked for.
            if !null {
                self.store_bonds(index, epoch);
            }
        }
        if !null && self.settings.rules == Rules::V475 {
            let block = self.block;
            self.put(&LAST_YUMA_STEP, &netuid, &block);
        }
        self.store_subnet(netuid, &subnet);
        let earned = subnet.server_emission.iter().zip(&subnet.validator_emission);
        Some(earned.map(|(server, validator)| (AlphaRao(*server), AlphaRao(*validator))).collect())
    }

    fn epoch_input(
        &self,
        netuid: NetUid,
        index: u16,
        settings: &Hyperparameters,
        members: &Members,
        alpha: u64,
    ) -> EpochInput {
        let n = self.neurons(netuid);
        let rows = |item: &Item<(u16, Uid), Vec<(u16, u16)>>| {
            let mut rows = vec![Vec::new(); usize::from(n)];
            for ((_, uid), mut row) in self.store.scan(item, &index) {
                // Weights stand as they were submitted, the consensus wants them by uid.
                row.sort_unstable_by_key(|(to, _)| *to);
                row.retain(|(to, _)| *to < n);
                if let Some(slot) = rows.get_mut(uid.index()) {
                    *slot = row;
                }
            }
            rows
        };
        let oldest = self.read(&EPOCH_INDEX, &netuid).saturating_sub(settings.reveal_period_epochs);
        let timelocked = self.timelocked_since(index, oldest);
        let commits = |hotkey: &Hotkey| {
            let by_hash = self.earliest_open_commit(netuid, index, *hotkey, settings);
            let locked = timelocked.iter().filter(|(by, _)| by == hotkey).map(|(_, block)| *block);
            locked.chain(by_hash).min()
        };
        EpochInput {
            n,
            current_block: self.block,
            tempo: settings.tempo,
            activity_cutoff_blocks: settings.activity_cutoff_blocks(),
            last_mechanism_step_block: match self.settings.rules {
                Rules::V425 => self.read(&LAST_STEP_BLOCK, &netuid),
                Rules::V475 => self.read(&LAST_YUMA_STEP, &netuid),
            },
            last_update: self.read(&LAST_UPDATE, &index),
            block_at_registration: members.registered_at.clone(),
            stake: members.stake.clone(),
            stake_threshold: self.settings.stake_threshold,
            owner_uid: members.owner_uid,
            validator_permit: members.permits.clone(),
            max_allowed_validators: settings.max_allowed_validators,
            weights: rows(&WEIGHTS),
            bonds: rows(&BONDS),
            kappa: settings.kappa,
            bonds_penalty: settings.bonds_penalty,
            bonds_moving_average: settings.bonds_moving_average,
            yuma3: settings.yuma3_enabled,
            liquid_alpha: settings.liquid_alpha_enabled,
            alpha_low: settings.alpha_values.0,
            alpha_high: settings.alpha_values.1,
            alpha_sigmoid_steepness: settings.alpha_sigmoid_steepness,
            commit_reveal: settings.commit_reveal_weights_enabled,
            commit_blocks: Some(members.hotkeys.iter().map(commits).collect()),
            rao_emission: alpha,
        }
    }

    /// The block of a hotkey's earliest commitment that can still be opened.
    fn earliest_open_commit(
        &self,
        netuid: NetUid,
        index: u16,
        hotkey: Hotkey,
        settings: &Hyperparameters,
    ) -> Option<BlockNumber> {
        if !settings.commit_reveal_weights_enabled {
            return None;
        }
        let epoch = self.read(&EPOCH_INDEX, &netuid);
        let commits = self.read(&WEIGHT_COMMITS, &(index, hotkey));
        let open = commits.iter().filter(|commit| commit.epoch + settings.reveal_period_epochs >= epoch);
        open.map(|commit| commit.block).min()
    }

    fn store_bonds(&mut self, index: u16, epoch: &EpochOutput) {
        for (uid, row) in (0..).map(Uid).zip(&epoch.bonds) {
            if row.is_empty() {
                self.remove(&BONDS, &(index, uid));
            } else {
                self.put(&BONDS, &(index, uid), row);
            }
        }
    }

    fn store_subnet(&mut self, netuid: NetUid, subnet: &SubnetEpoch) {
        self.put(&ACTIVE, &netuid, &subnet.active);
        self.put(&PERMIT, &netuid, &subnet.new_validator_permit);
        self.put(&STAKE_WEIGHT, &netuid, &subnet.stake_weight);
        self.put(&CONSENSUS, &netuid, &subnet.consensus);
        self.put(&TRUST, &netuid, &subnet.validator_trust);
        self.put(&DIVIDENDS, &netuid, &subnet.dividends);
        let emission: Vec<AlphaRao> = subnet.emission.iter().copied().map(AlphaRao).collect();
        self.put(&EMISSION, &netuid, &emission);
    }

    /// Each validator's and each parent's parts; computed on the stake before anything is handed out.
    fn dividends(
        &self,
        netuid: NetUid,
        members: &Members,
        earned: &[(AlphaRao, AlphaRao)],
        alpha: AlphaRao,
        root: AlphaRao,
    ) -> Vec<(Hotkey, dividends::Dividend)> {
        // The chain keeps them in a map by hotkey, which decides the order of its sums.
        let mut by_hotkey: BTreeMap<Hotkey, u64> = BTreeMap::new();
        for (hotkey, (_, dividend)) in members.hotkeys.iter().zip(earned) {
            for (hotkey, part) in self.part_dividend(*hotkey, netuid, dividend.0) {
                let sum = by_hotkey.entry(hotkey).or_default();
                *sum = sum.saturating_add(part);
            }
        }
        let validators: Vec<Validator> = by_hotkey
            .iter()
            .map(|(hotkey, dividend)| Validator {
                dividend: *dividend,
                alpha_stake: self.hotkey_alpha(*hotkey, netuid).0,
                root_stake: self.hotkey_alpha(*hotkey, NetUid::ROOT).0,
            })
            .collect();
        let parts = dividends::distribute(&validators, alpha.0, root.0, self.tao_weight());
        by_hotkey.into_keys().zip(parts).collect()
    }

    fn pay_owner_cut(&mut self, netuid: NetUid, cut: AlphaRao) -> AlphaRao {
        match (self.get(&SUBNET_OWNER, &netuid), self.owner_hotkey(netuid)) {
            (Some(coldkey), Some(hotkey)) => {
                self.add_alpha(hotkey, coldkey, netuid, cut);
                cut
            }
            _ => AlphaRao::ZERO,
        }
    }

    /// Stakes miners' rewards with them; those of the owner's hotkeys are burned or recycled. Returns what was staked
    /// or recycled.
    fn pay_incentives(
        &mut self,
        netuid: NetUid,
        settings: &Hyperparameters,
        members: &Members,
        earned: &[(AlphaRao, AlphaRao)],
        summary: &mut [NeuronEmission],
    ) -> AlphaRao {
        let burned_hotkeys = self.burned_hotkeys(netuid);
        let (mut paid, mut burned) = (AlphaRao::ZERO, AlphaRao::ZERO);
        for ((hotkey, (incentive, _)), neuron) in members.hotkeys.iter().zip(earned).zip(summary) {
            if incentive.is_zero() {
                continue;
            }
            if burned_hotkeys.contains(hotkey) {
                burned = burned.saturating_add(*incentive);
            } else {
                self.pay_incentive(netuid, *hotkey, *incentive);
                paid = paid.saturating_add(*incentive);
                neuron.incentive = *incentive;
            }
        }
        let all = U96F32::from_num(paid.saturating_add(burned).0);
        let share = U96F32::from_num(burned.0).checked_div(all).unwrap_or_default();
        self.put(&MINER_BURNED, &netuid, &share.to_bits());
        if settings.recycle_owner_incentive {
            self.update(&SUBNET_ALPHA_OUT, &netuid, |out| *out = out.saturating_sub(burned));
            paid = paid.saturating_add(burned);
        }
        paid
    }

    /// Stakes one miner's reward, with whom its owner has chosen.
    fn pay_incentive(&mut self, netuid: NetUid, hotkey: Hotkey, incentive: AlphaRao) {
        let owner = self.read(&OWNER, &hotkey);
        let destination = self.get(&AUTO_STAKE, &(owner, netuid));
        self.add_alpha(destination.unwrap_or(hotkey), owner, netuid, incentive);
        if let Some(destination) = destination {
            self.emit(Event::AutoStakeAdded { netuid, destination, hotkey, owner, incentive });
        }
    }

    /// Stakes validators' dividends: the take with the owner, the rest with all who staked. Root's part less the
    /// take is noted for root's stakers. Returns what was handed out.
    fn pay_dividends(
        &mut self,
        netuid: NetUid,
        parts: &[(Hotkey, dividends::Dividend)],
        summary: &mut [NeuronEmission],
    ) -> AlphaRao {
        let mut paid = AlphaRao::ZERO;
        for (hotkey, part) in parts {
            let hotkey = *hotkey;
            let owner = self.read(&OWNER, &hotkey);
            let rate = self.take_of(hotkey);
            let alpha = dividends::take(part.alpha, rate);
            let root = dividends::take(part.root, rate);
            self.add_alpha(hotkey, owner, netuid, AlphaRao(alpha.delegate));
            self.add_for_nominators(hotkey, netuid, AlphaRao(alpha.nominators));
            self.add_alpha(hotkey, owner, netuid, AlphaRao(root.delegate));
            let claimable = AlphaRao(root.nominators);
            if !claimable.is_zero() {
                self.add_root_dividends(hotkey, owner, netuid, claimable);
            }
            let got = AlphaRao(alpha.delegate + alpha.nominators + root.delegate + root.nominators);
            let neuron = self.uid_of(netuid, hotkey).and_then(|uid| summary.get_mut(uid.index()));
            if let Some(neuron) = neuron {
                neuron.dividends = got;
            }
            paid = paid.saturating_add(got);
        }
        paid
    }
}

fn empty(uid: Uid) -> NeuronEmission {
    NeuronEmission { uid, ..NeuronEmission::default() }
}
