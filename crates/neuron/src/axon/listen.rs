//! Connections: accepting them within bounds, and ending them when the axon stops.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    future::Future,
    io,
    net::{IpAddr, SocketAddr, TcpListener as StdListener},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Router, body::Body};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use thiserror::Error;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};

use super::{
    Config, Limits, RouteError,
    patience::Patience,
    route,
    serve::{Shared, ip_key},
};

/// Hyper's own lower bound for its read buffer, in bytes.
const READ_BUFFER_MIN: usize = 8 * 1024;
/// The pause after a failed accept: the process is out of file descriptors, and those come back as requests end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A running axon; dropping it stops it, without waiting for what still runs.
#[derive(Debug)]
pub struct Handle {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl Handle {
    /// Where the axon listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops taking connections, lets running requests end within the grace, and returns when all is closed.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Some(task) = self.task.take() {
            // The task ends by itself; that it was aborted from outside would be no fault of this axon.
            let _ = task.await;
        }
    }
}

/// Why an axon does not start.
#[derive(Debug, Error)]
pub enum SpawnError {
    /// Its routes cannot be told apart.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// Its address is taken, or not of this machine.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// Starts an axon on the present tokio runtime.
///
/// # Errors
/// [`SpawnError`] when the address cannot be listened on, or the routes cannot be told apart.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn spawn(config: Config) -> Result<Handle, SpawnError> {
    route::check(&config.routes)?;
    let (listener, address) =
        listen(config.listen).map_err(|source| SpawnError::Listen { address: config.listen, source })?;
    let (stop, stopped) = watch::channel(false);
    let limits = config.limits;
    let shared = Shared::new(config);
    let router = shared.router();
    let task = tokio::spawn(accept(listener, shared, router, limits, stopped));
    Ok(Handle { address, stop, task: Some(task) })
}

fn listen(at: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = StdListener::bind(at)?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    router: Router,
    limits: Limits,
    mut stopped: watch::Receiver<bool>,
) {
    let seats = Seats::new(&limits);
    let mut running = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = until_stopped(&mut stopped) => break,
            Some(_) = running.join_next() => continue,
        };
        let Ok((stream, peer)) = accepted else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // Without a seat the connection is closed unread: answering would cost what the bound protects.
        let Some(seat) = seats.take(peer.ip()) else { continue };
        let (shared, router, stopped) = (Arc::clone(&shared), router.clone(), stopped.clone());
        running.spawn(async move {
            let _seat = seat;
            connection(stream, peer, shared, router, limits, stopped).await;
        });
    }
    drop(listener);
    let all = async { while running.join_next().await.is_some() {} };
    // What is left after the grace is aborted with the set.
    let _ = timeout(limits.grace, all).await;
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    shared: Arc<Shared>,
    router: Router,
    limits: Limits,
    mut stopped: watch::Receiver<bool>,
) {
    // Small answers leave at once; where the option is missing they leave a little later.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        let refused = shared.admit_ip(peer);
        request.extensions_mut().insert(peer);
        let answer = match refused {
            Some(refused) => Err(refused),
            None => Ok(routed(router.clone(), request)),
        };
        async move {
            match answer {
                Ok(answer) => answer.await,
                Err(refused) => Ok(refused),
            }
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_headers(limits.headers)
        .max_buf_size(limits.header_bytes.max(READ_BUFFER_MIN))
        .serve_connection(TokioIo::new(Patience::new(stream, limits.write_time)), service);
    let mut connection = std::pin::pin!(connection);
    // A connection that breaks is the peer's affair.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = until_stopped(&mut stopped) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

fn routed(
    router: Router,
    request: hyper::Request<Incoming>,
) -> impl Future<Output = Result<axum::response::Response, Infallible>> {
    use hyper::service::Service as _;
    let service = hyper_util::service::TowerToHyperService::new(router);
    service.call(request.map(Body::new))
}

/// Ends when the axon is told to stop, or its handle is gone.
async fn until_stopped(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Places for connections, in all and by IP.
struct Seats {
    taken: Arc<Mutex<Taken>>,
    all_max: usize,
    per_ip_max: usize,
}

#[derive(Default)]
struct Taken {
    all: usize,
    per_ip: BTreeMap<IpAddr, usize>,
}

struct Seat {
    taken: Arc<Mutex<Taken>>,
    ip: IpAddr,
}

impl Seats {
    fn new(limits: &Limits) -> Self {
        Self { taken: Arc::default(), all_max: limits.connections, per_ip_max: limits.connections_per_ip }
    }

    fn take(&self, ip: IpAddr) -> Option<Seat> {
        let ip = ip_key(ip);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_ip = taken.per_ip.get(&ip).copied().unwrap_or(0);
        if taken.all >= self.all_max || of_ip >= self.per_ip_max {
            return None;
        }
        taken.all += 1;
        taken.per_ip.insert(ip, of_ip + 1);
        Some(Seat { taken: Arc::clone(&self.taken), ip })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        if let Some(of_ip) = taken.per_ip.get_mut(&self.ip) {
            *of_ip -= 1;
            if *of_ip == 0 {
                taken.per_ip.remove(&self.ip);
            }
        }
    }
}
