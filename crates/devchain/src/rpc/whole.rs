//! A whole chain by one call, for tests: the node, its server, and the threads that both run on.

use std::{io, net::SocketAddr, sync::mpsc, thread::JoinHandle, time::Duration};

use thiserror::Error;
use tokio::{
    runtime::{Builder, Runtime},
    sync::oneshot,
};

use super::{Config, ServeError, serve};
use crate::{Handle, NodeError};

/// Threads of the server. One would do; with two, a costly request does not hold up the others.
const THREADS: usize = 2;
/// How long a client may take to close its connection, or a request to come to its end, once the chain is dropped.
const FAREWELL: Duration = Duration::from_millis(500);

/// A whole chain could not be started.
#[derive(Debug, Error)]
pub enum SpawnError {
    /// The node could not.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// Its server could not.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The server's threads could not.
    #[error("could not start the server's threads: {0}")]
    Threads(io::Error),
}

/// A chain that runs and is served. Dropping it stops both: the port is closed, connections are, and all threads have
/// ended, unless somebody keeps a copy of the [`Running::node`].
#[derive(Debug)]
pub struct Running {
    node: Handle,
    address: SocketAddr,
    /// Dropping it stops the server.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Starts a chain and its server on a free port of this machine alone; needs no runtime of the caller's, and blocks until
/// the port is open.
///
/// ```
/// use std::{io::{Read, Write}, net::TcpStream};
///
/// use devchain::{Config, rpc};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let chain = rpc::spawn(Config::test())?;
/// // Any client of the real chain takes `chain.url()`; here is one made by hand.
/// let body = r#"{"jsonrpc":"2.0","id":1,"method":"system_chain"}"#;
/// let mut stream = TcpStream::connect(chain.address())?;
/// write!(stream, "POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n")?;
/// write!(stream, "content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())?;
/// let mut answer = String::new();
/// stream.read_to_string(&mut answer)?;
/// assert!(answer.contains(r#""result":"Development""#), "{answer}");
///
/// let address = chain.address();
/// drop(chain);
/// assert!(TcpStream::connect(address).is_err());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`SpawnError`].
pub fn spawn(config: crate::Config) -> Result<Running, SpawnError> {
    let node = crate::spawn(config)?;
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(THREADS).thread_name("devchain-rpc").enable_all();
    let runtime = builder.build().map_err(SpawnError::Threads)?;
    let (ready, address) = mpsc::channel();
    let (stop, stopped) = oneshot::channel();
    let served = node.clone();
    let thread = std::thread::Builder::new()
        .name("devchain-rpc".to_owned())
        .spawn(move || run(runtime, served, &ready, stopped))
        .map_err(SpawnError::Threads)?;
    let address = address.recv().map_err(|_| SpawnError::Threads(io::ErrorKind::BrokenPipe.into()))??;
    Ok(Running { node, address, stop: Some(stop), thread: Some(thread) })
}

/// Serves until `stopped` comes or can't come any more.
fn run(
    runtime: Runtime,
    node: Handle,
    ready: &mpsc::Sender<Result<SocketAddr, ServeError>>,
    stopped: oneshot::Receiver<()>,
) {
    runtime.block_on(async {
        let server = match serve(node, Config::default()).await {
            Ok(server) => server,
            Err(error) => {
                // Who asked waits for the answer.
                let _gone = ready.send(Err(error));
                return;
            }
        };
        let _gone = ready.send(Ok(server.address()));
        let _dropped = stopped.await;
        // A client that does not close its end in time is hung up on.
        let _late = tokio::time::timeout(FAREWELL, server.stop()).await;
    });
    runtime.shutdown_timeout(FAREWELL);
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as clients take it: `ws://127.0.0.1:…`; HTTP goes to the same port.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// The node, to be read, called and stepped in process.
    #[must_use]
    pub fn node(&self) -> &Handle {
        &self.node
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // What went wrong in it is over with it.
            let _ended = thread.join();
        }
    }
}
