//! One connection: how much it may ask at a time, and how long it may leave answers unread.
//!
//! The library below starts work on every request as soon as it is read. So the reading is what is held back: nothing is read
//! while the client does not take what is being sent to it, or while many of its requests are being worked on.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::task::AtomicWaker;
use jsonrpsee::{
    MethodResponse,
    core::middleware::{Batch, Notification, Request, RpcServiceT},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

/// Requests of one connection that are worked on before the next are read; those that one read brings may exceed it.
const MAX_AT_WORK: usize = 64;
/// How long a connection may stay silent: much longer than the time between two pings.
const SILENCE: Duration = Duration::from_secs(600);

/// What the two ends of a connection, its bytes and its requests, know of each other.
#[derive(Debug, Default)]
pub(super) struct Line {
    at_work: AtomicUsize,
    reader: AtomicWaker,
}

impl Line {
    fn is_busy(&self) -> bool {
        self.at_work.load(Ordering::Acquire) >= MAX_AT_WORK
    }

    fn begin(self: &Arc<Self>) -> AtWork {
        self.at_work.fetch_add(1, Ordering::AcqRel);
        AtWork(self.clone())
    }
}

/// A request that is being worked on.
struct AtWork(Arc<Line>);

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.at_work.fetch_sub(1, Ordering::AcqRel);
        self.0.reader.wake();
    }
}

/// A service that counts its requests.
#[derive(Clone, Debug)]
pub(super) struct Counted<S> {
    pub(super) line: Arc<Line>,
    pub(super) inner: S,
}

impl<S> RpcServiceT for Counted<S>
where
    S: RpcServiceT<
            MethodResponse = MethodResponse,
            NotificationResponse = MethodResponse,
            BatchResponse = MethodResponse,
        >,
{
    type MethodResponse = MethodResponse;
    type NotificationResponse = MethodResponse;
    type BatchResponse = MethodResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        counted(self.line.begin(), self.inner.call(request))
    }

    fn batch<'a>(&self, requests: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        counted(self.line.begin(), self.inner.batch(requests))
    }

    fn notification<'a>(
        &self,
        notification: Notification<'a>,
    ) -> impl Future<Output = MethodResponse> + Send + 'a {
        counted(self.line.begin(), self.inner.notification(notification))
    }
}

async fn counted<T>(at_work: AtWork, work: impl Future<Output = T>) -> T {
    let done = work.await;
    drop(at_work);
    done
}

/// A connection's bytes, with patience for the other side.
#[derive(Debug)]
pub(super) struct Patient<S> {
    inner: S,
    line: Arc<Line>,
    patience: Duration,
    /// Runs while the other side does not read.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Runs while the other side does not write.
    silent: Pin<Box<Sleep>>,
    /// The patience was at its end once.
    is_given_up: bool,
}

impl<S> Patient<S> {
    pub(super) fn new(inner: S, line: Arc<Line>, patience: Duration) -> Self {
        let silent = Box::pin(sleep_until(Instant::now() + SILENCE));
        Self { inner, line, patience, stalled: None, silent, is_given_up: false }
    }

    /// What came of a write: a client that takes nothing for too long is given up.
    fn judge<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            if self.stalled.take().is_some() {
                self.line.reader.wake();
            }
            return written;
        }
        let limit = Instant::now() + self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep_until(limit)));
        ready!(stalled.as_mut().poll(context));
        // The reading half has to hear of it: it would wait for ever.
        self.is_given_up = true;
        self.line.reader.wake();
        Poll::Ready(Err(given_up()))
    }
}

fn given_up() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "client does not read")
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.line.reader.register(context.waker());
        if self.is_given_up {
            return Poll::Ready(Err(given_up()));
        }
        if self.stalled.is_some() || self.line.is_busy() {
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.silent.as_mut().reset(Instant::now() + SILENCE);
        } else if read.is_pending() {
            ready!(self.silent.as_mut().poll(context));
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "client is silent")));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.judge(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.judge(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(test);
    }

    const PATIENCE: Duration = Duration::from_secs(3);

    #[test]
    fn who_does_not_read_is_given_up() {
        run(async {
            let (near, _far) = duplex(10);
            let mut near = Patient::new(near, Arc::default(), PATIENCE);
            let error = near.write_all(&[0; 11]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            assert_eq!(near.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        });
    }

    #[test]
    fn who_is_silent_is_given_up() {
        run(async {
            let (near, _far) = duplex(10);
            let error = Patient::new(near, Arc::default(), PATIENCE).read_u8().await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        });
    }

    #[test]
    fn nothing_is_read_while_much_is_at_work() {
        run(async {
            let (near, mut far) = duplex(10);
            let line = Arc::new(Line::default());
            let mut work: Vec<AtWork> = (0..MAX_AT_WORK).map(|_| line.begin()).collect();
            let mut near = Patient::new(near, line, PATIENCE);
            far.write_u8(7).await.unwrap();
            let waited = tokio::time::timeout(Duration::from_secs(5), near.read_u8()).await;
            assert!(waited.is_err(), "{waited:?}");
            work.pop();
            assert_eq!(near.read_u8().await.unwrap(), 7);
        });
    }
}
