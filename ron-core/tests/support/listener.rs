//! Hears everything that a process says: spans, events, log records, panics, and what a test notes down.

use super::capture::Capture;
use ron_app_sdk::SdkError;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::{Debug, Write as _};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// What was heard, by the place that it was heard at. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Listener {
    pub(crate) capture: Capture,
    texts: Arc<Mutex<BTreeMap<&'static str, Vec<u8>>>>,
}

impl Listener {
    /// Listens to this process from now on. It can be done once.
    pub(crate) fn install() -> Self {
        let listener = Self::default();
        let lines = listener.clone();
        let lines = tracing_subscriber::fmt::layer()
            .with_span_events(FmtSpan::FULL)
            .with_writer(move || Place("lines", lines.clone()));
        tracing_subscriber::registry()
            .with(listener.capture.clone())
            .with(lines)
            .init();
        log::set_boxed_logger(Box::new(listener.clone())).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
        let panics = listener.clone();
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            panics.note("panics", panic.to_string().as_bytes());
            before(panic);
        }));
        listener
    }

    /// Everything that the spans and events had.
    pub(crate) fn tracing(&self) -> Vec<u8> {
        format!("{:?}", self.capture.said()).into_bytes()
    }

    /// Everything else, by its place.
    pub(crate) fn texts(&self) -> BTreeMap<&'static str, Vec<u8>> {
        self.lock().clone()
    }

    pub(crate) fn note(&self, place: &'static str, text: &[u8]) {
        let mut texts = self.lock();
        let heard = texts.entry(place).or_default();
        heard.extend_from_slice(text);
        heard.push(b'\n');
    }

    pub(crate) fn note_debug(&self, value: &dyn Debug) {
        self.note("debug", format!("{value:?}\n{value:#?}").as_bytes());
    }

    /// Notes every form of an error and of what caused it.
    pub(crate) fn note_error(&self, error: &SdkError) {
        let mut text = format!("{error}\n{error:#}\n{error:?}\n{error:#?}\n");
        let mut source = error.source();
        while let Some(cause) = source {
            writeln!(text, "{cause}\n{cause:?}\n{cause:#?}").unwrap();
            source = cause.source();
        }
        self.note("errors", text.as_bytes());
    }

    /// The same for what came of a call.
    pub(crate) fn note_result(&self, result: &Result<String, SdkError>) {
        match result {
            Ok(shown) => self.note("debug", shown.as_bytes()),
            Err(error) => self.note_error(error),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, Vec<u8>>> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl log::Log for Listener {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        self.note("log", record.args().to_string().as_bytes());
    }

    fn flush(&self) {}
}

/// Where formatted lines go.
struct Place(&'static str, Listener);

impl io::Write for Place {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1.note(self.0, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
