//! The index's rules find nothing in right histories, and each bug in those of an index that has it.

use crate::index_service::{Bug, Index, IndexCallers};
use crate::simulation::{recorder, Faults, Simulation};
use ron_history::index::{check, IndexReport, IndexRule as Rule};
use ron_history::History;

const CALLERS: usize = 16;

pub(crate) fn history(bug: Bug, seed: u64, faults: Faults, operations: usize) -> History {
    let recorder = recorder();
    let callers = IndexCallers::new(recorder.0.clone(), CALLERS, operations);
    let index = Index::new(bug, seed);
    let mut simulation = Simulation::new(index, callers, recorder.clone(), seed, faults);
    simulation.run(CALLERS);
    recorder.0.history()
}

fn report(bug: Bug, seed: u64, faults: Faults, operations: usize) -> IndexReport {
    check(&history(bug, seed, faults, operations)).unwrap()
}

#[test]
fn right_histories_are_right_and_have_seen_something() {
    let mut recovered = 0;
    for seed in 0..100 {
        let faults = Faults::MANY.times([0.0, 1.0, 2.0, 4.0, 8.0][(seed % 5) as usize]);
        let report = report(Bug::None, seed, faults, 4_000);
        assert!(report.violations.is_empty(), "seed {seed}: {report}");
        let counts = report.counts;
        assert!(
            counts.published > 100 && counts.conflicts > 50,
            "seed {seed}: {report}"
        );
        assert!(counts.reads > 800, "seed {seed}: {report}");
        recovered += counts.recovered;
    }
    assert!(recovered > 200, "{recovered}");
}

/// Looks for a bug in some histories. It is found in each, by this rule.
#[track_caller]
fn is_found(bug: Bug, faults: Faults, by: Rule) {
    for seed in 0..3 {
        let report = report(bug, seed, faults, 20_000);
        assert!(report.violations.count(by) > 0, "seed {seed}: {report}");
    }
}

#[test]
fn a_stale_read_after_compare_and_set() {
    is_found(
        Bug::StaleReadAfterCompareAndSet,
        Faults::MANY,
        Rule::NoStaleRead,
    );
    is_found(
        Bug::StaleReadAfterCompareAndSet,
        Faults::NONE,
        Rule::NoStaleRead,
    );
}

#[test]
fn a_lost_update() {
    is_found(Bug::LostUpdate, Faults::MANY, Rule::NoLostUpdate);
    is_found(Bug::LostUpdate, Faults::NONE, Rule::NoLostUpdate);
}

#[test]
fn an_invented_value() {
    is_found(Bug::InventedValue, Faults::MANY, Rule::NoInvention);
}

#[test]
fn a_publish_that_is_executed_twice() {
    // The second time it is refused, as it has replaced what it expected.
    is_found(Bug::DeduplicationOff, Faults::MANY, Rule::NoInvention);
}

#[test]
fn a_conflict_without_a_cause() {
    is_found(
        Bug::ConflictWithoutCause,
        Faults::MANY,
        Rule::HonestConflict,
    );
    is_found(
        Bug::ConflictWithoutCause,
        Faults::NONE,
        Rule::HonestConflict,
    );
}
