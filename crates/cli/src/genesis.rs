//! What a served chain starts with, as a file says: accounts, settings, subnets with their neurons.
//!
//! Every key is known, and one that isn't is refused with those there are. `docs/chain.md` lists them; the folder of
//! examples has a file to begin with.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use chain::{ChainParameter, Hyperparameter};
use devchain::{Genesis, GenesisNeuron, GenesisSubnet, Settings};
use miette::Diagnostic;
use primitives::{AccountId, AlphaRao, Coldkey, Digest, Hotkey, Rao};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value as Json, json};
use thiserror::Error;
use toml::de::{DeTable, DeValue};

use crate::network::{Amount, account};

/// The longest file that is read: thousands of neurons.
const FILE_MAX_BYTES: u64 = 4 << 20;

/// A genesis can't be taken from a file.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum GenesisFileError {
    /// The file can't be read.
    #[error("{path} can't be read")]
    File {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
    /// The file is too long.
    #[error("{path} is longer than {FILE_MAX_BYTES} bytes")]
    TooLong { path: PathBuf },
    /// The file does not say what a genesis is.
    #[error("{path}: {reason}")]
    #[diagnostic(help("docs/chain.md lists what such a file may say"))]
    Content { path: PathBuf, reason: String },
}

/// What a file says.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) genesis: Genesis,
    /// When blocks are made, where it says so.
    pub(crate) block_time: Option<String>,
    /// Who has what, in the file's own words.
    pub(crate) accounts: Vec<(String, Rao)>,
}

/// The file's own tables.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    block_time: Option<String>,
    rules: Option<u32>,
    #[serde(default)]
    defaults: Defaults,
    sudo: Option<String>,
    author: Option<String>,
    root_staking: Option<bool>,
    beacon: Option<String>,
    accounts: Option<BTreeMap<String, Json>>,
    #[serde(default)]
    chain: BTreeMap<String, Json>,
    #[serde(default)]
    new_subnet: BTreeMap<String, Json>,
    #[serde(default)]
    subnets: Vec<Json>,
}

/// Whose settings count where the file says nothing.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Defaults {
    #[default]
    Development,
    Mainnet,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subnet {
    owner: String,
    hotkey: String,
    #[serde(default)]
    started: bool,
    #[serde(default)]
    hyperparameters: BTreeMap<String, Json>,
    #[serde(default)]
    neurons: Vec<Json>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Neuron {
    coldkey: String,
    hotkey: String,
    stake: Option<Json>,
}

/// Reads a file; `usual` are the accounts where it names none.
pub(crate) fn read(path: &Path, usual: &[(String, Rao)]) -> Result<Said, GenesisFileError> {
    let unread = |error| GenesisFileError::File { path: path.to_owned(), error };
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(FILE_MAX_BYTES + 1).read_to_string(&mut text))
        .map_err(unread)?;
    if text.len() as u64 > FILE_MAX_BYTES {
        return Err(GenesisFileError::TooLong { path: path.to_owned() });
    }
    said(&text, usual).map_err(|reason| GenesisFileError::Content { path: path.to_owned(), reason })
}

fn said(text: &str, usual: &[(String, Rao)]) -> Result<Said, String> {
    let document = DeTable::parse(text).map_err(|error| {
        let line =
            text.get(..error.span().unwrap_or_default().start).unwrap_or(text).matches('\n').count() + 1;
        format!("line {line}: {}", error.message())
    })?;
    let whole: Whole = from("the file", as_json(&DeValue::Table(document.into_inner()))?)?;
    let accounts = match &whole.accounts {
        None => usual.to_vec(),
        Some(named) => {
            let funded = named.iter().map(|(name, tao)| Ok((name.clone(), Rao::from(amount(name, tao)?))));
            funded.collect::<Result<_, String>>()?
        }
    };
    let balances = accounts.iter().map(|(name, balance)| Ok((account_of(name)?, *balance)));
    let mut genesis = Genesis::development(&[]);
    genesis.accounts = balances.collect::<Result<_, String>>()?;
    genesis.sudo = account_of(whole.sudo.as_deref().unwrap_or("//Alice"))?;
    if let Defaults::Mainnet = whole.defaults {
        genesis.settings = Settings::default();
        genesis.root_staking = false;
    }
    if let Some(author) = &whole.author {
        genesis.settings.author = account_of(author)?;
    }
    if let Some(version) = whole.rules {
        genesis.settings.rules = version.to_string().parse().map_err(|reason| format!("rules: {reason}"))?;
    }
    genesis.root_staking = whole.root_staking.unwrap_or(genesis.root_staking);
    if let Some(beacon) = &whole.beacon {
        genesis.beacon = Some(Digest::of(beacon.as_bytes()));
    }
    genesis.parameters = parameters(&whole.chain)?;
    for value in hyperparameters("new_subnet", &whole.new_subnet)? {
        genesis.settings.new_subnet.set(value);
    }
    let subnets = whole.subnets.into_iter().enumerate().map(|(at, table)| subnet(at + 1, table));
    genesis.subnets = subnets.collect::<Result<_, String>>()?;
    Ok(Said { genesis, block_time: whole.block_time, accounts })
}

fn subnet(number: usize, table: Json) -> Result<GenesisSubnet, String> {
    let place = format!("subnet {number}");
    let Subnet { owner, hotkey, started, hyperparameters: settings, neurons } = from(&place, table)?;
    let (owner, hotkey) = (Coldkey(account_of(&owner)?), Hotkey(account_of(&hotkey)?));
    let settings = hyperparameters(&format!("{place}, hyperparameters"), &settings)?;
    let neurons = neurons.into_iter().enumerate().map(|(at, table)| {
        let place = format!("{place}, neuron {}", at + 1);
        let Neuron { coldkey, hotkey, stake } = from(&place, table)?;
        let stake = stake.map(|stake| amount(&format!("{place}, stake"), &stake)).transpose()?;
        Ok(GenesisNeuron {
            coldkey: Coldkey(account_of(&coldkey)?),
            hotkey: Hotkey(account_of(&hotkey)?),
            stake: stake.map_or(AlphaRao::ZERO, AlphaRao::from),
        })
    });
    let neurons = neurons.collect::<Result<_, String>>()?;
    Ok(GenesisSubnet { owner, hotkey, settings, is_started: started, neurons })
}

/// A table as its type; what is wrong with it names the table.
fn from<T: DeserializeOwned>(place: &str, table: Json) -> Result<T, String> {
    serde_json::from_value(table).map_err(|error| format!("{place}: {error}"))
}

fn account_of(text: &str) -> Result<AccountId, String> {
    account(text).map_err(|reason| format!("{text:?} is no account: {reason}"))
}

/// An amount of TAO or alpha: a number, or digits with a point as text.
fn amount(of: &str, value: &Json) -> Result<Amount, String> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.parse().map_err(|error| format!("{of}: {error}"))
}

/// The same name in whatever spelling: `min_burn`, `MinBurn`.
fn bare(name: &str) -> String {
    name.replace('_', "").to_ascii_lowercase()
}

/// `MinBurn` as files have it.
fn in_small(name: &str) -> String {
    let mut small = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !small.is_empty() {
            small.push('_');
        }
        small.push(letter.to_ascii_lowercase());
    }
    small
}

fn unknown(place: &str, what: &str, name: &str, known: &[String]) -> String {
    format!("{place}: there is no {what} {name:?}, expected one of {}", known.join(", "))
}

/// Settings of a subnet by the names of their fields, in the order in which the chain lists them: some rest on others.
fn hyperparameters(place: &str, named: &BTreeMap<String, Json>) -> Result<Vec<Hyperparameter>, String> {
    let mut settings = Vec::new();
    for (name, value) in named {
        let known = Hyperparameter::NAMES.iter().position(|(_, field)| *field == name);
        let at = known.ok_or_else(|| {
            let known: Vec<String> =
                Hyperparameter::NAMES.iter().map(|(_, field)| (*field).to_owned()).collect();
            unknown(place, "hyperparameter", name, &known)
        })?;
        let (variant, _) = Hyperparameter::NAMES[at];
        settings.push((at, from(&format!("{place}, {name}"), json!({ variant: value }))?));
    }
    settings.sort_by_key(|(at, _)| *at);
    Ok(settings.into_iter().map(|(_, value)| value).collect())
}

/// Settings of the chain by their names.
fn parameters(named: &BTreeMap<String, Json>) -> Result<Vec<ChainParameter>, String> {
    let all = named.iter().map(|(name, value)| {
        let known = ChainParameter::NAMES.iter().find(|variant| bare(variant) == bare(name));
        let variant = known.ok_or_else(|| {
            let known: Vec<String> = ChainParameter::NAMES.iter().map(|name| in_small(name)).collect();
            unknown("chain", "setting", name, &known)
        })?;
        from(&format!("chain, {name}"), json!({ *variant: value }))
    });
    all.collect()
}

/// TOML as the JSON of the same shape.
fn as_json(value: &DeValue<'_>) -> Result<Json, String> {
    Ok(match value {
        DeValue::String(text) => json!(text),
        DeValue::Boolean(is_so) => json!(is_so),
        DeValue::Integer(whole) => {
            let (digits, radix) = (whole.as_str(), whole.radix());
            let of_size = u64::from_str_radix(digits, radix).map(|whole| json!(whole));
            let signed = i64::from_str_radix(digits, radix).map(|whole| json!(whole));
            of_size
                .or(signed)
                .map_err(|_| format!("{digits} is too large a number; as text it may be taken"))?
        }
        DeValue::Float(number) => {
            let read = number.as_str().parse::<f64>().ok().and_then(serde_json::Number::from_f64);
            Json::Number(read.ok_or_else(|| format!("{} is no number that can be taken", number.as_str()))?)
        }
        DeValue::Datetime(time) => return Err(format!("{time} is a time, which nothing here is")),
        DeValue::Array(list) => {
            Json::Array(list.iter().map(|one| as_json(one.get_ref())).collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => {
            let entries =
                table.iter().map(|(key, value)| Ok((key.get_ref().to_string(), as_json(value.get_ref())?)));
            Json::Object(entries.collect::<Result<_, String>>()?)
        }
    })
}

#[cfg(test)]
mod tests {
    use devchain::State;
    use primitives::NetUid;

    use super::*;

    fn refused(text: &str, says: &str) {
        let error = said(text, &[]).unwrap_err();
        assert!(error.contains(says), "{text}: {error}");
    }

    #[test]
    fn what_is_not_known_is_refused_with_what_is() {
        refused("purses = 1", "unknown field `purses`, expected one of `block_time`");
        refused("defaults = 'testnet'", "unknown variant `testnet`, expected `development` or `mainnet`");
        refused("[[subnets]]\nowner = '//A'\nhotkey = '//B'\nname = 'x'", "subnet 1: unknown field `name`");
        refused("[[subnets]]\nowner = '//A'", "subnet 1: missing field `hotkey`");
        refused(
            "[new_subnet]\ntemp = 1",
            "there is no hyperparameter \"temp\", expected one of tempo, kappa",
        );
        refused("[new_subnet]\ntempo = 70000", "new_subnet, tempo: ");
        refused("[chain]\nlimit = 1", "there is no setting \"limit\", expected one of admin_freeze_window");
        refused("[accounts]\n'//Alice' = -1", "//Alice: \"-1\" is no amount");
        refused("[accounts]\nAlice = 1", "\"Alice\" is no account");
        refused("sudo = [", "line 1: ");
    }

    #[test]
    fn the_example_is_a_genesis() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../devchain/examples/genesis.toml");
        let Said { genesis, block_time, accounts } = read(&path, &[]).unwrap();
        let state = State::genesis(&genesis).unwrap();
        state.audit().unwrap();
        assert_eq!((block_time.as_deref(), accounts.len()), (Some("instant"), 4));
        let subnet = state.subnet(NetUid(1)).unwrap();
        assert_eq!((subnet.hyperparameters.tempo, subnet.neurons.len()), (20, 4));
        assert_eq!(subnet.neurons[1].alpha_stake, AlphaRao(1_000_000_000_000));
        assert_eq!(state.subnet(NetUid(2)).unwrap().neurons.len(), 1);
    }
}
