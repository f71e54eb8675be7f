//! Sending: what becomes of an extrinsic, what it costs, and how each refusal is told.

use devchain::{Config, Pace};
use primitives::Rao;
use serde_json::{Value, json};

use super::client::{
    Served, TAO, Unsigned, account, account_key, blake2_256, bytes, genesis, in_hex, key, run, set_weights,
    transfer,
};

/// Refused by the pool's rules.
const INVALID: i64 = 1010;

#[test]
fn a_transfer_is_watched_into_its_block() {
    run(async {
        let served = Served::at(Pace::Instant).await;
        let mut client = served.client().await;
        let genesis = client.genesis_hash().await;
        let (_, alice) = client.account("Alice").await;
        let (_, one) = client.account("One").await;
        let sent = Unsigned::new(genesis, 0, transfer(account("Bob"), Rao(TAO))).hex(&key("Alice"));
        let info = client.ok("payment_queryInfo", json!([sent, null])).await;
        assert_eq!((&info["class"], &info["weight"]["ref_time"]), (&json!("normal"), &json!(164_050_000)));
        let fee: u64 = info["partialFee"].as_str().unwrap().parse().unwrap();
        let details = client.ok("payment_queryFeeDetails", json!([sent])).await;
        assert_eq!(details["inclusionFee"]["baseFee"], json!("0xd33e"));
        let subscription = client.ok("author_submitAndWatchExtrinsic", json!([sent])).await;
        let mut steps = Vec::new();
        for _ in 0..3 {
            let told = client.notification().await;
            assert_eq!((told.method.as_str(), &told.subscription), ("author_extrinsicUpdate", &subscription));
            steps.push(told.result);
        }
        let hash = client.ok("chain_getBlockHash", json!([1])).await;
        assert_eq!(steps, [json!("ready"), json!({ "inBlock": hash }), json!({ "finalized": hash })]);
        assert_eq!(client.account("Alice").await, (1, alice - TAO - fee));
        assert_eq!(client.account("Bob").await.1, 1_000_000 * TAO + TAO);
        assert_eq!(client.account("One").await.1, one + fee, "the fee is the author's");
    });
}

#[test]
fn an_early_one_waits_and_is_counted_when_its_turn_comes() {
    run(async {
        let served = Served::at(Pace::Instant).await;
        let mut client = served.client().await;
        let genesis = client.genesis_hash().await;
        let send =
            |nonce| Unsigned::new(genesis, nonce, transfer(account("Bob"), Rao(TAO))).hex(&key("Alice"));
        client.ok("author_submitAndWatchExtrinsic", json!([send(1)])).await;
        assert_eq!(client.notification().await.result, "future");
        let address = account("Alice").to_ss58();
        assert_eq!(client.ok("system_accountNextIndex", json!([address])).await, 0);
        assert_eq!(served.node.state().head().number, 0);
        client.ok("author_submitExtrinsic", json!([send(0)])).await;
        assert_eq!(client.notification().await.result, "ready");
        let block = client.notification().await.result["inBlock"].clone();
        assert_eq!(block, client.ok("chain_getBlockHash", json!([2])).await, "each has a block of its own");
        assert_eq!(client.ok("account_nextIndex", json!([address])).await, 2);
    });
}

#[test]
fn what_waits_counts_for_the_next_number_and_goes_into_one_block() {
    run(async {
        let served = Served::at(Pace::Stepped).await;
        let mut client = served.client().await;
        let genesis = client.genesis_hash().await;
        for nonce in 0..20 {
            let sent = Unsigned::new(genesis, nonce, transfer(account("Bob"), Rao(TAO))).hex(&key("Alice"));
            client.ok("author_submitExtrinsic", json!([sent])).await;
        }
        let address = account("Alice").to_ss58();
        assert_eq!(client.ok("system_accountNextIndex", json!([address])).await, 20);
        client.mine(1).await;
        let block = client.ok("chain_getBlock", json!([])).await;
        assert_eq!(block["block"]["extrinsics"].as_array().unwrap().len(), 21);
    });
}

#[test]
fn every_refusal_is_told_in_the_chains_words() {
    run(async {
        let served = Served::at(Pace::Stepped).await;
        let mut client = served.client().await;
        let genesis = client.genesis_hash().await;
        let (alice, poor) = (key("Alice"), key("Ferdie"));
        let good = Unsigned::new(genesis, 0, transfer(account("Bob"), Rao(TAO)));
        client.ok("author_submitExtrinsic", json!([good.hex(&alice)])).await;
        let again = client.err("author_submitExtrinsic", json!([good.hex(&alice)])).await;
        let hash = in_hex(&blake2_256(&good.sign(&alice)));
        assert_eq!((again.code, again.data), (1013, json!(hash)));
        let other = Unsigned { call: transfer(account("Bob"), Rao(5)), ..good.clone() };
        let other = client.err("author_submitExtrinsic", json!([other.hex(&alice)])).await;
        assert_eq!((other.code, other.message.as_str()), (1014, "Priority is too low: (1 vs 1)"));
        client.mine(1).await;
        let fresh = Unsigned { nonce: 1, ..good.clone() };
        let mut tampered = fresh.sign(&alice);
        *tampered.last_mut().unwrap() ^= 1;
        let sudo = [vec![12, 0], transfer(account("Bob"), Rao(1))].concat();
        let bad_proof = "Transaction has a bad signature";
        let cases: Vec<(String, &str)> = vec![
            (good.hex(&alice), "Transaction is outdated"),
            (in_hex(&tampered), bad_proof),
            (Unsigned { genesis: [1; 32], ..fresh.clone() }.hex(&alice), bad_proof),
            (Unsigned { spec_version: 424, ..fresh.clone() }.hex(&alice), bad_proof),
            (Unsigned { birth: [1; 32], ..fresh.clone() }.hex(&alice), bad_proof),
            (good.hex(&poor), "Inability to pay some fees (e.g. account balance too low)"),
            (Unsigned { call: sudo, ..good.clone() }.hex(&key("Bob")), "Invalid signing address"),
            // An era of four blocks that began before the first one that is known.
            (Unsigned { call: set_weights(), ..good.clone() }.hex(&poor), "Custom error: 255"),
        ];
        for (sent, words) in &cases[..7] {
            for method in ["author_submitExtrinsic", "author_submitAndWatchExtrinsic"] {
                let error = client.err(method, json!([sent])).await;
                assert_eq!((error.code, error.message.as_str()), (INVALID, "Invalid Transaction"), "{words}");
                assert_eq!(error.data, json!(words));
            }
        }
        // An inherent from outside, and bytes of many kinds that are none.
        let inherent = client.ok("chain_getBlock", json!([])).await["block"]["extrinsics"][0].clone();
        let error = client.err("author_submitExtrinsic", json!([inherent])).await;
        assert_eq!((error.code, error.data), (INVALID, json!("Transaction call is not expected")));
        let whole = fresh.sign(&alice);
        for broken in
            [&whole[..whole.len() - 1], &whole[1..], &[][..], &[0][..], &[0xff; 40][..], &[4, 5][..]]
        {
            let error = client.err("author_submitExtrinsic", json!([in_hex(broken)])).await;
            assert_eq!((error.code, error.message.starts_with("Extrinsic has invalid format")), (1001, true));
        }
        assert_eq!(client.account("Alice").await.0, 1, "nothing of this left a trace");
    });
}

#[test]
fn an_account_without_anything_may_make_free_calls() {
    run(async {
        let served = Served::at(Pace::Instant).await;
        let mut client = served.client().await;
        let genesis = client.genesis_hash().await;
        let sent = Unsigned::new(genesis, 0, set_weights()).hex(&key("Ferdie"));
        client.ok("author_submitExtrinsic", json!([sent])).await;
        client.mine(1).await;
        assert_eq!(client.account("Ferdie").await, (1, 0), "it failed, and used its number");
    });
}

#[test]
fn a_mortal_extrinsic_lives_for_its_era() {
    run(async {
        let served = Served::at(Pace::Stepped).await;
        let mut client = served.client().await;
        let genesis = client.genesis_hash().await;
        client.mine(6).await;
        // Period 4 (encoded 1) from block 4 on (phase 0), and from block 5 on (phase 1).
        let mortal = |phase: u16, birth: [u8; 32], nonce| Unsigned {
            era: (1u16 | phase << 4).to_le_bytes().to_vec(),
            birth,
            ..Unsigned::new(genesis, nonce, transfer(account("Bob"), Rao(TAO)))
        };
        let hash_of = |hash: Value| -> [u8; 32] { bytes(&hash).try_into().unwrap() };
        let fourth = hash_of(client.ok("chain_getBlockHash", json!([4])).await);
        let fifth = hash_of(client.ok("chain_getBlockHash", json!([5])).await);
        let wrong =
            client.err("author_submitExtrinsic", json!([mortal(0, fifth, 0).hex(&key("Alice"))])).await;
        assert_eq!(wrong.data, "Transaction has a bad signature");
        client.ok("author_submitExtrinsic", json!([mortal(0, fourth, 0).hex(&key("Alice"))])).await;
        client.mine(1).await;
        assert_eq!(client.account("Alice").await.0, 1);
        // This one is early, and its era is over before the one in front of it comes.
        client.ok("author_submitAndWatchExtrinsic", json!([mortal(1, fifth, 2).hex(&key("Alice"))])).await;
        assert_eq!(client.notification().await.result, "future");
        client.mine(3).await;
        assert_eq!(client.notification().await.result, "invalid");
    });
}

#[test]
fn the_newer_methods_tell_the_same() {
    run(async {
        let served = Served::at(Pace::Instant).await;
        let mut client = served.client().await;
        let genesis = client.genesis_hash().await;
        let sent = Unsigned::new(genesis, 0, transfer(account("Bob"), Rao(TAO))).hex(&key("Alice"));
        client.ok("transactionWatch_v1_submitAndWatch", json!([sent])).await;
        assert_eq!(client.notification().await.result, json!({ "event": "validated" }));
        let included = client.notification().await.result;
        let hash = client.ok("chain_getBlockHash", json!([1])).await;
        let block = json!({ "hash": hash, "index": 1 });
        assert_eq!(included, json!({ "event": "bestChainBlockIncluded", "block": block }));
        let last = client.notification().await.result;
        assert_eq!(last, json!({ "event": "finalized", "block": block }));
        client.ok("transactionWatch_v1_submitAndWatch", json!([sent])).await;
        assert_eq!(client.notification().await.result["event"], "invalid");
        let operation = client.ok("transaction_v1_broadcast", json!([sent])).await;
        assert_eq!(client.ok("transaction_v1_stop", json!([operation])).await, Value::Null);
        assert_eq!(client.err("transaction_v1_stop", json!([operation])).await.code, -32602);
    });
}

#[test]
fn developers_change_the_chain_by_blocks() {
    run(async {
        let served = Served::at(Pace::Stepped).await;
        let mut client = served.client().await;
        let number = |client: &Value| client["number"].as_u64().unwrap();
        assert_eq!(number(&client.ok("weigh_mine", json!([3])).await), 3);
        client.ok("weigh_setBalance", json!([account("Ferdie").to_ss58(), 7 * TAO])).await;
        assert_eq!(client.account("Ferdie").await, (0, 7 * TAO));
        client.ok("weigh_setHyperparameter", json!([1, "tempo", 20])).await;
        let key_of_tempo = client.ok("state_getKeys", json!([TEMPO_PREFIX])).await;
        assert!(!key_of_tempo.as_array().unwrap().is_empty());
        client.err("weigh_setHyperparameter", json!([1, "no_such", 20])).await;
        client.err("weigh_setHyperparameter", json!([99, "tempo", 20])).await;
        // A round of drand's quicknet, as its interface gives it.
        let signature = "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39";
        client.err("weigh_writePulse", json!([1001, signature])).await;
        client.err("weigh_writePulse", json!([1000, "00"])).await;
        client.ok("weigh_writePulse", json!([1000, signature])).await;
        let pulses = client.ok("state_getKeys", json!([PULSES_PREFIX])).await;
        assert_eq!(pulses.as_array().unwrap().len(), 1);
        let epoch = number(&client.ok("weigh_warpToEpoch", json!([1])).await);
        assert!(epoch > 4 && epoch <= 30, "{epoch}");
        // Back to before, and the same snapshot only once.
        let snapshot = client.ok("weigh_snapshot", json!([])).await;
        let head = client.ok("chain_getHead", json!([])).await;
        client.ok("weigh_setBalance", json!([account("Ferdie").to_ss58(), 9 * TAO])).await;
        assert_eq!(client.ok("weigh_revert", json!([snapshot])).await, true);
        assert_eq!(client.ok("chain_getHead", json!([])).await, head);
        assert_eq!(client.account("Ferdie").await.1, 7 * TAO);
        assert_eq!(client.ok("weigh_revert", json!([snapshot])).await, false);
        let key_of_ferdie = account_key(account("Ferdie"));
        assert_ne!(client.ok("state_getStorage", json!([key_of_ferdie])).await, Value::Null);
    });
}

/// `Drand.Pulses`.
const PULSES_PREFIX: &str = "0xa285cdb66e8b8524ea70b1693c7b1e050d8e70fd32bfb1639703f9a23d15b15e";
/// `SubtensorModule.Tempo`.
const TEMPO_PREFIX: &str = "0x658faa385070e074c85bf6b568cf0555";

#[test]
fn a_chain_with_a_log_does_not_go_back() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { folder: Some(folder.path().to_owned()), ..Config::stepped(genesis()) };
        let served = Served::with(config, devchain::rpc::Config::default()).await;
        let mut client = served.client().await;
        let error = client.err("weigh_snapshot", json!([])).await;
        assert_eq!(error.message, "chain has a log and can't go back to an earlier state");
        client.err("weigh_revert", json!([1])).await;
    });
}
