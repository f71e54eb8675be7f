//! `weigh wallet`: makes, shows, moves and uses keys in the folders that btcli reads and writes.
//!
//! Secrets come in by a hidden prompt or an open descriptor, never as an argument, and go out by one command only,
//! `weigh wallet export --mnemonic`. With `--json` nothing is asked: what is missing is an error.

use std::{
    io::{self, IsTerminal as _, Read as _, Write as _},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand, ValueEnum};
use miette::Diagnostic;
use primitives::{AccountError, AccountId};
use serde_json::{Value, json};
use thiserror::Error;
use wallet::{
    Envelope, EnvelopeError, KeyError, KeyFile, Keypair, Mnemonic, MnemonicError, Password, PublicKey,
    Scheme, SecretSeed, SecretTextError, Signature, SignatureError, WordCount,
    envelope::NaclKey,
    file::{
        FileError, KeyName, KeyPlace, NameError, Overwrite, PasswordError, PasswordSources, Protection,
        Wallet, Wallets, read_secret_line,
    },
};

/// The largest message that is signed or verified: it is held in memory, and nobody signs more by hand.
const MESSAGE_MAX_BYTES: u64 = 64 << 20;

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
}

/// Which wallet, and how to answer.
#[derive(Args)]
pub(crate) struct Place {
    /// The folder of wallets; btcli's, ~/.bittensor/wallets, where it is not given.
    #[arg(long, env = "WEIGH_WALLET_PATH", value_name = "FOLDER")]
    path: Option<PathBuf>,
    /// The wallet's name.
    #[arg(long, env = "WEIGH_WALLET", default_value = "default", value_name = "NAME")]
    wallet: KeyName,
    /// The hotkey's name.
    #[arg(long, env = "WEIGH_HOTKEY", default_value = "default", value_name = "NAME")]
    hotkey: KeyName,
    /// Print one JSON document and ask nothing.
    #[arg(long)]
    json: bool,
    /// Read the password from the first line of this open descriptor; 0 is standard input.
    #[arg(long, value_name = "NUMBER")]
    password_fd: Option<u32>,
}

/// What every command that writes takes.
#[derive(Args)]
pub(crate) struct Writing {
    /// Keep the coldkey unencrypted: for machines whose disk nobody else reads.
    #[arg(long)]
    no_password: bool,
    /// Replace existing keys. What they hold is lost without a copy of their mnemonic.
    #[arg(long)]
    force: bool,
    /// Say what would be written, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// The signature scheme of new keys.
    #[arg(long, value_enum, default_value_t = SchemeName::Sr25519)]
    scheme: SchemeName,
}

#[derive(Clone, Copy, ValueEnum)]
enum SchemeName {
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
enum KeyKind {
    /// Owns hotkeys and holds TAO.
    Coldkey,
    /// Signs requests and weights.
    Hotkey,
}

impl KeyKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Coldkey => "coldkey",
            Self::Hotkey => "hotkey",
        }
    }
}

#[derive(Args)]
pub(crate) struct NewArguments {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    writing: Writing,
    /// Make only this one of the two keys.
    #[arg(long, value_enum)]
    only: Option<KeyKind>,
    /// The number of words of the mnemonics: 12, 15, 18, 21 or 24.
    #[arg(long, default_value = "12", value_parser = word_count)]
    words: WordCount,
}

fn word_count(text: &str) -> Result<WordCount, String> {
    let count = text.parse().ok().and_then(WordCount::from_words);
    count.ok_or_else(|| "expected 12, 15, 18, 21 or 24".to_owned())
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SecretForm {
    Mnemonic,
    Seed,
    PrivateKey,
}

#[derive(Args)]
pub(crate) struct ImportArguments {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    writing: Writing,
    /// Which key of the wallet it becomes.
    #[arg(long, value_enum)]
    key: KeyKind,
    /// What the secret is; it is asked for, or read from --secret-fd.
    #[arg(long, value_enum, default_value_t = SecretForm::Mnemonic)]
    from: SecretForm,
    /// Read the secret from the first line of this open descriptor; 0 is standard input.
    #[arg(long, value_name = "NUMBER")]
    secret_fd: Option<u32>,
    /// Import a public key only.
    #[arg(long, value_name = "SS58", conflicts_with_all = ["from", "secret_fd"])]
    address: Option<String>,
}

#[derive(Args)]
pub(crate) struct ExportArguments {
    #[command(flatten)]
    place: Place,
    /// Which key.
    #[arg(long, value_enum, default_value_t = KeyKind::Coldkey)]
    key: KeyKind,
    /// Print the secret mnemonic: whoever sees it owns the key.
    #[arg(long)]
    mnemonic: bool,
}

/// A message: given, from a file, or standard input.
#[derive(Args)]
pub(crate) struct Message {
    /// The message; its bytes are signed as they are.
    #[arg(long, value_name = "TEXT", required_unless_present = "file")]
    message: Option<String>,
    /// A file with the message; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "message")]
    file: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct SignArguments {
    #[command(flatten)]
    place: Place,
    /// Which key signs.
    #[arg(long, value_enum, default_value_t = KeyKind::Hotkey)]
    key: KeyKind,
    #[command(flatten)]
    message: Message,
}

#[derive(Args)]
pub(crate) struct VerifyArguments {
    /// The address that is said to have signed.
    #[arg(long, value_name = "SS58")]
    address: String,
    /// The signature: 128 hexadecimal digits.
    #[arg(long, value_name = "HEX")]
    signature: String,
    /// The scheme of the address's key.
    #[arg(long, value_enum, default_value_t = SchemeName::Sr25519)]
    scheme: SchemeName,
    #[command(flatten)]
    message: Message,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

/// A wallet command failed.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum WalletError {
    /// A key file is missing, in the way, locked or damaged.
    #[error(transparent)]
    File(#[from] FileError),
    /// Nothing is known of the wallet.
    #[error("there is no wallet {name} in {}", root.display())]
    #[diagnostic(help(
        "see what is there with `weigh wallet list`, or make it with `weigh wallet new --wallet {name}`"
    ))]
    NoWallet { name: KeyName, root: PathBuf },
    /// There is nobody to ask.
    #[error("no password for the new coldkey")]
    #[diagnostic(help("pass --password-fd, or keep the key unencrypted with --no-password"))]
    NoPassword,
    /// The two typed passwords differ.
    #[error("the two passwords differ")]
    PasswordsDiffer,
    /// A password could not be read.
    #[error(transparent)]
    Password(#[from] PasswordError),
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
    Address(#[from] AccountError),
    /// The signature is none.
    #[error("--signature: {0}")]
    Signature(#[from] SignatureError),
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
    #[error("cannot read the message from {}: {source}", path.display())]
    Message { path: PathBuf, source: io::Error },
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
            Self::File(FileError::Missing { .. }) | Self::NoWallet { .. } => 3,
            Self::File(FileError::Exists { .. }) => 10,
            Self::File(FileError::Io { .. })
            | Self::Output(_)
            | Self::Entropy(_)
            | Self::NotSigned { .. }
            | Self::Message { .. } => 1,
            Self::File(_)
            | Self::NoPassword
            | Self::PasswordsDiffer
            | Self::Password(_)
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

/// Runs one command; stdout is its result.
///
/// # Errors
/// [`WalletError`], whose exit code says what can be done.
pub(crate) fn run(command: &WalletCommand) -> Result<(), WalletError> {
    let (answer, as_json) = match command {
        WalletCommand::New(arguments) => (new(arguments)?, arguments.place.json),
        WalletCommand::List(place) => (list(place)?, place.json),
        WalletCommand::Show(place) => (show(place)?, place.json),
        WalletCommand::Import(arguments) => (import(arguments)?, arguments.place.json),
        WalletCommand::Export(arguments) => (export(arguments)?, arguments.place.json),
        WalletCommand::Sign(arguments) => (sign(arguments)?, arguments.place.json),
        WalletCommand::Verify(arguments) => (verify(arguments)?, arguments.json),
    };
    let mut out = io::stdout().lock();
    if as_json {
        writeln!(out, "{}", answer.json)?
    } else {
        write!(out, "{}", answer.text)?
    }
    Ok(())
}

/// A result in both forms.
struct Answer {
    json: Value,
    /// Whole lines.
    text: String,
}

impl Place {
    fn wallets(&self) -> Result<Wallets, WalletError> {
        let root = self.path.clone().or_else(Wallets::default_root).ok_or(WalletError::NoHome)?;
        Ok(Wallets::at(&root))
    }

    fn wallet(&self) -> Result<Wallet, WalletError> {
        Ok(self.wallets()?.wallet(&self.wallet))
    }

    fn key(&self, kind: KeyKind) -> Result<KeyPlace, WalletError> {
        let wallet = self.wallet()?;
        Ok(match kind {
            KeyKind::Coldkey => wallet.coldkey(),
            KeyKind::Hotkey => wallet.hotkey(&self.hotkey),
        })
    }

    /// Whether a person may be asked.
    fn may_ask(&self) -> bool {
        !self.json && io::stdin().is_terminal()
    }

    fn given_password(&self) -> Result<Option<Password>, WalletError> {
        Ok(self.password_fd.map(read_secret_line).transpose()?)
    }

    fn read_pair(&self, kind: KeyKind) -> Result<Keypair, WalletError> {
        let mut ask = |path: &Path| hidden(&format!("Password of {}: ", path.display()));
        let prompt: Option<wallet::file::Prompt<'_>> = if self.may_ask() { Some(&mut ask) } else { None };
        let mut sources = PasswordSources { given: self.given_password()?, prompt };
        Ok(self.key(kind)?.read_pair(&mut sources)?)
    }
}

/// Asks without showing what is typed.
fn hidden(question: &str) -> io::Result<Password> {
    rpassword::prompt_password(question).map(Password::new)
}

fn random<const N: usize>() -> Result<[u8; N], WalletError> {
    let mut bytes = [0u8; N];
    getrandom::fill(&mut bytes).map_err(WalletError::Entropy)?;
    Ok(bytes)
}

fn new(arguments: &NewArguments) -> Result<Answer, WalletError> {
    let kinds = match arguments.only {
        Some(kind) => vec![kind],
        None => vec![KeyKind::Coldkey, KeyKind::Hotkey],
    };
    let mut keys = Vec::new();
    for kind in kinds {
        let entropy = random::<32>()?;
        let mnemonic = Mnemonic::from_entropy(&entropy[..arguments.words.entropy_bytes()])?;
        let scheme = arguments.writing.scheme.into();
        keys.push((kind, Keypair::from_mnemonic(scheme, &mnemonic, None)));
    }
    let mut answer = write_keys(&arguments.place, &arguments.writing, &keys)?;
    if !arguments.writing.dry_run {
        answer.text.push_str("write the mnemonics down: `weigh wallet export --mnemonic` shows them\n");
    }
    Ok(answer)
}

/// Writes pairs into a wallet; everything that can be wrong is looked for before the first file is written.
fn write_keys(place: &Place, writing: &Writing, keys: &[(KeyKind, Keypair)]) -> Result<Answer, WalletError> {
    let overwrite = if writing.force { Overwrite::Replace } else { Overwrite::Refuse };
    for (kind, _) in keys {
        place.key(*kind)?.check_absent(overwrite)?;
    }
    let locks = |kind| kind == KeyKind::Coldkey && !writing.no_password;
    let password_key = match keys.iter().any(|(kind, _)| locks(*kind)) && !writing.dry_run {
        true => Some(NaclKey::derive(&new_password(place)?)?),
        false => None,
    };
    let mut written = Vec::new();
    let mut text = String::new();
    for (kind, pair) in keys {
        let files = place.key(*kind)?;
        let protection = match &password_key {
            Some(key) if locks(*kind) => Protection::Nacl { key, nonce: random()? },
            _ => Protection::Plain,
        };
        if !writing.dry_run {
            files.write_pair(pair, protection, overwrite)?;
        }
        // The key of a dry run is never written, so its address would mislead.
        let address = (!writing.dry_run).then(|| pair.public().account.to_ss58());
        let shown = address.as_deref().unwrap_or("would be written to");
        text.push_str(&format!("{:<8} {shown}  {}\n", kind.name(), files.secret.display()));
        written.push(json!({
            "key": kind.name(),
            "address": address,
            "scheme": pair.scheme().name(),
            "encrypted": locks(*kind),
            "file": files.secret,
            "public_file": files.public,
        }));
    }
    let json = json!({ "wallet": place.wallet.as_str(), "dry_run": writing.dry_run, "written": written });
    Ok(Answer { json, text })
}

fn new_password(place: &Place) -> Result<Password, WalletError> {
    let path = place.key(KeyKind::Coldkey)?.secret;
    if !place.may_ask() {
        let mut sources = PasswordSources { given: place.given_password()?, prompt: None };
        return sources.find(&path).map_err(|error| match error {
            PasswordError::None { .. } => WalletError::NoPassword,
            other => other.into(),
        });
    }
    let mut twice = None;
    let mut ask = |path: &Path| {
        let password = hidden(&format!("New password of {}: ", path.display()))?;
        twice = Some(hidden("The same again: ")? == password);
        Ok(password)
    };
    let password = PasswordSources { given: place.given_password()?, prompt: Some(&mut ask) }.find(&path)?;
    if twice == Some(false) { Err(WalletError::PasswordsDiffer) } else { Ok(password) }
}

fn list(place: &Place) -> Result<Answer, WalletError> {
    let wallets = place.wallets()?;
    let mut found = Vec::new();
    let mut text = String::new();
    for name in wallets.names()? {
        let wallet = wallets.wallet(&name);
        let (cold, shown) = public_of(&wallet.coldkey());
        text.push_str(&format!("{name}  {shown}\n"));
        let mut hotkeys = Vec::new();
        for hotkey in wallet.hotkeys()? {
            let (json, shown) = public_of(&wallet.hotkey(&hotkey));
            text.push_str(&format!("  {hotkey}  {shown}\n"));
            hotkeys.push(json!({ "name": hotkey.as_str(), "key": json }));
        }
        found.push(json!({ "name": name.as_str(), "coldkey": cold, "hotkeys": hotkeys }));
    }
    if found.is_empty() {
        text = format!("no wallets in {}; make one with `weigh wallet new`\n", wallets.root().display());
    }
    Ok(Answer { json: json!({ "path": wallets.root(), "wallets": found }), text })
}

/// A key's address and scheme, or why there is none; one broken file must not hide the other wallets.
fn public_of(place: &KeyPlace) -> (Value, String) {
    let encrypted = place.envelope().ok().map(|envelope| envelope != Envelope::Plain);
    match place.read_public() {
        Ok(PublicKey { scheme, account }) => {
            let kept = match encrypted {
                Some(true) => "encrypted",
                Some(false) => "not encrypted",
                None => "public only",
            };
            let json = json!({ "address": account, "scheme": scheme.name(), "encrypted": encrypted });
            (json, format!("{account}  {scheme}, {kept}"))
        }
        Err(error) => (json!({ "error": error.to_string() }), format!("({error})")),
    }
}

fn show(place: &Place) -> Result<Answer, WalletError> {
    let wallets = place.wallets()?;
    if !wallets.names()?.contains(&place.wallet) {
        return Err(WalletError::NoWallet { name: place.wallet.clone(), root: wallets.root().to_owned() });
    }
    let wallet = place.wallet()?;
    let (cold, shown) = public_of(&wallet.coldkey());
    let mut text = format!("coldkey  {shown}\n");
    let mut hotkeys = Vec::new();
    for hotkey in wallet.hotkeys()? {
        let (json, shown) = public_of(&wallet.hotkey(&hotkey));
        text.push_str(&format!("hotkey {hotkey}  {shown}\n"));
        hotkeys.push(json!({ "name": hotkey.as_str(), "key": json }));
    }
    let json = json!({
        "name": place.wallet.as_str(), "folder": wallet.folder(), "coldkey": cold, "hotkeys": hotkeys,
    });
    Ok(Answer { json, text })
}

fn import(arguments: &ImportArguments) -> Result<Answer, WalletError> {
    let ImportArguments { place, writing, key, .. } = arguments;
    let scheme = Scheme::from(writing.scheme);
    if let Some(address) = &arguments.address {
        let files = place.key(*key)?;
        let overwrite = if writing.force { Overwrite::Replace } else { Overwrite::Refuse };
        files.check_absent(overwrite)?;
        let account = AccountId::from_ss58(address)?;
        if !writing.dry_run {
            files.write_public(PublicKey { scheme, account }, overwrite)?;
        }
        let written = json!([{
            "key": key.name(), "address": account, "scheme": scheme.name(), "public_file": files.public,
        }]);
        let json = json!({ "wallet": place.wallet.as_str(), "dry_run": writing.dry_run, "written": written });
        return Ok(Answer { json, text: format!("{account}  {}\n", files.public.display()) });
    }
    let secret = match arguments.secret_fd {
        Some(descriptor) => read_secret_line(descriptor)?,
        None if place.may_ask() => hidden(match arguments.from {
            SecretForm::Mnemonic => "Mnemonic: ",
            SecretForm::Seed => "Seed, 64 hexadecimal digits: ",
            SecretForm::PrivateKey => "Private key in hexadecimal: ",
        })
        .map_err(PasswordError::Read)?,
        None => return Err(WalletError::NoSecret),
    };
    let secret = secret.expose().trim();
    let pair = match arguments.from {
        SecretForm::Mnemonic => Keypair::from_mnemonic(scheme, &Mnemonic::parse(secret)?, None),
        SecretForm::Seed => Keypair::from_seed(scheme, &SecretSeed::from_hex(secret)?),
        SecretForm::PrivateKey => Keypair::from_private_key(scheme, secret)?,
    };
    write_keys(place, writing, &[(*key, pair)])
}

fn export(arguments: &ExportArguments) -> Result<Answer, WalletError> {
    let ExportArguments { place, key, mnemonic } = arguments;
    if *mnemonic {
        let pair = place.read_pair(*key)?;
        let words = pair.expose_mnemonic().ok_or(WalletError::NoMnemonic { key: key.name() })?.expose_words();
        let json = json!({ "address": pair.public().account, "mnemonic": words.as_str() });
        return Ok(Answer { json, text: format!("{}\n", words.as_str()) });
    }
    let file = KeyFile::Public(place.key(*key)?.read_public()?).to_json();
    let text = String::from_utf8_lossy(&file).into_owned();
    let json = serde_json::from_str(&text).map_err(io::Error::from)?;
    Ok(Answer { json, text: text + "\n" })
}

fn sign(arguments: &SignArguments) -> Result<Answer, WalletError> {
    let message = arguments.message.bytes()?;
    let pair = arguments.place.read_pair(arguments.key)?;
    let signature = pair.sign(&message, random()?);
    let account = pair.public().account;
    let json = json!({
        "address": account, "scheme": pair.scheme().name(), "signature": signature.to_string(),
    });
    Ok(Answer { json, text: format!("{signature}\n") })
}

fn verify(arguments: &VerifyArguments) -> Result<Answer, WalletError> {
    let account = AccountId::from_ss58(&arguments.address)?;
    let signature: Signature = arguments.signature.parse()?;
    let public = PublicKey { scheme: arguments.scheme.into(), account };
    if !public.verify(&arguments.message.bytes()?, &signature) {
        return Err(WalletError::NotSigned { address: account });
    }
    Ok(Answer { json: json!({ "address": account, "valid": true }), text: format!("signed by {account}\n") })
}

impl Message {
    fn bytes(&self) -> Result<Vec<u8>, WalletError> {
        let Some(path) = &self.file else {
            return Ok(self.message.clone().unwrap_or_default().into_bytes());
        };
        let failed = |source| WalletError::Message { path: path.clone(), source };
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
