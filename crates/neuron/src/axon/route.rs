//! What an axon answers: routes, the calls that their handlers get, the replies that they give.

use std::{fmt, future::Future, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{FutureExt as _, Stream, StreamExt as _, future::BoxFuture, stream::BoxStream};
use http::{HeaderMap, Method, StatusCode};
use primitives::Hotkey;
use protocol::{Problem, UnixNanos, btauth::Receiver, synapse};
use serde_json::{Map, Value};

/// The body that a route takes unless it says otherwise: a task or an answer as text.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// How long a handler may take until its reply begins, unless the route says otherwise.
const DEADLINE: Duration = Duration::from_secs(60);

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

/// A reply's body.
pub enum ReplyBody {
    /// All of it.
    Whole(Bytes),
    /// Piece by piece, as the pieces come.
    Stream(BoxStream<'static, Bytes>),
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
    pub(super) handler: Handler,
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Route({} {})", self.method, self.path)
    }
}

impl Route {
    /// A route for signed requests to us. The path is axum's: `/tasks/{id}`.
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
}
