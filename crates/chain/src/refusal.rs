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

/// Why the pool refused. Source: `common/src/transaction_error.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, Error)]
pub enum InvalidTransaction {
    /// The account can't pay.
    #[error("payment")]
    Payment,
    /// The nonce was used.
    #[error("stale")]
    Stale,
    /// The nonce is not the next one.
    #[error("future")]
    Future,
    #[error("x")]
    Call,
    #[error("x")]
    BadProof,
    #[error("x")]
    ExhaustsResources,
    /// One of the chain's own codes.
    #[error("custom error {0}")]
    Custom(u8),
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
}
