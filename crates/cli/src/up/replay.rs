//! `weigh chain replay`: what a local subnet's chain comes to, every block of its log carried out again.

use std::process::ExitCode;

use devchain::{State, log::Log};
use primitives::{AlphaRao, Rao, Seed};
use serde::Serialize;

use super::{
    control::{ControlError, HouseArguments, folder},
    folder::PartyKeys,
    found,
};
use crate::show::{self, Show};

/// What somebody has in the end.
#[derive(Serialize)]
struct Account {
    name: String,
    coldkey: String,
    hotkey: String,
    /// TAO that are free.
    balance_rao: Rao,
    /// Alpha of the subnet that its coldkey holds with its hotkey.
    stake_rao: AlphaRao,
}

/// What the log leads to.
#[derive(Serialize)]
struct Replayed {
    blocks: u64,
    state_digest: primitives::Digest,
    issuance_rao: Rao,
    /// Bytes of a record at the log's end that is not whole: of a block that nobody has seen.
    torn_bytes: u64,
    accounts: Vec<Account>,
}

/// Carries out all blocks of the subnet's chain again, checks every digest and the books, and shows who has what. The
/// subnet may be running: its blocks up to now are taken.
pub(crate) fn replay(arguments: &HouseArguments) -> Result<ExitCode, ControlError> {
    let folder = folder(arguments)?;
    let founding = folder.known()?;
    let seed = Seed::from_number(founding.seed);
    let parties = super::parties(&founding, seed);
    let (state, report) = Log::replay(&folder.chain(), &parties.genesis())?;
    let books = state.audit()?;
    let netuid = found::subnet_of(&state, &parties)?.netuid;
    let account = |name: String, keys: &PartyKeys| account(&state, netuid, name, keys);
    let mut accounts = vec![account("owner".to_owned(), &parties.owner)];
    for (role, all) in [("validator", &parties.validators), ("miner", &parties.miners)] {
        accounts.extend(all.iter().enumerate().map(|(at, keys)| account(format!("{role}-{at}"), keys)));
    }
    let replayed = Replayed {
        blocks: report.replayed,
        state_digest: state.digest(),
        issuance_rao: books.issuance,
        torn_bytes: report.torn.map_or(0, |torn| torn.bytes),
        accounts,
    };
    let mut table = show::table(&["account", "free", "staked"]);
    for account in &replayed.accounts {
        let free = format!("{:.3} τ", account.balance_rao.0 as f64 / 1e9);
        let staked = show::alpha(account.stake_rao);
        table.add_row(vec![account.name.clone().into(), show::right(&free), show::right(&staked)]);
    }
    let text = format!(
        "{} blocks give the states that the log names; the books balance\n{table}\nstate digest {}",
        replayed.blocks, replayed.state_digest
    );
    let event = serde_json::to_value(&replayed).map_err(std::io::Error::from)?;
    Show::new(arguments.is_json()).say(&event, &text)?;
    Ok(ExitCode::SUCCESS)
}

fn account(state: &State, netuid: primitives::NetUid, name: String, keys: &PartyKeys) -> Account {
    let (coldkey, hotkey) = (keys.coldkey.coldkey(), keys.hotkey());
    Account {
        name,
        coldkey: coldkey.to_string(),
        hotkey: hotkey.to_string(),
        balance_rao: state.balance(coldkey.0),
        stake_rao: state.stake(hotkey, coldkey, netuid),
    }
}
