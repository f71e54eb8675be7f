//! Why a wallet command failed, with the exit code and what can be done about it.

use std::{io, path::PathBuf};

use miette::Diagnostic;
use primitives::{AccountError, AccountId};
use thiserror::Error;
use wallet::{
    EnvelopeError, KeyError, MnemonicError, SecretTextError, SignatureError,
    file::{FileError, KeyName, NameError, PasswordError},
};

use super::MESSAGE_MAX_BYTES;

/// A wallet command failed. A message that holds its cause does not name it as its source too: it would be told twice.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum WalletError {
    /// A key file is missing, in the way, locked or damaged.
    #[error("{error}")]
    File {
        error: FileError,
        #[help]
        help: Option<String>,
    },
    /// Nothing is known of the wallet.
    #[error("there is no wallet {name} in {}", root.display())]
    #[diagnostic(help("make it with `weigh wallet new{options}`"))]
    NoWallet { name: KeyName, root: PathBuf, options: String },
    /// There is nobody to ask.
    #[error("no password for the new coldkey: {variable} is not set, and nobody can be asked")]
    #[diagnostic(help(
        "pass --password-file or --password-fd, or keep the key unencrypted with --no-password"
    ))]
    NoPassword { variable: String },
    /// The two typed passwords differ.
    #[error("the two passwords differ")]
    PasswordsDiffer,
    /// A password could not be read.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The file with the password could not be read.
    #[error("{}: {error}", path.display())]
    PasswordFile { path: PathBuf, error: PasswordError },
    /// The key for a new file could not be derived.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// There is nobody to ask for the secret.
    #[error("no secret to import")]
    #[diagnostic(help("pass --secret-fd, or run without --json in a terminal"))]
    NoSecret,
    /// The key was not made from a mnemonic, or its file does not keep one.
    #[error("the {key} knows no mnemonic: it was made from a seed or a private key")]
    NoMnemonic { key: &'static str },
    /// The imported secret is none.
    #[error(transparent)]
    Mnemonic(#[from] MnemonicError),
    /// The imported seed is none.
    #[error(transparent)]
    Seed(#[from] SecretTextError),
    /// The imported private key is none.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The address is none.
    #[error("--address: {0}")]
    Address(AccountError),
    /// The signature is none.
    #[error("--signature: {0}")]
    Signature(SignatureError),
    /// The signature is somebody else's, or for another message.
    #[error("the signature is not by {address} over this message")]
    NotSigned { address: AccountId },
    /// No folder of wallets.
    #[error("there is no home folder to look for wallets in")]
    #[diagnostic(help("name the folder of wallets with --path"))]
    NoHome,
    /// The name of a key.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The message could not be read.
    #[error("cannot read the message from {}: {error}", path.display())]
    Message { path: PathBuf, error: io::Error },
    /// The message is too long.
    #[error("the message has more than {MESSAGE_MAX_BYTES} bytes")]
    MessageTooLong,
    /// The operating system gave no randomness.
    #[error("the operating system gives no random bytes: {0}")]
    Entropy(getrandom::Error),
    /// Nobody reads the result.
    #[error("could not write to standard output: {0}")]
    Output(#[from] io::Error),
}

impl WalletError {
    /// 3 not found, 4 key or password, 10 exists already, 2 where other arguments would help, 1 else.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::File { error: FileError::Missing { .. }, .. } | Self::NoWallet { .. } => 3,
            Self::File { error: FileError::Exists { .. }, .. } => 10,
            Self::File { error: FileError::Io { .. }, .. }
            | Self::Output(_)
            | Self::Entropy(_)
            | Self::NotSigned { .. }
            | Self::Message { .. } => 1,
            Self::File { .. }
            | Self::NoPassword { .. }
            | Self::PasswordsDiffer
            | Self::Password(_)
            | Self::PasswordFile { .. }
            | Self::Envelope(_)
            | Self::NoSecret
            | Self::NoMnemonic { .. }
            | Self::Mnemonic(_)
            | Self::Seed(_)
            | Self::Key(_) => 4,
            Self::Address(_) | Self::Signature(_) | Self::NoHome | Self::Name(_) | Self::MessageTooLong => 2,
        }
    }
}
