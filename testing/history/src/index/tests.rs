//! Small histories by hand: what breaks the rules, and beside it what almost does.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::{Fingerprint, Pending, Recorder};
use Expected::{Absent, Anything};
use PublishAnswer::{Conflict, Published};

struct Scene(Recorder);

impl Scene {
    fn new() -> Self {
        Self(Recorder::new())
    }

    fn begin(&self, value: &str, expected: Expected) -> Pending<Publish> {
        self.0.invoke(Publish {
            key: "key".into(),
            value: Fingerprint::of(value),
            expected,
        })
    }

    fn publish(&self, value: &str, expected: Expected) -> &Self {
        self.begin(value, expected).ok(Published);
        self
    }

    fn refuse(&self, value: &str, expected: Expected) -> &Self {
        self.begin(value, expected).ok(Conflict);
        self
    }

    fn begin_read(&self) -> Pending<Resolve> {
        self.0.invoke(Resolve { key: "key".into() })
    }

    fn read(&self, value: &str) -> &Self {
        self.begin_read().ok(found(value));
        self
    }

    #[track_caller]
    fn is_right(&self) {
        let report = check(&self.0.history()).unwrap();
        assert!(report.violations.is_empty(), "{report}");
    }

    #[track_caller]
    fn breaks(&self, details: &[&str]) {
        let report = check(&self.0.history()).unwrap();
        let found: Vec<String> = report
            .violations
            .details()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, details);
    }
}

/// "" for none.
fn found(value: &str) -> Option<Fingerprint> {
    (!value.is_empty()).then(|| Fingerprint::of(value))
}

fn value(value: &str) -> Expected {
    Expected::Value(Fingerprint::of(value))
}

#[test]
fn reads_at_the_same_time_as_a_publish_may_see_either() {
    let scene = Scene::new();
    scene.read("").publish("a", Absent);
    let publish = scene.begin("b", value("a"));
    let (early, late) = (scene.begin_read(), scene.begin_read());
    scene.read("a");
    late.ok(found("b"));
    early.ok(found("a"));
    publish.ok(Published);
    scene.read("b").is_right();
    scene.read("a");
    scene.breaks(&[
        "key: #14 has read what was replaced; #4, which had ended before, has seen what is newer",
    ]);
}

#[test]
fn what_is_read_was_published_before() {
    let scene = Scene::new();
    scene.begin("failed", Anything).failed();
    scene.begin("unknown", Anything).unknown();
    scene.refuse("refused", value("nothing"));
    scene.read("unknown").is_right();
    assert_eq!(check(&scene.0.history()).unwrap().counts.recovered, 1);
    scene
        .read("failed")
        .read("refused")
        .publish("b", value("never"));
    scene.breaks(&[
        "key: #8 has seen a value that nobody has published",
        "key: #10 has seen a value that nobody has published",
        "key: #12 has seen a value that nobody has published",
    ]);
    let scene = Scene::new();
    scene.read("a").publish("a", Absent);
    scene.breaks(&["key: #0 has seen the value of #2, which began later"]);
}

#[test]
fn a_key_that_has_a_value_keeps_one() {
    let scene = Scene::new();
    scene.publish("a", Anything).read("");
    scene.breaks(&[
        "key: #2 has read what was replaced; #0, which had ended before, has seen what is newer",
    ]);
}

#[test]
fn two_publishes_cannot_replace_the_same_value() {
    let scene = Scene::new();
    scene
        .publish("a", Absent)
        .publish("b", value("a"))
        .publish("c", value("a"));
    scene.breaks(&["key: #2 and #4 have both replaced the same value"]);
    let scene = Scene::new();
    scene.begin("a", Absent).unknown();
    scene.publish("b", Absent).is_right();
    scene.read("a");
    scene.breaks(&["key: #0 and #2 have both replaced the same value"]);
}

#[test]
fn a_value_that_is_gone_cannot_be_replaced() {
    let scene = Scene::new();
    scene
        .publish("a", Absent)
        .publish("b", Anything)
        .read("b")
        .publish("c", value("a"));
    scene.breaks(&["key: #6 has replaced a value that was not the newest: see #2"]);
    // Each expects the other's.
    let scene = Scene::new();
    let a = scene.begin("a", value("b"));
    scene.publish("b", value("a"));
    a.ok(Published);
    scene.breaks(&["key: #0 has seen the value of #1, which began later"]);
}

#[test]
fn a_publish_is_refused_where_the_key_has_something_else() {
    let scene = Scene::new();
    scene
        .refuse("x", value("a"))
        .publish("a", Absent)
        .refuse("x", Absent);
    let unknown = scene.begin("b", Anything);
    scene.refuse("x", value("a")).is_right();
    // It has not taken effect.
    scene.read("a");
    scene.breaks(&["key: #7 was refused, and all the time the key had what it expected: see #9"]);
    drop(unknown);

    let scene = Scene::new();
    scene.publish("a", Absent).publish("b", Anything);
    scene.refuse("x", value("b")).refuse("x", Anything);
    scene.breaks(&[
        "key: #4 was refused, and all the time the key had what it expected: see #2",
        "key: #6 was refused, and all the time the key had what it expected",
    ]);
    // A later publish has still found it.
    let scene = Scene::new();
    scene.publish("a", Absent).begin("b", Anything).unknown();
    scene.refuse("x", value("a")).publish("c", value("a"));
    scene.breaks(&["key: #4 was refused, and all the time the key had what it expected: see #6"]);
    let scene = Scene::new();
    scene.refuse("x", Absent);
    scene.breaks(&["key: #0 was refused, and all the time the key had what it expected"]);
}

#[test]
fn keys_are_independent_and_values_unique_in_one() {
    let scene = Scene::new();
    scene.publish("a", Anything);
    let elsewhere = Publish {
        key: "elsewhere".into(),
        value: Fingerprint::of("a"),
        expected: Absent,
    };
    scene.0.invoke(elsewhere).ok(Published);
    scene.begin("a", Anything).failed();
    scene.refuse("a", Absent).is_right();
    assert_eq!(check(&scene.0.history()).unwrap().counts.keys, 2);
    scene.begin("a", Anything).unknown();
    let error = check(&scene.0.history()).unwrap_err();
    assert_eq!(error.to_string(), "key: #0 and #8 publish the same value");
}
