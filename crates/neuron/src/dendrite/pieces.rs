//! An answer on its way: bounded pieces, or all of it.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout_at},
};

use super::{Limits, QueryError, chain};

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// An answer whose body comes piece by piece; it keeps its place among the running queries until it is dropped.
#[derive(Debug)]
pub struct Pieces {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    body: Incoming,
    address: SocketAddr,
    until: Instant,
    limits: Limits,
    taken_bytes: usize,
    _place: OwnedSemaphorePermit,
}

impl Pieces {
    pub(super) fn new(
        response: http::Response<Incoming>,
        address: SocketAddr,
        until: Instant,
        limits: Limits,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let (parts, body) = response.into_parts();
        let (status, headers) = (parts.status, parts.headers);
        Self { status, headers, body, address, until, limits, taken_bytes: 0, _place: place }
    }

    /// The next bytes as the peer sent them; `None` at the end.
    ///
    /// # Errors
    /// [`QueryError`] where the answer breaks off, takes too long or grows too large.
    pub async fn next(&mut self) -> Result<Option<Bytes>, QueryError> {
        let (address, limit, bytes_max) = (self.address, self.limits.time, self.limits.body_bytes_max);
        loop {
            let frame = timeout_at(self.until, self.body.frame())
                .await
                .map_err(|_| QueryError::Late { address, limit })?;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|fault| QueryError::Unreachable { address, reason: chain(&fault) })?;
            let Ok(piece) = frame.into_data() else { continue };
            self.taken_bytes += piece.len();
            if self.taken_bytes > bytes_max {
                return Err(QueryError::Large { address, bytes_max });
            }
            return Ok(Some(piece));
        }
    }

    /// All that is still to come.
    ///
    /// # Errors
    /// As [`Pieces::next`].
    pub async fn whole(mut self) -> Result<Response, QueryError> {
        let mut body = BytesMut::new();
        while let Some(piece) = self.next().await? {
            body.extend_from_slice(&piece);
        }
        Ok(Response { status: self.status, headers: self.headers, body: body.freeze() })
    }
}
