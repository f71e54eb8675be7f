//! Connections: taking them within bounds, and ending them when the site stops.

use std::{convert::Infallible, future::Future, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::site::{Config, Shared, routes};

/// Connections that are open at the same time: every stream of events holds one, and a page loads over a few.
const CONNECTIONS_MAX: usize = 1_024;

/// A request's head must be there within this time, on a connection that waits for its next one too.
const HEAD_TIME: Duration = Duration::from_secs(30);

/// A connection's longest life: one whose client takes nothing must end some day. Streams resume where they were.
const CONNECTION_TIME: Duration = Duration::from_secs(2 * 60 * 60);

/// Headers of a request.
const HEADERS_MAX: usize = 64;

/// Bytes of a request's head that are held.
const HEAD_BYTES: usize = 16 * 1024;

/// What running answers may still take when the site stops; streams end at once.
const GRACE: Duration = Duration::from_secs(2);

/// The pause after a failed accept: the process is out of file descriptors, and those come back as requests end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves the site on `listener` until `shutdown` ends, and returns when all connections are closed.
///
/// # Panics
/// Outside of a tokio runtime.
pub async fn serve(listener: TcpListener, config: Config, shutdown: impl Future<Output = ()>) {
    let shared = Shared::start(config);
    let router = routes(Arc::clone(&shared));
    let seats = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut running = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
            Some(_) = running.join_next() => continue,
        };
        let Ok((stream, _)) = accepted else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // Without a seat the connection is closed unread: answering would cost what the bound protects.
        let Ok(seat) = Arc::clone(&seats).try_acquire_owned() else { continue };
        let (router, stop) = (router.clone(), shared.stop.subscribe());
        running.spawn(async move {
            let _seat = seat;
            connection(stream, router, stop).await;
        });
    }
    drop(listener);
    shared.stop.send_replace(true);
    let all = async { while running.join_next().await.is_some() {} };
    // What is left after the grace is aborted with the set.
    let _ = timeout(GRACE, all).await;
}

async fn connection(stream: TcpStream, router: Router, mut stop: watch::Receiver<bool>) {
    // Small answers leave at once; where the option is missing they leave a little later.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        use hyper::service::Service as _;
        let answer = TowerToHyperService::new(router.clone()).call(request.map(Body::new));
        async move { answer.await.map_err(|never: Infallible| never) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // A connection that breaks is the peer's affair.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = sleep(CONNECTION_TIME) => return,
        _ = stop.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
