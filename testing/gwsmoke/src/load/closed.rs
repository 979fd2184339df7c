//! The closed loop: callers that call again when their call has ended.

use super::call_and_acknowledge;
use super::recorder::Recorder;
use super::target::Target;
use super::work::Work;
use crate::stop::Stop;
use fastrand::Rng;
use std::sync::Arc;
use tokio::task::coop::consume_budget;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Lets so many callers call until `end`, and waits for their last calls.
///
/// Where `stop` is requested, open calls are given up.
pub(super) async fn run<T: Target>(
    target: &Arc<T>,
    work: &Arc<Work>,
    mut random: Rng,
    end: Instant,
    concurrency: usize,
    recorder: &Arc<Recorder>,
    mut stop: Stop,
) {
    let mut callers = JoinSet::new();
    for _ in 0..concurrency {
        let (target, work) = (Arc::clone(target), Arc::clone(work));
        let recorder = Arc::clone(recorder);
        let mut random = random.fork();
        callers.spawn(async move {
            loop {
                // Calls that end at once must not keep the others, and who wants to end, from running.
                consume_budget().await;
                let now = Instant::now();
                if now >= end {
                    break;
                }
                recorder.started();
                call_and_acknowledge(&*target, work.next(&mut random), now, &recorder).await;
            }
        });
    }
    tokio::select! {
        biased;
        () = stop.requested() => callers.shutdown().await,
        () = async { while callers.join_next().await.is_some() {} } => {}
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::operation::Operation;
    use super::super::target::{Outcome, Task};
    use super::*;
    use crate::stop::stop_channel;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;
    use tokio::time::sleep;

    /// Takes 10 ms for a call, and counts how many are open.
    #[derive(Default)]
    struct Counting {
        open: AtomicUsize,
        most: AtomicUsize,
    }

    impl Target for Counting {
        async fn call(&self, _task: Task) -> Outcome {
            let open = self.open.fetch_add(1, Ordering::Relaxed) + 1;
            self.most.fetch_max(open, Ordering::Relaxed);
            sleep(Duration::from_millis(10)).await;
            self.open.fetch_sub(1, Ordering::Relaxed);
            Outcome::ok(1, 0)
        }
    }

    async fn measure(stop: Stop) -> (Arc<Counting>, Arc<Recorder>) {
        let work = Work::new("head=1".parse().unwrap(), &"64".parse().unwrap(), 1).unwrap();
        let (target, recorder) = (Arc::default(), Arc::default());
        let end = Instant::now() + Duration::from_secs(1);
        run(
            &target,
            &Arc::new(work),
            Rng::with_seed(1),
            end,
            4,
            &recorder,
            stop,
        )
        .await;
        (target, recorder)
    }

    #[tokio::test(start_paused = true)]
    async fn each_caller_calls_again_when_its_call_has_ended() {
        let (_stopper, stop) = stop_channel();
        let (target, recorder) = measure(stop).await;
        assert_eq!(target.most.load(Ordering::Relaxed), 4);
        let head = recorder.measured(Operation::Head);
        assert!(head.calls.abs_diff(400) <= 8, "{}", head.calls);
        let longest = head.succeeded.histogram().unwrap().max();
        assert!(longest < 15_000_000, "{longest}");
    }

    #[tokio::test(start_paused = true)]
    async fn ending_early_gives_open_calls_up() {
        let (stopper, stop) = stop_channel();
        let beginning = Instant::now();
        let ends = async {
            sleep(Duration::from_millis(505)).await;
            stopper.stop();
        };
        let ((_, recorder), ()) = tokio::join!(measure(stop), ends);
        assert!(beginning.elapsed() < Duration::from_millis(510));
        let progress = recorder.progress();
        assert_eq!(progress.started - progress.ended, 4);
    }
}
