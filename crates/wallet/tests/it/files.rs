//! Wallet folders: layout, modes, replacing, passwords, hostile names and files.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use wallet::{
    Envelope, Keypair, Password,
    envelope::NaclKey,
    file::{
        FILE_MAX_BYTES, FileError, KeyName, Overwrite, PasswordError, PasswordSources, Protection, Wallets,
        password_from_variable, password_variable, variable_for_password,
    },
};

fn name(text: &str) -> KeyName {
    text.parse().unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_wallet_lies_where_btcli_looks_and_nobody_else_may_read_it() {
    let home = tempfile::tempdir().unwrap();
    let wallets = Wallets::at(&home.path().join("a/wallets"));
    let wallet = wallets.wallet(&name("mine"));
    let alice = Keypair::development("Alice").unwrap();
    wallet.coldkey().write_pair(&alice, Protection::Plain, Overwrite::Refuse).unwrap();
    wallet.hotkey(&name("default")).write_pair(&alice, Protection::Plain, Overwrite::Refuse).unwrap();
    let folder = wallets.root().join("mine");
    for file in ["coldkey", "coldkeypub.txt", "hotkeys/default", "hotkeys/defaultpub.txt"] {
        assert_eq!(mode(&folder.join(file)), 0o600, "{file}");
    }
    for path in [wallets.root(), &folder, &folder.join("hotkeys")] {
        assert_eq!(mode(path), 0o700, "{}", path.display());
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 3, "no temporary file is left");
    assert_eq!(wallets.names().unwrap(), [name("mine")]);
    assert_eq!(wallet.hotkeys().unwrap(), [name("default")]);
    let read = wallet.coldkey().read_pair(&mut PasswordSources::default()).unwrap();
    assert_eq!(read.public(), alice.public());
    assert_eq!(wallet.coldkey().read_public().unwrap(), alice.public());
    assert!(!fs::read_to_string(folder.join("coldkeypub.txt")).unwrap().contains("privateKey"));
}

#[test]
fn nothing_is_overwritten_unless_asked_for() {
    let home = tempfile::tempdir().unwrap();
    let place = Wallets::at(home.path()).wallet(&name("w")).coldkey();
    let [alice, bob] = ["Alice", "Bob"].map(|who| Keypair::development(who).unwrap());
    place.write_pair(&alice, Protection::Plain, Overwrite::Refuse).unwrap();
    let refused = place.write_pair(&bob, Protection::Plain, Overwrite::Refuse).unwrap_err();
    assert!(matches!(refused, FileError::Exists { path } if path == place.secret));
    fs::remove_file(&place.secret).unwrap();
    let refused = place.write_pair(&bob, Protection::Plain, Overwrite::Refuse).unwrap_err();
    assert!(matches!(refused, FileError::Exists { path } if path == place.public));
    assert!(!place.secret.exists(), "nothing was written");
    place.write_pair(&bob, Protection::Plain, Overwrite::Replace).unwrap();
    assert_eq!(place.read_public().unwrap(), bob.public());
}

/// Two derivations of 512 MiB.
#[test]
fn an_encrypted_key_opens_with_its_password_only() {
    let home = tempfile::tempdir().unwrap();
    let place = Wallets::at(home.path()).wallet(&name("w")).coldkey();
    let alice = Keypair::development("Alice").unwrap();
    let key = NaclKey::derive(&"correct horse".into()).unwrap();
    let protection = Protection::Nacl { key: &key, nonce: [9; 24] };
    place.write_pair(&alice, protection, Overwrite::Refuse).unwrap();
    assert_eq!(place.envelope().unwrap(), Envelope::Nacl);
    assert_eq!(place.read_public().unwrap(), alice.public());
    let nobody = place.read_pair(&mut PasswordSources::default()).unwrap_err();
    assert!(matches!(nobody, FileError::Password { source: PasswordError::None { .. }, .. }), "{nobody}");
    let mut asked = 0;
    let mut prompt = |path: &Path| {
        assert_eq!(path, place.secret);
        asked += 1;
        Ok(Password::from("correct horse"))
    };
    let mut sources = PasswordSources { given: None, prompt: Some(&mut prompt) };
    assert_eq!(place.read_pair(&mut sources).unwrap().public(), alice.public());
    assert_eq!(asked, 1);
}

#[test]
fn password_variables_are_those_of_the_sdk() {
    let variable = password_variable(Path::new("/home/x/.bittensor/wallets/d/coldkey"));
    assert_eq!(variable, "BT_PW__HOME_X__BITTENSOR_WALLETS_D_COLDKEY");
    let password = Password::from("password1");
    // As the SDK 11.3.0 sets it.
    assert_eq!(variable_for_password(&variable, &password).as_str(), "MjUsIyAwLSx+");
    assert_eq!(password_from_variable(&variable, "MjUsIyAwLSx+\n"), Some(password));
    assert_eq!(password_from_variable(&variable, "?"), None);
    assert_eq!(password_from_variable(&variable, "////////"), None);
}

#[test]
fn names_that_leave_the_folder_are_refused() {
    let long = "a".repeat(129);
    for text in ["", ".", "..", "../x", "a/b", "a\\b", "a\0", "a\nb", ".hidden", "xpub.txt", "x.lock", &long]
    {
        assert!(text.parse::<KeyName>().is_err(), "{text:?}");
    }
    for text in ["default", "my wallet", "miner-1", "küche", "pub.txt.x"] {
        assert!(text.parse::<KeyName>().is_ok(), "{text:?}");
    }
}

#[test]
fn what_is_no_key_file_is_told_and_never_waited_for() {
    let home = tempfile::tempdir().unwrap();
    let wallet = Wallets::at(home.path()).wallet(&name("w"));
    let place = wallet.coldkey();
    let mut sources = PasswordSources::default();
    assert!(matches!(place.read_pair(&mut sources), Err(FileError::Missing { .. })));
    assert_eq!(wallet.hotkeys().unwrap(), []);
    fs::create_dir_all(&place.secret).unwrap();
    assert!(matches!(place.read_pair(&mut sources), Err(FileError::NotAKeyFile { .. })));
    fs::remove_dir(&place.secret).unwrap();
    fs::write(&place.secret, vec![b'x'; usize::try_from(FILE_MAX_BYTES).unwrap() + 1]).unwrap();
    assert!(matches!(place.read_pair(&mut sources), Err(FileError::NotAKeyFile { .. })));
    fs::remove_file(&place.secret).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&place.secret).status();
    if made.is_ok_and(|status| status.success()) {
        assert!(matches!(place.read_pair(&mut sources), Err(FileError::NotAKeyFile { .. })));
    }
}

#[test]
fn a_public_only_wallet_has_an_address_but_signs_nothing() {
    let home = tempfile::tempdir().unwrap();
    let place = Wallets::at(home.path()).wallet(&name("w")).coldkey();
    let public = Keypair::development("Alice").unwrap().public();
    place.write_public(public, Overwrite::Refuse).unwrap();
    assert_eq!(place.read_public().unwrap(), public);
    assert!(matches!(place.read_pair(&mut PasswordSources::default()), Err(FileError::Missing { .. })));
    fs::copy(&place.public, &place.secret).unwrap();
    let refused = place.read_pair(&mut PasswordSources::default());
    assert!(matches!(refused, Err(FileError::PublicOnly { .. })));
}
