//! The checkers take O(n log n) time: eight times the history takes some ten times as long, and not 64.
//!
//! So do they on histories of a shape that makes slow what is quadratic in anything: one message, one key,
//! one receive or one batch with everything in it.

use crate::simulation::Faults;
use crate::{index_service, mailbox_protocol};
use ron_history::index::{Expected, Publish, PublishAnswer, Resolve};
use ron_history::mailbox::{
    LeaseAction, LeaseAnswer, Promises, ReceiveMessages, Received, SendMessage, Sent, UseLease,
};
use ron_history::{index, mailbox, Fingerprint, History, Recorder};
use std::hint::black_box;
use std::time::{Duration, Instant};

const FACTOR: usize = 8;
/// What is quadratic takes 64 times as long. A long history leaves the processor's caches, which costs two
/// or three times as much.
const MOST: f64 = 30.0;
/// Times `FACTOR`, this is 200,000.
const SMALL: usize = 25_000;

/// Compares histories of two lengths in the same run. A machine that is busy with something else makes some
/// runs longer, and none shorter.
#[track_caller]
fn grows_almost_linearly(small: usize, history: impl Fn(usize) -> History) {
    let histories = [history(small), history(FACTOR * small)];
    let mut best = [Duration::MAX; 2];
    for _ in 0..16 {
        for (best, history) in best.iter_mut().zip(&histories) {
            *best = (*best).min(time(history));
        }
        if ratio(best) <= MOST {
            break;
        }
    }
    let calls = histories.map(|history| history.calls());
    assert!(ratio(best) <= MOST, "{calls:?} calls in {best:?}");
}

fn ratio(times: [Duration; 2]) -> f64 {
    times[1].as_secs_f64() / times[0].as_secs_f64()
}

fn time(history: &History) -> Duration {
    let start = Instant::now();
    black_box(mailbox::check(history, &Promises::default()));
    black_box(index::check(history)).unwrap();
    start.elapsed()
}

fn mailbox_history(calls: usize) -> History {
    crate::mailbox::history(mailbox_protocol::Bug::None, 1, Faults::MANY, calls)
}

fn index_history(calls: usize) -> History {
    crate::index::history(index_service::Bug::None, 1, Faults::MANY, calls)
}

#[test]
fn simulated_mailbox() {
    grows_almost_linearly(SMALL, mailbox_history);
}

#[test]
fn simulated_index() {
    grows_almost_linearly(SMALL, index_history);
}

#[test]
#[ignore = "takes long without optimisation: make test-deep"]
fn a_million_calls() {
    for history in [mailbox_history(1_100_000), index_history(1_000_000)] {
        let time = time(&history);
        assert!(history.calls() >= 1_000_000);
        assert!(time < Duration::from_secs(20), "{time:?}");
    }
}

fn send(recorder: &Recorder, key: &str, message: &str) {
    let send = recorder.invoke(SendMessage {
        topic: "topic".into(),
        key: Some(Fingerprint::of(key)),
        body: Fingerprint::of("body"),
    });
    send.ok(Sent {
        message: message.into(),
        replayed: true,
    });
}

fn receive(recorder: &Recorder, receive_id: &str, batch: Vec<Received>) {
    let receive = recorder.invoke(ReceiveMessages {
        topic: "topic".into(),
        receive_id: Some(Fingerprint::of(receive_id)),
        visibility: Duration::from_secs(3_600),
        max: u32::MAX,
    });
    receive.ok(batch);
}

fn received(message: &str, attempt: u32) -> Received {
    Received {
        message: message.into(),
        lease: Fingerprint::of(attempt.to_string()),
        attempt,
        body: Fingerprint::of("body"),
    }
}

#[test]
fn one_message_for_all() {
    grows_almost_linearly(SMALL / 5, |rounds| {
        let recorder = Recorder::new();
        for round in 0..rounds as u32 {
            send(&recorder, "key", "message");
            receive(
                &recorder,
                &round.to_string(),
                vec![received("message", round)],
            );
            for action in [
                LeaseAction::Extend {
                    visibility: Duration::ZERO,
                },
                LeaseAction::Ack,
            ] {
                let used = recorder.invoke(UseLease {
                    message: "message".into(),
                    lease: Fingerprint::of((round / 2).to_string()),
                    action,
                });
                used.ok(LeaseAnswer::Done);
            }
        }
        recorder.drained(Vec::new());
        recorder.history()
    });
}

#[test]
fn one_lease_for_all() {
    grows_almost_linearly(SMALL / 4, |rounds| {
        let recorder = Recorder::new();
        let delay = Duration::ZERO;
        let use_lease = |action: LeaseAction, answer: LeaseAnswer| {
            let message = "message".into();
            let lease = Fingerprint::of("1");
            let used = recorder.invoke(UseLease {
                message,
                lease,
                action,
            });
            used.ok(answer);
        };
        for _ in 0..rounds {
            receive(&recorder, "receive", vec![received("message", 1)]);
            use_lease(LeaseAction::Nack { delay }, LeaseAnswer::Stale);
        }
        for _ in 0..rounds {
            use_lease(LeaseAction::Ack, LeaseAnswer::Stale);
        }
        receive(&recorder, "another", vec![received("message", 2)]);
        for _ in 0..rounds {
            use_lease(LeaseAction::Nack { delay }, LeaseAnswer::Done);
        }
        recorder.history()
    });
}

#[test]
fn one_batch_for_all_in_the_wrong_order() {
    grows_almost_linearly(SMALL / 2, |messages| {
        let recorder = Recorder::new();
        let names: Vec<String> = (0..messages).map(|number| number.to_string()).collect();
        for name in &names {
            send(&recorder, name, name);
        }
        let batch = names.iter().rev().map(|name| received(name, 1));
        receive(&recorder, "receive", batch.collect());
        recorder.history()
    });
}

#[test]
fn one_body_for_all_and_no_answers() {
    grows_almost_linearly(SMALL / 2, |messages| {
        let recorder = Recorder::new();
        for number in 0..messages {
            let send = recorder.invoke(SendMessage {
                topic: "topic".into(),
                key: Some(Fingerprint::of(number.to_string())),
                body: Fingerprint::of("body"),
            });
            send.unknown();
            let name = number.to_string();
            receive(&recorder, &name, vec![received(&name, 1)]);
        }
        recorder.history()
    });
}

#[test]
fn one_key_for_all() {
    grows_almost_linearly(SMALL / 3, |rounds| {
        let recorder = Recorder::new();
        let value = |round: usize| Fingerprint::of(round.to_string());
        let publish = |round: usize, expected: Expected, answer: PublishAnswer| {
            let publish = recorder.invoke(Publish {
                key: "key".into(),
                value: value(round),
                expected,
            });
            publish.ok(answer);
        };
        for round in 0..rounds {
            // Chains of three.
            let expected = match round % 3 {
                0 => Expected::Anything,
                _ => Expected::Value(value(round - 1)),
            };
            publish(round, expected, PublishAnswer::Published);
            publish(
                rounds,
                Expected::Value(value(round / 2)),
                PublishAnswer::Conflict,
            );
            let read = recorder.invoke(Resolve { key: "key".into() });
            read.ok(Some(value(round)));
        }
        recorder.history()
    });
}
