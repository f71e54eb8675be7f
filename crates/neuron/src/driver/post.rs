//! Questions and answers over HTTP: signed JSON there, JSON or an answer's plain bytes back.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode};
use primitives::{DurationMs, Hotkey};
use protocol::Problem;
use serde::{Deserialize, Serialize};
use store::Store;
use tokio::sync::oneshot;

use super::{Inbox, Message, Pulse, Reply, now};
use crate::{
    axon::{self, Call, Route},
    dendrite::{self, Dendrite, Query, QueryError},
    desk,
    wire::{Answer, Ask, AskFailure, LeasedTask, Peer},
};

/// Where a neuron is asked.
pub const ASK_PATH: &str = "/v1/ask";
/// Where the desk leases tasks.
pub const DESK_LEASES_PATH: &str = "/v1/leases";
/// Where the desk is told what is finished.
pub const DESK_DONE_PATH: &str = "/v1/leases/done";
/// The media type of an answer's bytes.
const BYTES: &str = "application/octet-stream";
/// The longest question: a manifest of finished tasks, with room.
const ASK_MAX_BYTES: usize = 64 << 10;

const UNREADABLE: Problem =
    Problem::new(StatusCode::BAD_REQUEST, "unreadable", "the body is no question that is asked here");
const STOPPING: Problem =
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the neuron is being stopped");
const FAILED: Problem =
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "failed", "the desk can't read or write its store");

/// What a miner sends for leases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LeasesWanted {
    /// The round.
    round: u64,
    /// Tasks wanted in total.
    want: u32,
}

/// What a miner sends when tasks are committed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TasksDone {
    /// The round.
    round: u64,
    /// The tasks, as they were leased.
    tasks: Vec<LeasedTask>,
}

/// Asks one peer.
pub(super) async fn ask(
    dendrite: &Dendrite,
    peer: dendrite::Peer,
    to: Peer,
    what: &Ask,
) -> Result<Answer, AskFailure> {
    let json = |value: Result<Vec<u8>, _>| -> Vec<u8> { value.unwrap_or_default() };
    let query = match (to, what) {
        (Peer::Desk, Ask::Lease { round, want }) => {
            let body = LeasesWanted { round: *round, want: *want };
            Query::post_json(DESK_LEASES_PATH, json(serde_json::to_vec(&body)))
        }
        (Peer::Desk, Ask::Done { round, tasks }) => {
            let body = TasksDone { round: *round, tasks: tasks.clone() };
            Query::post_json(DESK_DONE_PATH, json(serde_json::to_vec(&body)))
        }
        _ => Query::post_json(ASK_PATH, json(serde_json::to_vec(what))),
    };
    let response = dendrite.ask(peer, &query).await.map_err(|error| match error {
        QueryError::Late { .. } => AskFailure::TimedOut,
        _ => AskFailure::Unreachable,
    })?;
    if response.status != StatusCode::OK {
        return Ok(Answer::Refused);
    }
    let is_bytes = response.headers.get(http::header::CONTENT_TYPE).is_some_and(|found| found == BYTES);
    if is_bytes && matches!(what, Ask::Part { .. }) {
        return Ok(Answer::Part(response.body.to_vec()));
    }
    // What can't be read is no answer.
    Ok(serde_json::from_slice(&response.body).unwrap_or(Answer::Refused))
}

/// What a neuron's axon answers.
pub(super) fn ask_route(inbox: Inbox, pulse: Pulse) -> Route {
    Route::signed(Method::POST, ASK_PATH, move |call| {
        let (inbox, busy) = (inbox.clone(), pulse.busy());
        async move {
            let Ok(what) = serde_json::from_slice::<Ask>(&call.body) else {
                return axon::Reply::problem(UNREADABLE);
            };
            let (reply, answer) = oneshot::channel();
            let message = Message::Asked { from: call.caller.hotkey, what, reply, busy };
            if inbox.send(message).is_err() {
                return axon::Reply::problem(STOPPING);
            }
            match answer.await {
                Ok(Reply::Part(bytes)) => axon::Reply {
                    status: StatusCode::OK,
                    content_type: BYTES,
                    body: axon::ReplyBody::Whole(Bytes::from(bytes)),
                },
                Ok(Reply::Answer(answer)) => json(&answer),
                Err(_) => axon::Reply::problem(STOPPING),
            }
        }
    })
    .body_bytes_max(ASK_MAX_BYTES)
}

/// The task desk's routes: tasks of `mechanism` out of `store`, each leased for `ttl`, at most `tasks_max` to one miner.
#[must_use]
pub fn desk_routes(
    store: &Arc<dyn Store>,
    mechanism: &'static str,
    ttl: DurationMs,
    tasks_max: u32,
) -> Vec<Route> {
    let lease = desk_route(store, DESK_LEASES_PATH, move |store, miner, LeasesWanted { round, want }| {
        let leased = desk::lease(store, mechanism, round, miner, want.min(tasks_max), now(), ttl)?;
        Ok(if leased.is_empty() { Answer::Refused } else { Answer::Leases(leased) })
    });
    let done = desk_route(store, DESK_DONE_PATH, move |store, miner, TasksDone { round, tasks }| {
        desk::done(store, mechanism, round, miner, &tasks, now())?;
        Ok(Answer::Noted)
    });
    vec![lease, done]
}

fn desk_route<T>(
    store: &Arc<dyn Store>,
    path: &str,
    at_desk: impl Fn(&dyn Store, Hotkey, T) -> Result<Answer, store::StoreError> + Clone + Send + Sync + 'static,
) -> Route
where
    T: for<'de> Deserialize<'de> + Send + 'static,
{
    let store = Arc::clone(store);
    Route::signed(Method::POST, path, move |call: Call| {
        let (store, at_desk) = (Arc::clone(&store), at_desk.clone());
        async move {
            let Ok(wanted) = serde_json::from_slice::<T>(&call.body) else {
                return axon::Reply::problem(UNREADABLE);
            };
            let miner = call.caller.hotkey;
            let answer = tokio::task::spawn_blocking(move || at_desk(&*store, miner, wanted)).await;
            match answer {
                Ok(Ok(answer)) => json(&answer),
                _ => axon::Reply::problem(FAILED),
            }
        }
    })
    .body_bytes_max(ASK_MAX_BYTES)
}

fn json(answer: &Answer) -> axon::Reply {
    match serde_json::to_vec(answer) {
        Ok(text) => axon::Reply::json(text),
        Err(_) => axon::Reply::problem(UNREADABLE),
    }
}
