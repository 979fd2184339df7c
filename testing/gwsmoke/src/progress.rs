//! How far it has come: a bar where standard error is a terminal. Where it is none, only what is said.

use crate::load::Recorder;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio::time::{interval, Instant};

const REDRAWN_EVERY: Duration = Duration::from_millis(200);
const TEMPLATE: &str = "{elapsed:>4} {wide_bar} {msg}";

/// Draws until it is dropped, and then leaves nothing behind but what was said.
#[derive(Debug)]
pub struct Watching(Option<Drawing>);

#[derive(Debug)]
struct Drawing {
    bar: ProgressBar,
    task: AbortHandle,
}

impl Watching {
    /// Whether a bar is drawn.
    pub const fn is_drawn(&self) -> bool {
        self.0.is_some()
    }

    /// Writes a line on standard error.
    pub fn say(&self, line: &str) {
        match &self.0 {
            Some(drawing) => drawing.bar.println(line),
            // Nobody is left to hear of a failure.
            None => drop(writeln!(io::stderr(), "{line}")),
        }
    }
}

impl Drop for Drawing {
    fn drop(&mut self) {
        self.task.abort();
        self.bar.finish_and_clear();
    }
}

/// Shows how far a load has come, on the current runtime.
pub fn of_load(recorder: Arc<Recorder>, duration: Duration) -> Watching {
    let beginning = Instant::now();
    let mut before = (beginning, 0);
    watch(duration, move || {
        let (progress, now) = (recorder.progress(), Instant::now());
        let passed = now
            .saturating_duration_since(before.0)
            .as_secs_f64()
            .max(1e-3);
        let per_second = progress.ended.saturating_sub(before.1) as f64 / passed;
        before = (now, progress.ended);
        format!(
            "{per_second:.0} calls/s, {} open, {} failed, {} missed",
            progress.started.saturating_sub(progress.ended),
            progress.failed,
            progress.missed
        )
    })
}

/// Shows what `message` says again and again beside the part of `duration` that has passed.
pub fn watch(duration: Duration, mut message: impl FnMut() -> String + Send + 'static) -> Watching {
    if !io::stderr().is_terminal() {
        return Watching(None);
    }
    let bar = ProgressBar::new(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
    if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
        bar.set_style(style);
    }
    let (drawn, beginning) = (bar.clone(), Instant::now());
    let task = tokio::spawn(async move {
        let mut ticks = interval(REDRAWN_EVERY);
        loop {
            ticks.tick().await;
            let passed = beginning.elapsed().min(duration).as_millis();
            drawn.set_position(u64::try_from(passed).unwrap_or(u64::MAX));
            drawn.set_message(message());
        }
    });
    let task = task.abort_handle();
    Watching(Some(Drawing { bar, task }))
}
