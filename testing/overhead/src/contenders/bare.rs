//! Clients without an SDK that one thread or task drives.

use super::{current_thread, Contender, Task, Work};
use crate::closed_loop::{alone, driven, Slice, Turn};
use crate::endpoint::capability;
use ron_bare::{Client, OneTask, Request, Result, Wire};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// The request that a task asks for.
pub(super) fn request(task: &Task) -> Result<Request> {
    let capability = capability()?;
    Ok(match task.work {
        Work::Get => Request::get(capability.expose(), task.object.address),
        Work::Put => Request::put(capability.expose(), &task.object.body),
    })
}

struct Blocking<W> {
    client: Client<W>,
    request: Request,
    callers: usize,
}

/// A client that blocks this thread.
pub(super) fn blocking<W: Wire + 'static>(
    task: &Task,
    address: SocketAddr,
) -> Result<Box<dyn Contender>> {
    Ok(Box::new(Blocking {
        client: Client::<W>::connect(address, &task.endpoint.tls()?)?,
        request: request(task)?,
        callers: task.callers,
    }))
}

impl<W: Wire> Contender for Blocking<W> {
    fn run(&mut self, duration: Duration) -> Result<Slice> {
        let Self {
            client,
            request,
            callers,
        } = self;
        if *callers == 1 {
            return alone(duration, || client.call(request));
        }
        driven(*callers, duration, |goes_on| {
            client.drive(request, *callers, goes_on)
        })
    }
}

struct Alone {
    runtime: Runtime,
    client: OneTask,
    request: Request,
}

/// A TLS stream of a current-thread runtime.
pub(super) fn one_task(task: &Task) -> Result<Box<dyn Contender>> {
    let runtime = current_thread()?;
    let tls = task.endpoint.tls()?;
    let client = runtime.block_on(OneTask::connect(task.endpoint.oap, &tls))?;
    Ok(Box::new(Alone {
        client,
        request: request(task)?,
        runtime,
    }))
}

impl Contender for Alone {
    fn run(&mut self, duration: Duration) -> Result<Slice> {
        let start = Instant::now();
        let (client, request) = (&mut self.client, &mut self.request);
        self.runtime.block_on(async {
            let mut turn = Turn::start(start + duration);
            loop {
                client.call(request).await?;
                if !turn.goes_on() {
                    return Ok(Slice::of(start, [turn]));
                }
            }
        })
    }
}
