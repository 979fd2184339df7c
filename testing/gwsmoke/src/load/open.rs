//! The open loop: calls begin when they are due, whether or not earlier ones have ended.
//!
//! A call's latency counts from when it was due. Where the gateway stalls, the calls that should have begun
//! meanwhile wait as they would in front of a real gateway, and are charged to it: none is left out because the
//! driver was busy waiting, which is known as coordinated omission.

use super::call_and_acknowledge;
use super::recorder::Recorder;
use super::target::Target;
use super::work::Work;
use crate::stop::Stop;
use fastrand::Rng;
use std::sync::Arc;
use tokio::sync::{mpsc, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Makes a call for each moment that comes out of `due`, until that ends, and waits for the last of them. Of calls
/// that are due while `max_in_flight` are open, none is begun: they are counted as missed.
///
/// Where `stop` is requested, open calls are given up.
pub(super) async fn run<T: Target>(
    target: &Arc<T>,
    work: &Work,
    mut random: Rng,
    mut due: mpsc::Receiver<Instant>,
    max_in_flight: usize,
    recorder: &Arc<Recorder>,
    mut stop: Stop,
) {
    let slots = Arc::new(Semaphore::new(max_in_flight));
    let mut calls = JoinSet::new();
    loop {
        let due = tokio::select! {
            biased;
            () = stop.requested() => break,
            // What has ended makes room before what is due needs it.
            Some(_) = calls.join_next(), if !calls.is_empty() => continue,
            due = due.recv() => due,
        };
        let Some(due) = due else { break };
        let task = work.next(&mut random);
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            recorder.missed();
            continue;
        };
        let (target, recorder) = (Arc::clone(target), Arc::clone(recorder));
        calls.spawn(async move {
            recorder.started_late(due.elapsed());
            call_and_acknowledge(&*target, task, due, &recorder).await;
            drop(slot);
        });
    }
    tokio::select! {
        biased;
        () = stop.requested() => calls.shutdown().await,
        () = async { while calls.join_next().await.is_some() {} } => {}
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::operation::Operation;
    use super::super::schedule::Schedule;
    use super::super::target::{Outcome, Task};
    use super::*;
    use crate::stop::stop_channel;
    use std::time::Duration;
    use tokio::time::{sleep, sleep_until};

    const RATE: f64 = 100.0;
    const FOR: Duration = Duration::from_secs(5);
    const SERVICE: Duration = Duration::from_millis(1);

    fn seconds(number: f64) -> Duration {
        Duration::from_secs_f64(number)
    }

    /// Answers after a millisecond, but nothing from its first second to its third.
    struct Stalling(Instant);

    impl Target for Stalling {
        async fn call(&self, _task: Task) -> Outcome {
            sleep(SERVICE).await;
            let (stalls, goes_on) = (self.0 + seconds(1.0), self.0 + seconds(3.0));
            if Instant::now() > stalls {
                sleep_until(goes_on).await;
            }
            Outcome::ok(1, 0)
        }
    }

    /// A call due every 10 ms for 5 s, each announced when `announced` says.
    fn ticks(
        beginning: Instant,
        announced: impl Fn(Instant) -> Instant + Send + 'static,
    ) -> mpsc::Receiver<Instant> {
        let (sender, receiver) = mpsc::channel(1024);
        tokio::spawn(async move {
            for offset in Schedule::new(RATE, FOR) {
                let due = beginning + offset;
                sleep_until(announced(due)).await;
                if sender.send(due).await.is_err() {
                    return;
                }
            }
        });
        receiver
    }

    async fn measure<T: Target>(
        target: T,
        due: mpsc::Receiver<Instant>,
        max_in_flight: usize,
        stop: Stop,
    ) -> Arc<Recorder> {
        let work = Work::new("get=1".parse().unwrap(), &"64".parse().unwrap(), 1).unwrap();
        let recorder = Arc::new(Recorder::default());
        let random = Rng::with_seed(1);
        run(
            &Arc::new(target),
            &work,
            random,
            due,
            max_in_flight,
            &recorder,
            stop,
        )
        .await;
        recorder
    }

    /// How many calls took from so long to so long.
    fn between(recorder: &Recorder, least: f64, most: f64) -> u64 {
        let latencies = recorder.measured(Operation::Get).succeeded;
        let nanos = |number| u64::try_from(seconds(number).as_nanos()).unwrap();
        latencies
            .histogram()
            .unwrap()
            .count_between(nanos(least), nanos(most))
    }

    #[tokio::test(start_paused = true)]
    async fn every_call_that_should_have_begun_during_a_stall_is_charged_for_it() {
        let (beginning, (_stopper, stop)) = (Instant::now(), stop_channel());
        let due = ticks(beginning, |due| due);
        let recorder = measure(Stalling(beginning), due, 1000, stop).await;
        assert_eq!(recorder.progress().missed, 0);
        assert_eq!(recorder.measured(Operation::Get).calls, 500);
        // 100 calls were due in the second before the stall, 200 after it, and 200 meanwhile: one every 10 ms, so that
        // half of those waited for more than a second.
        assert!(between(&recorder, 0.0, 0.005).abs_diff(300) <= 2);
        assert!(between(&recorder, 1.0, 3.0).abs_diff(100) <= 2);
        assert!(between(&recorder, 1.9, 2.1).abs_diff(10) <= 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_begins_late_counts_from_when_it_was_due() {
        let (beginning, (_stopper, stop)) = (Instant::now(), stop_channel());
        // The driver itself hears of nothing for two seconds.
        let held = beginning + seconds(2.0);
        let due = ticks(beginning, move |due| due.max(held));
        let never_stalls = Stalling(beginning + seconds(100.0));
        let recorder = measure(never_stalls, due, 1000, stop).await;
        assert_eq!(recorder.measured(Operation::Get).calls, 500);
        assert!(between(&recorder, 1.0, 2.1).abs_diff(100) <= 2);
        let delays = recorder.start_delays();
        assert_eq!(delays.count(), 500);
        let longest = delays.histogram().unwrap().max();
        assert!(Duration::from_nanos(longest).abs_diff(seconds(2.0)) < seconds(0.01));
    }

    #[tokio::test(start_paused = true)]
    async fn calls_above_the_bound_are_missed_and_counted() {
        let (beginning, (_stopper, stop)) = (Instant::now(), stop_channel());
        let due = ticks(beginning, |due| due);
        let recorder = measure(Stalling(beginning), due, 50, stop).await;
        let progress = recorder.progress();
        // 50 of the 200 that were due during the stall.
        assert!(progress.missed.abs_diff(150) <= 2, "{progress:?}");
        assert_eq!(progress.started + progress.missed, 500);
        assert_eq!(progress.ended, progress.started);
    }

    #[tokio::test(start_paused = true)]
    async fn ending_early_gives_open_calls_up() {
        let (beginning, (stopper, stop)) = (Instant::now(), stop_channel());
        let due = ticks(beginning, |due| due);
        tokio::spawn(async move {
            sleep(seconds(2.0)).await;
            stopper.stop();
            std::future::pending::<()>().await;
        });
        let recorder = measure(Stalling(beginning), due, 1000, stop).await;
        assert!(beginning.elapsed() < seconds(2.01));
        let progress = recorder.progress();
        assert!(progress.ended.abs_diff(100) <= 2, "{progress:?}");
        assert!(progress.started.abs_diff(200) <= 2, "{progress:?}");
    }
}
