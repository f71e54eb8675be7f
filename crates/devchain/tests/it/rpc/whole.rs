//! A chain that a test gets by one call.

use std::net::{TcpListener, TcpStream};

use chain::{Call, Chain};
use devchain::{Config, Pace, rpc, spawn};
use primitives::Rao;
use serde_json::json;

use super::client::{Client, account, run};

#[test]
fn one_call_gives_a_chain_that_clients_talk_to() {
    let chain = rpc::spawn(Config::test()).unwrap();
    assert!(chain.address().ip().is_loopback());
    run(async {
        let mut client = Client::connect(&chain.url()).await;
        let (_, before) = client.account("Bob").await;
        // Each extrinsic gets a block of its own, whoever makes it.
        let call = Call::Transfer { to: account("Bob"), amount: Rao(700) };
        let included = chain.node().submit(account("Alice"), None, call).await.unwrap();
        assert_eq!((included.block, client.account("Bob").await), (1, (0, before + 700)));
    });
}

#[test]
fn chains_beside_each_other_know_nothing_of_each_other() {
    let (one, two) = (rpc::spawn(Config::test()).unwrap(), rpc::spawn(Config::test()).unwrap());
    assert_ne!(one.address(), two.address());
    one.node().step(None).unwrap();
    assert_eq!((one.node().state().head().number, two.node().state().head().number), (1, 0));
}

#[test]
fn a_dropped_chain_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { folder: Some(folder.path().to_owned()), pace: Pace::Every(10), ..Config::test() };
    let chain = rpc::spawn(config.clone()).unwrap();
    let address = chain.address();
    run(async {
        let mut client = Client::connect(&chain.url()).await;
        client.ok("chain_subscribeNewHeads", json!([])).await;
        client.notification().await;
        // The runtime of the caller may be the one that it is dropped in.
        drop(chain);
        while client.receive().await.is_some() {}
    });
    assert!(TcpStream::connect(address).is_err());
    drop(TcpListener::bind(address).unwrap());
    // The log is free again: the thread that wrote blocks has ended.
    let again = spawn(Config { pace: Pace::Stepped, ..config }).unwrap();
    let head = again.state().head();
    assert_eq!(again.report().unwrap().replayed, head.number);
    assert_eq!(again.step(None).unwrap().head.parent, head.hash);
}
