//! Live events over a real socket: no gap, no duplicate, and an end when the house stops.

use std::{net::SocketAddr, time::Duration};

use primitives::BlockNumber;
use serde_json::Value;
use store::{EventNumber, Store as _};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};
use web::record::{self, Live};

use crate::town::{PATIENCE, Place, Town};

/// How long a stop may take: streams end at once.
const STOP_MAX: Duration = Duration::from_secs(1);

/// A site on a socket.
pub(crate) struct Open {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Open {
    pub(crate) async fn of(place: &Place) -> Self {
        Self::at(place, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    pub(crate) async fn at(place: &Place, address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(web::serve(listener, place.config(), async {
            let _ = stopped.await;
        }));
        let open = Self { address, stop, task };
        let ready = async { while !open.head("/readyz", "").await.starts_with("HTTP/1.1 200") {} };
        timeout(PATIENCE, ready).await.expect("the site catches up");
        open
    }

    async fn head(&self, path: &str, header: &str) -> String {
        let mut lines = self.ask(path, header).await;
        lines.next_line().await.unwrap().unwrap_or_default()
    }

    async fn ask(&self, path: &str, header: &str) -> Lines<BufReader<TcpStream>> {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: house\r\n{header}\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        BufReader::new(socket).lines()
    }

    async fn listen(&self, path: &str, header: &str) -> Reader {
        Reader { lines: self.ask(path, header).await }
    }

    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
    }
}

struct Reader {
    lines: Lines<BufReader<TcpStream>>,
}

/// An event as it came.
#[derive(Debug)]
enum Heard {
    Record(u64, Value),
    Live(Live),
}

impl Reader {
    /// The next event; none when the stream has ended.
    async fn next(&mut self) -> Option<Heard> {
        let (mut id, mut event) = (None, String::new());
        loop {
            let line = timeout(PATIENCE, self.lines.next_line()).await.expect("something comes").ok()??;
            if let Some(text) = line.strip_prefix("id: ") {
                id = Some(text.parse().unwrap());
            } else if let Some(text) = line.strip_prefix("event: ") {
                event = text.to_owned();
            } else if let Some(data) = line.strip_prefix("data: ") {
                return Some(match event.as_str() {
                    "live" => Heard::Live(serde_json::from_str(data).unwrap()),
                    _ => {
                        Heard::Record(id.expect("a record has a number"), serde_json::from_str(data).unwrap())
                    }
                });
            }
        }
    }

    /// The numbers of the next records, up to `last`.
    async fn numbers_to(&mut self, last: u64) -> Vec<u64> {
        let mut numbers = Vec::new();
        while numbers.last() != Some(&last) {
            if let Heard::Record(number, data) = self.next().await.expect("the stream goes on") {
                assert_eq!(data["number"], number);
                assert!(data["record"].is_object());
                numbers.push(number);
            }
        }
        numbers
    }

    async fn block(&mut self, block: BlockNumber) {
        while !matches!(self.next().await, Some(Heard::Live(live)) if live.block == block) {}
    }
}

#[tokio::test]
async fn a_reader_that_comes_back_misses_nothing_and_sees_nothing_twice() {
    let mut place = Place::open(Town::new(7, 20), 2).await;
    let open = Open::of(&place).await;
    let head = place.store.head(record::LOG).unwrap().0;
    let mut seen: Vec<u64> = Vec::new();
    // Cut off again and again, in the midst of pages and of writing.
    for cut in [1, 7, 64, 65, 150, head, head + 40] {
        let last = seen.last().copied().unwrap_or(0);
        let mut reader = open.listen("/api/v1/events", &format!("Last-Event-ID: {last}\r\n")).await;
        if cut > head {
            let records = place.town.next_round();
            place.write(&records);
        }
        seen.extend(reader.numbers_to(cut).await);
    }
    let last = place.store.head(record::LOG).unwrap().0;
    let mut reader = open.listen(&format!("/api/v1/events?after={}", head + 40), "").await;
    seen.extend(reader.numbers_to(last).await);
    assert_eq!(seen, (1..=last).collect::<Vec<_>>());
    open.stop().await;
}

#[tokio::test]
async fn a_reader_that_says_nothing_hears_what_is_new() {
    let mut place = Place::open(Town::new(7, 5), 1).await;
    let open = Open::of(&place).await;
    let head = place.store.head(record::LOG).unwrap().0;
    let mut reader = open.listen("/api/v1/events", "").await;
    reader.block(place.town.live().block).await;
    let records = place.town.next_round();
    place.write(&records);
    assert_eq!(reader.numbers_to(head + 3).await, [head + 1, head + 2, head + 3]);
    place.live.send_modify(|live| live.block = 4_711);
    reader.block(4_711).await;
    open.stop().await;
}

#[tokio::test]
async fn streams_end_at_once_when_the_house_stops() {
    let place = Place::open(Town::new(7, 5), 1).await;
    let open = Open::of(&place).await;
    let mut readers = Vec::new();
    for _ in 0..8 {
        let mut reader = open.listen("/api/v1/events", "").await;
        reader.block(place.town.live().block).await;
        readers.push(reader);
    }
    timeout(STOP_MAX, open.stop()).await.expect("the site stops at once");
    for mut reader in readers {
        assert!(reader.next().await.is_none());
    }
}

#[tokio::test]
async fn the_writer_need_not_tell() {
    let mut place = Place::open(Town::new(7, 5), 1).await;
    let open = Open::of(&place).await;
    let head = place.store.head(record::LOG).unwrap();
    let mut reader = open.listen("/api/v1/events", "").await;
    reader.block(place.town.live().block).await;
    let records = place.town.next_round();
    crate::town::appended(&place.store, &records);
    assert_eq!(reader.numbers_to(head.0 + 1).await, [head.0 + 1]);
    open.stop().await;
}

#[tokio::test]
async fn a_number_that_means_nothing_is_refused() {
    let place = Place::open(Town::new(7, 5), 1).await;
    let EventNumber(head) = place.store.head(record::LOG).unwrap();
    let ahead = place.get(&format!("/api/v1/events?after={}", head + 1)).await;
    assert_eq!(ahead.status, http::StatusCode::CONFLICT);
    assert_eq!(ahead.json()["detail"], format!("event {} has not happened; the newest is {head}", head + 1));
    for (header, path) in [("x", "/api/v1/events"), ("-1", "/api/v1/events?after=1")] {
        let answer = place.ask(path, &[("last-event-id", header)]).await;
        assert_eq!(answer.status, http::StatusCode::BAD_REQUEST, "{header}");
    }
}
