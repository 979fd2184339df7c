//! The client with a task that reads and a task that writes.

use super::bare::request;
use super::{Contender, Task};
use crate::closed_loop::{self, AsyncClient, Slice, Threads};
use ron_bare::{Request, Result, Tasks};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

struct Shared {
    client: Tasks,
    request: Arc<Request>,
}

impl Shared {
    fn connect(runtime: &Runtime, task: &Task) -> Result<Arc<Self>> {
        let tls = task.endpoint.tls()?;
        Ok(Arc::new(Self {
            client: runtime.block_on(Tasks::connect(task.endpoint.oap, &tls))?,
            request: Arc::new(request(task)?),
        }))
    }
}

impl AsyncClient for Shared {
    async fn call(&self) -> Result<()> {
        self.client.call(&self.request).await
    }
}

/// An asynchronous client on a runtime of its own, with callers in tasks.
pub(super) struct InTasks<C> {
    pub(super) runtime: Runtime,
    pub(super) client: Arc<C>,
    pub(super) callers: usize,
}

impl<C: AsyncClient> Contender for InTasks<C> {
    fn run(&mut self, duration: Duration) -> Result<Slice> {
        closed_loop::tasks(&self.runtime, &self.client, self.callers, duration)
    }
}

pub(super) fn in_tasks(runtime: Runtime, task: &Task) -> Result<Box<dyn Contender>> {
    Ok(Box::new(InTasks {
        client: Shared::connect(&runtime, task)?,
        callers: task.callers,
        runtime,
    }))
}

struct InThreads {
    threads: Threads,
}

impl Contender for InThreads {
    fn run(&mut self, duration: Duration) -> Result<Slice> {
        self.threads.run(duration)
    }
}

/// As a blocking face over an asynchronous client is usually made.
pub(super) fn in_threads(runtime: Runtime, task: &Task) -> Result<Box<dyn Contender>> {
    let shared = Shared::connect(&runtime, task)?;
    let call = move || runtime.block_on(shared.call());
    Ok(Box::new(InThreads {
        threads: Threads::new(task.callers, call),
    }))
}
