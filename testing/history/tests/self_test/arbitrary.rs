//! Histories that no service can have: the checkers judge whatever was recorded, and a file keeps it.

use proptest::collection::vec;
use proptest::prelude::*;
use ron_history::index::{Expected, Publish, PublishAnswer, Resolve};
use ron_history::mailbox::{
    LeaseAction, LeaseAnswer, Place, Promises, ReceiveMessages, Received, Remnant, Restart,
    SendMessage, Sent, UseLease,
};
use ron_history::{index, mailbox, Fingerprint, History, Pending, Recorder, Request};
use std::sync::Arc;
use std::time::Duration;

/// A call, or the end of one that is open. Numbers select among few names, so that they meet.
#[derive(Clone, Debug)]
enum Step {
    Send(u8, u8, u8),
    Receive(u8, u64),
    Use(u8, u8, u8, u64),
    Publish(u8, u8),
    Resolve,
    Restart,
    End(usize, Ending),
}

#[derive(Clone, Debug)]
struct Ending {
    /// 0: it failed; 1: nobody knows.
    outcome: u8,
    /// Messages, leases, numbers and bodies.
    batch: Vec<(u8, u8, u32, u8)>,
}

fn step() -> impl Strategy<Value = Step> {
    let time = prop_oneof![0..100u64, Just(u64::MAX)];
    let ending = (
        0..6u8,
        vec(
            (0..4u8, 0..4u8, prop_oneof![0..4u32, Just(u32::MAX)], 0..3u8),
            0..4,
        ),
    )
        .prop_map(|(outcome, batch)| Ending { outcome, batch });
    prop_oneof![
        3 => (0..2u8, 0..3u8, 0..3u8).prop_map(|(topic, key, body)| Step::Send(topic, key, body)),
        4 => (0..3u8, time.clone()).prop_map(|(id, visibility)| Step::Receive(id, visibility)),
        4 => (0..4u8, 0..4u8, 0..3u8, time)
            .prop_map(|(message, lease, action, time)| Step::Use(message, lease, action, time)),
        2 => (0..4u8, any::<u8>()).prop_map(|(expected, value)| Step::Publish(expected, value)),
        2 => Just(Step::Resolve),
        1 => Just(Step::Restart),
        10 => (any::<usize>(), ending).prop_map(|(which, ending)| Step::End(which, ending)),
    ]
}

fn name(number: u8) -> Arc<str> {
    number.to_string().into()
}

fn fingerprint(number: u8) -> Fingerprint {
    Fingerprint::of([number])
}

enum Open {
    Send(Pending<SendMessage>),
    Receive(Pending<ReceiveMessages>),
    Use(Pending<UseLease>),
    Publish(Pending<Publish>),
    Resolve(Pending<Resolve>),
    Restart(Pending<Restart>),
}

fn begin(recorder: &Recorder, step: &Step, number: u8) -> Option<Open> {
    Some(match *step {
        Step::Send(topic, key, body) => Open::Send(recorder.invoke(SendMessage {
            topic: name(topic),
            key: (key > 0).then(|| fingerprint(key)),
            body: fingerprint(body),
        })),
        Step::Receive(receive_id, visibility) => Open::Receive(recorder.invoke(ReceiveMessages {
            topic: name(receive_id % 2),
            receive_id: (receive_id > 0).then(|| fingerprint(receive_id)),
            visibility: Duration::from_secs(visibility),
            max: 3,
        })),
        Step::Use(message, lease, action, time) => {
            let time = Duration::from_secs(time);
            Open::Use(recorder.invoke(UseLease {
                message: name(message),
                lease: fingerprint(lease),
                action: match action {
                    0 => LeaseAction::Ack,
                    1 => LeaseAction::Nack { delay: time },
                    _ => LeaseAction::Extend { visibility: time },
                },
            }))
        }
        // Values are unique, except for those that are 0.
        Step::Publish(expected, value) => Open::Publish(recorder.invoke(Publish {
            key: name(0),
            value: fingerprint(if value == 0 { 0 } else { number }),
            expected: match expected {
                0 => Expected::Anything,
                1 => Expected::Absent,
                expected => Expected::Value(fingerprint(expected)),
            },
        })),
        Step::Resolve => Open::Resolve(recorder.invoke(Resolve { key: name(0) })),
        Step::Restart => Open::Restart(recorder.invoke(Restart)),
        Step::End(..) => return None,
    })
}

fn end(open: Open, ending: &Ending) {
    fn with<R: Request>(pending: Pending<R>, outcome: u8, reply: R::Reply) {
        match outcome {
            0 => pending.failed(),
            1 => pending.unknown(),
            _ => pending.ok(reply),
        }
    }
    let outcome = ending.outcome;
    let (message, lease, attempt, body) = ending.batch.first().copied().unwrap_or_default();
    match open {
        Open::Send(pending) => {
            let replayed = lease == 0;
            let message = name(message);
            with(pending, outcome, Sent { message, replayed });
        }
        Open::Receive(pending) => {
            let received = |(message, lease, attempt, body)| Received {
                message: name(message),
                lease: fingerprint(lease),
                attempt,
                body: fingerprint(body),
            };
            let batch = ending.batch.iter().copied().map(received);
            with(pending, outcome, batch.collect());
        }
        Open::Use(pending) => {
            let answers = [LeaseAnswer::Done, LeaseAnswer::Stale, LeaseAnswer::NotFound];
            with(pending, outcome, answers[usize::from(body)]);
        }
        Open::Publish(pending) => {
            let answers = [PublishAnswer::Published, PublishAnswer::Conflict];
            with(pending, outcome, answers[(attempt % 2) as usize]);
        }
        Open::Resolve(pending) => {
            let value = message * 4 + lease;
            with(pending, outcome, (value > 0).then(|| fingerprint(value)));
        }
        Open::Restart(pending) => with(pending, outcome, ()),
    }
}

fn history(steps: &[Step], remnants: Option<&[(u8, u8, u32)]>) -> History {
    let recorder = Recorder::new();
    let mut open = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        if let Step::End(which, ending) = step {
            if !open.is_empty() {
                let which = which % open.len();
                end(open.swap_remove(which), ending);
            }
        } else {
            open.extend(begin(&recorder, step, number as u8));
        }
    }
    let history = recorder.history();
    let remnant = |(message, place, deliveries): &(u8, u8, u32)| Remnant {
        message: name(*message),
        topic: name(0),
        body: fingerprint(0),
        place: match place {
            0 => Place::Ready,
            1 => Place::Leased,
            _ => Place::DeadLetter {
                reason: String::new(),
                deliveries: *deliveries,
            },
        },
    };
    History {
        remnants: remnants.map(|remnants| remnants.iter().map(remnant).collect()),
        ..history
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn whatever_was_recorded_is_kept_and_judged(
        steps in vec(step(), 0..80),
        remnants in proptest::option::of(vec((0..5u8, 0..4u8, 0..20u32), 0..6)),
    ) {
        let history = history(&steps, remnants.as_deref());
        let report = mailbox::check(&history, &Promises::default());
        let is_right = report.violations.is_empty();
        prop_assert_eq!(is_right, report.violations.rules().next().is_none());
        prop_assert_eq!(is_right, !report.to_string().contains("violations"));
        // A second judgement is the same.
        let again = mailbox::check(&history, &Promises::default());
        prop_assert_eq!(report.to_string(), again.to_string());
        if let Ok(report) = index::check(&history) {
            prop_assert_eq!(report.violations.is_empty(), report.violations.details().is_empty());
        }

        let mut file = Vec::new();
        history.write(&mut file).unwrap();
        prop_assert_eq!(History::read(&file[..]).unwrap(), history);
    }
}
