use super::*;
use crate::oap::Plane;
use std::future::{poll_fn, Future};
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Instant;
use tracing::field::{Field, Visit};
use tracing::span::Record;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{self, Layer, SubscriberExt};

/// Every line of the crate's code outside of this module.
fn other_code() -> Vec<(String, String)> {
    let (mut lines, mut folders) = (Vec::new(), vec![Path::new("src").to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if path.file_name().unwrap() != "telemetry" {
                    folders.push(path);
                }
                continue;
            }
            let code = std::fs::read_to_string(&path).unwrap();
            let code = code.lines().filter(|line| !line.trim().starts_with("//"));
            lines.extend(code.map(|line| (path.display().to_string(), line.to_owned())));
        }
    }
    lines
}

#[test]
fn nothing_else_in_this_crate_emits_anything() {
    let code = other_code();
    assert!(code.len() > 5000, "only {} lines were found", code.len());
    for (path, line) in code {
        let words = [
            "tracing::",
            "tracing_core::",
            "log::",
            "use tracing",
            "use log",
        ];
        let says = words.iter().any(|word| line.contains(word));
        assert!(!says, "{path}: {line}");
    }
}

#[test]
fn no_parameter_can_hold_a_secret() {
    for code in [
        include_str!("mod.rs"),
        include_str!("call.rs"),
        include_str!("connection.rs"),
    ] {
        let is_code = |line: &&str| !line.trim().starts_with("//") && !line.starts_with("const ");
        for line in code.lines().filter(is_code) {
            // Names that are written in the source.
            let line = line.replace("&'static str", "");
            for general in ["str", "String", "dyn", "Display", "Debug>", "[u8]", "Bytes"] {
                let is_word = |word: &str| word == general;
                let mut words = line.split(|c: char| !c.is_alphanumeric() && !"[]>".contains(c));
                assert!(!words.any(is_word), "{general}: {line}");
            }
        }
    }
}

/// Remembers the values of the field `outcome`.
#[derive(Clone, Default)]
struct Outcomes(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber> Layer<S> for Outcomes {
    fn on_record(&self, _: &tracing::Id, values: &Record<'_>, _: layer::Context<'_, S>) {
        values.record(&mut self.clone());
    }

    fn on_event(&self, event: &Event<'_>, _: layer::Context<'_, S>) {
        event.record(&mut self.clone());
    }
}

impl Visit for Outcomes {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "outcome" {
            self.0.lock().unwrap().push(format!("{value:?}"));
        }
    }
}

fn span() -> CallSpan {
    let gateway = "https://gateway.example".parse().unwrap();
    let limit = Duration::from_secs(1);
    CallSpan::new(
        true,
        (Plane::Storage, "get"),
        &gateway,
        limit,
        0,
        Instant::now(),
    )
}

#[test]
fn a_span_is_entered_while_its_future_is_polled_and_not_in_between() {
    tracing::subscriber::with_default(tracing_subscriber::registry(), || {
        let name = || tracing::Span::current().metadata().map(|span| span.name());
        let span = span();
        let mut polls = 0;
        let mut future = pin!(span.follow(poll_fn(|_| {
            assert_eq!(name(), Some("sdk.call"));
            polls += 1;
            if polls == 2 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })));
        let mut context = Context::from_waker(futures_util::task::noop_waker_ref());
        for expected in [Poll::Pending, Poll::Ready(())] {
            assert_eq!(future.as_mut().poll(&mut context), expected);
            assert_eq!(name(), None);
        }
        span.run(|| assert_eq!(name(), Some("sdk.call")));
        assert_eq!(name(), None);
    });
}

#[test]
fn a_call_ends_once_and_one_that_is_given_up_says_so() {
    let outcomes = Outcomes::default();
    let subscriber = tracing_subscriber::registry().with(outcomes.clone());
    tracing::subscriber::with_default(subscriber, || {
        drop(span());
        let outcome = Outcome {
            error: Some(ErrorKind::NotFound),
            status: Some(404),
            executed: Executed::No,
        };
        span().end(CallEnd {
            outcome,
            attempts: 1,
            replayed: false,
        });
    });
    let outcomes = outcomes.0.lock().unwrap();
    let expected = ["\"dropped\"", "\"NotFound\""];
    // Once as the span's field, once in the event.
    assert_eq!(
        *outcomes,
        [expected[0], expected[0], expected[1], expected[1]]
    );
}
