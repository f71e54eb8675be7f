//! Calls by their names, indices and arguments.

use parity_scale_codec::Compact;

use super::{
    bounded::{BoundedVec, FixedU128},
    shape,
    types::*,
};

shape! { "frame_system::pallet::Call" enum SystemCall {
    0 remark { remark: Vec<u8> },
    7 remark_with_event { remark: Vec<u8> },
} }
shape! { "pallet_timestamp::pallet::Call" enum TimestampCall {
    0 set { now: Compact<u64> },
} }
shape! { "pallet_balances::pallet::Call" enum BalancesCall {
    0 transfer_allow_death { dest: MultiAddress, value: Compact<TaoBalance> },
    3 transfer_keep_alive { dest: MultiAddress, value: Compact<TaoBalance> },
    4 transfer_all { dest: MultiAddress, keep_alive: bool },
    8 force_set_balance { who: MultiAddress, new_free: Compact<TaoBalance> },
} }
shape! { "pallet_subtensor::pallet::Call" enum SubtensorCall {
    0 set_weights { netuid: NetUid, dests: Vec<u16>, weights: Vec<u16>, version_key: u64 },
    119 set_mechanism_weights { netuid: NetUid, mecid: MechId, dests: Vec<u16>, weights: Vec<u16>, version_key: u64 },
    96 commit_weights { netuid: NetUid, commit_hash: H256 },
    115 commit_mechanism_weights { netuid: NetUid, mecid: MechId, commit_hash: H256 },
    97 reveal_weights { netuid: NetUid, uids: Vec<u16>, values: Vec<u16>, salt: Vec<u16>, version_key: u64 },
    116 reveal_mechanism_weights { netuid: NetUid, mecid: MechId, uids: Vec<u16>, values: Vec<u16>, salt: Vec<u16>, version_key: u64 },
    65 decrease_take { hotkey: AccountId32, take: u16 },
    66 increase_take { hotkey: AccountId32, take: u16 },
    2 add_stake { hotkey: AccountId32, netuid: NetUid, amount_staked: TaoBalance },
    3 remove_stake { hotkey: AccountId32, netuid: NetUid, amount_unstaked: AlphaBalance },
    4 serve_axon { netuid: NetUid, version: u32, ip: u128, port: u16, ip_type: u8, protocol: u8, placeholder1: u8, placeholder2: u8 },
    6 register { netuid: NetUid, block_number: u64, nonce: u64, work: Vec<u8>, hotkey: AccountId32, coldkey: AccountId32 },
    62 root_register { hotkey: AccountId32 },
    7 burned_register { netuid: NetUid, hotkey: AccountId32 },
    59 register_network { hotkey: AccountId32 },
    88 add_stake_limit { hotkey: AccountId32, netuid: NetUid, amount_staked: TaoBalance, limit_price: TaoBalance, allow_partial: bool },
    89 remove_stake_limit { hotkey: AccountId32, netuid: NetUid, amount_unstaked: AlphaBalance, limit_price: TaoBalance, allow_partial: bool },
    92 start_call { netuid: NetUid },
    113 commit_timelocked_weights { netuid: NetUid, commit: BoundedVec<u8>, reveal_round: u64, commit_reveal_version: u16 },
    118 commit_timelocked_mechanism_weights { netuid: NetUid, mecid: MechId, commit: BoundedVec<u8>, reveal_round: u64, commit_reveal_version: u16 },
    134 register_limit { netuid: NetUid, hotkey: AccountId32, limit_price: u64 },
    139 set_tempo { netuid: NetUid, tempo: u16 },
    140 set_activity_cutoff_factor { netuid: NetUid, factor_milli: u32 },
    141 trigger_epoch { netuid: NetUid },
    69 sudo_set_tx_childkey_take_rate_limit { tx_rate_limit: u64 },
    76 sudo_set_min_childkey_take { take: u16 },
    77 sudo_set_max_childkey_take { take: u16 },
    109 set_pending_childkey_cooldown { cooldown: u64 },
    123 sudo_set_num_root_claims { new_value: u64 },
} }
shape! { "pallet_subtensor_utility::pallet::Call" enum UtilityCall {
    0 batch { calls: Vec<RuntimeCall> },
    2 batch_all { calls: Vec<RuntimeCall> },
    4 force_batch { calls: Vec<RuntimeCall> },
} }
shape! { "pallet_sudo::pallet::Call" enum SudoCall {
    0 sudo { call: Box<RuntimeCall> },
    1 sudo_unchecked_weight { call: Box<RuntimeCall>, weight: Weight },
} }
shape! { "pallet_commitments::pallet::Call" enum CommitmentsCall {
    0 set_commitment { netuid: NetUid, info: CommitmentInfo },
} }
shape! { "pallet_admin_utils::pallet::Call" enum AdminUtilsCall {
    1 sudo_set_default_take { default_take: u16 },
    2 sudo_set_tx_rate_limit { tx_rate_limit: u64 },
    3 sudo_set_serving_rate_limit { netuid: NetUid, serving_rate_limit: u64 },
    6 sudo_set_weights_version_key { netuid: NetUid, weights_version_key: u64 },
    7 sudo_set_weights_set_rate_limit { netuid: NetUid, weights_set_rate_limit: u64 },
    13 sudo_set_immunity_period { netuid: NetUid, immunity_period: u16 },
    14 sudo_set_min_allowed_weights { netuid: NetUid, min_allowed_weights: u16 },
    15 sudo_set_max_allowed_uids { netuid: NetUid, max_allowed_uids: u16 },
    16 sudo_set_kappa { netuid: NetUid, kappa: u16 },
    17 sudo_set_rho { netuid: NetUid, rho: u16 },
    19 sudo_set_network_registration_allowed { netuid: NetUid, registration_allowed: bool },
    22 sudo_set_min_burn { netuid: NetUid, min_burn: TaoBalance },
    23 sudo_set_max_burn { netuid: NetUid, max_burn: TaoBalance },
    25 sudo_set_max_allowed_validators { netuid: NetUid, max_allowed_validators: u16 },
    26 sudo_set_bonds_moving_average { netuid: NetUid, bonds_moving_average: u64 },
    60 sudo_set_bonds_penalty { netuid: NetUid, bonds_penalty: u16 },
    28 sudo_set_subnet_owner_cut { subnet_owner_cut: u16 },
    29 sudo_set_network_rate_limit { rate_limit: u64 },
    30 sudo_set_tempo { netuid: NetUid, tempo: u16 },
    35 sudo_set_network_immunity_period { immunity_period: u64 },
    36 sudo_set_network_min_lock_cost { lock_cost: TaoBalance },
    37 sudo_set_subnet_limit { max_subnets: u16 },
    38 sudo_set_lock_reduction_interval { interval: u64 },
    42 sudo_set_stake_threshold { min_stake: u64 },
    43 sudo_set_nominator_min_required_stake { min_stake: u64 },
    45 sudo_set_tx_delegate_take_rate_limit { tx_rate_limit: u64 },
    46 sudo_set_min_delegate_take { take: u16 },
    49 sudo_set_commit_reveal_weights_enabled { netuid: NetUid, enabled: bool },
    50 sudo_set_liquid_alpha_enabled { netuid: NetUid, enabled: bool },
    51 sudo_set_alpha_values { netuid: NetUid, alpha_low: u16, alpha_high: u16 },
    57 sudo_set_commit_reveal_weights_interval { netuid: NetUid, interval: u64 },
    68 sudo_set_alpha_sigmoid_steepness { netuid: NetUid, steepness: i16 },
    69 sudo_set_yuma3_enabled { netuid: NetUid, enabled: bool },
    70 sudo_set_bonds_reset_enabled { netuid: NetUid, enabled: bool },
    66 sudo_set_subtoken_enabled { netuid: NetUid, subtoken_enabled: bool },
    72 sudo_set_owner_immune_neuron_limit { netuid: NetUid, immune_neurons: u16 },
    74 sudo_set_admin_freeze_window { window: u16 },
    75 sudo_set_owner_hparam_rate_limit { epochs: u16 },
    76 sudo_set_mechanism_count { netuid: NetUid, mechanism_count: MechId },
    77 sudo_set_mechanism_emission_split { netuid: NetUid, maybe_split: Option<Vec<u16>> },
    79 sudo_set_min_allowed_uids { netuid: NetUid, min_allowed_uids: u16 },
    88 sudo_set_max_mechanism_count { max_mechanism_count: MechId },
    84 sudo_set_min_non_immune_uids { netuid: NetUid, min: u16 },
    85 sudo_set_start_call_delay { delay: u64 },
    89 sudo_set_burn_half_life { netuid: NetUid, burn_half_life: u16 },
    90 sudo_set_burn_increase_mult { netuid: NetUid, burn_increase_mult: FixedU128<64> },
    94 sudo_set_subnet_emission_enabled { netuid: NetUid, enabled: bool },
    96 sudo_set_max_epochs_per_block { max_epochs_per_block: u8 },
    61 sudo_set_toggle_transfer { netuid: NetUid, toggle: bool },
    80 sudo_set_recycle_or_burn { netuid: NetUid, recycle_or_burn: RecycleOrBurnEnum },
    92 sudo_set_owner_cut_enabled { netuid: NetUid, enabled: bool },
    93 sudo_set_min_childkey_take_per_subnet { netuid: NetUid, take: u16 },
    71 sudo_set_commit_reveal_version { version: u16 },
} }

shape! { "node_subtensor_runtime::RuntimeCall" enum RuntimeCall {
    0 System(SystemCall),
    2 Timestamp(TimestampCall),
    5 Balances(BalancesCall),
    7 SubtensorModule(SubtensorCall),
    11 Utility(UtilityCall),
    12 Sudo(SudoCall),
    18 Commitments(CommitmentsCall),
    19 AdminUtils(AdminUtilsCall),
} }
