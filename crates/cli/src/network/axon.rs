//! `weigh axon`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use chain::{Axon, Call};
use clap::{Args, Subcommand};
use primitives::{AccountId, Hotkey, NetUid};
use serde_json::json;

use super::{Answer, NetworkError, Reading, Writing, read, subnet_at, write};
use crate::wallet::KeyKind;

/// `weigh axon …`.
#[derive(Subcommand)]
pub(crate) enum AxonCommand {
    /// Tell the chain where the wallet's hotkey can be reached.
    Serve(ServeArguments),
    /// Show where a hotkey can be reached.
    Show(ShowArguments),
}

#[derive(Args)]
pub(crate) struct ServeArguments {
    #[command(flatten)]
    writing: Writing,
    /// The subnet.
    #[arg(long)]
    netuid: u16,
    /// The address under which others reach this machine.
    #[arg(long)]
    ip: IpAddr,
    /// The port.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// The number of the protocol spoken there: 4 is HTTP.
    #[arg(long, default_value_t = 4)]
    protocol: u8,
    /// The version of the software there.
    #[arg(long, default_value_t = 1)]
    version: u32,
}

#[derive(Args)]
pub(crate) struct ShowArguments {
    #[command(flatten)]
    reading: Reading,
    /// The subnet.
    #[arg(long)]
    netuid: u16,
    /// The hotkey.
    #[arg(long, value_name = "SS58")]
    hotkey_address: String,
}

/// # Errors
/// [`NetworkError`].
pub(crate) fn run(command: &AxonCommand) -> Result<(), NetworkError> {
    match command {
        AxonCommand::Serve(arguments) => {
            let (ip, ip_type) = match arguments.ip {
                IpAddr::V4(ip) => (u32::from(ip).into(), 4),
                IpAddr::V6(ip) => (u128::from(ip), 6),
            };
            let ServeArguments { writing, netuid, port, protocol, version, .. } = arguments;
            let (port, protocol, version) = (*port, *protocol, *version);
            let axon = Axon { version, ip, port, ip_type, protocol, placeholder1: 0, placeholder2: 0 };
            write(writing, KeyKind::Hotkey, Call::ServeAxon { netuid: NetUid(*netuid), axon })
        }
        AxonCommand::Show(arguments) => {
            let account = AccountId::from_ss58(&arguments.hotkey_address).map_err(NetworkError::Address)?;
            let netuid = NetUid(arguments.netuid);
            read(&arguments.reading, |chain, head| async move {
                let subnet = subnet_at(&chain, netuid, head).await?;
                let neuron = subnet.neuron(&Hotkey(account));
                let neuron = neuron.ok_or(NetworkError::NotRegistered { hotkey: account, netuid })?;
                let text = match &neuron.axon {
                    Some(axon) => format!("{}\n", shown(axon)),
                    None => "it serves nowhere\n".to_owned(),
                };
                let json =
                    json!({ "block": head, "hotkey": account, "uid": neuron.uid, "axon": neuron.axon });
                Ok(Answer { json, text })
            })
        }
    }
}

/// Address and port.
pub(super) fn shown(axon: &Axon) -> String {
    let ip = match axon.ip_type {
        4 => u32::try_from(axon.ip).map(|ip| IpAddr::V4(Ipv4Addr::from(ip))).ok(),
        _ => Some(IpAddr::V6(Ipv6Addr::from(axon.ip))),
    };
    match ip {
        Some(ip) => std::net::SocketAddr::new(ip, axon.port).to_string(),
        None => format!("no address: {}", axon.ip),
    }
}
