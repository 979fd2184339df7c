//! A TCP proxy on loopback, for tests: it stands between a client and a gateway, and does to their
//! connections what networks do.
//!
//! ```
//! use ron_fault_proxy::{Direction, FaultProxy, Faults};
//! use std::io::{ErrorKind, Read};
//! use std::net::{TcpListener, TcpStream};
//!
//! # fn main() -> std::io::Result<()> {
//! let gateway = TcpListener::bind("127.0.0.1:0")?;
//! let proxy = FaultProxy::start_blocking(gateway.local_addr()?)?;
//! proxy.set(Faults::from_gateway(Direction {
//!     reset_after: Some(0),
//!     ..Direction::default()
//! }));
//! let mut client = TcpStream::connect(proxy.address())?;
//! let error = client.read(&mut [0]).unwrap_err();
//! assert_eq!(error.kind(), ErrorKind::ConnectionReset);
//! assert_eq!(proxy.counters().resets, 1);
//! # Ok(()) }
//! ```
//!
//! What is told to it by [`FaultProxy::set`] holds for every byte that it forwards afterwards, on open
//! connections too. Its timers are tokio's, so that they follow a paused clock. A test should look at
//! [`FaultProxy::counters`]: a fault that did not happen proves nothing.
//!
//! [`ForwardProxy`] is one that is told where to go, as SOCKS5 and HTTP proxies are.

mod blocking;
mod connection;
mod counters;
mod faults;
mod forward;
mod listener;
mod pump;

pub use blocking::BlockingFaultProxy;
pub use counters::Counters;
pub use faults::{Connections, Direction, Faults};
pub use forward::{Asked, ForwardProxy, Forwarding};

use listener::{Controls, Listener};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::{watch, Mutex};

/// A running proxy. Dropping it resets its connections.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    controls: Controls,
    listener: Mutex<Listener>,
}

impl FaultProxy {
    /// Starts a proxy in front of `upstream`, on the current tokio runtime and a free port of the
    /// loopback interface. It forwards everything until it is told otherwise.
    ///
    /// # Errors
    /// Where no port can be listened on.
    pub async fn start(upstream: SocketAddr) -> io::Result<Self> {
        let controls = Controls {
            upstream,
            faults: watch::Sender::default(),
            kill: watch::Sender::default(),
            tally: Arc::default(),
        };
        let listener = Listener::start(controls.clone())?;
        Ok(Self {
            address: listener.address(),
            controls,
            listener: Mutex::new(listener),
        })
    }

    /// As [`FaultProxy::start`], for a test without a runtime: the proxy gets one of its own, on a
    /// thread of its own.
    ///
    /// # Errors
    /// Where the thread cannot be started, or no port can be listened on.
    pub fn start_blocking(upstream: SocketAddr) -> io::Result<BlockingFaultProxy> {
        BlockingFaultProxy::start(upstream)
    }

    /// Where clients connect to. It stays the same while the proxy is [down](FaultProxy::down).
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What happens from now on, to open connections and to new ones. Positions in the stream count
    /// from here.
    pub fn set(&self, faults: Faults) {
        self.controls.faults.send_replace(faults);
    }

    /// What has happened so far.
    pub fn counters(&self) -> Counters {
        self.controls.tally.counters()
    }

    /// Resets every connection, on both sides.
    pub fn kill_connections(&self) {
        self.controls.kill.send_replace(());
    }

    /// Refuses connections, as a port does on which nothing listens. Open connections stay. Done when
    /// this returns.
    ///
    /// # Errors
    /// Where the port cannot be kept for later; it is refusing connections all the same.
    pub async fn down(&self) -> io::Result<()> {
        self.listener.lock().await.down().await
    }

    /// Takes connections again, on the same port.
    ///
    /// # Errors
    /// Where the port cannot be listened on any more.
    pub async fn up(&self) -> io::Result<()> {
        self.listener.lock().await.up()
    }

    /// Stops listening, and returns when every connection is reset.
    pub(crate) async fn end(&self) {
        // The port need not be kept.
        let _ = self.down().await;
        self.kill_connections();
        self.controls.kill.closed().await;
    }
}
