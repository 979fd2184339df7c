//! Callers that make one call after the other for a while, and how long each call took.

use ron_bare::Result;
use std::future::Future;
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// What the callers of one client did in one turn.
pub(crate) struct Slice {
    /// Nanoseconds per call, of all callers.
    pub(crate) samples: Vec<u32>,
    /// Calls per caller.
    pub(crate) served: Vec<u32>,
    /// From the first call's start to the last call's end.
    pub(crate) wall: Duration,
}

impl Slice {
    /// The callers' turns, put together.
    pub(crate) fn of(start: Instant, turns: impl IntoIterator<Item = Turn>) -> Self {
        let mut slice = Self {
            samples: Vec::new(),
            served: Vec::new(),
            wall: Duration::ZERO,
        };
        for turn in turns {
            slice.served.push(turn.samples.len() as u32);
            slice.wall = slice.wall.max(turn.last.saturating_duration_since(start));
            if slice.samples.is_empty() {
                slice.samples = turn.samples;
            } else {
                slice.samples.extend_from_slice(&turn.samples);
            }
        }
        slice
    }
}

/// One caller's calls in one turn. A call starts when the one before has ended.
pub(crate) struct Turn {
    samples: Vec<u32>,
    last: Instant,
    end: Instant,
}

impl Turn {
    pub(crate) fn start(end: Instant) -> Self {
        Self {
            samples: Vec::with_capacity(1024),
            last: Instant::now(),
            end,
        }
    }

    /// A call has ended: whether there is time for another one.
    pub(crate) fn goes_on(&mut self) -> bool {
        let now = Instant::now();
        let nanoseconds = now.duration_since(self.last).as_nanos();
        self.samples
            .push(u32::try_from(nanoseconds).unwrap_or(u32::MAX));
        self.last = now;
        now < self.end
    }
}

/// One caller on this thread.
pub(crate) fn alone(duration: Duration, call: impl FnMut() -> Result<()>) -> Result<Slice> {
    let (start, turn) = turn(duration, call)?;
    Ok(Slice::of(start, [turn]))
}

/// Callers that one thread serves by turns: `drive` is given what to ask after each call.
pub(crate) fn driven(
    callers: usize,
    duration: Duration,
    drive: impl FnOnce(&mut dyn FnMut(usize) -> bool) -> Result<()>,
) -> Result<Slice> {
    let start = Instant::now();
    let mut turns: Vec<Turn> = (0..callers)
        .map(|_| Turn::start(start + duration))
        .collect();
    drive(&mut |caller| turns[caller].goes_on())?;
    Ok(Slice::of(start, turns))
}

/// Callers with a thread each, which last from turn to turn.
pub(crate) struct Threads {
    starts: Vec<Sender<Duration>>,
    turns: Receiver<Result<(Instant, Turn)>>,
}

impl Threads {
    /// `call` makes a call as one of the callers.
    pub(crate) fn new(
        callers: usize,
        call: impl Fn() -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        let (call, barrier) = (Arc::new(call), Arc::new(Barrier::new(callers)));
        let (sender, turns) = channel();
        let starts = (0..callers)
            .map(|_| {
                let (start, starts) = channel::<Duration>();
                let (call, barrier) = (Arc::clone(&call), Arc::clone(&barrier));
                let sender = sender.clone();
                thread::spawn(move || {
                    for duration in starts {
                        barrier.wait();
                        if sender.send(turn(duration, &*call)).is_err() {
                            break;
                        }
                    }
                });
                start
            })
            .collect();
        Self { starts, turns }
    }

    pub(crate) fn run(&self, duration: Duration) -> Result<Slice> {
        for start in &self.starts {
            start.send(duration)?;
        }
        let turns: Result<Vec<_>> = self.starts.iter().map(|_| self.turns.recv()?).collect();
        let turns = turns?;
        let start = turns.iter().map(|(start, _)| *start).min();
        let start = start.ok_or("there are no callers")?;
        Ok(Slice::of(start, turns.into_iter().map(|(_, turn)| turn)))
    }
}

fn turn(duration: Duration, mut call: impl FnMut() -> Result<()>) -> Result<(Instant, Turn)> {
    let start = Instant::now();
    let mut turn = Turn::start(start + duration);
    loop {
        call()?;
        if !turn.goes_on() {
            return Ok((start, turn));
        }
    }
}

/// A client that any number of tasks may share.
pub(crate) trait AsyncClient: Send + Sync + 'static {
    /// Makes one call.
    fn call(&self) -> impl Future<Output = Result<()>> + Send;
}

/// Callers with a task each. A lone one on a current-thread runtime is the task that the runtime blocks on.
pub(crate) fn tasks<C: AsyncClient>(
    runtime: &Runtime,
    client: &Arc<C>,
    callers: usize,
    duration: Duration,
) -> Result<Slice> {
    let start = Instant::now();
    let end = start + duration;
    let is_alone = runtime.metrics().num_workers() == 1 && callers == 1;
    runtime.block_on(async {
        if is_alone {
            return Ok(Slice::of(start, [task_turn(&**client, end).await?]));
        }
        let callers: Vec<_> = (0..callers)
            .map(|_| {
                let client = Arc::clone(client);
                tokio::spawn(async move { task_turn(&*client, end).await })
            })
            .collect();
        let mut turns = Vec::with_capacity(callers.len());
        for caller in callers {
            turns.push(caller.await??);
        }
        Ok(Slice::of(start, turns))
    })
}

async fn task_turn(client: &impl AsyncClient, end: Instant) -> Result<Turn> {
    let mut turn = Turn::start(end);
    loop {
        client.call().await?;
        if !turn.goes_on() {
            return Ok(turn);
        }
    }
}
