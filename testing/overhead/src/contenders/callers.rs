//! Clients that several callers share, whichever client it is.

use super::Contender;
use crate::closed_loop::{self, AsyncClient, Slice, Threads};
use ron_bare::Result;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

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

/// A client that blocks, with callers in threads.
impl Contender for Threads {
    fn run(&mut self, duration: Duration) -> Result<Slice> {
        Threads::run(self, duration)
    }
}
