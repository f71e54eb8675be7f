//! Streams that end before their end, on either side.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use neuron::{
    axon,
    axon::StreamBreak,
    dendrite::{Query, QueryError},
};
use tokio::{net::TcpListener, sync::mpsc};

use super::*;

/// Tells the receiver when it is dropped.
struct Guard(mpsc::UnboundedSender<()>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.send(()).ok();
    }
}

/// An axon with one place for handlers.
fn narrow(routes: Vec<Route>) -> Config {
    Config { limits: axon::Limits { running: 1, waiting: 0, ..axon::Limits::default() }, ..config(routes) }
}

/// Asks until the one place is free again; while it is not, the axon says that it is busy.
async fn free_again(axon: &Handle) {
    let dendrite = dendrite(sr(2), Limits::default());
    while dendrite.ask(peer(axon), &Query::post_json("/echo", "")).await.unwrap().status != 200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_stream_that_a_miner_breaks_off_is_an_error() {
    let broken = Route::signed(Method::POST, "/broken", |_| async {
        let broken = Err(StreamBreak::Broken("no memory".to_owned()));
        Reply::breakable_stream(stream::iter([Ok(Bytes::from_static(b"one")), broken]))
    });
    let panics = Route::signed(Method::POST, "/panics", |_| async {
        Reply::stream(stream::iter([1, 0]).map(|n| match n {
            1 => Bytes::from_static(b"one"),
            _ => panic!("a handler's bug"),
        }))
    });
    let late = Route::signed(Method::POST, "/late", |_| async {
        Reply::stream(stream::once(async { Bytes::from_static(b"one") }).chain(stream::pending()))
    });
    let late = late.stream_deadline(Duration::from_millis(20));
    let axon = start(narrow(vec![broken, panics, late, echo()]));
    let dendrite = dendrite(sr(1), Limits::default());
    for path in ["/broken", "/panics", "/late"] {
        let query = Query::post_json(path, "");
        let error = dendrite.ask(peer(&axon), &query).await.unwrap_err();
        assert!(matches!(error, QueryError::Unreachable { .. }), "{path}: {error}");
        free_again(&axon).await;
    }
}

/// A peer that says these bytes to whoever connects, and closes.
async fn says(answer: &'static str) -> Peer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    Peer { hotkey: sr(9).hotkey(), address }
}

#[tokio::test]
async fn an_answer_that_is_cut_off_never_looks_whole() {
    let dendrite = dendrite(sr(1), Limits { running: 1, ..Limits::default() });
    let ask = async |answer: &'static str| dendrite.ask(says(answer).await, &Query::post_json("/", "")).await;
    let whole =
        ask("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n").await.unwrap();
    assert_eq!(&whole.body[..], b"one");
    assert!(ask("HTTP/1.1 204 No Content\r\n\r\n").await.unwrap().body.is_empty());
    for cut in [
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n30\r\none",
        "HTTP/1.1 200 OK\r\ncontent-length: 30\r\n\r\none",
        "HTTP/1.1 200 OK\r\ncontent-le",
    ] {
        let error = ask(cut).await.unwrap_err();
        assert!(matches!(error, QueryError::Unreachable { .. }), "{cut}: {error}");
    }
    for endless in ["HTTP/1.1 200 OK\r\n\r\none", "HTTP/1.0 200 OK\r\n\r\none"] {
        let error = ask(endless).await.unwrap_err();
        assert!(matches!(error, QueryError::Endless { .. }), "{endless}: {error}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_frees_its_place() {
    let (running, mut runs) = mpsc::unbounded_channel();
    let (gone, mut goes) = mpsc::unbounded_channel();
    let (run, leave) = (running.clone(), gone.clone());
    let waits = Route::signed(Method::POST, "/waits", move |_| {
        let guard = Guard(leave.clone());
        run.send(()).unwrap();
        async move {
            let _guard = guard;
            std::future::pending::<Reply>().await
        }
    });
    let streams = Route::signed(Method::POST, "/streams", move |_| {
        let guard = Guard(gone.clone());
        running.send(()).unwrap();
        async move {
            let pieces = stream::once(async { Bytes::from_static(b"one") }).chain(stream::pending());
            Reply::stream(pieces.map(move |piece| {
                let _held = &guard;
                piece
            }))
        }
    });
    let axon = start(narrow(vec![waits, streams, echo()]));
    // Under the stopped clock each new client begins with the same nonce, hence with a key of its own.
    for (key, path) in [(1, "/waits"), (3, "/streams")] {
        let query = Query::post_json(path, "");
        let client = dendrite(sr(key), Limits { running: 1, ..Limits::default() });
        let asked = tokio::spawn({
            let peer = peer(&axon);
            async move {
                let mut pieces = client.stream(peer, &query).await.unwrap();
                while pieces.next().await.unwrap().is_some() {}
            }
        });
        runs.recv().await.unwrap();
        asked.abort();
        goes.recv().await.unwrap();
        free_again(&axon).await;
    }
}

#[tokio::test]
async fn a_client_that_never_reads_is_cut_off_and_frees_its_place() {
    let (running, mut runs) = mpsc::unbounded_channel();
    let floods = Route::signed(Method::POST, "/echo", move |_| {
        running.send(()).unwrap();
        async { Reply::stream(stream::repeat_with(|| Bytes::from_static(&[b'a'; 64 * 1024]))) }
    });
    let quiet = Route::signed(Method::POST, "/quiet", |_| async { Reply::json("{}") });
    let limits = axon::Limits {
        running: 1,
        waiting: 0,
        write_time: Duration::from_millis(50),
        ..axon::Limits::default()
    };
    let axon = start(Config { limits, ..config(vec![floods, quiet]) });
    let mut silent = TcpStream::connect(axon.address()).await.unwrap();
    silent.write_all(&raw("/echo?a=1", &claim(b"{}", NOW), b"{}")).await.unwrap();
    runs.recv().await.unwrap();
    let dendrite = dendrite(sr(2), Limits::default());
    while dendrite.ask(peer(&axon), &Query::post_json("/quiet", "")).await.unwrap().status != 200 {
        tokio::task::yield_now().await;
    }
    drop(silent);
}

#[tokio::test]
async fn a_dropped_stream_frees_the_dendrites_place() {
    let endless = Route::signed(Method::POST, "/endless", |_| async {
        Reply::stream(stream::once(async { Bytes::from_static(b"one") }).chain(stream::pending()))
    });
    let axon = start(config(vec![endless, echo()]));
    let dendrite = dendrite(sr(1), Limits { running: 1, ..Limits::default() });
    let mut pieces = dendrite.stream(peer(&axon), &Query::post_json("/endless", "")).await.unwrap();
    assert_eq!(pieces.next().await.unwrap(), Some(Bytes::from_static(b"one")));
    drop(pieces);
    let response = dendrite.ask(peer(&axon), &Query::post_json("/echo", "{}")).await.unwrap();
    assert_eq!(&response.body[..], b"{}");
}
