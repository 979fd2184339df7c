//! The clock of an open loop: a thread that says of each call when it is due, as it becomes due.
//!
//! Not a timer of the runtime: those count in whole milliseconds, which is ten times what a call may take.

use super::schedule::Schedule;
use std::io;
use std::thread;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Beyond it, a sleep is cut so that the thread notices that nobody listens any more.
const LONGEST_SLEEP: Duration = Duration::from_millis(50);
/// Calls that may be due and not yet taken. A full channel only delays the thread: what it says is when calls
/// were due, not when it came to say so.
const ROOM: usize = 4096;

/// Begins now. The channel ends with the schedule.
///
/// # Errors
/// Where the system has no more threads.
pub(super) fn start(schedule: Schedule) -> io::Result<mpsc::Receiver<Instant>> {
    let (sender, receiver) = mpsc::channel(ROOM);
    let beginning = Instant::now();
    thread::Builder::new()
        .name("gwsmoke-ticker".into())
        .spawn(move || {
            for offset in schedule {
                let due = beginning + offset;
                if !sleep_until(due, &sender) || sender.blocking_send(due).is_err() {
                    return;
                }
            }
        })?;
    Ok(receiver)
}

/// Whether somebody still listens.
fn sleep_until(due: Instant, sender: &mpsc::Sender<Instant>) -> bool {
    loop {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        if sender.is_closed() {
            return false;
        }
        thread::sleep(left.min(LONGEST_SLEEP));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_call_is_due_before_its_time_and_what_is_said_is_the_schedule() {
        let schedule = Schedule::new(500.0, Duration::from_millis(100));
        let mut ticks = start(schedule).unwrap();
        let mut due = Vec::new();
        while let Some(at) = ticks.recv().await {
            assert!(at <= Instant::now());
            due.push(at);
        }
        let offsets: Vec<Duration> = due.iter().map(|at| *at - due[0]).collect();
        assert_eq!(offsets, schedule.collect::<Vec<_>>());
    }
}
