//! `weigh chain serve`: a local chain that speaks as the real one does, for btcli, the SDKs and anything else that knows it.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
    str::FromStr,
};

use chain::timelock::Beacon;
use clap::{Args, ValueEnum};
use devchain::{Config, Genesis, NodeError, Order, Pace, Rules, Settings, rpc};
use miette::Diagnostic;
use primitives::{AccountId, Rao, Timestamp};
use serde_json::json;
use thiserror::Error;
use wallet::Keypair;

use crate::{
    genesis::{self, GenesisFileError, Said},
    network,
};

/// States of how many blocks can be read: at a block every 12 s those of the last 9 hours.
const KEPT_STATES: usize = 2700;
/// Blocks from one snapshot of the log to the next.
const SNAPSHOT_EVERY: u64 = 1000;
/// The port at which nodes are looked for.
const PORT: u16 = 9944;
/// When blocks are made where nothing is said.
const BLOCK_TIME: BlockTime = BlockTime(Pace::Every(250));
/// TAO that each development account has where no file says otherwise.
const TAO_EACH: u64 = 1_000_000;
/// The development accounts: anybody knows their keys.
const ACCOUNTS: [&str; 9] = ["Alice", "Bob", "Charlie", "Dave", "Eve", "Ferdie", "One", "Two", "Three"];

/// Run a local chain for btcli, the SDKs and other clients of the real one.
#[derive(Args)]
pub(crate) struct ServeArguments {
    /// The port; 0 takes any that is free.
    #[arg(long, default_value_t = PORT)]
    port: u16,
    /// The address to listen on. Whoever can reach it can do anything with this chain.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    listen: IpAddr,
    /// When blocks are made: every so often, as 12s or 250ms; `instant`, one as soon as somebody sends something; or
    /// `manual`, by `weigh chain step` alone. 250ms where neither this nor a genesis file says.
    #[arg(long, value_name = "TIME|instant|manual")]
    block_time: Option<BlockTime>,
    /// What the chain starts with, as a TOML file says: accounts, settings, subnets with their neurons.
    #[arg(long, value_name = "FILE", conflicts_with = "mainnet_defaults")]
    genesis: Option<PathBuf>,
    /// Where the chain is kept; without it, it is gone with this process.
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,
    /// An account with TAO from the start, besides //Alice and the other development accounts; may be repeated.
    #[arg(long = "account", value_name = "SS58=TAO")]
    accounts: Vec<Funded>,
    /// Settings as on the main network: new subnets with commit–reveal, rate limits, a lock of 1000 TAO.
    #[arg(long)]
    mainnet_defaults: bool,
    /// The version of the public chain's runtime whose rules it follows: 425, or 475 as far as they are known here;
    /// 425 where nothing is said.
    #[arg(long, value_name = "425|475")]
    rules: Option<Rules>,
    /// Which beacon opens timelocked weights: an own one, for whose key our commands seal; or drand's quicknet, for which the
    /// SDKs seal, and whose pulses are handed in by weigh_writePulse.
    #[arg(long, value_enum, default_value_t = BeaconChoice::Own)]
    beacon: BeaconChoice,
    /// Say where it listens in one JSON document.
    #[arg(long)]
    json: bool,
}

/// Which beacon opens timelocked weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum BeaconChoice {
    Own,
    Quicknet,
}

/// When blocks are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct BlockTime(Pace);

impl FromStr for BlockTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is no block time: expected 12s, 250ms, instant or manual");
        let every = |digits: &str, unit: u64| {
            let number: u64 = digits.parse().map_err(|_| bad())?;
            let milliseconds = number.checked_mul(unit).filter(|ms| (1..=3_600_000).contains(ms));
            milliseconds.map(|ms| Self(Pace::Every(ms))).ok_or_else(bad)
        };
        match text {
            "instant" => Ok(Self(Pace::Instant)),
            "manual" => Ok(Self(Pace::Stepped)),
            _ => match (text.strip_suffix("ms"), text.strip_suffix('s')) {
                (Some(digits), _) => every(digits, 1),
                (None, Some(digits)) => every(digits, 1000),
                (None, None) => Err(bad()),
            },
        }
    }
}

impl fmt::Display for BlockTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Pace::Every(ms) if ms.is_multiple_of(1000) => write!(f, "{}s", ms / 1000),
            Pace::Every(ms) => write!(f, "{ms}ms"),
            Pace::Instant => f.write_str("instant"),
            Pace::Stepped => f.write_str("manual"),
        }
    }
}

/// An account and what it starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Funded {
    account: AccountId,
    balance: Rao,
}

impl FromStr for Funded {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, amount) = text
            .split_once('=')
            .ok_or_else(|| format!("{text:?}: expected an address, = and an amount of TAO"))?;
        let account = AccountId::from_ss58(address).map_err(|error| error.to_string())?;
        let amount: crate::network::Amount = amount.parse().map_err(|error| format!("{error}"))?;
        Ok(Self { account, balance: amount.into() })
    }
}

/// The chain could not be served.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum ServeError {
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error(transparent)]
    #[diagnostic(help("another node may be there: choose a port with --port, 0 for any that is free"))]
    Listen(#[from] rpc::ServeError),
    #[error("a development key can't be derived: {0}")]
    Key(#[from] wallet::KeyError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Genesis(#[from] GenesisFileError),
    #[error("the block time of {path}: {reason}")]
    BlockTime { path: PathBuf, reason: String },
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("Ctrl-C can't be caught: {0}")]
    Signal(#[from] ctrlc::Error),
}

impl ServeError {
    /// 2 where another file or other arguments would help, 1 else.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Genesis(_) | Self::BlockTime { .. } | Self::Node(NodeError::Genesis(_)) => 2,
            _ => 1,
        }
    }
}

/// What the chain starts with: as a file says, or as the public local network does.
fn said(arguments: &ServeArguments) -> Result<Said, ServeError> {
    let keys: Vec<Keypair> =
        ACCOUNTS.iter().map(|name| Keypair::development(name)).collect::<Result<_, _>>()?;
    let names = ACCOUNTS.iter().map(|name| format!("//{name}"));
    let usual: Vec<(String, Rao)> = names.map(|name| (name, Rao::from_whole(TAO_EACH))).collect();
    let mut said = if let Some(path) = &arguments.genesis {
        genesis::read(path, &usual)?
    } else {
        let accounts: Vec<AccountId> = keys.iter().map(|key| key.public().account).collect();
        Said { genesis: Genesis::localnet(&accounts), block_time: None, accounts: usual }
    };
    let genesis = &mut said.genesis;
    if arguments.mainnet_defaults {
        genesis.settings = Settings::default();
        genesis.root_staking = false;
    }
    for Funded { account, balance } in &arguments.accounts {
        genesis.accounts.retain(|(known, _)| known != account);
        genesis.accounts.push((*account, *balance));
        said.accounts.push((account.to_string(), *balance));
    }
    if let Some(rules) = arguments.rules {
        genesis.settings.rules = rules;
    }
    genesis.time = Timestamp::default();
    match arguments.beacon {
        // A round is the same time in both: what the SDKs seal is always for a round to come.
        BeaconChoice::Own => genesis.beacon_start = Some(Beacon::quicknet().genesis),
        BeaconChoice::Quicknet => genesis.beacon = None,
    }
    Ok(said)
}

/// When blocks are made: as the arguments say, or the file, or as usual.
fn block_time(arguments: &ServeArguments, said: &Said) -> Result<BlockTime, ServeError> {
    match (arguments.block_time, &arguments.genesis, &said.block_time) {
        (Some(block_time), ..) => Ok(block_time),
        (None, Some(path), Some(text)) => {
            text.parse().map_err(|reason| ServeError::BlockTime { path: path.clone(), reason })
        }
        (None, ..) => Ok(BLOCK_TIME),
    }
}

/// Serves until Ctrl-C.
///
/// # Errors
/// [`ServeError`].
pub(crate) fn run(arguments: &ServeArguments) -> Result<ExitCode, ServeError> {
    let said = said(arguments)?;
    let block_time = block_time(arguments, &said)?;
    let node = devchain::spawn(Config {
        genesis: said.genesis,
        pace: block_time.0,
        order: Order::Arrival,
        folder: arguments.state.clone(),
        kept_states: KEPT_STATES,
        snapshot_every: SNAPSHOT_EVERY,
    })?;
    let (ended, end) = std::sync::mpsc::channel();
    ctrlc::set_handler(move || {
        // A second Ctrl-C finds nobody to tell.
        let _told = ended.send(());
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let config =
        rpc::Config { listen: SocketAddr::new(arguments.listen, arguments.port), ..rpc::Config::default() };
    let server = runtime.block_on(rpc::serve(node.clone(), config))?;
    let (address, head) = (server.address(), node.state().head().number);
    say(arguments.json, address, head, &block_time.to_string(), &said.accounts)?;
    // Nobody drops the sender before this process ends.
    let _ended = end.recv();
    runtime.block_on(server.stop());
    Ok(ExitCode::SUCCESS)
}

fn say(
    as_json: bool,
    address: SocketAddr,
    head: u64,
    block_time: &str,
    accounts: &[(String, Rao)],
) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    let url = format!("ws://{address}");
    if as_json {
        let names: Vec<&str> = accounts.iter().map(|(name, _)| name.trim_start_matches('/')).collect();
        return writeln!(
            out,
            "{}",
            json!({ "url": url, "block": head, "block_time": block_time, "accounts": names })
        );
    }
    writeln!(out, "chain at {url}, also over HTTP on the same port; block {head}, blocks: {block_time}")?;
    let shown: Vec<String> =
        accounts.iter().map(|(name, balance)| format!("{name} {}", network::shown(*balance))).collect();
    writeln!(out, "accounts at the start (anybody knows the keys of those with //): {}", shown.join(", "))?;
    writeln!(out, "  btcli subnets list --network {url}")?;
    writeln!(out, "  weigh subnet list --network {url}")?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_times_are_read_and_written() {
        for text in ["12s", "250ms", "instant", "manual"] {
            let read: BlockTime = text.parse().unwrap();
            assert_eq!(read.to_string(), text);
        }
        assert_eq!("1000ms".parse::<BlockTime>().unwrap().to_string(), "1s");
        for text in ["", "s", "12", "0s", "-1s", "2h", "3601s", "99999999999999999999s"] {
            assert!(text.parse::<BlockTime>().is_err(), "{text}");
        }
    }

    #[test]
    fn accounts_are_an_address_and_an_amount() {
        let alice = Keypair::development("Alice").unwrap().public().account;
        let funded: Funded = format!("{alice}=1.5").parse().unwrap();
        assert_eq!(funded, Funded { account: alice, balance: Rao(1_500_000_000) });
        for text in ["", "5Grw=1", &format!("{alice}"), &format!("{alice}=x")] {
            assert!(text.parse::<Funded>().is_err(), "{text}");
        }
    }
}
