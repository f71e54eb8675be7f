//! The site: which address is answered by what.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, RawQuery, State},
    middleware::map_response,
    response::Response,
    routing::get,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use mechanisms::ErasedMechanism;
use primitives::{Digest, Hotkey};
use serde_json::Value;
use store::{EventNumber, Store, artifacts::Artifacts};
use tokio::{
    sync::{Notify, Semaphore, watch},
    task::spawn_blocking,
};
use tower_http::compression::CompressionLayer;

use crate::{
    answer::{self, Kind, Problem},
    api, events, evidence,
    follow::{Followed, Follower},
    house::{Examination, House},
    metrics,
    openapi::{self, Desk},
    page::{self, Frame},
    record::{self, Live, Record},
    standing::{self, Query, QueryError, ROWS_MAX},
};

/// What a site shows, and how it hears of news.
#[derive(Clone)]
pub struct Config {
    /// Where the log [`record::LOG`] is.
    pub store: Arc<dyn Store>,
    /// What changes with every block.
    pub live: watch::Receiver<Live>,
    /// Told by whoever has written to the log (`notify_one`). Without it the site sees news a little later.
    pub written: Arc<Notify>,
    /// How to mine here, in the order in which it is done.
    pub steps: Vec<Step>,
    /// Where tasks and submissions are kept, looked through in this order.
    pub artifacts: Vec<Arc<dyn Artifacts>>,
}

/// One step of mining, as a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it is for.
    pub about: String,
    /// What to type.
    pub command: String,
}

impl Config {
    /// A site over `store`, with the steps that need nothing of a running house, and without artifacts.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, live: watch::Receiver<Live>) -> Self {
        let step = |about: &str, command: &str| Step { about: about.into(), command: command.into() };
        let steps = vec![
            step("Make your keys", "weigh wallet new"),
            step("Turn a source into shards", "weigh data build SOURCE --out SHARDS --miner HOTKEY"),
            step(
                "Examine a shard as a validator does, before it counts",
                "weigh score dataset SHARD --source SOURCE --case CASE.json",
            ),
        ];
        Self { store, live, written: Arc::default(), steps, artifacts: Vec::new() }
    }
}

/// What all answers are made of.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) live: watch::Receiver<Live>,
    pub(crate) followed: Arc<Followed>,
    /// Seats for streams of events.
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) artifacts: Arc<[Arc<dyn Artifacts>]>,
    /// Seats for answers out of the artifacts.
    pub(crate) seats: Arc<Semaphore>,
    /// True from the moment at which the site stops.
    pub(crate) stop: watch::Sender<bool>,
    steps: Vec<Step>,
    /// Keeps the house up with the log for as long as somebody may ask.
    _follower: Follower,
}

pub(crate) type Site = Arc<Shared>;

impl Shared {
    pub(crate) fn start(config: Config) -> Arc<Self> {
        let Config { store, live, written, steps, artifacts } = config;
        let (followed, follower) = Followed::start(Arc::clone(&store), written);
        Arc::new(Self {
            store,
            live,
            followed,
            streams: Arc::new(Semaphore::new(events::STREAMS_MAX)),
            artifacts: artifacts.into(),
            seats: Arc::new(Semaphore::new(evidence::BIG_ANSWERS_MAX)),
            stop: watch::Sender::new(false),
            steps,
            _follower: follower,
        })
    }

    /// An answer made of the house as it is now.
    pub(crate) fn show<T>(&self, make: impl FnOnce(&House, &Live) -> T) -> T {
        let live = *self.live.borrow();
        make(&self.followed.house(), &live)
    }

    /// A page, or the page that says why there is none.
    fn page(
        &self,
        asked: &HeaderMap,
        here: &str,
        make: impl FnOnce(&House, &Live) -> Result<page::Page, Problem>,
    ) -> Response {
        self.show(|house, live| {
            let frame = Frame { house, live, here };
            match make(house, live) {
                Ok(page) => answer::page(asked, frame.around(page)),
                Err(problem) => {
                    let text = frame.around(page::problem(&problem)).into_string();
                    answer::of_kind(problem.status, Kind::Html, text)
                }
            }
        })
    }

    fn document(
        &self,
        asked: &HeaderMap,
        make: impl FnOnce(&House, &Live) -> Result<Value, Problem>,
    ) -> Response {
        match self.show(make) {
            Ok(document) => answer::document(asked, &document),
            Err(problem) => problem.document(),
        }
    }

    /// The findings of these examinations as they stand in the log.
    async fn findings(&self, of: Vec<EventNumber>) -> Vec<(EventNumber, Value)> {
        let store = Arc::clone(&self.store);
        let read = spawn_blocking(move || of.into_iter().filter_map(|at| finding(&*store, at)).collect());
        read.await.unwrap_or_default()
    }
}

/// Examinations of one submission whose findings are read for an answer: a finding may be a megabyte.
const FINDINGS_MAX: usize = 16;

fn finding(store: &dyn Store, at: EventNumber) -> Option<(EventNumber, Value)> {
    let before = EventNumber(at.0.checked_sub(1)?);
    let event = store.read(record::LOG, before, 1).ok()?.pop().filter(|event| event.number == at)?;
    let Record::Examined { finding, .. } = event.body.read().ok()? else { return None };
    Some((at, serde_json::from_str(&finding?).ok()?))
}

/// The site's addresses. It follows the log on the present tokio runtime for as long as the router lives.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn router(config: Config) -> Router {
    routes(Shared::start(config))
}

pub(crate) fn routes(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/leaderboard", get(leaderboard))
        .route("/leaderboard.csv", get(leaderboard_csv))
        .route("/miners/{hotkey}", get(miner))
        .route("/validators", get(validators))
        .route("/epochs", get(epochs))
        .route("/epochs/{number}", get(epoch))
        .route("/submissions/{digest}", get(submission))
        .route("/tasks", get(tasks))
        .route("/mechanisms/{id}", get(mechanism))
        .route("/docs/api", get(reference))
        .route("/openapi.json", get(openapi_document))
        .route("/api/v1/status", get(api_status))
        .route("/api/v1/leaderboard", get(api_leaderboard))
        .route("/api/v1/miners/{hotkey}", get(api_miner))
        .route("/api/v1/validators", get(api_validators))
        .route("/api/v1/epochs/{number}", get(api_epoch))
        .route("/api/v1/rounds/{number}", get(api_round))
        .route("/api/v1/submissions/{digest}", get(api_submission))
        .route("/api/v1/events", get(api_events))
        .route("/metrics", get(api_metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/assets/{file}", get(asset))
        .merge(evidence::routes())
        .fallback(nothing)
        .layer(CompressionLayer::new())
        .merge(evidence::routes_of_bytes())
        .method_not_allowed_fallback(wrong_method)
        .layer(map_response(answer::guarded))
        .with_state(shared)
}

async fn home(State(site): State<Site>, asked: HeaderMap) -> Response {
    site.page(&asked, "/", |house, live| Ok(page::home(house, live, &site.steps)))
}

async fn leaderboard(State(site): State<Site>, asked: HeaderMap, RawQuery(raw): RawQuery) -> Response {
    match answer::preferred(&asked, &["text/html", "application/json", "text/csv"]) {
        "application/json" => api_json(&site, &asked, raw.as_deref()),
        "text/csv" => csv(&site, &asked, raw.as_deref()),
        _ => site.page(&asked, "/leaderboard", |house, _| {
            let query = Query::read(raw.as_deref().unwrap_or_default()).map_err(refused)?;
            let found = standing::find(house, &query).map_err(refused)?;
            Ok(page::leaderboard(house, &query, &found))
        }),
    }
}

async fn leaderboard_csv(State(site): State<Site>, asked: HeaderMap, RawQuery(raw): RawQuery) -> Response {
    csv(&site, &asked, raw.as_deref())
}

fn csv(site: &Shared, asked: &HeaderMap, raw: Option<&str>) -> Response {
    let found = Query::read(raw.unwrap_or_default()).and_then(|query| {
        // Whoever takes a file wants all of it.
        let query = Query { limit: query.limit.or(Some(ROWS_MAX)), ..query };
        site.show(|house, _| Ok((standing::find(house, &query)?, query)))
    });
    match found {
        Ok((found, query)) => {
            let mut response = answer::whole(asked, Kind::Csv, api::leaderboard_csv(&found.rows));
            if found.next.is_some() {
                let next = Query { cursor: found.next, ..query }.address();
                let link = HeaderValue::try_from(format!("</leaderboard.csv?{next}>; rel=\"next\""));
                response.headers_mut().insert(header::LINK, link.expect("an address is a header's value"));
            }
            response
        }
        Err(error) => refused(error).document(),
    }
}

fn api_json(site: &Shared, asked: &HeaderMap, raw: Option<&str>) -> Response {
    site.document(asked, |house, _| {
        let query = Query::read(raw.unwrap_or_default()).map_err(refused)?;
        api::leaderboard(house, &query).map_err(refused)
    })
}

async fn miner(State(site): State<Site>, asked: HeaderMap, Path(hotkey): Path<String>) -> Response {
    site.page(&asked, "/leaderboard", |house, _| {
        let neuron = api::known(house, &read_hotkey(&hotkey)?)?;
        Ok(page::miner(house, neuron))
    })
}

async fn validators(State(site): State<Site>, asked: HeaderMap) -> Response {
    site.page(&asked, "/validators", |house, _| Ok(page::validators(house)))
}

async fn epochs(State(site): State<Site>, asked: HeaderMap) -> Response {
    site.page(&asked, "/epochs", |house, _| Ok(page::epochs(house)))
}

async fn epoch(State(site): State<Site>, asked: HeaderMap, Path(number): Path<String>) -> Response {
    site.page(&asked, "/epochs", |house, _| {
        let number = read_number("epoch", &number)?;
        Ok(page::epoch(house, number, api::known_epoch(house, number)?))
    })
}

async fn submission(State(site): State<Site>, asked: HeaderMap, Path(digest): Path<String>) -> Response {
    site.page(&asked, "/tasks", |house, _| {
        let digest = read_digest(&digest)?;
        let cases = api::known_cases(house, &digest)?;
        Ok(page::submission(house, &digest, &cases, answer::origin(&asked).as_deref()))
    })
}

async fn tasks(State(site): State<Site>, asked: HeaderMap) -> Response {
    site.page(&asked, "/tasks", |house, _| Ok(page::tasks(house)))
}

async fn mechanism(State(site): State<Site>, asked: HeaderMap, Path(id): Path<String>) -> Response {
    site.page(&asked, "/mechanisms", |house, _| {
        let mechanism: &dyn ErasedMechanism = mechanisms::find(&id)
            .ok_or_else(|| Problem::not_found("the catalogue has no mechanism of this name"))?;
        Ok(page::mechanism(house, mechanism))
    })
}

async fn reference(State(site): State<Site>, asked: HeaderMap) -> Response {
    site.page(&asked, "/docs/api", |house, _| Ok(page::reference(&openapi::document(&Desk::of(house)))))
}

async fn openapi_document(State(site): State<Site>, asked: HeaderMap) -> Response {
    let desk = site.show(|house, _| Desk::of(house));
    answer::whole(&asked, Kind::Json, openapi::text(&desk))
}

async fn api_status(State(site): State<Site>, asked: HeaderMap) -> Response {
    site.document(&asked, |house, live| Ok(api::status(house, live)))
}

async fn api_leaderboard(State(site): State<Site>, asked: HeaderMap, RawQuery(raw): RawQuery) -> Response {
    match answer::preferred(&asked, &["application/json", "text/csv"]) {
        "text/csv" => csv(&site, &asked, raw.as_deref()),
        _ => api_json(&site, &asked, raw.as_deref()),
    }
}

async fn api_miner(State(site): State<Site>, asked: HeaderMap, Path(hotkey): Path<String>) -> Response {
    site.document(&asked, |house, _| api::miner(house, &read_hotkey(&hotkey)?))
}

async fn api_validators(State(site): State<Site>, asked: HeaderMap) -> Response {
    site.document(&asked, |house, _| Ok(api::validators(house)))
}

async fn api_epoch(State(site): State<Site>, asked: HeaderMap, Path(number): Path<String>) -> Response {
    site.document(&asked, |house, _| api::epoch(house, read_number("epoch", &number)?))
}

async fn api_round(State(site): State<Site>, asked: HeaderMap, Path(number): Path<String>) -> Response {
    site.document(&asked, |house, _| api::round(house, read_number("round", &number)?))
}

async fn api_submission(State(site): State<Site>, asked: HeaderMap, Path(digest): Path<String>) -> Response {
    let digest = match read_digest(&digest) {
        Ok(digest) => digest,
        Err(problem) => return problem.document(),
    };
    let events =
        site.show(|house, _| house.cases(&digest).iter().map(|(.., case)| case.event).collect::<Vec<_>>());
    let findings = site.findings(events.into_iter().take(FINDINGS_MAX).collect()).await;
    let whole = |case: &Examination| {
        findings.iter().find(|(at, _)| *at == case.event).map(|(_, found)| found.clone())
    };
    site.document(&asked, |house, _| api::submission(house, &digest, whole))
}

async fn api_events(State(site): State<Site>, asked: HeaderMap, RawQuery(raw): RawQuery) -> Response {
    let stream = events::stream_of(&site, &asked, raw.as_deref().unwrap_or_default());
    stream.unwrap_or_else(|problem| problem.document())
}

async fn api_metrics(State(site): State<Site>, asked: HeaderMap) -> Response {
    let streams = events::STREAMS_MAX.saturating_sub(site.streams.available_permits());
    answer::whole(&asked, Kind::Metrics, site.show(|house, live| metrics::text(house, live, streams)))
}

async fn healthz() -> Response {
    answer::of_kind(StatusCode::OK, Kind::Text, "alive\n")
}

async fn readyz(State(site): State<Site>) -> Response {
    if site.followed.is_ready() {
        return answer::of_kind(StatusCode::OK, Kind::Text, "ready\n");
    }
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the log has not been read to its end").document()
}

async fn asset(asked: HeaderMap, Path(file): Path<String>) -> Response {
    match file.as_str() {
        "house.css" => answer::whole(&asked, Kind::Css, include_str!("../assets/house.css")),
        "house.js" => answer::whole(&asked, Kind::JavaScript, include_str!("../assets/house.js")),
        "mark.svg" => answer::whole(&asked, Kind::Svg, include_str!("../assets/mark.svg")),
        _ => Problem::not_found("there is no such file").document(),
    }
}

async fn nothing(State(site): State<Site>, asked: HeaderMap, uri: Uri) -> Response {
    refuse(&site, &asked, &uri, Problem::not_found("nothing is at this address"))
}

async fn wrong_method(State(site): State<Site>, asked: HeaderMap, method: Method, uri: Uri) -> Response {
    let detail = format!("{method} is not answered here, only GET is");
    let mut response = refuse(&site, &asked, &uri, Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

/// A program gets a document, a person a page.
fn refuse(site: &Shared, asked: &HeaderMap, uri: &Uri, problem: Problem) -> Response {
    let kind = answer::preferred(asked, &["application/problem+json", "text/html"]);
    if uri.path().starts_with("/api/") || kind != "text/html" {
        return problem.document();
    }
    site.page(asked, "", |_, _| Err(problem))
}

#[expect(clippy::needless_pass_by_value, reason = "made for `map_err`")]
fn refused(error: QueryError) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, error.to_string())
}

pub(crate) fn read_hotkey(text: &str) -> Result<Hotkey, Problem> {
    text.parse()
        .map_err(|error: primitives::AccountError| Problem::new(StatusCode::BAD_REQUEST, error.to_string()))
}

pub(crate) fn read_digest(text: &str) -> Result<Digest, Problem> {
    text.parse()
        .map_err(|error: primitives::DigestError| Problem::new(StatusCode::BAD_REQUEST, error.to_string()))
}

pub(crate) fn read_number(what: &str, text: &str) -> Result<u64, Problem> {
    let shown: String = text.chars().take(32).collect();
    text.parse()
        .map_err(|_| Problem::new(StatusCode::BAD_REQUEST, format!("{what} {shown:?} is not a number")))
}
