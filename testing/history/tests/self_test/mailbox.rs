//! The mailbox's rules find nothing in right histories, and each bug in those of a mailbox that has it.

use crate::mailbox_callers::{MailboxCallers, CONSUMERS, PRODUCERS};
use crate::mailbox_protocol::Bug;
use crate::mailbox_service::{Mailbox, MAX_DELIVERIES, TICK};
use crate::simulation::{recorder, Faults, Simulation, LONGEST_CALL, MILLISECOND, SECOND};
use ron_history::mailbox::{check, MailboxRule as Rule, Promises};
use ron_history::History;
use std::time::Duration;

/// With what the drain adds, a history has not more than 20,000.
const OPERATIONS: usize = 16_000;
const SEEDS: u64 = 100;

pub(crate) fn history(bug: Bug, seed: u64, faults: Faults, operations: usize) -> History {
    let recorder = recorder();
    let callers = MailboxCallers::new(recorder.0.clone(), operations);
    let mailbox = Mailbox::new(bug, seed);
    let mut simulation = Simulation::new(mailbox, callers, recorder.clone(), seed, faults);
    simulation.run(PRODUCERS + CONSUMERS);
    recorder.0.drained(simulation.service.remnants());
    recorder.0.history()
}

/// Without faults there is an order, and nothing takes longer than the tick and the network.
pub(crate) fn promises(faults: Faults) -> Promises {
    let (slack, max_reorder_depth) = if faults.loss > 0.0 {
        (LONGEST_CALL + 2 * SECOND, 32)
    } else {
        (20 * MILLISECOND, 0)
    };
    Promises {
        max_deliveries: MAX_DELIVERIES,
        redelivered_within: Some(Duration::from_nanos(TICK + slack)),
        max_reorder_depth,
        clock_tolerance: Duration::ZERO,
        details_per_rule: 3,
    }
}

#[test]
fn right_histories_are_right_and_have_seen_something() {
    let mut recovered = 0;
    for seed in 0..SEEDS {
        let restart = if seed % 4 == 0 { 0.1 } else { 0.0 };
        let faults = Faults {
            restart,
            ..Faults::MANY
        };
        let faults = faults.times([0.0, 1.0, 2.0, 4.0, 8.0][(seed % 5) as usize]);
        let history = history(Bug::None, seed, faults, 4_000);
        let report = check(&history, &promises(faults));
        assert!(report.violations.is_empty(), "seed {seed}: {report}");
        assert!(report.not_judged.is_empty());
        let counts = report.counts;
        assert!(
            counts.received > 300 && counts.duplicated > 50,
            "seed {seed}: {report}"
        );
        assert!(
            counts.stale > 5 && counts.dead_letters > 0,
            "seed {seed}: {report}"
        );
        let unknown = history
            .receives
            .iter()
            .filter(|call| call.is_unknown())
            .count();
        assert!(
            (unknown > 10) == (faults.loss > 0.0),
            "seed {seed}: {unknown}"
        );
        recovered += counts.recovered;
    }
    assert!(recovered > SEEDS, "{recovered}");
}

/// Looks for a bug in some histories with faults, or without. It is found in each, by these rules.
#[track_caller]
fn is_found(bug: Bug, faults: Faults, by: &[Rule]) {
    for seed in 0..3 {
        let history = history(bug, seed, faults, OPERATIONS);
        assert!(history.calls() <= 20_000, "{}", history.calls());
        let report = check(&history, &promises(faults));
        let found: Vec<Rule> = report.violations.rules().collect();
        for rule in by {
            assert!(found.contains(rule), "seed {seed}: {rule}: {report}");
        }
    }
}

#[test]
fn an_acknowledgement_under_an_old_lease() {
    is_found(Bug::UnfencedAck, Faults::MANY, &[Rule::Fencing]);
    is_found(Bug::UnfencedAck, Faults::NONE, &[Rule::Fencing]);
}

#[test]
fn a_refused_acknowledgement_that_removes() {
    is_found(Bug::StaleAckRemoves, Faults::MANY, &[Rule::Fencing]);
}

#[test]
fn an_acknowledgement_that_is_forgotten() {
    is_found(
        Bug::AcknowledgementsForgotten,
        Faults::MANY,
        &[Rule::Finality],
    );
    is_found(
        Bug::AcknowledgementsForgotten,
        Faults::NONE,
        &[Rule::Finality],
    );
}

#[test]
fn sends_that_are_not_known_again() {
    is_found(Bug::DeduplicationOff, Faults::MANY, &[Rule::Identity]);
    is_found(Bug::DeduplicationOff, Faults::NONE, &[Rule::Identity]);
    is_found(Bug::ReplaysNotFlagged, Faults::MANY, &[Rule::Identity]);
}

#[test]
fn sends_that_are_recorded_after_the_answer_or_forgotten_soon() {
    is_found(Bug::RecordAfterReply, Faults::MANY, &[Rule::Identity]);
    is_found(Bug::EarlyEviction, Faults::MANY, &[Rule::Identity]);
}

#[test]
fn leases_that_are_too_long_or_too_short() {
    is_found(Bug::VisibilityTimesTen, Faults::MANY, &[Rule::Redelivery]);
    is_found(Bug::VisibilityTimesTen, Faults::NONE, &[Rule::Redelivery]);
    is_found(Bug::VisibilityTenth, Faults::MANY, &[Rule::Exclusivity]);
    is_found(Bug::VisibilityTenth, Faults::NONE, &[Rule::Exclusivity]);
    is_found(Bug::DelayOfNackIgnored, Faults::MANY, &[Rule::Redelivery]);
}

#[test]
fn deliveries_that_are_not_counted_or_never_end() {
    is_found(Bug::AttemptsNotCounted, Faults::MANY, &[Rule::Exclusivity]);
    is_found(Bug::DeliveredEndlessly, Faults::MANY, &[Rule::DeadLetters]);
}

#[test]
fn a_dead_letter_that_is_there_twice() {
    is_found(Bug::DeadLetterTwice, Faults::MANY, &[Rule::DeadLetters]);
}

#[test]
fn messages_that_nobody_sent_or_not_so() {
    is_found(Bug::InventedMessage, Faults::MANY, &[Rule::NoInvention]);
    is_found(Bug::BodyChanged, Faults::MANY, &[Rule::NoInvention]);
}

#[test]
fn messages_that_are_lost() {
    is_found(Bug::LostBeforeDelivery, Faults::MANY, &[Rule::NoLoss]);
    is_found(Bug::LostBeforeDelivery, Faults::NONE, &[Rule::NoLoss]);
    is_found(Bug::LostAfterDelivery, Faults::MANY, &[Rule::NoLoss]);
}

#[test]
fn messages_that_come_in_the_wrong_order() {
    is_found(Bug::LastInFirstOut, Faults::NONE, &[Rule::Order]);
}

#[test]
fn a_batch_that_is_not_repeated() {
    is_found(Bug::BatchNotRepeated, Faults::MANY, &[Rule::Repetition]);
    is_found(Bug::BatchNotRepeated, Faults::NONE, &[Rule::Repetition]);
}
