use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use neuron::dendrite::{Query, QueryError};
use protocol::synapse::{Class, Field, FieldKind};
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, oneshot};

use super::*;

pub(crate) fn class(name: &str) -> Class {
    let fields = vec![
        Field::required("prompt", FieldKind::Str),
        Field::required("n", FieldKind::Int),
        Field::optional("answer", FieldKind::Str),
    ];
    Class::new(name, fields, &["prompt", "n"]).unwrap()
}

pub(crate) fn fields() -> Map<String, Value> {
    json!({"prompt": "héllo \"x\"", "n": 3}).as_object().unwrap().clone()
}

/// Routes as the Python peers expect them: one that answers, one that streams.
pub(crate) fn synapse_routes() -> Vec<Route> {
    let answer = |call: Call| async move {
        let prompt = call.fields["prompt"].as_str().unwrap_or_default();
        let text = format!("{prompt} × {}", call.fields["n"]);
        Reply::fields(Map::from_iter([("answer".to_owned(), Value::from(text))]))
    };
    let pieces = |_: Call| async { Reply::stream(stream::iter(["one ", "two ", "three"]).map(Bytes::from)) };
    vec![Route::synapse(class("Ask"), answer), Route::synapse(class("Tell"), pieces)]
}

#[tokio::test]
async fn a_query_is_answered_again_and_again() {
    let axon = start(config(vec![echo()]));
    let dendrite = dendrite(sr(1), Limits::default());
    for n in 0..20 {
        let body = format!("{{\"n\": {n}}}");
        let response = dendrite.ask(peer(&axon), &Query::post_json("/echo", body.clone())).await.unwrap();
        assert_eq!((response.status.as_u16(), &response.body[..]), (200, body.as_bytes()));
    }
    axon.stop().await;
}

#[tokio::test]
async fn each_hotkey_gives_one_answer() {
    let axon = start(config(vec![echo()]));
    let nobody = Peer { hotkey: sr(8).hotkey(), address: axon.address() };
    let peers = [peer(&axon), nobody, peer(&axon)];
    let dendrite = dendrite(sr(1), Limits::default());
    let answers = dendrite.ask_all(&peers, &Query::post_json("/echo", "{}")).await;
    let statuses: Vec<u16> =
        peers[..2].iter().map(|p| answers[&p.hotkey].as_ref().unwrap().status.as_u16()).collect();
    assert_eq!((answers.len(), statuses), (2, vec![200, 401]));
}

#[tokio::test]
async fn a_stream_arrives_piece_by_piece() {
    let (to, pieces) = mpsc::channel::<Bytes>(1);
    let pieces = Arc::new(std::sync::Mutex::new(Some(pieces)));
    let route = Route::signed(Method::POST, "/stream", move |_| {
        let pieces = pieces.lock().unwrap().take().unwrap();
        async { Reply::stream(stream::unfold(pieces, |mut p| async { Some((p.recv().await?, p)) })) }
    });
    let axon = start(config(vec![route]));
    let dendrite = dendrite(sr(1), Limits::default());
    let mut answer = dendrite.stream(peer(&axon), &Query::post_json("/stream", "")).await.unwrap();
    assert_eq!(answer.headers["content-type"], "text/event-stream");
    // Each piece is read before the next one is made.
    for piece in ["data: 1\n\n", "data: 2\n\n"] {
        to.send(Bytes::from(piece)).await.unwrap();
        assert_eq!(answer.next().await.unwrap(), Some(Bytes::from(piece)));
    }
    drop(to);
    assert_eq!(answer.next().await.unwrap(), None);
}

#[tokio::test]
async fn what_a_peer_sends_back_is_bounded() {
    let large = Route::signed(Method::POST, "/large", |_| async { Reply::json(vec![b'a'; 2_000]) });
    let endless = Route::signed(Method::POST, "/endless", |_| async {
        Reply::stream(stream::repeat_with(|| Bytes::from_static(&[b'a'; 512])))
    });
    let silent = Route::signed(Method::POST, "/silent", |_| std::future::pending::<Reply>());
    let axon = start(config(vec![large, endless, silent]));
    let limits = Limits { body_bytes_max: 1_000, time: Duration::from_millis(200), ..Limits::default() };
    let dendrite = dendrite(sr(1), limits);
    for (path, is_large) in [("/large", true), ("/endless", true), ("/silent", false)] {
        let refusal = dendrite.ask(peer(&axon), &Query::post_json(path, "")).await.unwrap_err();
        assert_eq!(matches!(refusal, QueryError::Large { .. }), is_large, "{refusal}");
        assert_eq!(matches!(refusal, QueryError::Late { .. }), !is_large, "{refusal}");
    }
}

#[tokio::test]
async fn a_target_that_would_not_arrive_as_signed_is_not_sent() {
    let axon = start(config(vec![echo()]));
    let dendrite = dendrite(sr(1), Limits::default());
    for target in ["echo", "/echo#part", "/ec ho", ""] {
        let refusal = dendrite.ask(peer(&axon), &Query::post_json(target, "")).await.unwrap_err();
        assert!(matches!(refusal, QueryError::Target { .. }), "{target:?}: {refusal}");
    }
}

#[tokio::test]
async fn a_handler_past_its_deadline_is_given_up() {
    let silent = Route::signed(Method::POST, "/silent", |_| std::future::pending::<Reply>());
    let axon = start(config(vec![silent.deadline(Duration::from_millis(20))]));
    let dendrite = dendrite(sr(1), Limits::default());
    let response = dendrite.ask(peer(&axon), &Query::post_json("/silent", "")).await.unwrap();
    assert_eq!(response.status.as_u16(), 504);
}

#[tokio::test]
async fn a_stopped_axon_ends_what_runs_and_takes_nothing_new() {
    let (running, runs) = oneshot::channel();
    let (go, wait) = oneshot::channel::<()>();
    let state = Arc::new(std::sync::Mutex::new(Some((running, wait))));
    let route = Route::signed(Method::POST, "/wait", move |_| {
        let (running, wait) = state.lock().unwrap().take().unwrap();
        async {
            running.send(()).unwrap();
            wait.await.unwrap();
            Reply::json("{}")
        }
    });
    let axon = start(config(vec![route]));
    let (peer, address) = (peer(&axon), axon.address());
    let asked = tokio::spawn(async move {
        dendrite(sr(1), Limits::default()).ask(peer, &Query::post_json("/wait", "")).await
    });
    runs.await.unwrap();
    let stopping = tokio::spawn(axon.stop());
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    go.send(()).unwrap();
    assert_eq!(asked.await.unwrap().unwrap().status.as_u16(), 200);
    stopping.await.unwrap();
}

#[tokio::test]
async fn a_dropped_axon_stops() {
    let axon = start(config(vec![echo()]));
    let address = axon.address();
    drop(axon);
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn synapses_are_answered_and_streamed() {
    let axon = start(config(synapse_routes()));
    let dendrite = dendrite(sr(1), Limits::default());
    let answer = dendrite.ask_synapse(peer(&axon), &class("Ask"), &fields()).await.unwrap();
    assert_eq!(answer["answer"], "héllo \"x\" × 3");
    assert_eq!(answer["axon"]["status_code"], 200);
    let pieces = dendrite.stream_synapse(peer(&axon), &class("Tell"), &fields()).await.unwrap();
    assert_eq!(&pieces.whole().await.unwrap().body[..], b"one two three");
    let unknown = dendrite.ask_synapse(peer(&axon), &class("Nothing"), &fields()).await.unwrap_err();
    assert!(matches!(unknown, QueryError::Refused { status, .. } if status.as_u16() == 404));
    let stranger = Peer { hotkey: sr(8).hotkey(), ..peer(&axon) };
    let refused = dendrite.ask_synapse(stranger, &class("Ask"), &fields()).await.unwrap_err();
    assert!(matches!(refused, QueryError::Refused { status, .. } if status.as_u16() == 401));
}
