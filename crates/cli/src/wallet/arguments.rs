//! What a person says to `weigh wallet`: the arguments, and where the secrets that belong to them are read.

use std::{
    io::{self, IsTerminal as _, Read as _},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand, ValueEnum};
use wallet::{
    Keypair, Password, PublicKey, Scheme, WordCount,
    file::{
        FileError, KeyName, KeyPlace, PasswordError, PasswordSources, Wallet, Wallets, read_secret_file,
        read_secret_line,
    },
};

use super::{MESSAGE_MAX_BYTES, WalletError};
use crate::{config::environment, mend::quoted, network::BalanceArguments};

/// `weigh wallet …`.
#[derive(Subcommand)]
pub(crate) enum WalletCommand {
    /// Make a coldkey and a hotkey.
    New(NewArguments),
    /// List the wallets with their addresses.
    List(Place),
    /// Show the addresses of one wallet, and how its keys are kept.
    Show(Place),
    /// Put a key from a mnemonic, a seed, a private key or an address into a wallet.
    Import(ImportArguments),
    /// Print a key without its secret, or its mnemonic.
    Export(ExportArguments),
    /// Sign a message.
    Sign(SignArguments),
    /// Check a signature.
    Verify(VerifyArguments),
    /// Show what the wallet's coldkey, or an address, holds on a chain.
    Balance(BalanceArguments),
}

/// Which wallet, and how to answer.
#[derive(Args)]
pub(crate) struct Place {
    /// The folder of wallets; btcli's, ~/.bittensor/wallets, where it is not given.
    #[arg(long, env = environment::WALLET_PATH, value_name = "FOLDER")]
    pub(super) path: Option<PathBuf>,
    /// The wallet's name.
    #[arg(long, env = environment::WALLET, default_value = "default", value_name = "NAME")]
    pub(super) wallet: KeyName,
    /// The hotkey's name.
    #[arg(long, env = environment::HOTKEY, default_value = "default", value_name = "NAME")]
    pub(super) hotkey: KeyName,
    /// Print one JSON document and ask nothing.
    #[arg(long)]
    pub(super) json: bool,
    /// Read the password from the first line of this open descriptor; 0 is standard input.
    #[arg(long, value_name = "NUMBER")]
    pub(super) password_fd: Option<u32>,
    /// Read the password from the first line of this file.
    #[arg(long, value_name = "FILE", conflicts_with = "password_fd")]
    pub(super) password_file: Option<PathBuf>,
}

/// What every command that writes takes.
#[derive(Args)]
pub(crate) struct Writing {
    /// Keep the coldkey unencrypted: for machines whose disk nobody else reads.
    #[arg(long)]
    pub(super) no_password: bool,
    /// Replace existing keys. What they hold is lost without a copy of their mnemonic.
    #[arg(long)]
    pub(super) force: bool,
    /// Say what would be written, and write nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// The signature scheme of new keys.
    #[arg(long, value_enum, default_value_t = SchemeName::Sr25519)]
    pub(super) scheme: SchemeName,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum SchemeName {
    Sr25519,
    Ed25519,
}

impl From<SchemeName> for Scheme {
    fn from(name: SchemeName) -> Self {
        match name {
            SchemeName::Sr25519 => Self::Sr25519,
            SchemeName::Ed25519 => Self::Ed25519,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyKind {
    /// Owns hotkeys and holds TAO.
    Coldkey,
    /// Signs requests and weights.
    Hotkey,
}

impl KeyKind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Coldkey => "coldkey",
            Self::Hotkey => "hotkey",
        }
    }
}

#[derive(Args)]
pub(crate) struct NewArguments {
    #[command(flatten)]
    pub(super) place: Place,
    #[command(flatten)]
    pub(super) writing: Writing,
    /// Make only this one of the two keys.
    #[arg(long, value_enum)]
    pub(super) only: Option<KeyKind>,
    /// The number of words of the mnemonics: 12, 15, 18, 21 or 24.
    #[arg(long, default_value = "12", value_parser = word_count)]
    pub(super) words: WordCount,
}

fn word_count(text: &str) -> Result<WordCount, String> {
    let count = text.parse().ok().and_then(WordCount::from_words);
    count.ok_or_else(|| "expected 12, 15, 18, 21 or 24".to_owned())
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SecretForm {
    Mnemonic,
    Seed,
    PrivateKey,
}

#[derive(Args)]
pub(crate) struct ImportArguments {
    #[command(flatten)]
    pub(super) place: Place,
    #[command(flatten)]
    pub(super) writing: Writing,
    /// Which key of the wallet it becomes.
    #[arg(long, value_enum)]
    pub(super) key: KeyKind,
    /// What the secret is; it is asked for, or read from --secret-fd.
    #[arg(long, value_enum, default_value_t = SecretForm::Mnemonic)]
    pub(super) from: SecretForm,
    /// Read the secret from the first line of this open descriptor; 0 is standard input.
    #[arg(long, value_name = "NUMBER")]
    pub(super) secret_fd: Option<u32>,
    /// Import a public key only.
    #[arg(long, value_name = "SS58", conflicts_with_all = ["from", "secret_fd"])]
    pub(super) address: Option<String>,
}

#[derive(Args)]
pub(crate) struct ExportArguments {
    #[command(flatten)]
    pub(super) place: Place,
    /// Which key.
    #[arg(long, value_enum, default_value_t = KeyKind::Coldkey)]
    pub(super) key: KeyKind,
    /// Print the secret mnemonic: whoever sees it owns the key.
    #[arg(long)]
    pub(super) mnemonic: bool,
}

/// A message: given, from a file, or standard input.
#[derive(Args)]
pub(crate) struct Message {
    /// The message; its bytes are signed as they are.
    #[arg(long, value_name = "TEXT", required_unless_present = "file")]
    pub(super) message: Option<String>,
    /// A file with the message; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "message")]
    pub(super) file: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct SignArguments {
    #[command(flatten)]
    pub(super) place: Place,
    /// Which key signs.
    #[arg(long, value_enum, default_value_t = KeyKind::Hotkey)]
    pub(super) key: KeyKind,
    #[command(flatten)]
    pub(super) message: Message,
}

#[derive(Args)]
pub(crate) struct VerifyArguments {
    /// The address that is said to have signed.
    #[arg(long, value_name = "SS58")]
    pub(super) address: String,
    /// The signature: 128 hexadecimal digits.
    #[arg(long, value_name = "HEX")]
    pub(super) signature: String,
    /// The scheme of the address's key.
    #[arg(long, value_enum, default_value_t = SchemeName::Sr25519)]
    pub(super) scheme: SchemeName,
    #[command(flatten)]
    pub(super) message: Message,
    /// Print one JSON document.
    #[arg(long)]
    pub(super) json: bool,
}

impl Place {
    pub(super) fn wallets(&self) -> Result<Wallets, WalletError> {
        let root = self.path.clone().or_else(Wallets::default_root).ok_or(WalletError::NoHome)?;
        Ok(Wallets::at(&root))
    }

    pub(super) fn wallet(&self) -> Result<Wallet, WalletError> {
        Ok(self.wallets()?.wallet(&self.wallet))
    }

    pub(super) fn key(&self, kind: KeyKind) -> Result<KeyPlace, WalletError> {
        let wallet = self.wallet()?;
        Ok(match kind {
            KeyKind::Coldkey => wallet.coldkey(),
            KeyKind::Hotkey => wallet.hotkey(&self.hotkey),
        })
    }

    /// Whether a person may be asked.
    pub(super) fn may_ask(&self) -> bool {
        !self.json && io::stdin().is_terminal()
    }

    pub(super) fn given_password(&self) -> Result<Option<Password>, WalletError> {
        if let Some(path) = &self.password_file {
            let failed = |error| WalletError::PasswordFile { path: path.clone(), error };
            return read_secret_file(path).map(Some).map_err(failed);
        }
        Ok(self.password_fd.map(read_secret_line).transpose()?)
    }

    pub(crate) fn read_pair(&self, kind: KeyKind) -> Result<Keypair, WalletError> {
        let mut ask = |path: &Path| hidden(&format!("Password of {}: ", path.display()));
        let prompt: Option<wallet::file::Prompt<'_>> = if self.may_ask() { Some(&mut ask) } else { None };
        let mut sources = PasswordSources { given: self.given_password()?, prompt };
        self.key(kind)?.read_pair(&mut sources).map_err(|error| self.told(error))
    }

    /// The public half of a key, for which no password is needed.
    pub(crate) fn read_public(&self, kind: KeyKind) -> Result<PublicKey, WalletError> {
        self.key(kind)?.read_public().map_err(|error| self.told(error))
    }

    /// Whether one JSON document is wanted.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// The options that lead a command to the same wallet, with a space in front of each.
    pub(super) fn options(&self) -> String {
        let path = self
            .path
            .as_ref()
            .map_or_else(String::new, |path| format!(" --path {}", quoted(&path.to_string_lossy())));
        format!("{path} --wallet {}", quoted(self.wallet.as_str()))
    }

    /// A file's failure with what can be done about it.
    pub(super) fn told(&self, error: FileError) -> WalletError {
        let options = self.options();
        let help = match &error {
            FileError::Missing { .. } => format!("see what is there with `weigh wallet show{options}`"),
            FileError::Exists { .. } => {
                "name another key with --wallet or --hotkey, or replace this one with --force".to_owned()
            }
            FileError::PublicOnly { .. } => {
                format!(
                    "import its secret with `weigh wallet import{options} --force --key coldkey` or `--key hotkey`"
                )
            }
            FileError::Password { source: PasswordError::None { .. }, .. } => {
                "pass --password-file or --password-fd, or run without --json in a terminal".to_owned()
            }
            _ => return WalletError::File { error, help: None },
        };
        WalletError::File { error, help: Some(help) }
    }
}

/// Asks without showing what is typed.
pub(super) fn hidden(question: &str) -> io::Result<Password> {
    rpassword::prompt_password(question).map(Password::new)
}

impl Message {
    pub(super) fn bytes(&self) -> Result<Vec<u8>, WalletError> {
        let Some(path) = &self.file else {
            return Ok(self.message.clone().unwrap_or_default().into_bytes());
        };
        let failed = |error| WalletError::Message { path: path.clone(), error };
        let mut bytes = Vec::new();
        let from: Box<dyn io::Read> = if path.as_os_str() == "-" {
            Box::new(io::stdin().lock())
        } else {
            Box::new(std::fs::File::open(path).map_err(failed)?)
        };
        from.take(MESSAGE_MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > MESSAGE_MAX_BYTES { Err(WalletError::MessageTooLong) } else { Ok(bytes) }
    }
}
