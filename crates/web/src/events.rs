//! Live events: the log as a stream of server-sent events that a reader resumes where it stopped.
//!
//! Each event of the log carries its number as the stream's id, in order, without a gap: what is sent is read from the
//! log itself and not from a queue that could overflow. Between them stand `live` events without an id, which only say
//! how things are now. A reader that takes nothing is not read for: its stream waits.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use store::{Event, EventNumber, Store};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    task::spawn_blocking,
    time::sleep,
};

use crate::{
    answer::Problem,
    record::{self, Live, Record},
    site::Shared,
};

/// Streams that are open at the same time; each holds a connection.
pub const STREAMS_MAX: usize = 256;

/// Events that are read for one stream at a time.
const PAGE_EVENTS: usize = 64;

/// After so long without an event a comment is sent, so that whoever stands between does not take the stream for dead.
const QUIET: Duration = Duration::from_secs(15);

/// What a reader waits for before it asks again, in milliseconds.
const RETRY_MS: u64 = 1_000;

struct Reader {
    store: Arc<dyn Store>,
    after: EventNumber,
    read: VecDeque<Event>,
    head: watch::Receiver<Option<EventNumber>>,
    live: Option<watch::Receiver<Live>>,
    stop: watch::Receiver<bool>,
    _seat: OwnedSemaphorePermit,
}

/// The stream of events above the number that the asker says it has seen: in `Last-Event-ID`, else in the address as
/// `after`, else the newest.
pub(crate) fn stream_of(shared: &Shared, asked: &HeaderMap, raw_query: &str) -> Result<Response, Problem> {
    let head = *shared.followed.head().borrow();
    let head = head.ok_or_else(|| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the log has not been read to its end yet")
    })?;
    let after = seen(asked, raw_query)?.unwrap_or(head);
    if after > head {
        let detail = format!("event {after} has not happened; the newest is {head}");
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    }
    let seat = Arc::clone(&shared.streams).try_acquire_owned().map_err(|_| {
        let detail = format!("{STREAMS_MAX} streams are open, which is all there may be");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    })?;
    let mut live = shared.live.clone();
    live.mark_changed();
    let reader = Reader {
        store: Arc::clone(&shared.store),
        after,
        read: VecDeque::new(),
        head: shared.followed.head(),
        live: Some(live),
        stop: shared.stop.subscribe(),
        _seat: seat,
    };
    let first = Bytes::from(format!("retry: {RETRY_MS}\n\n"));
    let frames = stream::unfold((Some(first), reader), |(first, mut reader)| async move {
        let frame = match first {
            Some(first) => Some(first),
            None => reader.next().await,
        };
        frame.map(|frame| (Ok::<_, Infallible>(frame), (None, reader)))
    });
    let mut response = Response::new(Body::from_stream(frames));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The last number that the asker has seen, where it says so.
fn seen(asked: &HeaderMap, raw_query: &str) -> Result<Option<EventNumber>, Problem> {
    let header = asked.get("last-event-id").map(|value| String::from_utf8_lossy(value.as_bytes()));
    let mut pairs = form_urlencoded::parse(raw_query.as_bytes());
    let Some(text) = header.or_else(|| pairs.find(|(name, _)| name == "after").map(|(_, value)| value))
    else {
        return Ok(None);
    };
    let number = text.trim().parse().map(EventNumber);
    let shown: String = text.chars().take(32).collect();
    number.map(Some).map_err(|_| {
        Problem::new(StatusCode::BAD_REQUEST, format!("event {shown:?} is not a number of the log"))
    })
}

impl Reader {
    /// The next frame; none when the house stops, or its log can't be read: the asker comes again then.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if *self.stop.borrow() {
                return None;
            }
            if let Some(event) = self.read.pop_front() {
                self.after = event.number;
                return Some(frame(&event));
            }
            let head = *self.head.borrow_and_update();
            if head.is_some_and(|head| head > self.after) {
                let (store, after) = (Arc::clone(&self.store), self.after);
                let page = spawn_blocking(move || store.read(record::LOG, after, PAGE_EVENTS)).await;
                self.read = page.ok()?.ok()?.into();
                continue;
            }
            tokio::select! {
                _ = self.stop.wait_for(|stop| *stop) => return None,
                changed = self.head.changed() => changed.ok()?,
                live = changed(&mut self.live) => return Some(live_frame(&live)),
                () = sleep(QUIET) => return Some(Bytes::from_static(b": quiet\n\n")),
            }
        }
    }
}

/// The next state of the chain; never, once nobody tells of it any more.
async fn changed(live: &mut Option<watch::Receiver<Live>>) -> Live {
    if let Some(receiver) = live {
        if receiver.changed().await.is_ok() {
            return *receiver.borrow_and_update();
        }
        *live = None;
    }
    std::future::pending().await
}

fn frame(event: &Event) -> Bytes {
    let Event { number, kind, at, .. } = event;
    let data = json!({ "number": number, "kind": kind, "at_ms": at, "record": shown(event) });
    // The text of a JSON document has no line breaks.
    Bytes::from(format!("id: {number}\nevent: record\ndata: {data}\n\n"))
}

fn live_frame(live: &Live) -> Bytes {
    let data = serde_json::to_string(live).expect("numbers have a form in JSON");
    Bytes::from(format!("event: live\ndata: {data}\n\n"))
}

/// The record; of a finding only that there is one, since it may be a megabyte. The API has it whole.
fn shown(event: &Event) -> Value {
    let Ok(mut record) = event.body.read::<Record>() else { return Value::Null };
    if let Record::Examined { finding, .. } = &mut record {
        *finding = None;
    }
    serde_json::to_value(&record).unwrap_or(Value::Null)
}
