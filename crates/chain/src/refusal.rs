//! What a chain says when it refuses, by the names and numbers of the real one.

use parity_scale_codec::{Decode, Encode};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A refusal: before inclusion, by the transaction pool, or after it, by the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, Error)]
pub enum Refusal {
    /// The pool did not take it.
    #[error("invalid transaction, {0}")]
    Pool(InvalidTransaction),
    /// It was included and failed.
    #[error("{0}")]
    Module(ModuleError),
    /// It was included and failed with an error that is not known here: the chain has one that this client has not.
    #[error("error {error} of pallet {pallet}, which is not known here")]
    Unlisted {
        /// The pallet's index.
        pallet: u8,
        /// The error's index in it.
        error: u8,
    },
}

impl From<ModuleError> for Refusal {
    fn from(error: ModuleError) -> Self {
        Self::Module(error)
    }
}

impl From<InvalidTransaction> for Refusal {
    fn from(error: InvalidTransaction) -> Self {
        Self::Pool(error)
    }
}

/// Why the pool refused, by the names and numbers of `sp_runtime`'s `InvalidTransaction`. What the codes of
/// `Custom` say stands in `common/src/transaction_error.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, Error)]
pub enum InvalidTransaction {
    /// The call is not expected: it can't be sent this way.
    #[codec(index = 0)]
    #[error("call")]
    Call,
    /// The account can't pay.
    #[codec(index = 1)]
    #[error("payment")]
    Payment,
    /// The nonce is not the next one.
    #[codec(index = 2)]
    #[error("future")]
    Future,
    /// The nonce was used, or the extrinsic's time has passed.
    #[codec(index = 3)]
    #[error("stale")]
    Stale,
    /// The signature is wrong, or was made for another chain or runtime.
    #[codec(index = 4)]
    #[error("bad proof")]
    BadProof,
    /// The block of the extrinsic's birth is not known any more.
    #[codec(index = 5)]
    #[error("ancient birth block")]
    AncientBirthBlock,
    /// It does not fit into a block.
    #[codec(index = 6)]
    #[error("exhausts resources")]
    ExhaustsResources,
    /// One of the chain's own codes.
    #[codec(index = 7)]
    #[error("custom error {0}")]
    Custom(u8),
    /// A call that every block must have failed.
    #[codec(index = 8)]
    #[error("bad mandatory")]
    BadMandatory,
    /// The signer may not send this.
    #[codec(index = 10)]
    #[error("bad signer")]
    BadSigner,
}

macro_rules! module_errors {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// A failure of a call, by its name in the chain's metadata.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize, Error)]
        #[error("{self:?}")]
        pub enum ModuleError {
            $($(#[$doc])* $name,)*
        }

        impl ModuleError {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The error with this name; none where it is not known here.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $(stringify!($name) => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

module_errors! {
    /// The origin may not do this.
    BadOrigin,
    /// The balance is too low.
    InsufficientBalance,
    /// The receiver's balance would be below the existential deposit.
    ExistentialDeposit,
    /// The sender's balance would fall below the existential deposit.
    Expendability,
    /// The subnet does not exist.
    SubnetNotExists,
    /// The hotkey has an owner other than the caller.
    NonAssociatedColdKey,
    /// The hotkey has no account.
    HotKeyAccountNotExists,
    /// Root takes no registration this way.
    RegistrationNotPermittedOnRootSubnet,
    /// The subnet is closed for registration.
    SubNetRegistrationDisabled,
    /// The hotkey is registered already.
    HotKeyAlreadyRegisteredInSubNet,
    /// The balance does not pay the price.
    NotEnoughBalanceToStake,
    /// No slot is free and none may be freed.
    NoNeuronIdAvailable,
    /// The price is above the caller's limit.
    RegistrationPriceLimitExceeded,
    /// Root's weights can't be set.
    CanNotSetRootNetworkWeights,
    /// Uids and values differ in length.
    WeightVecNotEqualSize,
    /// The mechanism does not exist.
    MechanismDoesNotExist,
    /// More uids than the subnet has.
    UidsLengthExceedUidsInSubNet,
    /// The hotkey is not registered in the subnet.
    HotKeyNotRegisteredInSubNet,
    /// The stake weight is below the threshold.
    NotEnoughStakeToSetWeights,
    /// The version key is too low.
    IncorrectWeightVersionKey,
    /// Weights were set a moment ago.
    SettingWeightsTooFast,
    /// No validator permit.
    NeuronNoValidatorPermit,
    /// A uid stands twice.
    DuplicateUids,
    /// A uid does not exist.
    UidVecContainInvalidOne,
    /// Fewer weights than allowed.
    WeightVecLengthIsLow,
    /// One weight is above the limit.
    MaxWeightExceeded,
    /// Weights must be committed first.
    CommitRevealEnabled,
    /// Commit–reveal is off.
    CommitRevealDisabled,
    /// A commitment was made a moment ago.
    CommittingWeightsTooFast,
    /// Too many open commitments.
    TooManyUnrevealedCommits,
    /// No commitment to open.
    NoWeightsCommitFound,
    /// What was opened is not what was committed.
    InvalidRevealCommitHashNotMatch,
    /// Its epoch has not come.
    RevealTooEarly,
    /// Its epoch has passed.
    ExpiredWeightCommit,
    /// The hotkey is not registered in the network.
    HotKeyNotRegisteredInNetwork,
    /// The ip is not allowed.
    InvalidIpAddress,
    /// The ip type is neither 4 nor 6.
    InvalidIpType,
    /// The port is 0.
    InvalidPort,
    /// Served a moment ago.
    ServingRateLimitExceeded,
    /// The account may not commit here.
    AccountNotAllowedCommit,
    /// Too many fields in a commitment.
    TooManyFieldsInCommitmentInfo,
    /// A field is longer than its kind allows.
    CommitmentFieldTooLong,
    /// The epoch's space for commitments is used up.
    SpaceLimitExceeded,
    /// A setting is out of its range.
    ValueNotInBounds,
    /// The settings are frozen shortly before an epoch.
    AdminActionProhibitedDuringWeightsWindow,
    /// The subnet was created a moment ago.
    NetworkTxRateLimitExceeded,
    /// The number of subnets is exhausted.
    SubnetLimitReached,
    /// The balance does not pay the lock.
    CannotAffordLockCost,
    /// Emission was started already.
    FirstEmissionBlockNumberAlreadySet,
    /// Staking has not been started.
    SubtokenDisabled,
    /// The amount is below the least stake.
    AmountTooLow,
    /// The pool can't serve the swap.
    InsufficientLiquidity,
    /// Less is staked than asked for.
    NotEnoughStakeToWithdraw,
    /// The take is out of its range.
    InvalidTake,
    /// The subnet's name for a mechanism split is wrong.
    InvalidValue,
    /// Epochs can't be triggered while commit–reveal is on.
    DynamicTempoBlockedByCommitReveal,
    /// An epoch is due already.
    EpochTriggerAlreadyPending,
    /// The same was changed a moment ago.
    TxRateLimitExceeded,
    /// The sudo account alone may do this.
    RequireSudo,
    /// A batch of more calls than are carried out at once.
    TooManyCalls,
    /// The subnet does not exist, as the administration of settings says it.
    SubnetDoesNotExist,
    /// More validators than slots.
    MaxValidatorsLargerThanMaxUIds,
    /// Fewer slots than neurons.
    MaxAllowedUIdsLessThanCurrentUIds,
    /// A moving average that only the chain itself may set.
    BondsMovingAverageMaxReached,
    /// A steepness that only the chain itself may set.
    NegativeSigmoidSteepness,
    /// At least as many slots must stay as there are neurons.
    MinAllowedUidsGreaterThanCurrentUids,
    /// The fewest slots are not fewer than the most.
    MinAllowedUidsGreaterThanMaxAllowedUids,
    /// The most slots are fewer than the fewest.
    MaxAllowedUidsLessThanMinAllowedUids,
    /// More slots than any subnet has.
    MaxAllowedUidsGreaterThanDefaultMaxAllowedUids,
    /// Root has no such setting.
    NotPermittedOnRootSubnet,
    /// Slots times mechanisms are more than a subnet may have.
    TooManyUIDsPerMechanism,
    /// Liquid alpha is off.
    LiquidAlphaDisabled,
    /// The upper bound of liquid alpha is too low.
    AlphaHighTooLow,
    /// The lower bound of liquid alpha is out of its range.
    AlphaLowOutOfRange,
    /// The reveal period is too long.
    RevealPeriodTooLarge,
    /// The reveal period is too short.
    RevealPeriodTooSmall,
    /// The tempo is not one that an owner may choose.
    TempoOutOfBounds,
    /// The activity cutoff is out of its range.
    ActivityCutoffFactorMilliOutOfBounds,
    /// The next epoch comes by itself as soon.
    AutoEpochAlreadyImminent,
    /// A delegate's take would not rise, would not fall, or is below the least.
    DelegateTakeTooLow,
    /// A delegate's take is above the largest.
    DelegateTakeTooHigh,
    /// A take was changed a moment ago.
    DelegateTxRateLimitExceeded,
    /// The swap would pass the caller's price.
    PriceLimitExceeded,
    /// The pool holds too little for the swap.
    ReservesTooLow,
    /// The amount would pass the caller's price.
    SlippageTooHigh,
    /// The subnet was created too short a while ago to be started.
    NeedWaitingMoreBlocksToStarCall,
    /// Too many registrations in this block.
    TooManyRegistrationsThisBlock,
    /// Too many registrations in this interval.
    TooManyRegistrationsThisInterval,
    /// Others on root have more stake.
    StakeTooLowForRoot,
    /// A share of the claims' subnets is out of its range.
    InvalidRootClaimThreshold,
    /// A claim names no subnet, or too many.
    InvalidSubnetNumber,
    /// The number of claims per block is too high.
    InvalidNumRootClaim,
    /// A hotkey can't be its own child.
    InvalidChild,
    /// A child stands twice.
    DuplicateChild,
    /// Children get more than there is.
    ProportionOverflow,
    /// More children than a hotkey may have.
    TooManyChildren,
    /// A child would be a parent of its own parent.
    ChildParentInconsistency,
    /// The stake is too low to have children.
    NotEnoughStakeToSetChildkeys,
    /// A child's take is out of its range.
    InvalidChildkeyTake,
    /// A child's take was raised a moment ago.
    TxChildkeyTakeRateLimitExceeded,
    /// The same destination is set already.
    SameAutoStakeHotkeyAlreadySet,
    /// The version of commit–reveal is not the chain's.
    IncorrectCommitRevealVersion,
    /// The round has been published already.
    InvalidRevealRound,
    /// Parallel lists differ in length.
    InputLengthsUnequal,
    /// Stake would be moved to where it is.
    SameNetuid,
    /// Stake can't be handed to others on this subnet.
    TransferDisallowed,
    /// Root has no alpha to destroy.
    CannotBurnOrRecycleOnRootSubnet,
    /// A name or another text is too long.
    InvalidIdentity,
    /// The new hotkey is the old one.
    NewHotKeyIsSameWithOld,
    /// A hotkey was swapped a moment ago.
    HotKeySetTxRateLimitExceeded,
    /// The balance does not pay the swap of a hotkey.
    NotEnoughBalanceToPaySwapHotKey,
    /// A hotkey was swapped on this subnet a moment ago.
    HotKeySwapOnSubnetIntervalNotPassed,
    /// There is no such symbol.
    SymbolDoesNotExist,
    /// Another subnet has the symbol.
    SymbolAlreadyInUse,
    /// Every subnet is too young to be pruned.
    AllNetworksInImmunity,
    /// Too many of the neurons that would stay are immune.
    TrimmingWouldExceedMaxImmunePercentage,
    /// A pulse of the beacon does not verify.
    PulseVerificationError,
    /// A pulse's round is not one that follows.
    InvalidRoundNumber,
    /// A commitment that opens itself can't be opened at that round.
    TimelockRevealFailedNotAllowed,
    /// The caller does not own the subnet.
    NotSubnetOwner,
    /// The new coldkey holds stake already.
    ColdKeyAlreadyAssociated,
    /// The new coldkey is a hotkey.
    NewColdKeyIsHotkey,
    /// The balance does not pay the swap of a coldkey.
    NotEnoughBalanceToPaySwapColdKey,
    /// No swap of this coldkey was announced.
    ColdkeySwapAnnouncementNotFound,
    /// The announced swap's time has not come.
    ColdkeySwapTooEarly,
    /// The announcement can't be changed yet.
    ColdkeySwapReannouncedTooEarly,
    /// Another coldkey was announced.
    AnnouncedColdkeyHashDoesNotMatch,
    /// The announced swap is disputed already.
    ColdkeySwapAlreadyDisputed,
    /// A coldkey that will be swapped can do nothing else.
    ColdkeySwapAnnounced,
    /// A coldkey whose swap is disputed can do nothing.
    ColdkeySwapDisputed,
    /// The announcement can't be taken back yet.
    ColdkeySwapClearTooEarly,
    /// Alpha was bought and burned on this subnet a moment ago.
    AddStakeBurnRateLimitExceeded,
}
