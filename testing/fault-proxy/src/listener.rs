//! Taking connections, or not.

use crate::connection::{self, Subscription};
use crate::counters::Tally;
use crate::faults::Faults;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;
/// After a failed accept, for which the system may need a moment.
const PAUSE: Duration = Duration::from_millis(10);

/// What connections are told by. They end when all of these are gone.
#[derive(Clone, Debug)]
pub(crate) struct Controls {
    pub(crate) upstream: SocketAddr,
    pub(crate) faults: watch::Sender<Faults>,
    pub(crate) kill: watch::Sender<()>,
    pub(crate) tally: Arc<Tally>,
}

impl Controls {
    /// What concerns a connection from now on.
    fn subscribe(&self) -> Subscription {
        Subscription {
            upstream: self.upstream,
            faults: self.faults.subscribe(),
            killed: self.kill.subscribe(),
            tally: Arc::clone(&self.tally),
        }
    }
}

/// A port, on which connections are taken or not.
#[derive(Debug)]
pub(crate) struct Listener {
    controls: Controls,
    address: SocketAddr,
    state: State,
}

#[derive(Debug)]
enum State {
    Up(JoinHandle<()>),
    /// Bound and not listening: the port refuses connections, and nobody else gets it.
    Down(Option<TcpSocket>),
}

impl Listener {
    pub(crate) fn start(controls: Controls) -> io::Result<Self> {
        let socket = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let mut listener = Self {
            controls,
            address: socket.local_addr()?,
            state: State::Down(Some(socket)),
        };
        listener.up()?;
        Ok(listener)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn up(&mut self) -> io::Result<()> {
        let State::Down(kept) = &mut self.state else {
            return Ok(());
        };
        let socket = match kept.take() {
            Some(socket) => socket,
            None => bind(self.address)?,
        };
        let run = accept(socket.listen(BACKLOG)?, self.controls.clone());
        self.state = State::Up(tokio::spawn(run));
        Ok(())
    }

    pub(crate) async fn down(&mut self) -> io::Result<()> {
        let State::Up(task) = &mut self.state else {
            return Ok(());
        };
        task.abort();
        // The listener is closed when its task is gone.
        let _ = task.await;
        self.controls.tally.downs.increment();
        self.state = State::Down(None);
        self.state = State::Down(Some(bind(self.address)?));
        Ok(())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let State::Up(task) = &self.state {
            task.abort();
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // Connections of before may still occupy the port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

async fn accept(listener: TcpListener, controls: Controls) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                controls.tally.connections.increment();
                tokio::spawn(connection::serve(client, controls.subscribe()));
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
}
