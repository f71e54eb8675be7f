//! The chain for clients of the real one: JSON-RPC over WebSocket and HTTP on one port.
//!
//! Methods, parameters, notifications and error codes are Substrate's, so that its clients need no change; what a method
//! answers comes from a kept state of the running node. Each group of methods has a module. Beside them stand `dev_newBlock`,
//! by which test drivers make blocks, and our own methods for developers, `weigh_*`.
//!
//! The node is as patient as its limits ([`Config`]): whoever asks for too much is told so, whoever does not read what it
//! asked for is disconnected. Signatures are checked here, on the threads of the RPC, and never on the block thread.

mod api;
mod archive;
mod author;
mod chain;
mod dev;
mod follow;
mod heads;
mod line;
mod refusal;
mod state;
mod system;
mod whole;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use api::{Api, Registered, Table};
use http::{StatusCode, Uri, header};
use jsonrpsee::{
    RpcModule,
    core::middleware::RpcServiceBuilder,
    server::{
        BatchRequestConfig, HttpBody, HttpRequest, HttpResponse, Methods, PingConfig, RandomStringIdProvider,
        Server, ServerConfig, ServerHandle, StopHandle, serve_with_graceful_shutdown, stop_channel,
    },
};
use line::{Counted, Line, Patient};
use thiserror::Error;
use tokio::{net::TcpListener, sync::Semaphore};
use tower::{Service, service_fn};
pub use whole::{Running, SpawnError, spawn};

use crate::Handle;

/// Letters of a subscription's identity. Source: Substrate.
const SUBSCRIPTION_ID_LETTERS: usize = 16;
/// How often a client is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(60);
/// How long it may take to say so: a client that is halted in a debugger is not gone.
const PONG_LIMIT: Duration = Duration::from_secs(300);
/// Connections that are let in to be told that there is no room.
const SPARE_CONNECTIONS: usize = 64;
/// The pause after a connection that could not be taken in.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How the server listens, and what it puts up with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens; port 0 is any free one.
    pub listen: SocketAddr,
    /// The chain's name, as clients show it.
    pub chain_name: String,
    /// Connections at a time. More than two thousand neurons of one machine.
    pub max_connections: u32,
    /// Bytes of one request; enough for the longest extrinsic in hexadecimal digits.
    pub max_request_bytes: u32,
    /// Bytes of one answer; enough for the metagraph of the largest subnet.
    pub max_response_bytes: u32,
    /// Subscriptions of one connection.
    pub max_subscriptions: u32,
    /// Requests in one batch.
    pub max_batch: u32,
    /// Answers and notifications of one connection that wait to be sent.
    pub max_unsent: u32,
    /// How long a client may leave what is sent to it unread.
    pub patience: Duration,
    /// Whether developers' methods are there.
    pub developer: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            chain_name: "Development".to_owned(),
            max_connections: 2500,
            max_request_bytes: 16 << 20,
            max_response_bytes: 64 << 20,
            max_subscriptions: 1024,
            max_batch: 1000,
            max_unsent: 64,
            patience: Duration::from_secs(30),
            developer: true,
        }
    }
}

/// The server could not be started.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The address is not to be had.
    #[error("could not listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// A running server; it stops when this is dropped.
#[derive(Debug)]
pub struct RpcServer {
    address: SocketAddr,
    handle: ServerHandle,
}

impl RpcServer {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it and waits until all connections are closed.
    pub async fn stop(self) {
        let handle = self.handle.clone();
        drop(self);
        handle.stopped().await;
    }
}

impl Drop for RpcServer {
    fn drop(&mut self) {
        // One that has stopped already needs not be told.
        let _stopped = self.handle.stop();
    }
}

/// Serves a running node to clients, until what is returned is dropped.
///
/// # Errors
/// [`ServeError::Listen`].
pub async fn serve(node: Handle, config: Config) -> Result<RpcServer, ServeError> {
    let listen = config.listen;
    let failed = |source| ServeError::Listen { address: listen, source };
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let methods = methods(node, &config);
    let (stop, handle) = stop_channel();
    tokio::spawn(accept(listener, methods, config, stop));
    Ok(RpcServer { address, handle })
}

fn methods(node: Handle, config: &Config) -> Methods {
    let api = Api::new(node, config.chain_name.clone(), config.patience);
    let mut table = Table(RpcModule::new(api));
    register(&mut table, config.developer).expect("no method stands in two tables");
    table.0.into()
}

fn register(table: &mut Table, for_developers: bool) -> Registered {
    system::register(table)?;
    chain::register(table)?;
    heads::register(table)?;
    state::register(table)?;
    author::register(table)?;
    follow::register(table)?;
    archive::register(table)?;
    if for_developers {
        dev::register(table)?;
    }
    system::register_list(table)
}

/// Takes connections in until the server is stopped.
async fn accept(listener: TcpListener, methods: Methods, config: Config, stop: StopHandle) {
    let settings = ServerConfig::builder()
        .max_request_body_size(config.max_request_bytes)
        .max_response_body_size(config.max_response_bytes)
        .max_connections(config.max_connections)
        .max_subscriptions_per_connection(config.max_subscriptions)
        .set_batch_request_config(BatchRequestConfig::Limit(config.max_batch))
        .set_message_buffer_capacity(config.max_unsent)
        .set_id_provider(RandomStringIdProvider::new(SUBSCRIPTION_ID_LETTERS))
        .enable_ws_ping(PingConfig::new().ping_interval(PING_INTERVAL).inactive_limit(PONG_LIMIT))
        .build();
    let services = Server::builder().set_config(settings).to_service_builder();
    let room =
        usize::try_from(config.max_connections).unwrap_or(usize::MAX).saturating_add(SPARE_CONNECTIONS);
    let places = Arc::new(Semaphore::new(room.min(Semaphore::MAX_PERMITS)));
    let mut stopped = pin!(stop.clone().shutdown());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stopped => return,
        };
        let Ok((socket, _)) = accepted else {
            // Out of file descriptors, most likely: others have to end first.
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // A caller beyond all room is hung up on.
        let Ok(place) = places.clone().try_acquire_owned() else { continue };
        // Small messages go out at once; a socket that can't do so still works.
        let _slower = socket.set_nodelay(true);
        let line = Arc::new(Line::default());
        let counted = line.clone();
        let service = services
            .clone()
            .set_rpc_middleware(
                RpcServiceBuilder::new().layer_fn(move |inner| Counted { line: counted.clone(), inner }),
            )
            .build(methods.clone(), stop.clone());
        let service = service_fn(move |request: HttpRequest<hyper::body::Incoming>| {
            let mut service = service.clone();
            async move {
                if is_from_elsewhere(&request) {
                    let mut refused =
                        HttpResponse::new(HttpBody::from("pages of other sites may not call this node"));
                    *refused.status_mut() = StatusCode::FORBIDDEN;
                    return Ok(refused);
                }
                service.call(request).await.map_err(|error| io::Error::other(error.to_string()))
            }
        });
        let io = Patient::new(socket, line, config.patience);
        let stop = stop.clone();
        tokio::spawn(async move {
            let _place = place;
            // A connection's failure is the client's to notice.
            let _failed = serve_with_graceful_shutdown(io, service, stop.shutdown()).await;
        });
    }
}

/// Whether a browser sends this for a page of a site that is not on this machine: it could act for whoever looks at the page.
fn is_from_elsewhere<B>(request: &HttpRequest<B>) -> bool {
    let Some(origin) = request.headers().get(header::ORIGIN) else { return false };
    let host = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
    let host = host.as_ref().and_then(Uri::host).unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host != "localhost" && !address.is_ok_and(|address| address.is_loopback())
}
