//! Wallets on disk, laid out as btcli has them, and where passwords come from. Only this module touches files and
//! the environment.
//!
//! ```text
//! ~/.bittensor/wallets/<wallet>/coldkey               secret, usually encrypted
//! ~/.bittensor/wallets/<wallet>/coldkeypub.txt        public
//! ~/.bittensor/wallets/<wallet>/hotkeys/<hotkey>      secret, usually plain
//! ~/.bittensor/wallets/<wallet>/hotkeys/<hotkey>pub.txt
//! ```
//! Folders are made with mode 0700, files with 0600. A file is written beside its place, synced and renamed, so that
//! a reader sees the old key or the new one and a crash loses neither.
#![expect(clippy::disallowed_methods, reason = "this is the module that touches files and the environment")]

use std::{
    env, fmt,
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    str::FromStr,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use thiserror::Error;
use zeroize::{Zeroize as _, Zeroizing};

use crate::{
    Envelope, EnvelopeError, KeyFile, KeyFileError, Keypair, Password, PublicKey, envelope::NaclKey,
};

/// The largest key file that is read: an encrypted one has under 2 KiB, a legacy vault doubles that twice.
pub const FILE_MAX_BYTES: u64 = 64 << 10;
/// The longest password: far past what anybody types, short enough for one line of a pipe.
pub const PASSWORD_MAX_BYTES: usize = 4096;
/// The longest name of a wallet or hotkey: with `pub.txt` behind it within every file system's limit.
const NAME_MAX_BYTES: usize = 128;
/// The most wallets, and hotkeys in one, that are listed: a folder beyond this is no folder of wallets.
const LISTED_MAX: usize = 10_000;

/// What stands behind a key's name in the name of its public file.
const PUBLIC_ENDING: &str = "pub.txt";
/// Endings of files beside hotkeys that are none.
const COMPANION_ENDINGS: [&str; 3] = [PUBLIC_ENDING, ".lock", ".tmp"];
/// What variables with passwords start with. Source: Bittensor's SDK.
const PASSWORD_VARIABLE: &str = "BT_PW_";

/// A text cannot name a wallet or hotkey.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{name:?} cannot name a wallet or hotkey: expected 1 to {NAME_MAX_BYTES} bytes without slashes and control \
     characters, no dot in front, and not the ending pub.txt, .lock or .tmp"
)]
pub struct NameError {
    /// The text, cut.
    name: String,
}

/// Why a key was not read or written.
#[derive(Debug, Error)]
pub enum FileError {
    /// There is no such file.
    #[error("there is no key file {}", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// There is one already, and replacing it was not asked for.
    #[error("{} exists already and is not overwritten", path.display())]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// The file is no key file's size, or not a file.
    #[error("{} is no key file: {reason}", path.display())]
    NotAKeyFile {
        /// Which file.
        path: PathBuf,
        /// What it is.
        reason: &'static str,
    },
    /// The encryption did not open.
    #[error("{}: {source}", path.display())]
    Envelope {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: EnvelopeError,
    },
    /// The content is no key.
    #[error("{}: {source}", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: KeyFileError,
    },
    /// The file has a public key, and a secret one was wanted.
    #[error("{} has a public key only", path.display())]
    PublicOnly {
        /// Which file.
        path: PathBuf,
    },
    /// No password was to be had.
    #[error("{}: {source}", path.display())]
    Password {
        /// For which file.
        path: PathBuf,
        /// Why.
        source: PasswordError,
    },
    /// The file system failed.
    #[error("could not {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError + use<> {
    let path = path.to_owned();
    move |source| FileError::Io { doing, path, source }
}

/// The name of a wallet or hotkey: one plain component of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyName(String);

impl KeyName {
    /// The name's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let hostile = |letter: char| letter.is_control() || matches!(letter, '/' | '\\');
        let fits = (1..=NAME_MAX_BYTES).contains(&text.len())
            && !text.starts_with('.')
            && !text.contains(hostile)
            && !COMPANION_ENDINGS.iter().any(|ending| text.ends_with(ending));
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError { name: text.chars().take(40).collect() })
        }
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A folder of wallets.
#[derive(Clone, Debug)]
pub struct Wallets {
    root: PathBuf,
}

impl Wallets {
    /// The folder at `root`; nothing is created yet. A `~` in front stands for the home folder.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        let home = root.strip_prefix("~").ok().zip(env::var_os("HOME"));
        Self { root: home.map_or_else(|| root.to_owned(), |(rest, home)| PathBuf::from(home).join(rest)) }
    }

    /// Where btcli keeps them: `~/.bittensor/wallets`; `None` without a home folder.
    #[must_use]
    pub fn default_root() -> Option<PathBuf> {
        env::var_os("HOME").map(|home| Path::new(&home).join(".bittensor").join("wallets"))
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The wallet of a name, which may not exist.
    #[must_use]
    pub fn wallet(&self, name: &KeyName) -> Wallet {
        Wallet { folder: self.root.join(name.as_str()) }
    }

    /// The names of the wallets that are there, in order; none where the folder is missing. Folders whose names this
    /// module would not give are left out.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn names(&self) -> Result<Vec<KeyName>, FileError> {
        names_in(&self.root, |path| path.is_dir())
    }
}

/// One wallet's folder.
#[derive(Clone, Debug)]
pub struct Wallet {
    folder: PathBuf,
}

impl Wallet {
    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The coldkey.
    #[must_use]
    pub fn coldkey(&self) -> KeyPlace {
        KeyPlace { secret: self.folder.join("coldkey"), public: self.folder.join("coldkeypub.txt") }
    }

    /// A hotkey.
    #[must_use]
    pub fn hotkey(&self, name: &KeyName) -> KeyPlace {
        let folder = self.folder.join("hotkeys");
        KeyPlace { secret: folder.join(name.as_str()), public: folder.join(format!("{name}{PUBLIC_ENDING}")) }
    }

    /// The names of the hotkeys that are there, in order.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn hotkeys(&self) -> Result<Vec<KeyName>, FileError> {
        names_in(&self.folder.join("hotkeys"), |path| path.is_file())
    }
}

fn names_in(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Result<Vec<KeyName>, FileError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed("list", folder)(error)),
    };
    let mut names = Vec::new();
    for entry in entries.take(LISTED_MAX) {
        let path = entry.map_err(failed("list", folder))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        names.extend(name.filter(|_| wanted(&path)));
    }
    names.sort();
    Ok(names)
}

/// Whether a key file may take the place of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overwrite {
    /// An existing file is an error.
    Refuse,
    /// An existing file is replaced.
    Replace,
}

/// How a key is written.
#[derive(Clone, Copy, Debug)]
pub enum Protection<'a> {
    /// Plain JSON: btcli's way with hotkeys.
    Plain,
    /// `$NACL` under a key and a nonce that was never used before: btcli's way with coldkeys.
    Nacl {
        /// The password's key.
        key: &'a NaclKey,
        /// 24 bytes from the operating system.
        nonce: [u8; 24],
    },
}

/// The two files of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPlace {
    /// The file with the secret.
    pub secret: PathBuf,
    /// The file without.
    pub public: PathBuf,
}

impl KeyPlace {
    /// How the secret file is encrypted.
    ///
    /// # Errors
    /// [`FileError::Missing`], [`FileError::NotAKeyFile`] and [`FileError::Io`].
    pub fn envelope(&self) -> Result<Envelope, FileError> {
        read_capped(&self.secret).map(|file| Envelope::of(&file))
    }

    /// The key pair; a password is asked for only where the file is encrypted.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn read_pair(&self, passwords: &mut PasswordSources<'_>) -> Result<Keypair, FileError> {
        let path = &self.secret;
        let mut file = read_capped(path)?;
        if Envelope::of(&file) != Envelope::Plain {
            let password =
                passwords.find(path).map_err(|source| FileError::Password { path: path.clone(), source })?;
            file = Envelope::open(&file, &password)
                .map_err(|source| FileError::Envelope { path: path.clone(), source })?;
        }
        let pair = parse(path, &file)?.into_pair();
        pair.ok_or_else(|| FileError::PublicOnly { path: path.clone() })
    }

    /// The public key: from the public file, or from the secret one where that is missing and the other is plain.
    ///
    /// # Errors
    /// [`FileError`]; [`FileError::Missing`] names the public file.
    pub fn read_public(&self) -> Result<PublicKey, FileError> {
        let missing = match read_capped(&self.public) {
            Ok(file) => return Ok(parse(&self.public, &file)?.public()),
            Err(error @ FileError::Missing { .. }) => error,
            Err(error) => return Err(error),
        };
        match read_capped(&self.secret) {
            Ok(file) if Envelope::of(&file) == Envelope::Plain => Ok(parse(&self.secret, &file)?.public()),
            _ => Err(missing),
        }
    }

    /// Writes both files, the secret one first.
    ///
    /// # Errors
    /// [`FileError::Exists`] where either is there and may not be replaced: nothing is written then.
    pub fn write_pair(
        &self,
        pair: &Keypair,
        protection: Protection<'_>,
        overwrite: Overwrite,
    ) -> Result<(), FileError> {
        self.check_absent(overwrite)?;
        let plain = KeyFile::Pair(Box::new(pair.clone())).to_json();
        match protection {
            Protection::Plain => write(&self.secret, &plain, overwrite)?,
            Protection::Nacl { key, nonce } => write(&self.secret, &key.seal(&plain, nonce), overwrite)?,
        }
        self.write_public(pair.public(), overwrite)
    }

    /// Writes the public file only.
    ///
    /// # Errors
    /// [`FileError::Exists`] and [`FileError::Io`].
    pub fn write_public(&self, public: PublicKey, overwrite: Overwrite) -> Result<(), FileError> {
        write(&self.public, &KeyFile::Public(public).to_json(), overwrite)
    }

    /// Fails where a file is in the way.
    ///
    /// # Errors
    /// [`FileError::Exists`].
    pub fn check_absent(&self, overwrite: Overwrite) -> Result<(), FileError> {
        let paths = [&self.secret, &self.public];
        match paths.into_iter().find(|path| overwrite == Overwrite::Refuse && path.symlink_metadata().is_ok())
        {
            Some(path) => Err(FileError::Exists { path: path.clone() }),
            None => Ok(()),
        }
    }
}

fn parse(path: &Path, file: &[u8]) -> Result<KeyFile, FileError> {
    KeyFile::parse(file).map_err(|source| FileError::Content { path: path.to_owned(), source })
}

fn read_capped(path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let not = |reason| FileError::NotAKeyFile { path: path.to_owned(), reason };
    let missing = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            FileError::Missing { path: path.to_owned() }
        }
        _ => failed("open", path)(error),
    };
    // Looked at before it is opened: opening a pipe would wait for its writer.
    if !fs::metadata(path).map_err(missing)?.is_file() {
        return Err(not("it is not a file"));
    }
    let file = File::open(path).map_err(missing)?;
    // Room for all of it from the start: a growing vector would leave copies behind.
    let capacity = usize::try_from(FILE_MAX_BYTES + 1).unwrap_or(usize::MAX);
    let mut content = Zeroizing::new(Vec::with_capacity(capacity));
    file.take(FILE_MAX_BYTES + 1).read_to_end(&mut content).map_err(failed("read", path))?;
    if content.len() as u64 > FILE_MAX_BYTES {
        return Err(not("it has more than 65536 bytes"));
    }
    Ok(content)
}

fn write(path: &Path, content: &[u8], overwrite: Overwrite) -> Result<(), FileError> {
    let folder = path.parent().expect("a key's file lies in a folder");
    create_private(folder)?;
    // The temporary file gets mode 0600 from its first moment, and goes away by itself where a step fails.
    let mut file = tempfile::Builder::new()
        .prefix(".weigh-")
        .suffix(".tmp")
        .tempfile_in(folder)
        .map_err(failed("create a file in", folder))?;
    file.write_all(content).map_err(failed("write", path))?;
    file.as_file().sync_all().map_err(failed("sync", path))?;
    let placed = match overwrite {
        Overwrite::Replace => file.persist(path),
        Overwrite::Refuse => file.persist_noclobber(path),
    };
    placed.map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => FileError::Exists { path: path.to_owned() },
        _ => failed("rename into place", path)(error.error),
    })?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("sync", folder))
}

/// Makes a folder and what is missing above it, readable for nobody else.
fn create_private(folder: &Path) -> Result<(), FileError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(failed("create folder", folder))
}

/// Why there is no password.
#[derive(Debug, Error)]
pub enum PasswordError {
    /// Nobody was asked.
    #[error("a password is needed: set {variable}, pass a descriptor, or run where it can be asked for")]
    None {
        /// The variable that would have been taken.
        variable: String,
    },
    /// The variable has something else in it.
    #[error("{variable} is not base64 of a password that is XORed with the variable's name")]
    Variable {
        /// Which variable.
        variable: String,
    },
    /// A password without a character.
    #[error("the password is empty")]
    Empty,
    /// Too long, or not text.
    #[error("the password is not one line of at most {PASSWORD_MAX_BYTES} bytes of UTF-8")]
    Form,
    /// Reading failed.
    #[error("could not read the password: {0}")]
    Read(#[from] io::Error),
}

/// A function that asks a person for the password of a file.
pub type Prompt<'a> = &'a mut dyn FnMut(&Path) -> io::Result<Password>;

/// Where passwords are taken from: one that was given, else the file's variable, else a prompt.
#[derive(Default)]
pub struct PasswordSources<'a> {
    /// A password that holds for all files, as read from a descriptor.
    pub given: Option<Password>,
    /// Asked where nothing else is there.
    pub prompt: Option<Prompt<'a>>,
}

impl PasswordSources<'_> {
    /// The password for a file.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub fn find(&mut self, path: &Path) -> Result<Password, PasswordError> {
        let variable = password_variable(path);
        let password = if let Some(password) = &self.given {
            password.clone()
        } else if let Some(value) = env::var_os(&variable) {
            let value = value.to_str().and_then(|value| password_from_variable(&variable, value));
            value.ok_or(PasswordError::Variable { variable })?
        } else if let Some(prompt) = &mut self.prompt {
            prompt(path)?
        } else {
            return Err(PasswordError::None { variable });
        };
        if password.is_empty() { Err(PasswordError::Empty) } else { Ok(password) }
    }
}

/// The variable for a file's password: its path in capitals, `/` and `.` as `_`. Source: Bittensor's SDK.
#[must_use]
pub fn password_variable(path: &Path) -> String {
    let path = path.to_string_lossy().replace(['/', '.'], "_");
    format!("{PASSWORD_VARIABLE}{}", path.to_uppercase())
}

/// The password in a variable's value: base64 of the password XORed with the variable's name, over and over.
#[must_use]
pub fn password_from_variable(variable: &str, value: &str) -> Option<Password> {
    let mut bytes = Zeroizing::new(STANDARD.decode(value.trim()).ok()?);
    xor_name(variable, &mut bytes);
    std::str::from_utf8(&bytes).ok().filter(|text| text.len() <= PASSWORD_MAX_BYTES).map(Password::from)
}

/// The value for a variable that holds a password: hidden from a glance, not from anybody who tries.
#[must_use]
pub fn variable_for_password(variable: &str, password: &Password) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new(password.expose().as_bytes().to_vec());
    xor_name(variable, &mut bytes);
    Zeroizing::new(STANDARD.encode(&*bytes))
}

fn xor_name(variable: &str, bytes: &mut [u8]) {
    for (byte, mask) in bytes.iter_mut().zip(variable.bytes().cycle()) {
        *byte ^= mask;
    }
}

/// The first line that an open descriptor gives, 0 being standard input: a password or another secret.
///
/// # Errors
/// [`PasswordError::Form`] past [`PASSWORD_MAX_BYTES`], and [`PasswordError::Read`].
pub fn read_secret_line(descriptor: u32) -> Result<Password, PasswordError> {
    if descriptor == 0 {
        first_line(io::stdin().lock())
    } else {
        first_line(File::open(format!("/dev/fd/{descriptor}"))?)
    }
}

/// The first line of a file, or of a pipe: a password or another secret.
///
/// # Errors
/// As [`read_secret_line`].
pub fn read_secret_file(path: &Path) -> Result<Password, PasswordError> {
    first_line(File::open(path)?)
}

fn first_line(mut from: impl io::Read) -> Result<Password, PasswordError> {
    // Byte by byte, so that what stands behind the line is left for others.
    let mut line = Zeroizing::new(Vec::with_capacity(PASSWORD_MAX_BYTES + 1));
    let mut byte = [0u8; 1];
    while line.len() <= PASSWORD_MAX_BYTES {
        match from.read(&mut byte) {
            Ok(0) => break,
            Ok(_) if byte[0] == b'\n' => break,
            Ok(_) => line.push(byte[0]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    byte.zeroize();
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    let text = std::str::from_utf8(&line).ok().filter(|text| text.len() <= PASSWORD_MAX_BYTES);
    text.map(Password::from).ok_or(PasswordError::Form)
}
