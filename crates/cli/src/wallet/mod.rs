//! `weigh wallet`: makes, shows, moves and uses keys in the folders that btcli reads and writes.
//!
//! Secrets come in by a hidden prompt, a file or an open descriptor, never as an argument, and go out by one command
//! only, `weigh wallet export --mnemonic`. With `--json` nothing is asked: what is missing is an error.

mod arguments;
mod failure;

use std::{
    io::{self, Write as _},
    path::Path,
};

use primitives::AccountId;
use serde_json::{Value, json};
use wallet::{
    Envelope, KeyFile, Keypair, Mnemonic, Password, PublicKey, Scheme, SecretSeed, Signature,
    envelope::NaclKey,
    file::{KeyPlace, Overwrite, PasswordError, PasswordSources, Protection, read_secret_line},
};

use self::arguments::{
    ExportArguments, ImportArguments, NewArguments, SecretForm, SignArguments, VerifyArguments, Writing,
    hidden,
};
pub(crate) use self::{
    arguments::{KeyKind, Place, WalletCommand},
    failure::WalletError,
};

use crate::{
    mend::quoted,
    network::{self, NetworkError},
};

/// The largest message that is signed or verified: it is held in memory, and nobody signs more by hand.
const MESSAGE_MAX_BYTES: u64 = 64 << 20;

/// Runs one command; stdout is its result.
///
/// # Errors
/// [`NetworkError`], whose exit code says what can be done; all but the balance fail with its
/// [`WalletError`] alone.
pub(crate) fn run(command: &WalletCommand) -> Result<(), NetworkError> {
    let (answer, as_json) = match command {
        WalletCommand::New(arguments) => (new(arguments)?, arguments.place.json),
        WalletCommand::List(place) => (list(place)?, place.json),
        WalletCommand::Show(place) => (show(place)?, place.json),
        WalletCommand::Import(arguments) => (import(arguments)?, arguments.place.json),
        WalletCommand::Export(arguments) => (export(arguments)?, arguments.place.json),
        WalletCommand::Sign(arguments) => (sign(arguments)?, arguments.place.json),
        WalletCommand::Verify(arguments) => return Ok(verify(arguments)?),
        WalletCommand::Balance(arguments) => return network::balance(arguments),
    };
    Ok(answer.print(as_json)?)
}

/// A result in both forms.
struct Answer {
    json: Value,
    /// Whole lines.
    text: String,
}

impl Answer {
    fn print(&self, as_json: bool) -> Result<(), WalletError> {
        let mut out = io::stdout().lock();
        if as_json {
            writeln!(out, "{}", self.json)?;
        } else {
            write!(out, "{}", self.text)?;
        }
        Ok(())
    }
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
        answer.text.push_str("write the mnemonics down; they are shown by\n");
        for (kind, _) in &keys {
            let hotkey = match kind {
                KeyKind::Coldkey => String::new(),
                KeyKind::Hotkey => format!(" --hotkey {}", quoted(arguments.place.hotkey.as_str())),
            };
            let options = arguments.place.options();
            let kind = kind.name();
            answer
                .text
                .push_str(&format!("  weigh wallet export --mnemonic --key {kind}{options}{hotkey}\n"));
        }
    }
    Ok(answer)
}

/// Writes pairs into a wallet; everything that can be wrong is looked for before the first file is written.
fn write_keys(place: &Place, writing: &Writing, keys: &[(KeyKind, Keypair)]) -> Result<Answer, WalletError> {
    let overwrite = if writing.force { Overwrite::Replace } else { Overwrite::Refuse };
    for (kind, _) in keys {
        place.key(*kind)?.check_absent(overwrite).map_err(|error| place.told(error))?;
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
            files.write_pair(pair, protection, overwrite).map_err(|error| place.told(error))?;
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
            PasswordError::None { variable } => WalletError::NoPassword { variable },
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
    for name in wallets.names().map_err(|error| place.told(error))? {
        let wallet = wallets.wallet(&name);
        let (cold, shown) = public_of(&wallet.coldkey());
        text.push_str(&format!("{name}  {shown}\n"));
        let mut hotkeys = Vec::new();
        for hotkey in wallet.hotkeys().map_err(|error| place.told(error))? {
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
    if !wallets.names().map_err(|error| place.told(error))?.contains(&place.wallet) {
        let (name, root) = (place.wallet.clone(), wallets.root().to_owned());
        return Err(WalletError::NoWallet { name, root, options: place.options() });
    }
    let wallet = place.wallet()?;
    let (cold, shown) = public_of(&wallet.coldkey());
    let mut text = format!("coldkey  {shown}\n");
    let mut hotkeys = Vec::new();
    for hotkey in wallet.hotkeys().map_err(|error| place.told(error))? {
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
        let account = AccountId::from_ss58(address).map_err(WalletError::Address)?;
        let overwrite = if writing.force { Overwrite::Replace } else { Overwrite::Refuse };
        files.check_absent(overwrite).map_err(|error| place.told(error))?;
        if !writing.dry_run {
            let public = PublicKey { scheme, account };
            files.write_public(public, overwrite).map_err(|error| place.told(error))?;
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
    let public = place.key(*key)?.read_public().map_err(|error| place.told(error))?;
    let file = KeyFile::Public(public).to_json();
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

/// Prints the verdict; a signature that is somebody else's is a failure too, so that scripts can rely on the exit code.
fn verify(arguments: &VerifyArguments) -> Result<(), WalletError> {
    let account = AccountId::from_ss58(&arguments.address).map_err(WalletError::Address)?;
    let signature: Signature = arguments.signature.parse().map_err(WalletError::Signature)?;
    let public = PublicKey { scheme: arguments.scheme.into(), account };
    let valid = public.verify(&arguments.message.bytes()?, &signature);
    let json = json!({ "address": account, "scheme": public.scheme.name(), "valid": valid });
    let text = if valid { format!("signed by {account}\n") } else { String::new() };
    Answer { json, text }.print(arguments.json)?;
    if valid { Ok(()) } else { Err(WalletError::NotSigned { address: account }) }
}
