//! The SDK, as an application uses it.

use super::callers::InTasks;
use super::{Contender, Task, Work};
use crate::closed_loop::{alone, AsyncClient, Slice, Threads};
use crate::endpoint::capability;
use crate::object::Object;
use bytes::Bytes;
use ron_app_sdk::{blocking, AddrB3, Capability, RonAppSdk};
use ron_bare::Result;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// The limit of each call: a usual one, far from being reached.
const LIMIT: Duration = Duration::from_secs(5);

/// The blocking client with what it is to do.
struct Blocking {
    sdk: blocking::RonAppSdk,
    capability: Capability,
    object: Arc<Object>,
    work: Work,
}

impl Blocking {
    fn call(&self) -> Result<()> {
        match self.work {
            Work::Get => {
                let address = self.object.address;
                let body = self.sdk.storage_get(&self.capability, address, LIMIT)?;
                check_len(body.len(), &self.object)
            }
            Work::Put => {
                let body = &self.object.body;
                let stored = self.sdk.storage_put(&self.capability, body, LIMIT, None)?;
                check_address(stored, &self.object)
            }
        }
    }
}

/// The SDK has compared the hash of what it returns.
fn check_len(len: usize, object: &Object) -> Result<()> {
    if len == object.body.len() {
        Ok(())
    } else {
        Err("another object was fetched".into())
    }
}

fn check_address(stored: AddrB3, object: &Object) -> Result<()> {
    if stored == object.address {
        Ok(())
    } else {
        Err("another object was stored".into())
    }
}

pub(super) fn blocking(task: &Task) -> Result<Box<dyn Contender>> {
    let client = Blocking {
        sdk: blocking::RonAppSdk::new(task.endpoint.sdk_config()?)?,
        capability: capability()?,
        object: Arc::clone(&task.object),
        work: task.work,
    };
    Ok(match task.callers {
        1 => Box::new(client),
        callers => Box::new(Threads::new(callers, move || client.call())),
    })
}

/// One caller, on this thread.
impl Contender for Blocking {
    fn run(&mut self, duration: Duration) -> Result<Slice> {
        alone(duration, || self.call())
    }
}

/// The asynchronous client with what it is to do.
struct Asynchronous {
    sdk: RonAppSdk,
    capability: Capability,
    object: Arc<Object>,
    body: Bytes,
    work: Work,
}

impl AsyncClient for Asynchronous {
    async fn call(&self) -> Result<()> {
        match self.work {
            Work::Get => {
                let address = self.object.address;
                let body = self
                    .sdk
                    .storage_get(&self.capability, address, LIMIT)
                    .await?;
                check_len(body.len(), &self.object)
            }
            Work::Put => {
                let body = self.body.clone();
                let stored = self
                    .sdk
                    .storage_put(&self.capability, body, LIMIT, None)
                    .await?;
                check_address(stored, &self.object)
            }
        }
    }
}

pub(super) fn asynchronous(runtime: Runtime, task: &Task) -> Result<Box<dyn Contender>> {
    let sdk = runtime.block_on(RonAppSdk::new(task.endpoint.sdk_config()?))?;
    let client = Asynchronous {
        sdk,
        capability: capability()?,
        object: Arc::clone(&task.object),
        body: Bytes::from(task.object.body.clone()),
        work: task.work,
    };
    Ok(Box::new(InTasks {
        runtime,
        client: Arc::new(client),
        callers: task.callers,
    }))
}
