//! `weigh subnet`.

use chain::{Call, Chain as _};
use clap::{Args, Subcommand};
use primitives::{Hotkey, NetUid};
use serde_json::json;

use super::{
    Answer, NetworkError, Reading, Writing,
    amount::{shown, shown_alpha},
    plan_and_write, read, subnet_at, write,
};
use crate::{show, wallet::KeyKind};

/// `weigh subnet …`.
#[derive(Subcommand)]
pub(crate) enum SubnetCommand {
    /// List the chain's subnets.
    List(Reading),
    /// Show a subnet: its settings and its neurons.
    Show(ShowArguments),
    /// Create a subnet for the lock cost of the moment; the wallet's hotkey becomes its uid 0.
    Create(Writing),
    /// Start the emission and staking of an own subnet.
    Start(StartArguments),
}

#[derive(Args)]
pub(crate) struct ShowArguments {
    #[command(flatten)]
    reading: Reading,
    /// The subnet.
    #[arg(long)]
    netuid: u16,
}

#[derive(Args)]
pub(crate) struct StartArguments {
    #[command(flatten)]
    writing: Writing,
    /// The subnet.
    #[arg(long)]
    netuid: u16,
}

/// # Errors
/// [`NetworkError`].
pub(crate) fn run(command: &SubnetCommand) -> Result<(), NetworkError> {
    match command {
        SubnetCommand::List(reading) => list(reading),
        SubnetCommand::Show(arguments) => show_one(arguments),
        SubnetCommand::Create(writing) => {
            let hotkey = writing.place.read_public(KeyKind::Hotkey)?.account;
            plan_and_write(writing, KeyKind::Coldkey, |chain, _| async move {
                let head = chain.head().await?.number;
                let lock = chain.lock_cost(head).await?;
                Ok((Call::RegisterNetwork { hotkey: Hotkey(hotkey) }, json!({ "lock_cost_rao": lock.0 })))
            })
        }
        SubnetCommand::Start(StartArguments { writing, netuid }) => {
            write(writing, KeyKind::Coldkey, Call::StartCall { netuid: NetUid(*netuid) })
        }
    }
}

fn list(reading: &Reading) -> Result<(), NetworkError> {
    read(reading, |chain, head| async move {
        let mut table =
            show::table(&["netuid", "neurons", "slots", "tempo", "mechanisms", "registration", "owner"]);
        let mut subnets = Vec::new();
        for netuid in chain.subnets(head).await? {
            let subnet = subnet_at(&chain, netuid, head).await?;
            let settings = &subnet.hyperparameters;
            table.add_row([
                netuid.to_string(),
                subnet.neurons.len().to_string(),
                settings.max_allowed_uids.to_string(),
                settings.tempo.to_string(),
                subnet.mechanism_count.to_string(),
                shown(subnet.burn),
                subnet.owner.to_string(),
            ]);
            subnets.push(json!({
                "netuid": netuid,
                "neurons": subnet.neurons.len(),
                "max_allowed_uids": settings.max_allowed_uids,
                "tempo": settings.tempo,
                "mechanisms": subnet.mechanism_count,
                "burn_rao": subnet.burn.0,
                "owner": subnet.owner,
                "owner_hotkey": subnet.owner_hotkey,
            }));
        }
        let text = if subnets.is_empty() { "no subnets\n".to_owned() } else { format!("{table}\n") };
        Ok(Answer { json: json!({ "block": head, "subnets": subnets }), text })
    })
}

fn show_one(arguments: &ShowArguments) -> Result<(), NetworkError> {
    let netuid = NetUid(arguments.netuid);
    read(&arguments.reading, |chain, head| async move {
        let subnet = subnet_at(&chain, netuid, head).await?;
        let schedule = &subnet.schedule;
        let next = schedule.next_epoch_block(head);
        let mut text = format!(
            "subnet {netuid} at block {head}: {} of {} slots, tempo {}, epoch {}, next epoch {}, registration {}\n",
            subnet.neurons.len(),
            subnet.hyperparameters.max_allowed_uids,
            schedule.tempo,
            schedule.epoch_index,
            next.map_or_else(|| "never".to_owned(), |block| format!("in block {block}")),
            shown(subnet.burn),
        );
        let header =
            ["uid", "hotkey", "stake", "permit", "incentive", "dividends", "emission", "updated", "axon"];
        let mut table = show::table(&header);
        for neuron in &subnet.neurons {
            let axon = neuron.axon.filter(|axon| axon.port != 0);
            table.add_row([
                neuron.uid.to_string(),
                neuron.hotkey.to_string(),
                shown_alpha(neuron.alpha_stake),
                if neuron.validator_permit { "yes" } else { "" }.to_owned(),
                neuron.incentive.iter().map(u16::to_string).collect::<Vec<_>>().join(" "),
                neuron.dividends.to_string(),
                shown_alpha(neuron.emission),
                neuron.last_update.iter().map(u64::to_string).collect::<Vec<_>>().join(" "),
                axon.map(|axon| super::axon::shown(&axon)).unwrap_or_default(),
            ]);
        }
        text.push_str(&format!("{table}\n"));
        Ok(Answer { json: json!(*subnet), text })
    })
}
