//! A subnet's settings: one table gives the struct, its defaults and the calls that set them.

use parity_scale_codec::{Decode, Encode};
use primitives::{BlockNumber, Rao};
use serde::{Deserialize, Serialize};

macro_rules! hyperparameters {
    ($($(#[$doc:meta])* $variant:ident $field:ident: $ty:ty = $default:expr, $call:literal;)*) => {
        /// A subnet's settings, with the defaults of a new subnet.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
        pub struct Hyperparameters {
            $($(#[$doc])* pub $field: $ty,)*
        }

        impl Default for Hyperparameters {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        /// One setting with its new value.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
        pub enum Hyperparameter {
            $($(#[$doc])* $variant($ty),)*
        }

        impl Hyperparameter {
            /// The names of all settings: the variant's, and the field's that holds it.
            pub const NAMES: &'static [(&'static str, &'static str)] =
                &[$((stringify!($variant), stringify!($field)),)*];

            /// The name of the call that sets it, as the chain's metadata has it.
            #[must_use]
            pub fn call_name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $call,)* }
            }
        }

        impl Hyperparameters {
            /// Takes over one new value; ranges are the chain's to check.
            pub fn set(&mut self, value: Hyperparameter) {
                match value { $(Hyperparameter::$variant(new) => self.$field = new,)* }
            }
        }
    };
}

// Source of the defaults: `init_new_network` in `subnets/subnet.rs` and `SubtensorInitial*` in
// `runtime/src/lib.rs`, spec 425.
hyperparameters! {
    /// Blocks from one epoch to the next.
    Tempo tempo: u16 = 360, "sudo_set_tempo";
    /// Share of stake that consensus needs, of 65535.
    Kappa kappa: u16 = 32_767, "sudo_set_kappa";
    /// Legacy steepness of trust.
    Rho rho: u16 = 10, "sudo_set_rho";
    /// Blocks for which a new neuron is safe from pruning.
    ImmunityPeriod immunity_period: u16 = 5000, "sudo_set_immunity_period";
    /// Fewest slots that a subnet may be trimmed to.
    MinAllowedUids min_allowed_uids: u16 = 64, "sudo_set_min_allowed_uids";
    /// Slots in the subnet.
    MaxAllowedUids max_allowed_uids: u16 = 256, "sudo_set_max_allowed_uids";
    /// Validators with a permit.
    MaxAllowedValidators max_allowed_validators: u16 = 64, "sudo_set_max_allowed_validators";
    /// Fewest weights that may be set.
    MinAllowedWeights min_allowed_weights: u16 = 1, "sudo_set_min_allowed_weights";
    /// Largest share of one weight, of 65535.
    MaxWeightsLimit max_weights_limit: u16 = 65_535, "sudo_set_max_weight_limit";
    /// Blocks between two settings of weights.
    WeightsSetRateLimit weights_set_rate_limit: u64 = 100, "sudo_set_weights_set_rate_limit";
    /// Lowest version key accepted.
    WeightsVersionKey weights_version_key: u64 = 0, "sudo_set_weights_version_key";
    /// Activity cutoff in thousandths of the tempo.
    ActivityCutoffFactorMilli activity_cutoff_factor_milli: u32 = 13_889, "sudo_set_activity_cutoff_factor";
    /// Blocks between two `serve_axon` of one neuron.
    ServingRateLimit serving_rate_limit: u64 = 50, "sudo_set_serving_rate_limit";
    /// Whether weights must be committed before they are revealed.
    CommitRevealWeightsEnabled commit_reveal_weights_enabled: bool = true,
        "sudo_set_commit_reveal_weights_enabled";
    /// Epochs from commitment to reveal.
    RevealPeriodEpochs reveal_period_epochs: u64 = 1, "sudo_set_commit_reveal_weights_interval";
    /// Whether hotkeys may register.
    NetworkRegistrationAllowed network_registration_allowed: bool = true,
        "sudo_set_network_registration_allowed";
    /// Lowest registration price.
    MinBurn min_burn: Rao = Rao(500_000), "sudo_set_min_burn";
    /// Highest registration price.
    MaxBurn max_burn: Rao = Rao::from_whole(100), "sudo_set_max_burn";
    /// Blocks in which the registration price halves.
    BurnHalfLife burn_half_life_blocks: u16 = 360, "sudo_set_burn_half_life";
    /// Factor on the price at each registration, as raw U64F64 bits, at least 1.
    #[serde(with = "primitives::decimal")]
    BurnIncreaseMult burn_increase_mult_bits: u128 = 23_242_897_532_874_035_200, "sudo_set_burn_increase_mult";
    /// Share of the past in the moving average of bonds, in millionths.
    BondsMovingAverage bonds_moving_average: u64 = 900_000, "sudo_set_bonds_moving_average";
    /// How far bonds follow clipped weights, of 65535.
    BondsPenalty bonds_penalty: u16 = 65_535, "sudo_set_bonds_penalty";
    /// Whether a miner may reset bonds towards it.
    BondsReset bonds_reset_enabled: bool = false, "sudo_set_bonds_reset_enabled";
    /// Yuma3 bonds.
    Yuma3 yuma3_enabled: bool = true, "sudo_set_yuma3_enabled";
    /// Moving average of bonds per validator and miner.
    LiquidAlpha liquid_alpha_enabled: bool = false, "sudo_set_liquid_alpha_enabled";
    /// Lower and upper bound of liquid alpha, of 65535.
    AlphaValues alpha_values: (u16, u16) = (45_875, 58_982), "sudo_set_alpha_values";
    /// Steepness of liquid alpha's sigmoid, in hundredths.
    AlphaSigmoidSteepness alpha_sigmoid_steepness: i16 = 1000, "sudo_set_alpha_sigmoid_steepness";
    /// Mechanisms of the subnet.
    MechanismCount mechanism_count: u8 = 1, "sudo_set_mechanism_count";
    /// Hotkeys of the owner that cannot be pruned.
    OwnerImmuneNeuronLimit owner_immune_neuron_limit: u16 = 1, "sudo_set_owner_immune_neuron_limit";
    /// How many neurons outside of immunity are kept before an immune one is pruned.
    MinNonImmuneUids min_non_immune_uids: u16 = 10, "sudo_set_min_non_immune_uids";
    /// Whether stake may be handed to another coldkey.
    TransfersEnabled transfers_enabled: bool = true, "sudo_set_toggle_transfer";
    /// Whether incentive for the owner's own hotkeys is recycled instead of burned.
    RecycleOwnerIncentive recycle_owner_incentive: bool = false, "sudo_set_recycle_or_burn";
    /// Whether the owner gets a cut of emission.
    OwnerCutEnabled owner_cut_enabled: bool = true, "sudo_set_owner_cut_enabled";
    /// Least take of a childkey on this subnet, of 65535.
    MinChildkeyTake min_childkey_take: u16 = 0, "sudo_set_min_childkey_take_per_subnet";
}

macro_rules! chain_parameters {
    ($($(#[$doc:meta])* $variant:ident: $ty:ty, $call:literal;)*) => {
        /// One setting of the whole chain with its new value.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
        pub enum ChainParameter {
            $($(#[$doc])* $variant($ty),)*
        }

        impl ChainParameter {
            /// The names of all settings.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($variant),)*];

            /// The name of the call that sets it, as the chain's metadata has it.
            #[must_use]
            pub fn call_name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $call,)* }
            }
        }
    };
}

chain_parameters! {
    /// Blocks before an epoch in which settings are frozen.
    AdminFreezeWindow: u16, "sudo_set_admin_freeze_window";
    /// Tempos between two changes of one hyperparameter by the owner.
    OwnerHyperparameterRateLimit: u16, "sudo_set_owner_hparam_rate_limit";
    /// Stake weight that setting weights takes, in rao.
    StakeThreshold: u64, "sudo_set_stake_threshold";
    /// Blocks between two creations of subnets.
    NetworkRateLimit: u64, "sudo_set_network_rate_limit";
    /// Blocks for which a new subnet is safe from pruning.
    NetworkImmunityPeriod: u64, "sudo_set_network_immunity_period";
    /// The least lock of a new subnet.
    NetworkMinLockCost: Rao, "sudo_set_network_min_lock_cost";
    /// Blocks in which the lock falls by the last lock.
    LockReductionInterval: u64, "sudo_set_lock_reduction_interval";
    /// Most subnets, root not counted.
    SubnetLimit: u16, "sudo_set_subnet_limit";
    /// Most epochs in one block.
    MaxEpochsPerBlock: u8, "sudo_set_max_epochs_per_block";
    /// Most mechanisms of a subnet.
    MaxMechanismCount: u8, "sudo_set_max_mechanism_count";
    /// The owner's share of emission, of 65535.
    SubnetOwnerCut: u16, "sudo_set_subnet_owner_cut";
    /// Blocks between two changes of a take.
    TxDelegateTakeRateLimit: u64, "sudo_set_tx_delegate_take_rate_limit";
    /// Blocks between two calls of some kinds.
    TxRateLimit: u64, "sudo_set_tx_rate_limit";
    /// The least take, of 65535.
    MinDelegateTake: u16, "sudo_set_min_delegate_take";
    /// The default and largest take, of 65535.
    DefaultTake: u16, "sudo_set_default_take";
    /// The least stake of a nominator, in rao.
    NominatorMinRequiredStake: u64, "sudo_set_nominator_min_required_stake";
    /// Blocks between a subnet's creation and its start.
    StartCallDelay: u64, "sudo_set_start_call_delay";
    /// Blocks between two raises of a childkey's take.
    TxChildkeyTakeRateLimit: u64, "sudo_set_tx_childkey_take_rate_limit";
    /// The least take of a childkey, of 65535.
    MinChildkeyTake: u16, "sudo_set_min_childkey_take";
    /// The largest take of a childkey, of 65535.
    MaxChildkeyTake: u16, "sudo_set_max_childkey_take";
    /// Blocks from the choice of children until it takes effect.
    PendingChildKeyCooldown: u64, "set_pending_childkey_cooldown";
    /// The version of commit–reveal that commitments must name.
    CommitRevealVersion: u16, "sudo_set_commit_reveal_version";
    /// Claims of root dividends that the chain makes by itself in a block.
    NumRootClaims: u64, "sudo_set_num_root_claims";
    /// Blocks from the announcement of a coldkey's swap until it may be made.
    ColdkeySwapAnnouncementDelay: u32, "sudo_set_coldkey_swap_announcement_delay";
    /// Blocks after which an announcement that was not followed may be changed or taken back.
    ColdkeySwapReannouncementDelay: u32, "sudo_set_coldkey_swap_reannouncement_delay";
}

impl Hyperparameters {
    /// Blocks without weights after which a validator counts as inactive, at least 1.
    /// Source: `get_activity_cutoff_blocks`: factor · tempo / 1000.
    #[must_use]
    pub fn activity_cutoff_blocks(&self) -> BlockNumber {
        let blocks = u64::from(self.activity_cutoff_factor_milli) * u64::from(self.tempo) / 1000;
        blocks.max(1)
    }
}
