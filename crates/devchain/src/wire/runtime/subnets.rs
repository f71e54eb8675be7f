//! Subnets: their settings, their pools, and what a new one would cost.
//!
//! Source: `rpc_info/subnet_info.rs`, `rpc_info/dynamic_info.rs`.

use primitives::Rao;

pub(super) use super::metagraph::{
    get_all_mechagraphs, get_all_metagraphs, get_mechagraph, get_metagraph, get_selective_mechagraph,
    get_selective_metagraph, get_subnet_state,
};
use super::*;
use crate::{
    storage::items::{
        BURN, LAST_STEP_BLOCK, MOVING_PRICE, NETWORK_REGISTERED_AT, PENDING_SERVER, PENDING_VALIDATOR,
        SUBNET_ALPHA_IN, SUBNET_ALPHA_OUT, SUBNET_OWNER, SUBNET_OWNER_HOTKEY, SUBNET_TAO,
    },
    symbols::default_name,
    wire::bounded::{FixedI64, FixedI128, FixedU128},
};

/// The registration price of a network that never had one. Source: `SubtensorInitialBurn`.
const INITIAL_BURN: Rao = Rao(100_000_000);
/// What subnets' own accounts begin with: Substrate's mark for accounts of pallets, and the pallet's name.
/// Source: `SubtensorPalletId`.
const SUBNET_ACCOUNT: &[u8; 12] = b"modlsubtensr";
/// Fractional bits of the numbers that clients get as `I32F32`.
const I32F32_BITS: u32 = 32;

pub(super) fn burn(state: &State, netuid: Net) -> Compact<TaoBalance> {
    compact(state.ledger().get(&BURN, &netuid).unwrap_or(INITIAL_BURN))
}

/// What metagraph and dynamic info tell alike.
pub(super) struct Summary {
    pub(super) name: Vec<Compact<u8>>,
    pub(super) symbol: Vec<Compact<u8>>,
    pub(super) identity: Option<SubnetIdentityV3>,
    pub(super) network_registered_at: Compact<u64>,
    pub(super) owner_hotkey: AccountId32,
    pub(super) owner_coldkey: AccountId32,
    pub(super) tempo: Compact<u16>,
    pub(super) last_step: Compact<u64>,
    pub(super) blocks_since_last_step: Compact<u64>,
    pub(super) alpha_in: Compact<AlphaBalance>,
    pub(super) alpha_out: Compact<AlphaBalance>,
    pub(super) tao_in: Compact<TaoBalance>,
    pub(super) alpha_out_emission: Compact<AlphaBalance>,
    pub(super) alpha_in_emission: Compact<AlphaBalance>,
    pub(super) tao_in_emission: Compact<TaoBalance>,
    pub(super) pending_alpha_emission: Compact<AlphaBalance>,
    pub(super) subnet_volume: Compact<u128>,
    pub(super) moving_price: FixedI128<32>,
}

impl Summary {
    pub(super) fn new(state: &State, netuid: Net) -> Self {
        let ledger = state.ledger();
        let identity: Option<SubnetIdentityV3> = storage::find(state, "SubnetIdentitiesV3", &netuid);
        let given = identity.as_ref().map(|identity| identity.subnet_name.clone());
        let name = given.filter(|name| !name.is_empty()).unwrap_or_else(|| default_name(netuid).into());
        let last_step = ledger.read(&LAST_STEP_BLOCK, &netuid);
        let (servers, validators) =
            (ledger.read(&PENDING_SERVER, &netuid), ledger.read(&PENDING_VALIDATOR, &netuid));
        Self {
            name: compacts(name),
            symbol: compacts::<u8, u8>(value(state, "TokenSymbol", netuid)),
            identity,
            network_registered_at: Compact(ledger.read(&NETWORK_REGISTERED_AT, &netuid)),
            owner_hotkey: ledger.read(&SUBNET_OWNER_HOTKEY, &netuid).into(),
            owner_coldkey: ledger.read(&SUBNET_OWNER, &netuid).0.into(),
            tempo: Compact(ledger.hyperparameters(netuid).tempo),
            last_step: Compact(last_step),
            blocks_since_last_step: Compact(state.head().number.saturating_sub(last_step)),
            alpha_in: compact(ledger.read(&SUBNET_ALPHA_IN, &netuid)),
            alpha_out: compact(ledger.read(&SUBNET_ALPHA_OUT, &netuid)),
            tao_in: compact(ledger.read(&SUBNET_TAO, &netuid)),
            alpha_out_emission: Compact(value(state, "SubnetAlphaOutEmission", netuid)),
            alpha_in_emission: Compact(value(state, "SubnetAlphaInEmission", netuid)),
            tao_in_emission: Compact(value(state, "SubnetTaoInEmission", netuid)),
            pending_alpha_emission: compact(validators.saturating_add(servers)),
            subnet_volume: Compact(value(state, "SubnetVolume", netuid)),
            moving_price: FixedI128 { bits: moving_price(state, netuid) },
        }
    }
}

/// The bits of the price's moving average.
fn moving_price(state: &State, netuid: Net) -> i128 {
    i128::try_from(state.ledger().read(&MOVING_PRICE, &netuid)).unwrap_or(i128::MAX)
}

pub(super) fn get_dynamic_info(state: &State, netuid: NetUid) -> Option<DynamicInfo> {
    let own = Net::from(netuid.clone());
    state.ledger().subnet_exists(own).then(|| {
        let summary = Summary::new(state, own);
        DynamicInfo {
            netuid: Compact(netuid),
            owner_hotkey: summary.owner_hotkey,
            owner_coldkey: summary.owner_coldkey,
            subnet_name: summary.name,
            token_symbol: summary.symbol,
            tempo: summary.tempo,
            last_step: summary.last_step,
            blocks_since_last_step: summary.blocks_since_last_step,
            emission: Compact(0),
            alpha_in: summary.alpha_in,
            alpha_out: summary.alpha_out,
            tao_in: summary.tao_in,
            alpha_out_emission: summary.alpha_out_emission,
            alpha_in_emission: summary.alpha_in_emission,
            tao_in_emission: summary.tao_in_emission,
            pending_alpha_emission: summary.pending_alpha_emission,
            pending_root_emission: Compact(TaoBalance(0)),
            subnet_volume: summary.subnet_volume,
            network_registered_at: summary.network_registered_at,
            subnet_identity: summary.identity,
            moving_price: summary.moving_price,
        }
    })
}

pub(super) fn get_all_dynamic_info(state: &State) -> Vec<Option<DynamicInfo>> {
    networks(state).into_iter().map(|netuid| get_dynamic_info(state, netuid.into())).collect()
}

pub(super) fn get_subnet_info(state: &State, netuid: NetUid) -> Option<SubnetInfo> {
    let info = get_subnet_info_v2(state, netuid)?;
    Some(SubnetInfo {
        netuid: info.netuid,
        rho: info.rho,
        kappa: info.kappa,
        difficulty: info.difficulty,
        immunity_period: info.immunity_period,
        max_allowed_validators: info.max_allowed_validators,
        min_allowed_weights: info.min_allowed_weights,
        max_weights_limit: info.max_weights_limit,
        scaling_law_power: info.scaling_law_power,
        subnetwork_n: info.subnetwork_n,
        max_allowed_uids: info.max_allowed_uids,
        blocks_since_last_step: info.blocks_since_last_step,
        tempo: info.tempo,
        network_modality: info.network_modality,
        network_connect: info.network_connect,
        emission_values: info.emission_value,
        burn: info.burn,
        owner: info.owner,
    })
}

/// All networks, numbers that are free left out: the list is dense.
pub(super) fn get_subnets_info(state: &State) -> Vec<Option<SubnetInfo>> {
    ascending(state).map(|netuid| get_subnet_info(state, netuid.into())).collect()
}

pub(super) fn get_subnet_info_v2(state: &State, netuid: NetUid) -> Option<SubnetInfov2> {
    let own = Net::from(netuid.clone());
    let ledger = state.ledger();
    ledger.subnet_exists(own).then(|| {
        let hyper = hyperparameters(state, own);
        SubnetInfov2 {
            netuid: Compact(netuid),
            rho: hyper.rho,
            kappa: hyper.kappa,
            difficulty: hyper.difficulty,
            immunity_period: hyper.immunity_period,
            max_allowed_validators: hyper.max_validators,
            min_allowed_weights: hyper.min_allowed_weights,
            max_weights_limit: hyper.max_weights_limit,
            scaling_law_power: Compact(value(state, "ScalingLawPower", own)),
            subnetwork_n: Compact(ledger.neurons(own)),
            max_allowed_uids: Compact(ledger.hyperparameters(own).max_allowed_uids),
            blocks_since_last_step: Compact(value(state, "BlocksSinceLastStep", own)),
            tempo: hyper.tempo,
            network_modality: Compact(0),
            network_connect: Vec::new(),
            emission_value: Compact(0),
            burn: burn(state, own),
            owner: ledger.read(&SUBNET_OWNER, &own).0.into(),
            identity: storage::find(state, "SubnetIdentitiesV3", &own),
        }
    })
}

/// [`get_subnets_info`].
pub(super) fn get_subnets_info_v2(state: &State) -> Vec<Option<SubnetInfov2>> {
    ascending(state).map(|netuid| get_subnet_info_v2(state, netuid.into())).collect()
}

fn ascending(state: &State) -> impl Iterator<Item = Net> {
    let mut all = networks(state);
    all.sort_unstable();
    all.into_iter()
}

/// The settings of a network, whether or not it exists.
pub(super) fn hyperparameters(state: &State, netuid: Net) -> SubnetHyperparamsV2 {
    let settings = state.ledger().hyperparameters(netuid);
    let (alpha_low, alpha_high) = settings.alpha_values;
    SubnetHyperparamsV2 {
        rho: Compact(settings.rho),
        kappa: Compact(settings.kappa),
        immunity_period: Compact(settings.immunity_period),
        min_allowed_weights: Compact(settings.min_allowed_weights),
        max_weights_limit: Compact(settings.max_weights_limit),
        tempo: Compact(settings.tempo),
        min_difficulty: Compact(value(state, "MinDifficulty", netuid)),
        max_difficulty: Compact(value(state, "MaxDifficulty", netuid)),
        weights_version: Compact(settings.weights_version_key),
        weights_rate_limit: Compact(settings.weights_set_rate_limit),
        adjustment_interval: Compact(value(state, "AdjustmentInterval", netuid)),
        activity_cutoff: Compact(settings.activity_cutoff_blocks()),
        registration_allowed: settings.network_registration_allowed,
        target_regs_per_interval: Compact(value(state, "TargetRegistrationsPerInterval", netuid)),
        min_burn: compact(settings.min_burn),
        max_burn: compact(settings.max_burn),
        bonds_moving_avg: Compact(settings.bonds_moving_average),
        max_regs_per_block: Compact(value(state, "MaxRegistrationsPerBlock", netuid)),
        serving_rate_limit: Compact(settings.serving_rate_limit),
        max_validators: Compact(settings.max_allowed_validators),
        adjustment_alpha: Compact(value(state, "AdjustmentAlpha", netuid)),
        difficulty: Compact(value(state, "Difficulty", netuid)),
        commit_reveal_period: Compact(settings.reveal_period_epochs),
        commit_reveal_weights_enabled: settings.commit_reveal_weights_enabled,
        alpha_high: Compact(alpha_high),
        alpha_low: Compact(alpha_low),
        liquid_alpha_enabled: settings.liquid_alpha_enabled,
        alpha_sigmoid_steepness: FixedI64 {
            bits: i64::from(settings.alpha_sigmoid_steepness) << I32F32_BITS,
        },
        yuma_version: Compact(if settings.yuma3_enabled { 3 } else { 2 }),
        subnet_is_active: value(state, "SubtokenEnabled", netuid),
        transfers_enabled: value(state, "TransferToggle", netuid),
        bonds_reset_enabled: settings.bonds_reset_enabled,
        user_liquidity_enabled: false,
    }
}

pub(super) fn get_subnet_hyperparams(state: &State, netuid: NetUid) -> Option<SubnetHyperparams> {
    let hyper = get_subnet_hyperparams_v2(state, netuid)?;
    Some(SubnetHyperparams {
        rho: hyper.rho,
        kappa: hyper.kappa,
        immunity_period: hyper.immunity_period,
        min_allowed_weights: hyper.min_allowed_weights,
        max_weights_limit: hyper.max_weights_limit,
        tempo: hyper.tempo,
        min_difficulty: hyper.min_difficulty,
        max_difficulty: hyper.max_difficulty,
        weights_version: hyper.weights_version,
        weights_rate_limit: hyper.weights_rate_limit,
        adjustment_interval: hyper.adjustment_interval,
        activity_cutoff: hyper.activity_cutoff,
        registration_allowed: hyper.registration_allowed,
        target_regs_per_interval: hyper.target_regs_per_interval,
        min_burn: hyper.min_burn,
        max_burn: hyper.max_burn,
        bonds_moving_avg: hyper.bonds_moving_avg,
        max_regs_per_block: hyper.max_regs_per_block,
        serving_rate_limit: hyper.serving_rate_limit,
        max_validators: hyper.max_validators,
        adjustment_alpha: hyper.adjustment_alpha,
        difficulty: hyper.difficulty,
        commit_reveal_period: hyper.commit_reveal_period,
        commit_reveal_weights_enabled: hyper.commit_reveal_weights_enabled,
        alpha_high: hyper.alpha_high,
        alpha_low: hyper.alpha_low,
        liquid_alpha_enabled: hyper.liquid_alpha_enabled,
    })
}

pub(super) fn get_subnet_hyperparams_v2(state: &State, netuid: NetUid) -> Option<SubnetHyperparamsV2> {
    let netuid = Net::from(netuid);
    state.ledger().subnet_exists(netuid).then(|| hyperparameters(state, netuid))
}

/// By name, so that clients need not change with the list.
pub(super) fn get_subnet_hyperparams_v3(state: &State, netuid: NetUid) -> Option<Vec<HyperparamEntry>> {
    use HyperparamValue as V;
    let own = Net::from(netuid.clone());
    let hyper = get_subnet_hyperparams_v2(state, netuid)?;
    let settings = state.ledger().hyperparameters(own);
    let all = [
        ("kappa", V::U16(hyper.kappa)),
        ("immunity_period", V::U16(hyper.immunity_period)),
        ("min_allowed_weights", V::U16(hyper.min_allowed_weights)),
        ("max_weights_limit", V::U16(hyper.max_weights_limit)),
        ("tempo", V::U16(hyper.tempo)),
        ("weights_version", V::U64(hyper.weights_version)),
        ("weights_rate_limit", V::U64(hyper.weights_rate_limit)),
        ("activity_cutoff", V::U64(hyper.activity_cutoff)),
        ("activity_cutoff_factor", V::U32(Compact(settings.activity_cutoff_factor_milli))),
        ("registration_allowed", V::Bool(hyper.registration_allowed)),
        ("target_regs_per_interval", V::U16(hyper.target_regs_per_interval)),
        ("min_burn", V::TaoBalance(hyper.min_burn)),
        ("max_burn", V::TaoBalance(hyper.max_burn)),
        ("burn_half_life", V::U16(Compact(settings.burn_half_life_blocks))),
        ("burn_increase_mult", V::U64F64(FixedU128 { bits: settings.burn_increase_mult_bits })),
        ("bonds_moving_avg", V::U64(hyper.bonds_moving_avg)),
        ("max_regs_per_block", V::U16(hyper.max_regs_per_block)),
        ("serving_rate_limit", V::U64(hyper.serving_rate_limit)),
        ("max_validators", V::U16(hyper.max_validators)),
        ("commit_reveal_period", V::U64(hyper.commit_reveal_period)),
        ("commit_reveal_weights_enabled", V::Bool(hyper.commit_reveal_weights_enabled)),
        ("alpha_high", V::U16(hyper.alpha_high)),
        ("alpha_low", V::U16(hyper.alpha_low)),
        ("liquid_alpha_enabled", V::Bool(hyper.liquid_alpha_enabled)),
        ("alpha_sigmoid_steepness", V::I32F32(hyper.alpha_sigmoid_steepness)),
        ("yuma_version", V::U16(hyper.yuma_version)),
        ("subnet_is_active", V::Bool(hyper.subnet_is_active)),
        ("transfers_enabled", V::Bool(hyper.transfers_enabled)),
        ("bonds_reset_enabled", V::Bool(hyper.bonds_reset_enabled)),
        ("user_liquidity_enabled", V::Bool(hyper.user_liquidity_enabled)),
        ("owner_cut_enabled", V::Bool(value(state, "OwnerCutEnabled", own))),
        ("owner_cut_auto_lock_enabled", V::Bool(value(state, "OwnerCutAutoLockEnabled", own))),
    ];
    Some(all.into_iter().map(|(name, value)| HyperparamEntry { name: name.into(), value }).collect())
}

pub(super) fn get_coldkey_auto_stake_hotkey(
    state: &State,
    coldkey: AccountId32,
    netuid: NetUid,
) -> Option<AccountId32> {
    storage::find(state, "AutoStakeDestination", &(primitives::AccountId::from(coldkey), Net::from(netuid)))
}

pub(super) fn get_subnet_to_prune(state: &State) -> Option<NetUid> {
    state.ledger().network_to_prune(state.head().number).map(NetUid::from)
}

/// The account that holds a subnet's TAO. Source: `get_subnet_account_id`, `into_sub_account_truncating`.
pub(super) fn get_subnet_account_id(state: &State, netuid: NetUid) -> Option<AccountId32> {
    let own = Net::from(netuid);
    (own == Net::ROOT || state.ledger().subnet_exists(own)).then(|| {
        let mut account = [0; 32];
        account[..12].copy_from_slice(SUBNET_ACCOUNT);
        account[12..14].copy_from_slice(&own.0.to_le_bytes());
        AccountId32(account)
    })
}

/// Source: `get_next_epoch_start_block` in `coinbase/tempo_control.rs`, which asks no subnet to exist.
pub(super) fn get_next_epoch_start_block(state: &State, netuid: NetUid) -> Option<u64> {
    let netuid = Net::from(netuid);
    let settings = state.ledger().hyperparameters(netuid);
    let schedule = state.ledger().schedule(netuid, &settings);
    let regular = schedule.last_epoch_block.saturating_add(settings.tempo.into());
    let pending = schedule.pending_epoch_at;
    (settings.tempo > 0).then(|| if pending > 0 { regular.min(pending) } else { regular })
}

/// As it stands at this block, not at the next.
pub(super) fn get_network_registration_cost(state: &State) -> TaoBalance {
    state.ledger().lock_cost().into()
}
