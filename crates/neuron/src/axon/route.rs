//! What an axon answers: routes, the calls that their handlers get, the replies that they give.

use std::{collections::BTreeMap, fmt, future::Future, net::SocketAddr, sync::Arc, time::Duration};

use axum::routing::MethodFilter;

use bytes::Bytes;
use futures_util::{FutureExt as _, Stream, StreamExt as _, future::BoxFuture, stream::BoxStream};
use http::{HeaderMap, Method, StatusCode};
use primitives::Hotkey;
use protocol::{Problem, UnixNanos, btauth::Receiver, synapse};
use serde_json::{Map, Value};
use thiserror::Error;

/// The body that a route takes unless it says otherwise: a task or an answer as text.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// How long a handler may take until its reply begins, unless the route says otherwise.
const DEADLINE: Duration = Duration::from_secs(60);
/// How long a stream may take to its last piece, unless the route says otherwise: it holds a place all that time.
const STREAM_DEADLINE: Duration = Duration::from_secs(600);

/// How the requests of a route are signed.
#[derive(Clone, Debug)]
pub enum Wire {
    /// `btauth/1`, for us or for anyone.
    Btauth(Receiver),
    /// The synapse protocol of SDK 10, with the route's class.
    Synapse(Arc<synapse::Class>),
}

/// The verified sender of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Its hotkey.
    pub hotkey: Hotkey,
    /// When it signed.
    pub nonce: UnixNanos,
}

/// A request whose sender is verified and served.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who sent it.
    pub caller: Caller,
    /// From where.
    pub peer: SocketAddr,
    /// Path and query as sent.
    pub target: String,
    /// All headers.
    pub headers: HeaderMap,
    /// The body as sent, within the route's cap.
    pub body: Bytes,
    /// A synapse's fields; empty on other routes. Only hashed fields are covered by the signature.
    pub fields: Map<String, Value>,
}

/// Why a stream ends before its last piece. The asker sees the connection break, and so knows that pieces are missing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StreamBreak {
    /// The handler could not go on.
    #[error("stream broke off: {0}")]
    Broken(String),
    /// It took too long.
    #[error("stream did not end within {limit:?}")]
    Late {
        /// The route's bound.
        limit: Duration,
    },
}

/// A reply's body.
pub enum ReplyBody {
    /// All of it.
    Whole(Bytes),
    /// Piece by piece, as the pieces come.
    Stream(BoxStream<'static, Result<Bytes, StreamBreak>>),
    /// Fields: over the request's object on a synapse's route, a JSON object on others.
    Fields(Map<String, Value>),
}

impl fmt::Debug for ReplyBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(bytes) => write!(f, "Whole({} bytes)", bytes.len()),
            Self::Stream(_) => f.write_str("Stream"),
            Self::Fields(fields) => f.debug_tuple("Fields").field(fields).finish(),
        }
    }
}

/// What a handler answers.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The body's media type.
    pub content_type: &'static str,
    /// The body.
    pub body: ReplyBody,
}

impl Reply {
    /// 200 with a JSON text.
    #[must_use]
    pub fn json(text: impl Into<Bytes>) -> Self {
        let body = ReplyBody::Whole(text.into());
        Self { status: StatusCode::OK, content_type: "application/json", body }
    }

    /// 200 with a synapse's fields.
    #[must_use]
    pub fn fields(fields: Map<String, Value>) -> Self {
        let body = ReplyBody::Fields(fields);
        Self { status: StatusCode::OK, content_type: "application/json", body }
    }

    /// 200 with a stream of events (`text/event-stream`); its bytes are passed through as they are.
    #[must_use]
    pub fn stream(pieces: impl Stream<Item = Bytes> + Send + 'static) -> Self {
        Self::breakable_stream(pieces.map(Ok))
    }

    /// As [`Reply::stream`]; an error breaks the connection, since an end would say that this was all.
    #[must_use]
    pub fn breakable_stream(pieces: impl Stream<Item = Result<Bytes, StreamBreak>> + Send + 'static) -> Self {
        let body = ReplyBody::Stream(pieces.boxed());
        Self { status: StatusCode::OK, content_type: "text/event-stream", body }
    }

    /// A refusal.
    #[must_use]
    pub fn problem(problem: Problem) -> Self {
        let body = ReplyBody::Whole(problem.body().into());
        Self { status: problem.status, content_type: Problem::CONTENT_TYPE, body }
    }
}

type Handler = Arc<dyn Fn(Call) -> BoxFuture<'static, Reply> + Send + Sync>;

/// One thing that an axon answers.
#[derive(Clone)]
pub struct Route {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) wire: Wire,
    pub(super) body_bytes_max: usize,
    pub(super) deadline: Duration,
    pub(super) stream_deadline: Duration,
    pub(super) handler: Handler,
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Route({} {})", self.method, self.path)
    }
}

impl Route {
    /// A route for signed requests to us. A path's part in braces stands for any one part: `/tasks/{id}`.
    pub fn signed<F>(method: Method, path: &str, handler: impl Fn(Call) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Reply> + Send + 'static,
    {
        Self {
            method,
            path: path.to_owned(),
            wire: Wire::Btauth(Receiver::Us),
            body_bytes_max: BODY_BYTES_MAX,
            deadline: DEADLINE,
            stream_deadline: STREAM_DEADLINE,
            handler: Arc::new(move |call| handler(call).boxed()),
        }
    }

    /// A route for synapses of this class, under the class's name.
    pub fn synapse<F>(class: synapse::Class, handler: impl Fn(Call) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Reply> + Send + 'static,
    {
        let path = format!("/{}", class.name());
        let wire = Wire::Synapse(Arc::new(class));
        Self { wire, ..Self::signed(Method::POST, &path, handler) }
    }

    /// The same route, also for requests that are signed for nobody in particular.
    #[must_use]
    pub fn open(mut self) -> Self {
        if let Wire::Btauth(receiver) = &mut self.wire {
            *receiver = Receiver::Open;
        }
        self
    }

    /// The same route with another cap on the body, in bytes.
    #[must_use]
    pub fn body_bytes_max(mut self, bytes: usize) -> Self {
        self.body_bytes_max = bytes;
        self
    }

    /// The same route with another deadline for its handler.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The same route with another deadline for the last piece of a stream.
    #[must_use]
    pub fn stream_deadline(mut self, deadline: Duration) -> Self {
        self.stream_deadline = deadline;
        self
    }
}

/// Why routes cannot stand beside each other, or one not at all.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RouteError {
    /// The method is none of HTTP's usual ones.
    #[error("route {path} has method {method}, which cannot be told apart from others")]
    Method {
        /// The method.
        method: Method,
        /// The route's path.
        path: String,
    },
    /// The path cannot be matched.
    #[error(
        "{path:?} is no path of a route: expected /, or parts behind a / each, plain or one name in braces"
    )]
    Path {
        /// The path.
        path: String,
    },
    /// Two routes answer the same requests.
    #[error("{method} {path} is answered by two routes")]
    Twice {
        /// The method of both.
        method: Method,
        /// The path of both.
        path: String,
    },
    /// Two paths differ in nothing but what they call their parameters.
    #[error("paths {first} and {second} match the same requests")]
    Ambiguous {
        /// The one.
        first: String,
        /// The other.
        second: String,
    },
}

/// Looks for what the router would panic about.
pub(super) fn check(routes: &[Route]) -> Result<(), RouteError> {
    let mut by_shape: BTreeMap<String, (&str, Vec<&Method>)> = BTreeMap::new();
    for Route { method, path, .. } in routes {
        if MethodFilter::try_from(method.clone()).is_err() {
            return Err(RouteError::Method { method: method.clone(), path: path.clone() });
        }
        let shape = shape(path).ok_or_else(|| RouteError::Path { path: path.clone() })?;
        let (first, methods) = by_shape.entry(shape).or_insert((path, Vec::new()));
        if first != path {
            return Err(RouteError::Ambiguous { first: (*first).to_owned(), second: path.clone() });
        }
        if methods.contains(&method) {
            return Err(RouteError::Twice { method: method.clone(), path: path.clone() });
        }
        methods.push(method);
    }
    Ok(())
}

/// The path with its parameters' names left out; `None` where it is no path.
fn shape(path: &str) -> Option<String> {
    let parts = path.strip_prefix('/')?;
    if parts.is_empty() {
        return Some(path.to_owned());
    }
    let mut shape = String::new();
    for part in parts.split('/') {
        let name = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        let letters = |text: &str, also: &[u8]| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || also.contains(&b))
        };
        shape.push('/');
        match name {
            Some(name) if letters(name, b"_") => shape.push_str("{}"),
            // RFC 3986's unreserved characters; others would have to be written as they are sent, percent and all.
            None if letters(part, b"-._~") => shape.push_str(part),
            _ => return None,
        }
    }
    Some(shape)
}
