//! One request through the stages behind the connection: bucket, route, verification, decision, handler.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    response::Response,
    routing::{MethodFilter, on},
};
use bytes::{Bytes, BytesMut};
use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::BodyExt as _;
use primitives::Hotkey;
use protocol::{
    Problem, Replay,
    btauth::{self, Target},
    synapse,
};
use serde_json::{Map, Value};
use tokio::time::{timeout, timeout_at};

use super::{
    Call, Caller, Config, Decision, Reply, ReplyBody, Route, StreamBreak, Wire,
    bucket::Buckets,
    gate::{Gate, Place},
};

/// The first pieces of a body are collected in a buffer of at most this size before it grows with what arrives.
const BODY_BYTES_AT_FIRST: usize = 16 * 1024;

const IP_LIMIT: Problem = refusal(429, "ip-rate", "too many requests from this address");
const HOTKEY_LIMIT: Problem = refusal(429, "hotkey-rate", "too many requests of this hotkey");
const NO_ROUTE: Problem = refusal(404, "no-route", "there is no such route");
const NO_METHOD: Problem = refusal(405, "no-method", "the route does not take this method");
const BODY_LARGE: Problem = refusal(413, "body-large", "the body is larger than this route takes");
const BODY_SLOW: Problem = refusal(408, "body-slow", "the body did not arrive in time");
const BODY_BROKEN: Problem = refusal(400, "body-broken", "the body did not arrive whole");
const REFUSED: Problem = refusal(403, "refused", "this hotkey is not served");
const BUSY: Problem = refusal(503, "busy", "all places are taken by higher priorities");
const LATE: Problem = refusal(504, "late", "the answer was not ready in time");
/// The synapse protocol has one status for everything that takes too long.
const SYNAPSE_LATE: Problem = refusal(408, "late", "the answer was not ready in time");
const BROKEN: Problem = refusal(500, "broken", "the answer could not be made");

const fn refusal(status: u16, kind: &'static str, title: &'static str) -> Problem {
    match StatusCode::from_u16(status) {
        Ok(status) => Problem::new(status, kind, title),
        Err(_) => panic!("a status of three digits"),
    }
}

/// What all requests of one axon share.
pub(super) struct Shared {
    config: Config,
    began: Instant,
    btauth: btauth::Verifier,
    synapse: synapse::Verifier,
    per_ip: Mutex<Buckets<IpAddr>>,
    per_hotkey: Mutex<Buckets<Hotkey>>,
    gate: Gate,
}

impl Shared {
    pub(super) fn new(config: Config) -> Arc<Self> {
        let replay = Arc::new(Mutex::new(Replay::started(config.started)));
        Arc::new(Self {
            began: Instant::now(),
            btauth: btauth::Verifier::new(config.hotkey, Arc::clone(&replay)),
            synapse: synapse::Verifier::new(config.hotkey, replay),
            per_ip: Mutex::new(Buckets::new(config.limits.per_ip)),
            per_hotkey: Mutex::new(Buckets::new(config.limits.per_hotkey)),
            gate: Gate::new(config.limits.running, config.limits.waiting),
            config,
        })
    }

    /// The axum router of all routes.
    pub(super) fn router(self: &Arc<Self>) -> Router {
        let mut by_path: BTreeMap<String, Vec<Route>> = BTreeMap::new();
        for route in &self.config.routes {
            by_path.entry(route.path.clone()).or_default().push(route.clone());
        }
        let has_synapse = self.config.routes.iter().any(|route| matches!(route.wire, Wire::Synapse(_)));
        let mut router = Router::new();
        for (path, routes) in by_path {
            for route in routes {
                let filter =
                    MethodFilter::try_from(route.method.clone()).expect("routes are checked at the start");
                let (shared, route) = (Arc::clone(self), Arc::new(route));
                let handler = move |request: Request| {
                    let (shared, route) = (Arc::clone(&shared), Arc::clone(&route));
                    async move { shared.answer(&route, request).await }
                };
                router = router.route(&path, on(filter, handler));
            }
        }
        let us = self.config.hotkey;
        router.method_not_allowed_fallback(|| async { send(Reply::problem(NO_METHOD)) }).fallback(
            move |request: Request| async move {
                // A peer of the older protocol looks for its own form of the refusal.
                match has_synapse && request.headers().contains_key("computed_body_hash") {
                    true => synapse_refusal("", &us, NO_ROUTE),
                    false => send(Reply::problem(NO_ROUTE)),
                }
            },
        )
    }

    /// Takes a token of the peer's IP, before anything is read of the request.
    pub(super) fn admit_ip(&self, peer: SocketAddr) -> Option<Response> {
        let mut buckets = self.per_ip.lock().unwrap_or_else(PoisonError::into_inner);
        let admitted = buckets.take(ip_key(peer.ip()), self.began.elapsed());
        (!admitted).then(|| send(Reply::problem(IP_LIMIT)))
    }

    async fn answer(&self, route: &Route, request: Request) -> Response {
        let outcome = self.verified(route, request).await;
        let (call, place) = match outcome {
            Ok(passed) => passed,
            Err(problem) => return self.refuse(route, problem),
        };
        let fields = call.fields.clone();
        match timeout(route.deadline, (route.handler)(call)).await {
            Ok(reply) => self.reply(route, reply, fields, place),
            Err(_) => {
                let synapse = matches!(route.wire, Wire::Synapse(_));
                self.refuse(route, if synapse { SYNAPSE_LATE } else { LATE })
            }
        }
    }

    /// The call with its sender verified, served and with a place among the running ones.
    async fn verified(&self, route: &Route, request: Request) -> Result<(Call, Place), Problem> {
        let (parts, body) = request.into_parts();
        let peer = *parts.extensions.get::<SocketAddr>().expect("each connection sets its peer");
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
        let now = || (self.config.clock)();
        let body_max = route.body_bytes_max;
        let body_time = self.config.limits.body_time;
        let (caller, body, fields) = match &route.wire {
            Wire::Btauth(receiver) => {
                let signed = Target { method: &parts.method, path_and_query: &target };
                let mut pending = self
                    .btauth
                    .begin(&parts.headers, signed, *receiver, now())
                    .map_err(|refusal| refusal.problem())?;
                let body = collect(body, &parts.headers, body_max, |chunk| pending.update(chunk));
                let body = timeout(body_time, body).await.map_err(|_| BODY_SLOW)??;
                let caller = self.btauth.finish(pending, now()).map_err(|refusal| refusal.problem())?;
                (Caller { hotkey: caller.hotkey, nonce: caller.nonce }, body, Map::new())
            }
            Wire::Synapse(class) => {
                let pending =
                    self.synapse.begin(&parts.headers, now()).map_err(|refusal| refusal.problem())?;
                let body = collect(body, &parts.headers, body_max, |_| ());
                let body = timeout(body_time, body).await.map_err(|_| BODY_SLOW)??;
                let caller =
                    self.synapse.finish(class, pending, &body, now()).map_err(|refusal| refusal.problem())?;
                (Caller { hotkey: caller.hotkey, nonce: caller.nonce }, body, caller.body)
            }
        };
        let admitted = {
            let mut buckets = self.per_hotkey.lock().unwrap_or_else(PoisonError::into_inner);
            buckets.take(caller.hotkey, self.began.elapsed())
        };
        if !admitted {
            return Err(HOTKEY_LIMIT);
        }
        let place = match (self.config.judge)(&caller.hotkey, &route.path) {
            Decision::Refuse => return Err(REFUSED),
            Decision::Serve { priority } => {
                timeout(route.deadline, self.gate.enter(priority)).await.ok().flatten().ok_or(BUSY)?
            }
        };
        Ok((Call { caller, peer, target, headers: parts.headers, body, fields }, place))
    }

    fn refuse(&self, route: &Route, problem: Problem) -> Response {
        match &route.wire {
            Wire::Btauth(_) => send(Reply::problem(problem)),
            Wire::Synapse(class) => synapse_refusal(class.name(), &self.config.hotkey, problem),
        }
    }

    fn reply(&self, route: &Route, reply: Reply, request: Map<String, Value>, place: Place) -> Response {
        let Reply { status, content_type, body } = reply;
        let body = match (body, &route.wire) {
            (ReplyBody::Fields(fields), Wire::Synapse(class)) => {
                ReplyBody::Whole(json_bytes(synapse::reply_body(class, request, fields)))
            }
            (ReplyBody::Fields(fields), Wire::Btauth(_)) => ReplyBody::Whole(json_bytes(fields)),
            (ReplyBody::Stream(pieces), _) => ReplyBody::Stream(held(pieces, place, route.stream_deadline)),
            (whole @ ReplyBody::Whole(_), _) => whole,
        };
        let bytes = if let ReplyBody::Whole(bytes) = &body { bytes.len() } else { 0 };
        let mut response = send(Reply { status, content_type, body });
        if let Wire::Synapse(class) = &route.wire {
            let us = &self.config.hotkey;
            let message = if status.is_success() { "Success" } else { BROKEN.title };
            response.headers_mut().extend(synapse::reply_headers(class.name(), us, status, message, bytes));
        }
        response
    }
}

/// A stream that keeps its place until its last piece is sent, nobody wants it any more, or its time is over.
fn held(
    pieces: BoxStream<'static, Result<Bytes, StreamBreak>>,
    place: Place,
    limit: Duration,
) -> BoxStream<'static, Result<Bytes, StreamBreak>> {
    let until = tokio::time::Instant::now() + limit;
    let state = Some((pieces, place));
    stream::unfold(state, move |state| async move {
        let (mut pieces, place) = state?;
        match timeout_at(until, pieces.next()).await {
            Ok(Some(Ok(piece))) => Some((Ok(piece), Some((pieces, place)))),
            Ok(Some(Err(broken))) => Some((Err(broken), None)),
            Ok(None) => None,
            Err(_) => Some((Err(StreamBreak::Late { limit }), None)),
        }
    })
    .boxed()
}

/// Reads a body to its end, at most so many bytes, and shows each piece as it arrives.
async fn collect(
    mut body: Body,
    headers: &HeaderMap,
    bytes_max: usize,
    mut show: impl FnMut(&[u8]),
) -> Result<Bytes, Problem> {
    let stated = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if stated.is_some_and(|stated: usize| stated > bytes_max) {
        return Err(BODY_LARGE);
    }
    let mut whole = BytesMut::with_capacity(stated.unwrap_or(0).min(BODY_BYTES_AT_FIRST));
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(|_| BODY_BROKEN)?.into_data() else { continue };
        if whole.len() + piece.len() > bytes_max {
            return Err(BODY_LARGE);
        }
        show(&piece);
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

fn send(reply: Reply) -> Response {
    let body = match reply.body {
        ReplyBody::Whole(bytes) => Body::from(bytes),
        ReplyBody::Fields(fields) => Body::from(json_bytes(fields)),
        ReplyBody::Stream(pieces) => Body::from_stream(pieces),
    };
    let mut response = Response::new(body);
    *response.status_mut() = reply.status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    if reply.status == StatusCode::UNAUTHORIZED {
        // RFC 9110, 11.6.1: a 401 names the scheme that it asks for.
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("btauth"));
    }
    response
}

fn synapse_refusal(name: &str, us: &Hotkey, problem: Problem) -> Response {
    let body = json_bytes(Map::from_iter([("message".to_owned(), Value::from(problem.title))]));
    let headers = synapse::reply_headers(name, us, problem.status, problem.title, body.len());
    let body = ReplyBody::Whole(body);
    let mut response = send(Reply { status: problem.status, content_type: "application/json", body });
    response.headers_mut().extend(headers);
    response
}

fn json_bytes(object: Map<String, Value>) -> Bytes {
    Value::Object(object).to_string().into()
}

/// The key of an IP's bucket: an IPv4 address, or the /64 that one IPv6 customer holds.
pub(super) fn ip_key(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
    }
}
