//! Load: a mix of operations, at a rate or from so many callers, and how long they took.

mod closed;
mod http;
mod mix;
mod oap;
mod open;
mod operation;
mod recorder;
mod schedule;
mod sizes;
mod target;
mod ticker;
mod weighted;
mod work;

pub use http::HttpTarget;
pub use mix::Mix;
pub use oap::OapTarget;
pub use operation::Operation;
pub use recorder::{Errors, Latencies, Measured, Progress, Recorder};
pub use schedule::Schedule;
pub use sizes::Sizes;
pub use target::{Failure, Outcome, Target, Task};
pub use weighted::Weighted;
pub use work::{Object, Work};

use crate::options::{Face, LoadOptions};
use crate::progress;
use crate::report::LoadReport;
use crate::settings::{Settings, Unusable};
use crate::stop::Stop;
use fastrand::Rng;
use ron_app_sdk::{IndexKey, Topic};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{timeout, Instant};

/// Names that are published and resolved.
const NAMES: usize = 16;
/// For taking out the messages that are left.
const CLEANING: Duration = Duration::from_secs(2);

/// How calls are begun.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pacing {
    /// So many a second, with a bound for those that are open at once.
    Open {
        /// Calls that are due in a second.
        rate: f64,
        /// Calls at once.
        max_in_flight: u32,
    },
    /// By callers that wait for their calls.
    Closed {
        /// Callers.
        concurrency: u32,
    },
}

/// Runs a load against the gateway of the settings.
///
/// # Errors
/// Where an option cannot be used, or what the load needs cannot be stored.
pub async fn run(
    options: &LoadOptions,
    settings: &Settings,
    stop: Stop,
) -> Result<LoadReport, Unusable> {
    let work = Work::new(
        options.mix.clone(),
        &options.sizes,
        options.objects as usize,
    );
    let work = Arc::new(work.map_err(Unusable::Option)?);
    let run_id = format!("{:016x}", Rng::new().u64(..));
    let invalid = |error: &dyn std::fmt::Display| Unusable::Option(error.to_string());
    let topic = Topic::new(&format!("gwsmoke/load/{run_id}")).map_err(|error| invalid(&error))?;
    let names = (0..NAMES).map(|number| IndexKey::new(&format!("gwsmoke.load.{number}")));
    let names: Vec<IndexKey> = names
        .collect::<Result<_, _>>()
        .map_err(|error| invalid(&error))?;
    match options.face {
        Face::Oap => {
            let (sdk, capability) = (settings.sdk().await?, settings.capability.clone());
            let edge_path = options.edge_path.clone();
            let target =
                OapTarget::new(sdk, capability, Arc::clone(&work), edge_path, topic, names);
            drive(options, Arc::new(target), work, stop).await
        }
        Face::Http => {
            let face = settings.http()?;
            let Settings { config, capability } = settings;
            let edge_path = &options.edge_path;
            let shared = Arc::clone(&work);
            let target =
                HttpTarget::new(face, config, capability, shared, edge_path, &topic, names)?;
            drive(options, Arc::new(target), work, stop).await
        }
    }
}

/// Stores what the load needs, runs it, and takes out the messages that are left.
async fn drive<T: Target>(
    options: &LoadOptions,
    target: Arc<T>,
    work: Arc<Work>,
    mut stop: Stop,
) -> Result<LoadReport, Unusable> {
    tokio::select! {
        biased;
        () = stop.requested() => return Err(Unusable::Option("ended while it was preparing".into())),
        prepared = prepare(&*target, &work) => prepared?,
    }
    let recorder = Arc::new(Recorder::default());
    let beginning = Instant::now();
    let watching = progress::of_load(Arc::clone(&recorder), options.duration);
    pace(options, &target, &work, &recorder, stop.clone()).await?;
    let elapsed = beginning.elapsed();
    drop(watching);
    let interrupted = stop.is_requested();
    let report = LoadReport::new(options, elapsed, interrupted, &recorder);
    if !interrupted && work.has(Operation::Send) {
        // What is left after that lies there until it has lived its days.
        let _ = timeout(CLEANING, clean(&*target)).await;
    }
    Ok(report)
}

/// Runs the loop that the options ask for.
async fn pace<T: Target>(
    options: &LoadOptions,
    target: &Arc<T>,
    work: &Arc<Work>,
    recorder: &Arc<Recorder>,
    stop: Stop,
) -> Result<(), Unusable> {
    let random = Rng::with_seed(options.seed);
    match options.pacing() {
        Pacing::Open {
            rate,
            max_in_flight,
        } => {
            let due = ticker::start(Schedule::new(rate, options.duration))?;
            let most = max_in_flight as usize;
            open::run(target, work, random, due, most, recorder, stop).await;
        }
        Pacing::Closed { concurrency } => {
            let end = Instant::now() + options.duration;
            let callers = concurrency as usize;
            closed::run(target, work, random, end, callers, recorder, stop).await;
        }
    }
    Ok(())
}

/// Makes a call that has begun or was due at `since`, and acknowledges the messages that it brought.
async fn call_and_acknowledge<T: Target>(
    target: &T,
    task: Task,
    since: Instant,
    recorder: &Recorder,
) {
    let outcome = target.call(task).await;
    recorder.ended(task.operation, since.elapsed(), &outcome);
    for _ in 0..outcome.received {
        let ack = Task {
            operation: Operation::Ack,
            ..task
        };
        let since = Instant::now();
        recorder.started();
        let outcome = target.call(ack).await;
        recorder.ended(ack.operation, since.elapsed(), &outcome);
    }
}

/// Stores the objects and names that are going to be fetched.
async fn prepare<T: Target>(target: &T, work: &Work) -> Result<(), Unusable> {
    let reads = [Operation::Get, Operation::Head, Operation::Range];
    let puts = if reads.into_iter().any(|read| work.has(read)) {
        work.objects().len()
    } else {
        0
    };
    let names = if work.has(Operation::Resolve) {
        NAMES
    } else {
        0
    };
    let puts = (0..puts).map(|object| (Operation::Put, object));
    let publishes = (0..names).map(|name| (Operation::Publish, name));
    for (operation, object) in puts.chain(publishes) {
        let outcome = target.call(Task { operation, object }).await;
        if let Some(failure) = outcome.failure {
            let text = format!("the load was not begun: {operation}: {}", failure.text);
            return Err(Unusable::Option(text));
        }
    }
    Ok(())
}

/// Receives and acknowledges until there is nothing more.
async fn clean<T: Target>(target: &T) {
    loop {
        let task = |operation| Task {
            operation,
            object: 0,
        };
        let outcome = target.call(task(Operation::Receive)).await;
        if outcome.received == 0 {
            return;
        }
        for _ in 0..outcome.received {
            target.call(task(Operation::Ack)).await;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tokio::time::sleep;

    /// Brings two messages with each receive.
    struct Mailbox;

    impl Target for Mailbox {
        async fn call(&self, task: Task) -> Outcome {
            sleep(Duration::from_millis(1)).await;
            Outcome {
                received: if task.operation == Operation::Receive {
                    2
                } else {
                    0
                },
                ..Outcome::ok(1, 0)
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_received_is_acknowledged_and_counts_for_itself() {
        let recorder = Recorder::default();
        let task = Task {
            operation: Operation::Receive,
            object: 0,
        };
        let due = Instant::now();
        sleep(Duration::from_secs(1)).await;
        call_and_acknowledge(&Mailbox, task, due, &recorder).await;
        let receive = recorder.measured(Operation::Receive);
        let ack = recorder.measured(Operation::Ack);
        assert_eq!((receive.calls, receive.received, ack.calls), (1, 2, 2));
        let longest = |measured: &Measured| measured.succeeded.histogram().unwrap().max();
        assert!(longest(&receive) > 1_000_000_000);
        assert!(longest(&ack) < 10_000_000);
    }
}
