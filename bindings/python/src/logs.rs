//! What the SDK tells `tracing`, on its way to Python's `logging`.
//!
//! The SDK's threads and those of calls put records into a queue; a thread of Python's takes them in batches: one that
//! has come back from a blocking call, or an event loop that ends calls. Nothing here knows a capability, a key or a
//! body, because nothing that the SDK tells does.

use arc_swap::ArcSwap;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record as Values};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::reload;

/// Records that wait to be taken, at most. What comes when they are as many is counted and dropped.
const MOST: usize = 4096;
/// How often the logger's level is looked at, while calls are made.
const INTERVAL: Duration = Duration::from_secs(1);
/// In `logging`, DEBUG; and what is told once per attempt.
const DEBUG: i64 = 10;
const TRACE: i64 = 5;

/// A value of a field, before it is a Python object.
#[derive(Clone)]
enum Value {
    Flag(bool),
    Signed(i64),
    Unsigned(u64),
    Text(String),
}

type Fields = Vec<(&'static str, Value)>;

/// What was told.
struct Record {
    level: i64,
    at: SystemTime,
    event: &'static str,
    message: String,
    fields: Fields,
}

/// Records on their way.
#[derive(Default)]
struct Queue {
    /// Of `records`, so that whoever has nothing to take needs no lock.
    waiting: AtomicUsize,
    dropped: AtomicU64,
    records: Mutex<VecDeque<Record>>,
}

/// In the child of a fork another one: a thread that is not there may hold the lock.
static QUEUE: LazyLock<ArcSwap<Queue>> = LazyLock::new(|| ArcSwap::from_pointee(Queue::default()));

impl Queue {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Record>> {
        // Nothing in here panics halfway through a change.
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, record: Record) {
        let mut records = self.lock();
        if records.len() < MOST {
            records.push_back(record);
            self.waiting.store(records.len(), Ordering::Relaxed);
        } else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn take(&self) -> (VecDeque<Record>, u64) {
        let mut records = self.lock();
        self.waiting.store(0, Ordering::Relaxed);
        let records = std::mem::take(&mut *records);
        (records, self.dropped.swap(0, Ordering::Relaxed))
    }
}

/// To be called in the child of a fork.
pub(crate) fn forget() {
    QUEUE.store(Arc::new(Queue::default()));
}

/// Collects fields.
struct Collect<'a> {
    fields: &'a mut Fields,
    message: Option<String>,
}

impl Collect<'_> {
    fn set(&mut self, field: &Field, value: Value) {
        match self
            .fields
            .iter_mut()
            .find(|(name, _)| *name == field.name())
        {
            Some((_, old)) => *old = value,
            None => self.fields.push((field.name(), value)),
        }
    }
}

impl Visit for Collect<'_> {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, Value::Flag(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, Value::Signed(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, Value::Unsigned(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, Value::Text(value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" {
            self.message = Some(text);
        } else {
            self.set(field, Value::Text(text));
        }
    }
}

/// Puts what is told into the queue.
struct Bridge;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Bridge {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::new();
            attributes.record(&mut Collect {
                fields: &mut fields,
                message: None,
            });
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Values<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
                values.record(&mut Collect {
                    fields,
                    message: None,
                });
            }
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::new();
        for span in context
            .event_scope(event)
            .into_iter()
            .flat_map(|scope| scope.from_root())
        {
            if let Some(known) = span.extensions().get::<Fields>() {
                for (name, value) in known {
                    fields.retain(|(other, _)| other != name);
                    fields.push((name, value.clone()));
                }
            }
        }
        let mut collect = Collect {
            fields: &mut fields,
            message: None,
        };
        event.record(&mut collect);
        let message = collect.message.unwrap_or_default();
        let metadata = event.metadata();
        QUEUE.load().push(Record {
            level: if *metadata.level() == Level::TRACE {
                TRACE
            } else {
                DEBUG
            },
            at: SystemTime::now(),
            event: metadata.name(),
            message,
            fields,
        });
    }
}

type Filter = reload::Handle<LevelFilter, Registry>;

/// This module's own copy of `tracing` has no other subscriber. It is made when somebody wants to hear of something.
static FILTER: OnceLock<Option<Filter>> = OnceLock::new();

fn tell_from(level: LevelFilter) {
    if FILTER.get().is_none() && level == LevelFilter::OFF {
        return;
    }
    let filter = FILTER.get_or_init(|| {
        let (filter, handle) = reload::Layer::new(LevelFilter::OFF);
        let subscriber = tracing_subscriber::registry().with(filter).with(Bridge);
        let installed = tracing::subscriber::set_global_default(subscriber);
        installed.is_ok().then_some(handle)
    });
    if let Some(filter) = filter {
        if filter.clone_current() != Some(level) {
            // It fails only where the subscriber is gone, which is never.
            let _ = filter.reload(level);
        }
    }
}

/// Looks at the logger's level. Of the SDK's events none is above DEBUG, so that with INFO nothing has to be told, and no
/// span to be kept for it.
fn refresh(py: Python<'_>) -> PyResult<()> {
    let modules = py.import("sys")?.getattr("modules")?;
    // Who has not imported it has not configured it.
    let level = match modules.call_method1("get", ("logging",))? {
        logging if logging.is_none() => LevelFilter::OFF,
        logging => {
            let logger = logging.call_method1("getLogger", ("ron_app_sdk",))?;
            let is_on = |level: i64| logger.call_method1("isEnabledFor", (level,))?.extract();
            match (is_on(TRACE)?, is_on(DEBUG)?) {
                (true, _) => LevelFilter::TRACE,
                (false, true) => LevelFilter::DEBUG,
                (false, false) => LevelFilter::OFF,
            }
        }
    };
    if level != LevelFilter::OFF {
        handle(py)?;
    }
    // Telling `tracing` may wait for threads that are at work in it, which need not have the interpreter.
    py.detach(|| tell_from(level));
    Ok(())
}

/// Looks at the level of the logger `ron_app_sdk` now, and hands over what has been told so far.
#[pyfunction]
pub(crate) fn flush_logs(py: Python<'_>) -> PyResult<()> {
    refresh(py)?;
    hand_over(py)
}

/// A client is made: its logger's level is looked at.
pub(crate) fn client_made(py: Python<'_>) {
    report(py, refresh(py));
}

/// A call has come back to Python, or several: hands over what was told meanwhile, and looks at the logger's level where it
/// was not looked at for a second.
pub(crate) fn calls_ended(py: Python<'_>) {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let now = BEGAN.get_or_init(Instant::now).elapsed().as_millis() as u64;
    if now >= NEXT.load(Ordering::Relaxed) {
        NEXT.store(now + INTERVAL.as_millis() as u64, Ordering::Relaxed);
        report(py, refresh(py));
    }
    if QUEUE.load().waiting.load(Ordering::Relaxed) > 0 {
        report(py, hand_over(py));
    }
}

/// What goes wrong in a handler or a filter is no call's failure.
fn report(py: Python<'_>, result: PyResult<()>) {
    if let Err(error) = result {
        error.write_unraisable(py, None);
    }
}

thread_local! {
    /// This thread is at it: a handler may make calls of its own.
    static IS_HANDING_OVER: Cell<bool> = const { Cell::new(false) };
}

fn hand_over(py: Python<'_>) -> PyResult<()> {
    struct Restore;
    impl Drop for Restore {
        fn drop(&mut self) {
            IS_HANDING_OVER.set(false);
        }
    }
    if IS_HANDING_OVER.replace(true) {
        return Ok(());
    }
    let _restore = Restore;
    let (records, dropped) = QUEUE.load().take();
    if records.is_empty() && dropped == 0 {
        return Ok(());
    }
    let records = records.into_iter().map(|record| {
        let fields = PyDict::new(py);
        for (name, value) in record.fields {
            match value {
                Value::Flag(flag) => fields.set_item(name, flag)?,
                Value::Signed(number) => fields.set_item(name, number)?,
                Value::Unsigned(number) => fields.set_item(name, number)?,
                Value::Text(text) => fields.set_item(name, text)?,
            }
        }
        let at = record.at.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok((
            record.level,
            at.as_secs_f64(),
            record.event,
            record.message,
            fields,
        ))
    });
    let records = records.collect::<PyResult<Vec<_>>>()?;
    handle(py)?.call1(py, (records, dropped)).map(drop)
}

/// The function that takes records. Its module hands over what is left when the interpreter ends.
fn handle(py: Python<'_>) -> PyResult<&Py<PyAny>> {
    static HANDLE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    HANDLE.get_or_try_init(py, || {
        let module = py.import("ron_app_sdk._logs")?;
        Ok(module.getattr("handle")?.unbind())
    })
}
