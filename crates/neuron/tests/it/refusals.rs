use std::{sync::Arc, time::Duration};

use http::HeaderMap;
use neuron::axon::{Config, Decision, Limits, Rate};
use protocol::btauth::{self, BodyHash, Claim, Target};

use super::*;

const BODY: &[u8] = b"{}";
const TARGET: &str = "/echo?a=1";

async fn check(config: Config, requests: &[(&str, &HeaderMap, &[u8])], expect: &[&str]) {
    let axon = start(config);
    for ((target, headers, body), expect) in requests.iter().zip(expect) {
        let answer = exchange(axon.address(), &raw(target, headers, body)).await;
        assert!(answer.contains(expect), "{target}: expected {expect} in {answer}");
    }
}

#[tokio::test]
async fn every_forgery_is_told_what_it_is() {
    let good = claim(BODY, NOW);
    let with = |name: &'static str, value: &str| {
        let mut headers = good.clone();
        headers.insert(name, value.parse().unwrap());
        headers
    };
    let (stale, future) = (claim(BODY, NOW.minus_s(11)), claim(BODY, NOW.plus_s(3)));
    let target = Target { method: &Method::POST, path_and_query: TARGET };
    let other = Claim::sign(&sr(1), Some(sr(8).hotkey()), NOW, target, BodyHash::of(BODY));
    let requests: [(&str, &HeaderMap, &[u8]); 11] = [
        (TARGET, &HeaderMap::new(), BODY),
        (TARGET, &stale, BODY),
        (TARGET, &future, BODY),
        (TARGET, &good, b"[]"),
        ("/echo?a=2", &good, BODY),
        ("/echo", &good, BODY),
        (TARGET, &other.to_headers(), BODY),
        (TARGET, &with(btauth::CRYPTO, "ecdsa"), BODY),
        (TARGET, &with(btauth::CRYPTO, "ed25519"), BODY),
        (TARGET, &good, BODY),
        (TARGET, &good, BODY),
    ];
    check(
        config(vec![echo()]),
        &requests,
        &[
            "problem:unsigned",
            "problem:stale",
            "problem:future",
            "problem:bad-signature",
            "problem:bad-signature",
            "problem:bad-signature",
            "problem:wrong-receiver",
            "problem:unknown-scheme",
            "problem:bad-signature",
            "HTTP/1.1 200 OK",
            "problem:replayed",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_request_from_before_a_restart_is_refused() {
    let good = claim(BODY, NOW.plus_s(1));
    check(config(vec![echo()]), &[(TARGET, &good, BODY)], &["HTTP/1.1 200 OK"]).await;
    let restarted = Config { started: NOW, ..config(vec![echo()]) };
    check(restarted, &[(TARGET, &good, BODY)], &["problem:before-start"]).await;
}

#[tokio::test]
async fn oversized_headers_and_bodies_are_refused() {
    let mut long = claim(BODY, NOW);
    long.insert("x-long", "a".repeat(17 * 1024).parse().unwrap());
    let mut many = claim(BODY, NOW);
    for n in 0..64 {
        many.append("x-many", n.to_string().parse().unwrap());
    }
    let large = vec![b' '; 1025];
    let fits = vec![b' '; 1024];
    let (large_claim, fits_claim) = (claim(&large, NOW), claim(&fits, NOW));
    check(
        config(vec![echo().body_bytes_max(1024)]),
        &[
            (TARGET, &long, BODY),
            (TARGET, &many, BODY),
            (TARGET, &large_claim, &large),
            (TARGET, &fits_claim, &fits),
            ("/nowhere", &fits_claim, &fits),
        ],
        &["HTTP/1.1 431", "HTTP/1.1 431", "problem:body-large", "HTTP/1.1 200 OK", "problem:no-route"],
    )
    .await;
}

#[tokio::test]
async fn a_body_without_a_stated_length_is_capped_as_it_comes() {
    let axon = start(config(vec![echo().body_bytes_max(1024)]));
    let mut request = format!("POST {TARGET} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n").into_bytes();
    for (name, value) in &claim(BODY, NOW) {
        request.extend_from_slice(format!("{name}: {}\r\n", value.to_str().unwrap()).as_bytes());
    }
    request.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n800\r\n");
    request.extend_from_slice(&[b'a'; 0x800]);
    request.extend_from_slice(b"\r\n0\r\n\r\n");
    assert!(exchange(axon.address(), &request).await.contains("problem:body-large"));
}

#[tokio::test]
async fn who_is_slow_with_headers_or_body_is_cut_off() {
    let limits = Limits {
        header_time: Duration::from_millis(50),
        body_time: Duration::from_millis(50),
        ..Limits::default()
    };
    let axon = start(Config { limits, ..config(vec![echo()]) });
    let answer = exchange(axon.address(), b"POST /echo?a=1 HTTP/1.1\r\nhost: x\r\nx-bitt").await;
    assert!(!answer.contains("200"), "{answer}");
    let request = raw(TARGET, &claim(BODY, NOW), BODY);
    let answer = exchange(axon.address(), &request[..request.len() - 1]).await;
    assert!(answer.contains("problem:body-slow"), "{answer}");
}

#[tokio::test]
async fn an_ip_is_limited_before_its_signatures_and_a_hotkey_after() {
    let rate = |burst| Rate { per_s: 0.0, burst };
    let requests: Vec<HeaderMap> = (0..4).map(|n| claim(BODY, UnixNanos(NOW.0 + n))).collect();
    let unsigned = HeaderMap::new();
    let limits = Limits { per_ip: rate(2.0), ..Limits::default() };
    check(
        Config { limits, ..config(vec![echo()]) },
        &[(TARGET, &unsigned, BODY), (TARGET, &requests[0], BODY), (TARGET, &requests[1], BODY)],
        &["problem:unsigned", "HTTP/1.1 200 OK", "problem:ip-rate"],
    )
    .await;
    // Forged requests in the name of a hotkey take nothing of what it has.
    let limits = Limits { per_hotkey: rate(2.0), ..Limits::default() };
    check(
        Config { limits, ..config(vec![echo()]) },
        &[
            (TARGET, &requests[0], b"forged"),
            (TARGET, &requests[0], b"forged"),
            (TARGET, &requests[1], BODY),
            (TARGET, &requests[2], BODY),
            (TARGET, &requests[3], BODY),
        ],
        &[
            "problem:bad-signature",
            "problem:bad-signature",
            "HTTP/1.1 200 OK",
            "HTTP/1.1 200 OK",
            "problem:hotkey-rate",
        ],
    )
    .await;
}

#[tokio::test]
async fn only_a_verified_hotkey_is_judged() {
    let judged = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&judged);
    let judge = move |_: &_, _: &str| {
        count.fetch_add(1, Ordering::Relaxed);
        Decision::Refuse
    };
    let good = claim(BODY, NOW);
    check(
        Config { judge: Arc::new(judge), ..config(vec![echo()]) },
        &[(TARGET, &good, b"forged"), (TARGET, &good, BODY)],
        &["problem:bad-signature", "problem:refused"],
    )
    .await;
    assert_eq!(judged.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn connections_beyond_the_bound_are_closed_unread() {
    let limits = Limits { connections_per_ip: 1, ..Limits::default() };
    let axon = start(Config { limits, ..config(vec![echo()]) });
    let mut first = TcpStream::connect(axon.address()).await.unwrap();
    // One byte read back proves that the first has its seat.
    first.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    first.read_exact(&mut [0]).await.unwrap();
    assert_eq!(exchange(axon.address(), &raw(TARGET, &claim(BODY, NOW), BODY)).await, "");
}
