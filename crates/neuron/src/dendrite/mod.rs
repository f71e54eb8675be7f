//! The dendrite: the client that a neuron asks axons with.
//!
//! Each query is signed for its receiver with a nonce that was never used; a repetition is a new query. Connections are
//! pooled, queries at once are bounded, and everything that a peer sends back is bounded in bytes and time: it is as
//! hostile as what a client sends to an axon.
//!
//! Start with [`Dendrite::ask`] and [`Dendrite::ask_all`]; streams come piece by piece through [`Dendrite::stream`].

mod pieces;

pub use pieces::{Pieces, Response};

use std::{collections::BTreeMap, fmt, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::Full;
use hyper::body::Body as _;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use primitives::Hotkey;
use protocol::{
    NonceSource, Signer,
    btauth::{BodyHash, Claim, Target},
    synapse::{self, Class, ClassError, Envelope},
};
use serde_json::{Map, Value};
use thiserror::Error;
use tokio::{sync::Semaphore, time::Instant};

use crate::axon::Clock;

/// Bytes of a response's line and headers.
const HEADER_BYTES_MAX: usize = 32 * 1024;
/// Headers of a response; the synapse protocol sends about thirty.
const HEADERS_MAX: usize = 100;
/// How long an unused connection is kept: shorter than the 10 s after which an axon closes it.
const IDLE: Duration = Duration::from_secs(8);

/// How much a dendrite waits for and takes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The time for a connection to be made.
    pub connect_time: Duration,
    /// The time from a query to its whole answer, streams included.
    pub time: Duration,
    /// Queries at once over all peers.
    pub running: usize,
    /// Bytes of an answer's body, streams included.
    pub body_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_time: Duration::from_secs(4),
            time: Duration::from_secs(12),
            running: 256,
            body_bytes_max: 16 * 1024 * 1024,
        }
    }
}

/// Whom to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The hotkey that the query is signed for.
    pub hotkey: Hotkey,
    /// Where its axon listens.
    pub address: SocketAddr,
}

/// What to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The method.
    pub method: Method,
    /// Path and query, sent exactly so.
    pub path_and_query: String,
    /// The body's media type.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
}

impl Query {
    /// A JSON text to a path.
    #[must_use]
    pub fn post_json(path_and_query: &str, body: impl Into<Bytes>) -> Self {
        Self {
            method: Method::POST,
            path_and_query: path_and_query.to_owned(),
            content_type: "application/json",
            body: body.into(),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum QueryError {
    /// The query itself cannot be sent.
    #[error("query target {target:?} is no path that HTTP can carry")]
    Target {
        /// The target.
        target: String,
    },
    /// The synapse's fields are not of its class.
    #[error(transparent)]
    Class(#[from] ClassError),
    /// No connection, or it broke.
    #[error("{address} cannot be asked: {reason}")]
    Unreachable {
        /// The peer's address.
        address: SocketAddr,
        /// What the connection says.
        reason: String,
    },
    /// The answer did not come, or not whole, in time.
    #[error("no whole answer from {address} within {limit:?}")]
    Late {
        /// The peer's address.
        address: SocketAddr,
        /// The bound.
        limit: Duration,
    },
    /// The answer is larger than we take.
    #[error("answer from {address} is larger than {bytes_max} bytes")]
    Large {
        /// The peer's address.
        address: SocketAddr,
        /// The bound.
        bytes_max: usize,
    },
    /// The answer says neither its length nor where it ends: cut off, it would look whole.
    #[error("answer from {address} has neither a length nor an end")]
    Endless {
        /// The peer's address.
        address: SocketAddr,
    },
    /// The peer refused.
    #[error("{address} answers with status {status}")]
    Refused {
        /// The peer's address.
        address: SocketAddr,
        /// Its status.
        status: StatusCode,
    },
    /// A synapse's answer is no JSON object.
    #[error("answer from {address} is no JSON object")]
    NotAnObject {
        /// The peer's address.
        address: SocketAddr,
    },
}

/// A client with one hotkey.
pub struct Dendrite {
    client: Client<HttpConnector, Full<Bytes>>,
    signer: Arc<dyn Signer>,
    clock: Clock,
    nonces: NonceSource,
    uuid: String,
    limits: Limits,
    places: Arc<Semaphore>,
}

impl fmt::Debug for Dendrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dendrite({})", self.signer.hotkey())
    }
}

impl Dendrite {
    /// A client that signs with this key at moments of this clock.
    #[must_use]
    pub fn new(signer: Arc<dyn Signer>, clock: Clock, limits: Limits) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(limits.connect_time));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .http1_max_buf_size(HEADER_BYTES_MAX)
            .http1_max_headers(HEADERS_MAX)
            .build(connector);
        // The synapse protocol wants a name per process; the moment of the start tells ours apart.
        let uuid = format!("{:032x}", clock().0);
        let places = Arc::new(Semaphore::new(limits.running));
        Self { client, signer, clock, nonces: NonceSource::default(), uuid, limits, places }
    }

    /// Asks one peer and waits for the whole answer, whatever its status.
    ///
    /// # Errors
    /// [`QueryError`] where there is none within the limits.
    pub async fn ask(&self, peer: Peer, query: &Query) -> Result<Response, QueryError> {
        self.stream(peer, query).await?.whole().await
    }

    /// Asks each hotkey once, all at a time within the limits: one answer per hotkey, whatever else listens there.
    ///
    /// Of two peers with one hotkey the first is asked.
    pub async fn ask_all(
        &self,
        peers: &[Peer],
        query: &Query,
    ) -> BTreeMap<Hotkey, Result<Response, QueryError>> {
        let mut by_hotkey = BTreeMap::new();
        for peer in peers {
            by_hotkey.entry(peer.hotkey).or_insert(*peer);
        }
        stream::iter(by_hotkey.into_values())
            .map(|peer| async move { (peer.hotkey, self.ask(peer, query).await) })
            .buffer_unordered(self.limits.running.max(1))
            .collect()
            .await
    }

    /// Asks one peer and gives the answer piece by piece.
    ///
    /// # Errors
    /// [`QueryError`] where no answer begins within the limits.
    pub async fn stream(&self, peer: Peer, query: &Query) -> Result<Pieces, QueryError> {
        let target = Target { method: &query.method, path_and_query: &query.path_and_query };
        let nonce = self.nonces.next((self.clock)());
        let body = BodyHash::of(&query.body);
        let mut headers =
            Claim::sign(self.signer.as_ref(), Some(peer.hotkey), nonce, target, body).to_headers();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(query.content_type));
        let (method, target) = (query.method.clone(), &query.path_and_query);
        self.send(peer, method, target, headers, query.body.clone()).await
    }

    /// Asks one peer in the protocol of SDK 10 and waits for the answer's object.
    ///
    /// # Errors
    /// [`QueryError`], with [`QueryError::Refused`] for every status but 200.
    pub async fn ask_synapse(
        &self,
        peer: Peer,
        class: &Class,
        fields: &Map<String, Value>,
    ) -> Result<Map<String, Value>, QueryError> {
        let response = self.stream_synapse(peer, class, fields).await?.whole().await?;
        serde_json::from_slice(&response.body).map_err(|_| QueryError::NotAnObject { address: peer.address })
    }

    /// Asks one peer in the protocol of SDK 10 and gives the answer piece by piece.
    ///
    /// # Errors
    /// [`QueryError`], with [`QueryError::Refused`] for every status but 200.
    pub async fn stream_synapse(
        &self,
        peer: Peer,
        class: &Class,
        fields: &Map<String, Value>,
    ) -> Result<Pieces, QueryError> {
        let envelope = Envelope {
            receiver: peer.hotkey,
            address: peer.address,
            nonce: self.nonces.next((self.clock)()),
            uuid: &self.uuid,
            timeout_s: u32::try_from(self.limits.time.as_secs()).unwrap_or(u32::MAX),
        };
        let request = synapse::Request::sign(self.signer.as_ref(), class, fields, envelope)?;
        let pieces =
            self.send(peer, Method::POST, &request.path, request.headers, request.body.into()).await?;
        match pieces.status {
            StatusCode::OK => Ok(pieces),
            status => Err(QueryError::Refused { address: peer.address, status }),
        }
    }

    async fn send(
        &self,
        peer: Peer,
        method: Method,
        target: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Pieces, QueryError> {
        let Peer { address, .. } = peer;
        let until = Instant::now() + self.limits.time;
        let late = || QueryError::Late { address, limit: self.limits.time };
        let bad_target = || QueryError::Target { target: target.to_owned() };
        let uri: Uri = format!("http://{address}{target}").parse().map_err(|_| bad_target())?;
        // What the URI's parser dropped or changed would not be what was signed.
        if uri.path_and_query().map(|sent| sent.as_str()) != Some(target) {
            return Err(bad_target());
        }
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        let place = tokio::time::timeout_at(until, Arc::clone(&self.places).acquire_owned())
            .await
            .map_err(|_| late())?
            .expect("the semaphore is never closed");
        let response = tokio::time::timeout_at(until, self.client.request(request))
            .await
            .map_err(|_| late())?
            .map_err(|fault| QueryError::Unreachable { address, reason: chain(&fault) })?;
        let framed = |name| response.headers().contains_key(name);
        let ends = framed(header::CONTENT_LENGTH) || framed(header::TRANSFER_ENCODING);
        if !ends && !response.body().is_end_stream() {
            return Err(QueryError::Endless { address });
        }
        Ok(Pieces::new(response, address, until, self.limits, place))
    }
}

/// An error with what lies behind it; hyper's own message leaves that out.
fn chain(fault: &dyn std::error::Error) -> String {
    let mut text = fault.to_string();
    let mut source = fault.source();
    while let Some(fault) = source {
        text.push_str(": ");
        text.push_str(&fault.to_string());
        source = fault.source();
    }
    text
}
