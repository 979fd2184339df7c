//! P4, P5 and P6: who has a message, and until when.

use super::*;

#[test]
fn nothing_is_delivered_after_its_acknowledgement() {
    let scene = Scene::new();
    scene.send("m").send("left");
    scene.receive("1", &[("m", 1), ("left", 1)]);
    scene.at(VISIBILITY);
    // One that begins before the answer to the acknowledgement, and a late answer to the first.
    let open = scene.begin_receive("2");
    let late = scene.begin_receive("1");
    scene.ack("m", 1).ack("left", 1);
    open.ok(received(&[("m", 2)]));
    late.ok(received(&[("m", 1)]));
    scene.receive("1", &[("m", 1)]).is_right();
    scene.at(3 * VISIBILITY).receive("3", &[("m", 3)]);
    scene.drained(&[("left", Place::Ready)]);
    scene.breaks(
        Rule::Finality,
        &[
            "m was acknowledged by #8, and delivered to #16, which began later",
            "left was acknowledged by #10, and is left after the drain",
        ],
    );
}

#[test]
fn deliveries_are_numbered_upwards() {
    let scene = Scene::new();
    scene.send("m").receive("1", &[("m", 2)]);
    scene.at(VISIBILITY).receive("2", &[("m", 4)]).is_right();
    scene.at(4 * VISIBILITY);
    scene.receive("3", &[("m", 3)]);
    let falls = "m: #6 began after #4 had ended, and is a delivery of a smaller number";
    scene.breaks(Rule::Exclusivity, &[falls]);

    let scene = Scene::new();
    scene.send("m").receive("1", &[("m", 1)]).at(VISIBILITY);
    let mut again = received(&[("m", 1)]);
    again[0].lease = Fingerprint::of("another");
    scene.begin_receive("2").ok(again);
    scene.breaks(
        Rule::Exclusivity,
        &["m: #2 and #4 are two deliveries number 1"],
    );

    let scene = Scene::new();
    scene
        .send("m")
        .receive("1", &[("m", 1)])
        .receive("2", &[("m", 1)]);
    scene.breaks(
        Rule::Exclusivity,
        &["m: #2 and #4 were given the same lease"],
    );
}

#[test]
fn a_lease_lasts_as_long_as_was_asked_for() {
    let early = |second: u64| {
        let scene = Scene::new();
        scene.send("m").at(100);
        let first = scene.begin_receive("1");
        scene.at(150);
        first.ok(received(&[("m", 1)]));
        scene.at(second).receive("2", &[("m", 2)]);
        scene
    };
    early(1_100).is_right();
    early(1_098).is_right();
    let overlap = "m: #4 was answered 3ms before the lease of #2 can have ended";
    early(1_097).breaks(Rule::Exclusivity, &[overlap]);
}

#[test]
fn a_lease_may_have_begun_with_an_unanswered_receive() {
    let scene = Scene::new();
    scene.send("m").begin_receive("1").unknown();
    scene.at(900).receive("1", &[("m", 1)]);
    scene.at(1_000).receive("2", &[("m", 2)]).is_right();
    let scene = Scene::new();
    scene.send("m").begin_receive("1").failed();
    scene.at(900).receive("1", &[("m", 1)]);
    scene.at(1_000).receive("2", &[("m", 2)]);
    let overlap = "m: #6 was answered 900ms before the lease of #4 can have ended";
    scene.breaks(Rule::Exclusivity, &[overlap]);
}

#[test]
fn a_restart_may_end_a_lease() {
    let scene = Scene::new();
    scene.send("m").receive("1", &[("m", 1)]);
    scene.recorder.invoke(Restart).ok(());
    scene.at(10).receive("2", &[("m", 2)]).is_right();
    scene.at(20).receive("3", &[("m", 3)]);
    let overlap = "m: #8 was answered 990ms before the lease of #6 can have ended";
    scene.breaks(Rule::Exclusivity, &[overlap]);
}

#[test]
fn an_extension_counts_from_when_it_is_made() {
    let scene = Scene::new();
    scene.send("m").receive("1", &[("m", 1)]);
    scene.at(500).extend("m", 1, 2_000);
    scene.at(600).extend("m", 1, 1_000);
    let second = |at| scene.at(at).receive("2", &[("m", 2)]);
    second(1_500);
    let overlap = "m: #8 was answered 100ms before the lease of #2 can have ended";
    scene.breaks(Rule::Exclusivity, &[overlap]);

    let scene = Scene::new();
    scene.send("m").receive("1", &[("m", 1)]);
    scene.at(100).extend("m", 1, 10).extend("m", 1, 2_000);
    let visibility = Duration::from_millis(1);
    scene
        .begin_use("m", 1, LeaseAction::Extend { visibility })
        .failed();
    scene
        .begin_use("m", 1, LeaseAction::Nack { delay: visibility })
        .failed();
    scene.at(1_900).receive("2", &[("m", 2)]);
    let overlap = "m: #12 was answered 200ms before the lease of #2 can have ended";
    scene.breaks(Rule::Exclusivity, &[overlap]);

    // Nobody knows whether it was shortened.
    let scene = Scene::new();
    scene.send("m").receive("1", &[("m", 1)]);
    let visibility = Duration::from_millis(10);
    scene
        .begin_use("m", 1, LeaseAction::Extend { visibility })
        .unknown();
    scene.at(10).receive("2", &[("m", 2)]).is_right();
}

#[test]
fn a_refused_extension_may_have_been_made_before() {
    let scene = Scene::new();
    scene.send("m").receive("1", &[("m", 1)]);
    let visibility = Duration::from_millis(10);
    let extension = scene.begin_use("m", 1, LeaseAction::Extend { visibility });
    scene.at(20).receive("2", &[("m", 2)]);
    extension.ok(LeaseAnswer::Stale);
    scene.is_right();
    let visibility = Duration::from_millis(5_000);
    let extension = scene.begin_use("m", 2, LeaseAction::Extend { visibility });
    scene.at(5_000).receive("3", &[("m", 3)]);
    extension.ok(LeaseAnswer::Stale);
    scene.is_right();
}

#[test]
fn the_request_of_an_answered_receive_may_arrive_again() {
    // A second lease, that begins when the first has ended and nobody asks for it.
    let scene = Scene::new();
    scene.send("m").receive("1", &[("m", 1)]);
    scene.at(1_900).receive("2", &[]).receive("1", &[("m", 2)]);
    scene.at(2_100).receive("3", &[("m", 3)]).is_right();
}

#[test]
fn an_old_lease_does_nothing() {
    let scene = Scene::new();
    scene.send("m").receive("1", &[("m", 1)]).at(VISIBILITY);
    let newer = scene.begin_receive("2");
    // The newer lease may be younger than this.
    let visibility = Duration::from_secs(1);
    scene.ack("other", 7);
    let nack = LeaseAction::Nack { delay: visibility };
    let extend = LeaseAction::Extend { visibility };
    newer.ok(received(&[("m", 2)]));
    for action in [LeaseAction::Ack, nack, extend] {
        scene.answer("m", 1, action, LeaseAnswer::Stale);
    }
    scene.extend("m", 1, 1).nack("m", 1, 1).ack("m", 1);
    let old = |used: u64| {
        format!("m: #{used} was accepted under the lease of #2, after #4 had received it anew")
    };
    let (extend, nack, ack) = (old(14), old(16), old(18));
    let unknown = "other: #5 was accepted under a lease that nobody was given";
    // By lease, then by time.
    scene.breaks(Rule::Fencing, &[&extend, &nack, &ack, unknown]);
    assert_eq!(scene.report().counts.stale, 3);
}

#[test]
fn a_lease_that_was_given_back_can_be_given_back_again() {
    let scene = Scene::new();
    scene.send("m").receive("1", &[("m", 1)]).nack("m", 1, 0);
    scene.receive("2", &[("m", 2)]).nack("m", 1, 0).is_right();
    scene.ack("m", 1);
    let old = "m: #10 was accepted under the lease of #2, after #6 had received it anew";
    scene.breaks(Rule::Fencing, &[old]);
}

#[test]
fn an_acknowledgement_that_was_refused_removes_nothing() {
    let scene = Scene::new();
    scene.send("m").receive("1", &[("m", 1)]).at(VISIBILITY);
    scene.receive("2", &[("m", 2)]);
    scene.answer("m", 1, LeaseAction::Ack, LeaseAnswer::Stale);
    scene.drained(&[("m", Place::Leased)]).is_right();
    scene.drained(&[]);
    let removed = "m is gone, although nobody but #6 acknowledged it, which was refused";
    scene.breaks(Rule::Fencing, &[removed]);
    assert_eq!(scene.report().counts.lost, 1);
}
