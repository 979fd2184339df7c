//! A subscriber that remembers everything it is told.

use std::error::Error;
use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex, MutexGuard};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// Everything that was said, at every level. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Capture(Arc<Mutex<Vec<Said>>>);

/// A new span, later values of a span, or an event.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) name: &'static str,
    pub(crate) target: &'static str,
    pub(crate) level: Level,
    pub(crate) is_span: bool,
    /// All that it may have, the message excepted.
    pub(crate) fields: Vec<&'static str>,
    /// What it has, each with every form of its value.
    pub(crate) values: Vec<(&'static str, String)>,
    /// The spans that it is in, innermost first.
    pub(crate) within: Vec<&'static str>,
}

impl Said {
    fn new(metadata: &'static Metadata<'static>) -> Self {
        let fields = metadata.fields().iter().map(|field| field.name());
        Self {
            name: metadata.name(),
            target: metadata.target(),
            level: *metadata.level(),
            is_span: metadata.is_span(),
            fields: fields.filter(|name| *name != "message").collect(),
            values: Vec::new(),
            within: Vec::new(),
        }
    }

    /// A field's value as its `Debug` shows it.
    pub(crate) fn value(&self, field: &str) -> Option<&str> {
        let value = self.values.iter().find(|(name, _)| *name == field);
        value.and_then(|(_, value)| value.lines().next())
    }
}

impl Capture {
    pub(crate) fn said(&self) -> MutexGuard<'_, Vec<Said>> {
        self.0.lock().unwrap()
    }

    /// The names of all spans and events, in their order.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.said().iter().map(|said| said.name).collect()
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Capture {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut said = Said::new(attributes.metadata());
        attributes.record(&mut said);
        let scope = context.span_scope(id).into_iter().flatten().skip(1);
        said.within = scope.map(|span| span.name()).collect();
        self.said().push(said);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(metadata) = context.metadata(id) else {
            return;
        };
        let mut later = Said::new(metadata);
        values.record(&mut later);
        self.said().push(later);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut said = Said::new(event.metadata());
        event.record(&mut said);
        let scope = context.event_scope(event).into_iter().flatten();
        said.within = scope.map(|span| span.name()).collect();
        self.said().push(said);
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let forms = format!("{value:?}\n{value:#?}");
        self.values.push((field.name(), forms));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut forms = String::new();
        let mut next = Some(value);
        while let Some(error) = next {
            write!(forms, "{error}\n{error:?}\n{error:#?}\n").unwrap();
            next = error.source();
        }
        self.values.push((field.name(), forms));
    }
}
