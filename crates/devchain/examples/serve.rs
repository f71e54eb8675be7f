//! A chain for clients of the real one to try themselves on: the development accounts hold a million TAO each, //Alice is
//! sudo, subnets 0 and 1 exist, each extrinsic gets a block of its own. The port to listen on is the only argument.

#![expect(clippy::print_stdout, reason = "it tells where it listens")]

use std::{error::Error, future::pending, net::Ipv4Addr};

use devchain::{Config, Genesis, Pace, Settings, rpc, spawn};
use primitives::AccountId;
use wallet::Keypair;

const NAMES: [&str; 9] = ["Alice", "Bob", "Charlie", "Dave", "Eve", "Ferdie", "One", "Two", "Three"];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::args().nth(1).map_or(Ok(9944), |port| port.parse())?;
    let keys = NAMES.map(Keypair::development).into_iter().collect::<Result<Vec<_>, _>>()?;
    let accounts: Vec<AccountId> = keys.iter().map(|key| key.public().account).collect();
    let genesis =
        Genesis { settings: Settings::default(), root_staking: false, ..Genesis::localnet(&accounts) };
    let node = spawn(Config { pace: Pace::Instant, ..Config::stepped(genesis) })?;
    let listen = (Ipv4Addr::LOCALHOST, port).into();
    let server = rpc::serve(node, rpc::Config { listen, ..rpc::Config::default() }).await?;
    println!("ws://{}", server.address());
    pending().await
}
