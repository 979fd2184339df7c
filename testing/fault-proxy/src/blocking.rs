//! A proxy for tests that have no runtime.

use crate::{Counters, FaultProxy, Faults};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

/// A [`FaultProxy`] on a thread with a runtime of its own. Dropping it resets its connections and waits
/// for that. Its methods must not be called on a runtime's thread: they may block.
#[derive(Debug)]
pub struct BlockingFaultProxy {
    proxy: Arc<FaultProxy>,
    runtime: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl BlockingFaultProxy {
    pub(crate) fn start(upstream: SocketAddr) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let proxy = Arc::new(runtime.block_on(FaultProxy::start(upstream))?);
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let run = {
            let proxy = Arc::clone(&proxy);
            move || run(&runtime, &proxy, stopped)
        };
        let thread = thread::Builder::new().name("fault-proxy".to_owned());
        Ok(Self {
            proxy,
            runtime: handle,
            stop: Some(stop),
            thread: Some(thread.spawn(run)?),
        })
    }

    /// As [`FaultProxy::address`].
    pub fn address(&self) -> SocketAddr {
        self.proxy.address()
    }

    /// As [`FaultProxy::set`].
    pub fn set(&self, faults: Faults) {
        self.proxy.set(faults);
    }

    /// As [`FaultProxy::counters`].
    pub fn counters(&self) -> Counters {
        self.proxy.counters()
    }

    /// As [`FaultProxy::kill_connections`].
    pub fn kill_connections(&self) {
        self.proxy.kill_connections();
    }

    /// As [`FaultProxy::down`].
    ///
    /// # Errors
    /// As there.
    pub fn down(&self) -> io::Result<()> {
        self.runtime.block_on(self.proxy.down())
    }

    /// As [`FaultProxy::up`].
    ///
    /// # Errors
    /// As there.
    pub fn up(&self) -> io::Result<()> {
        self.runtime.block_on(self.proxy.up())
    }
}

fn run(runtime: &Runtime, proxy: &FaultProxy, stopped: oneshot::Receiver<()>) {
    runtime.block_on(async {
        // An error means that the sender is gone, which is as good.
        let _ = stopped.await;
        proxy.end().await;
    });
}

impl Drop for BlockingFaultProxy {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A panic there has failed nothing that is still of interest.
            let _ = thread.join();
        }
    }
}
