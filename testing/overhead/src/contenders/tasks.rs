//! The client with a task that reads and a task that writes.

use super::bare::request;
use super::callers::InTasks;
use super::{Contender, Task};
use crate::closed_loop::{AsyncClient, Threads};
use ron_bare::{Request, Result, Tasks};
use std::sync::Arc;
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

pub(super) fn in_tasks(runtime: Runtime, task: &Task) -> Result<Box<dyn Contender>> {
    Ok(Box::new(InTasks {
        client: Shared::connect(&runtime, task)?,
        callers: task.callers,
        runtime,
    }))
}

/// As a blocking face over an asynchronous client is usually made.
pub(super) fn in_threads(runtime: Runtime, task: &Task) -> Result<Box<dyn Contender>> {
    let shared = Shared::connect(&runtime, task)?;
    let call = move || runtime.block_on(shared.call());
    Ok(Box::new(Threads::new(task.callers, call)))
}
