//! What it takes to come to a score again: a task as its mechanism writes it, a submission's bytes, and the case that
//! `weigh score` takes.
//!
//! All of it is read from where the house and its validators keep artifacts, and only what the record names is handed
//! out. A submission's bytes are hostile: they leave as a file to be saved, of no kind that a browser looks into.

use std::{
    collections::BTreeMap,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Path, RawQuery, State},
    response::Response,
    routing::get,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use primitives::{Digest, Hotkey, Seed};
use serde_json::{Value, json};
use store::artifacts::{ArtifactError, Artifacts};
use tokio::{
    sync::OwnedSemaphorePermit,
    task::{AbortHandle, spawn_blocking},
    time::sleep,
};

use crate::{
    answer::{self, Kind, Problem},
    api,
    house::{Examination, House, Round},
    site::{Shared, Site, read_digest, read_hotkey, read_number},
};

/// Answers out of the artifacts that are under way at the same time. Each may hold a shard of 64 MiB in memory.
pub const BIG_ANSWERS_MAX: usize = 8;

/// When to ask again where all of them are under way, in seconds: a shard has gone over a good line by then.
const RETRY_AFTER_S: u32 = 5;

/// How long the handing over of one submission may take: 64 MiB at 2 Mbit/s. Whoever reads slower than that would keep
/// others from theirs.
const HANDING_TIME: Duration = Duration::from_secs(5 * 60);

/// Bytes that leave memory at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// Cases that a refusal names for the asker to choose from.
const CHOICES_NAMED: usize = 16;

/// The addresses whose answers may be packed on their way.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new().route("/api/v1/tasks/{id}", get(task)).route("/api/v1/submissions/{digest}/case", get(case))
}

/// The address whose answer goes as it is: packing a shard again would cost more time than its way.
pub(crate) fn routes_of_bytes() -> Router<Arc<Shared>> {
    Router::new().route("/api/v1/submissions/{digest}/bytes", get(bytes))
}

async fn task(State(site): State<Site>, asked: HeaderMap, Path(id): Path<String>) -> Response {
    let task = async {
        let id = read_digest(&id)?;
        let text = site.show(|house, _| {
            let task = house.task(&id).ok_or_else(|| {
                Problem::not_found(format!("task {id} is of none of the rounds that are kept"))
            })?;
            task.text.ok_or_else(|| without_text(&id))
        })?;
        let (bytes, _seat) = kept(&site, "task", text).await?;
        Ok(answer::whole(&asked, Kind::Json, bytes))
    };
    task.await.unwrap_or_else(|problem: Problem| problem.document())
}

async fn bytes(State(site): State<Site>, asked: HeaderMap, Path(digest): Path<String>) -> Response {
    let bytes = async {
        let digest = read_digest(&digest)?;
        site.show(|house, _| api::known_cases(house, &digest).map(drop))?;
        // The name of the bytes is the best tag there is: strong, and known before they are read.
        let tag = format!("\"{digest}\"");
        let mut response = if answer::has_already(&asked, &tag) {
            answer::of_kind(StatusCode::NOT_MODIFIED, Kind::Bytes, Body::empty())
        } else {
            let (bytes, seat) = kept(&site, "submission", digest).await?;
            answer::of_kind(StatusCode::OK, Kind::Bytes, Body::new(Handing::begin(bytes, seat)))
        };
        let file = format!("attachment; filename=\"{}.shard\"", digest.short());
        for (name, value) in [(header::ETAG, tag), (header::CONTENT_DISPOSITION, file)] {
            let value = HeaderValue::try_from(value).expect("hexadecimal digits are a header's value");
            response.headers_mut().insert(name, value);
        }
        Ok(response)
    };
    bytes.await.unwrap_or_else(|problem: Problem| problem.document())
}

async fn case(
    State(site): State<Site>,
    asked: HeaderMap,
    Path(digest): Path<String>,
    RawQuery(raw): RawQuery,
) -> Response {
    let case = async {
        let digest = read_digest(&digest)?;
        let choice = Choice::read(raw.as_deref().unwrap_or_default())?;
        let case = site.show(|house, _| Case::find(house, &digest, &choice))?;
        let (task, _seat) = kept(&site, "task", case.text).await?;
        let task: Value = serde_json::from_slice(&task).map_err(|_| unreadable("task", &case.text))?;
        Ok(answer::document(&asked, &case.document(&task)))
    };
    case.await.unwrap_or_else(|problem: Problem| problem.document())
}

/// Which of the cases that the same bytes stand for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Choice {
    round: Option<u64>,
    miner: Option<Hotkey>,
    task: Option<u64>,
}

impl Choice {
    /// Reads an address's query. Parameters that it does not know are none of its business.
    fn read(raw: &str) -> Result<Self, Problem> {
        let mut choice = Self::default();
        for (name, value) in form_urlencoded::parse(raw.as_bytes()) {
            match &*name {
                "round" => choice.round = Some(read_number("round", &value)?),
                "miner" => choice.miner = Some(read_hotkey(&value)?),
                "task" => choice.task = Some(read_number("task", &value)?),
                _ => {}
            }
        }
        Ok(choice)
    }

    fn takes(&self, (round, miner, task): &Place) -> bool {
        self.round.is_none_or(|wanted| wanted == *round)
            && self.miner.is_none_or(|wanted| wanted == *miner)
            && self.task.is_none_or(|wanted| wanted == u64::from(*task))
    }
}

/// Round, miner and place of the task: what tells two cases of the same bytes apart.
pub(crate) type Place = (u64, Hotkey, u32);

/// The address's query that chooses this case.
pub(crate) fn chosen((round, miner, task): &Place) -> String {
    format!("round={round}&miner={miner}&task={task}")
}

/// The examinations of a submission by the cases that they are of: the same bytes may come from several miners, for
/// several tasks and in several rounds.
pub(crate) fn by_case<'a>(
    examinations: &[(u64, &'a Round, &'a Examination)],
) -> BTreeMap<Place, Vec<(&'a Round, &'a Examination)>> {
    let mut cases: BTreeMap<Place, Vec<_>> = BTreeMap::new();
    for (number, round, one) in examinations {
        cases.entry((*number, one.miner, one.task)).or_default().push((*round, *one));
    }
    cases
}

/// The root under which the miner's manifest names the bytes. The manifest is what was committed to, so that all
/// validators have it alike; one of them may have written of it with an earlier program.
pub(crate) fn root_of(looks: &[(&Round, &Examination)]) -> Option<Digest> {
    looks.iter().find_map(|(_, look)| look.root)
}

/// The task of a case, if the record says where its text is kept.
pub(crate) fn text_of(round: &Round, task: u32) -> Option<Digest> {
    usize::try_from(task).ok().and_then(|at| round.tasks.get(at))?.text
}

/// All that a validator was given for one examination, but for the bytes.
struct Case {
    mechanism: String,
    round: u64,
    hotkey: Hotkey,
    root: Digest,
    audit_seed: Seed,
    /// Where the task is kept.
    text: Digest,
}

impl Case {
    fn find(house: &House, submission: &Digest, choice: &Choice) -> Result<Self, Problem> {
        let cases = by_case(&api::known_cases(house, submission)?);
        let fitting: Vec<_> = cases.iter().filter(|(place, _)| choice.takes(place)).collect();
        let (place, looks) = match fitting.as_slice() {
            [] => {
                let detail =
                    format!("no case of submission {submission} fits; there is {}", named(cases.keys()));
                return Err(Problem::not_found(detail));
            }
            [one] => *one,
            several => {
                let choices = named(several.iter().map(|(place, _)| *place));
                let detail = format!("the same bytes stand for {} cases, name one: {choices}", several.len());
                return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
            }
        };
        let (round, hotkey, task) = *place;
        let lacks = |what: &str| {
            Problem::not_found(format!(
                "the record lacks the {what} of this case: an earlier program wrote it"
            ))
        };
        let opened = looks.first().map(|(round, _)| *round).ok_or_else(|| lacks("examination"))?;
        Ok(Self {
            mechanism: house
                .sign
                .as_ref()
                .map(|sign| sign.mechanism.clone())
                .ok_or_else(|| lacks("mechanism"))?,
            round,
            hotkey,
            root: root_of(looks).ok_or_else(|| lacks("root"))?,
            audit_seed: opened.audit_seed.ok_or_else(|| lacks("audit seed"))?,
            text: text_of(opened, task).ok_or_else(|| lacks("task"))?,
        })
    }

    fn document(&self, task: &Value) -> Value {
        json!({
            "mechanism": self.mechanism,
            "round": self.round,
            "task": task,
            "hotkey": self.hotkey,
            "root": self.root,
            "audit_seed": self.audit_seed,
        })
    }
}

fn named<'a>(places: impl ExactSizeIterator<Item = &'a Place>) -> String {
    let more = places.len().saturating_sub(CHOICES_NAMED);
    let mut text = places.take(CHOICES_NAMED).map(chosen).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

fn without_text(id: &Digest) -> Problem {
    Problem::not_found(format!(
        "the record does not say where task {id} is kept: an earlier program wrote it"
    ))
}

fn unreadable(what: &str, digest: &Digest) -> Problem {
    let detail = format!("{what} {digest} is kept, and can't be read");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
}

/// The bytes with this digest from the first shelf that has them, and the seat that they take while they are held.
async fn kept(site: &Shared, what: &str, digest: Digest) -> Result<(Bytes, OwnedSemaphorePermit), Problem> {
    let seat = Arc::clone(&site.seats).try_acquire_owned().map_err(|_| {
        let detail = format!("{BIG_ANSWERS_MAX} large answers are under way, which is all there may be");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(RETRY_AFTER_S)
    })?;
    let shelves = Arc::clone(&site.artifacts);
    // The seat goes along, so that it is taken for as long as the reading lasts, also where the asker has gone.
    let read = spawn_blocking(move || (find(&shelves, digest), seat)).await;
    let (found, seat) = read.map_err(|_| unreadable(what, &digest))?;
    match found {
        Ok(bytes) => Ok((bytes.into(), seat)),
        Err(ArtifactError::Missing { .. }) => {
            Err(Problem::not_found(format!("{what} {digest} is known, and not kept here any more")))
        }
        // What the system said would tell of this machine.
        Err(_) => Err(unreadable(what, &digest)),
    }
}

fn find(shelves: &[Arc<dyn Artifacts>], digest: Digest) -> Result<Vec<u8>, ArtifactError> {
    let mut failed = ArtifactError::Missing { digest };
    for shelf in shelves {
        match shelf.get(digest) {
            Ok(bytes) => return Ok(bytes),
            Err(ArtifactError::Missing { .. }) => {}
            // Another shelf may have a copy that is whole.
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// What is left to be handed over, and its seat.
struct Rest {
    bytes: Bytes,
    _seat: OwnedSemaphorePermit,
}

/// A body that gives up its seat and its memory with the last piece, or when its time is over.
struct Handing {
    rest: Arc<Mutex<Option<Rest>>>,
    left: u64,
    end: AbortHandle,
}

impl Handing {
    fn begin(bytes: Bytes, seat: OwnedSemaphorePermit) -> Self {
        let left = bytes.len() as u64;
        let rest = Arc::new(Mutex::new(Some(Rest { bytes, _seat: seat })));
        let kept = Arc::downgrade(&rest);
        // Nobody asks a body for more whose reader takes nothing: its end must come from outside.
        let end = tokio::spawn(async move {
            sleep(HANDING_TIME).await;
            if let Some(rest) = kept.upgrade() {
                rest.lock().unwrap_or_else(PoisonError::into_inner).take();
            }
        });
        Self { rest, left, end: end.abort_handle() }
    }
}

impl Drop for Handing {
    fn drop(&mut self) {
        self.end.abort();
    }
}

impl HttpBody for Handing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        if this.left == 0 {
            return Poll::Ready(None);
        }
        let mut rest = this.rest.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Rest { bytes, .. }) = rest.as_mut() else {
            return Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())));
        };
        // Copied, since a part of the whole would keep all of it in memory for as long as the part waits to be sent.
        let piece = Bytes::copy_from_slice(&bytes.split_to(bytes.len().min(PIECE_BYTES)));
        this.left = bytes.len() as u64;
        if this.left == 0 {
            *rest = None;
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
