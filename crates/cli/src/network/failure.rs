//! Why a command on a chain failed, with the exit code and what can be done about it.

use std::io;

use chain::{ReadError, SubmitError};
use miette::Diagnostic;
use primitives::{AccountError, AccountId, NetUid};
use subtensor::{Endpoint, developer::DeveloperError};
use thiserror::Error;

use crate::wallet::WalletError;

/// A command on a chain failed.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum NetworkError {
    /// A key could not be had.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Wallet(#[from] WalletError),
    /// Nobody answers there.
    #[error("{error}")]
    #[diagnostic(help(
        "for a chain on this machine run `weigh chain serve`; name another one with --network"
    ))]
    Unreachable { error: ReadError, network: Endpoint },
    /// Something could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A development node's method was not carried out.
    #[error(transparent)]
    #[diagnostic(help("{}", of_developers(.0)))]
    Developer(#[from] DeveloperError),
    /// A call was not carried out.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The hotkey holds no slot.
    #[error("{hotkey} is not registered on subnet {netuid}")]
    #[diagnostic(help("register it with `weigh register --netuid {netuid}`"))]
    NotRegistered { hotkey: AccountId, netuid: NetUid },
    /// An address is none.
    #[error("{0}")]
    Address(AccountError),
    /// An argument makes no sense on this chain.
    #[error("{0}")]
    Argument(String),
    /// The chain has nothing of the kind.
    #[error("{0}")]
    NotFound(String),
    /// A commitment could not be sealed.
    #[error(transparent)]
    Timelock(#[from] chain::timelock::TimelockError),
    /// Nobody reads the result, or the machine gives no threads.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What helps where a development node's method was not carried out.
fn of_developers(error: &DeveloperError) -> &'static str {
    match error {
        DeveloperError::Unreachable { .. } => {
            "for a chain on this machine run `weigh chain serve`; name another one with --network"
        }
        DeveloperError::NotOne { .. } => {
            "`weigh chain serve` runs one; a real chain's blocks and balances are nobody's to make"
        }
        DeveloperError::Refused { .. } | DeveloperError::Arguments { .. } | DeveloperError::Answer { .. } => {
            "`weigh chain status` says what the node is"
        }
    }
}

impl NetworkError {
    /// 3 not found, 4 key or password, 5 unreachable, 6 refused by the chain, 9 outcome unknown, 2 other arguments would
    /// help, 1 else.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Wallet(error) => error.exit_code(),
            Self::Unreachable { .. }
            | Self::Read(ReadError::Unreachable { .. })
            | Self::Developer(DeveloperError::Unreachable { .. }) => 5,
            Self::Developer(DeveloperError::NotOne { .. } | DeveloperError::Refused { .. }) => 6,
            Self::Developer(DeveloperError::Arguments { .. }) => 2,
            Self::Developer(DeveloperError::Answer { .. }) => 1,
            Self::Read(ReadError::NoSubnet { .. } | ReadError::NoBlock { .. })
            | Self::NotRegistered { .. }
            | Self::NotFound(_) => 3,
            Self::Submit(SubmitError::Refused { .. } | SubmitError::NoCall { .. }) => 6,
            Self::Submit(SubmitError::Unknown { .. }) => 9,
            Self::Submit(SubmitError::NoKey { .. }) => 4,
            Self::Address(_) | Self::Argument(_) => 2,
            Self::Timelock(_) | Self::Io(_) => 1,
        }
    }
}
