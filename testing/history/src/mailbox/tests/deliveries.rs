//! P8, P9 and P10: when messages come, in which order, and in which batch.

use super::*;

#[test]
fn a_message_comes_back_to_a_waiting_caller_in_time() {
    let redelivered = |first_asks: u64, answered: u64| {
        let scene = Scene::new();
        scene.send("m").receive("1", &[("m", 1)]);
        scene.at(first_asks);
        let waiting = scene.begin_receive("2");
        scene.at(answered);
        waiting.ok(received(&[("m", 2)]));
        scene
    };
    let late = "m: had by #2, it was delivered to #4 1ms late";
    redelivered(500, 1_252).is_right();
    redelivered(500, 1_253).breaks(Rule::Redelivery, &[late]);
    // Nobody asked before.
    redelivered(9_000, 9_252).is_right();
    redelivered(9_000, 9_253).breaks(Rule::Redelivery, &[late]);
    // It was not this call that made the delivery.
    let scene = Scene::new();
    scene.send("m").receive("1", &[("m", 1)]);
    scene.at(1_100).begin_receive("2").unknown();
    let repeated = scene.at(1_900).begin_receive("2");
    scene.at(2_300);
    repeated.ok(received(&[("m", 2)]));
    scene.is_right();

    let mut scene = redelivered(500, 9_000);
    scene.promises.redelivered_within = None;
    scene.is_right();
    assert_eq!(scene.report().not_judged, [Rule::NoLoss, Rule::Redelivery]);
}

#[test]
fn a_message_that_is_ready_is_not_withheld() {
    let scene = Scene::new();
    scene.send("m").receive("1", &[("m", 1)]);
    // Before it is due; at the time; on another topic.
    scene.at(1_252).receive("2", &[]);
    let open = scene.at(1_253).begin_receive("3");
    let elsewhere = ReceiveMessages {
        topic: "elsewhere".into(),
        receive_id: None,
        visibility: Duration::from_millis(VISIBILITY),
        max: 1,
    };
    scene.recorder.invoke(elsewhere).ok(Vec::new());
    scene.at(1_300).receive("4", &[("m", 2)]);
    open.ok(Vec::new());
    scene.is_right();

    let scene = Scene::new();
    scene.send("m").receive("1", &[("m", 1)]);
    scene.at(1_253).receive("2", &[]).receive("3", &[("m", 2)]);
    let withheld = "m: had by #2, it was ready while #4 was answered with nothing, and went to #6";
    scene.breaks(Rule::Redelivery, &[withheld]);

    // Of those that began when it was ready, the one that ended first is not the first.
    let scene = Scene::new();
    scene.send("m").receive("1", &[("m", 1)]);
    let open = scene.at(1_300).begin_receive("2");
    scene.receive("3", &[]).receive("4", &[("m", 2)]);
    open.ok(Vec::new());
    scene.breaks(
        Rule::Redelivery,
        &[&withheld.replace("#4", "#5").replace("#6", "#7")],
    );

    // Somebody else may have had it in between.
    let scene = Scene::new();
    scene.send("m").receive("1", &[("m", 1)]);
    scene
        .at(1_253)
        .receive("2", &[])
        .receive("3", &[("m", 3)])
        .is_right();
}

#[test]
fn a_message_that_is_given_back_comes_after_its_delay() {
    let second = |at: u64| {
        let scene = Scene::new();
        scene.send("m").receive("1", &[("m", 1)]);
        scene.at(100).nack("m", 1, 300);
        scene.at(at).receive("2", &[("m", 2)]);
        scene
    };
    second(398).is_right();
    let early = "m: given back by #2, it was delivered to #6 3ms too early";
    second(397).breaks(Rule::Redelivery, &[early]);

    // Also where its lease would have ended before.
    let scene = Scene::new();
    scene
        .send("m")
        .receive("1", &[("m", 1)])
        .nack("m", 1, 3_000);
    scene.at(2_000).receive("2", &[("m", 2)]);
    let early = "m: given back by #2, it was delivered to #6 1s too early";
    scene.breaks(Rule::Redelivery, &[early]);
}

#[test]
fn messages_come_in_the_order_of_their_sends() {
    let mut scene = Scene::new();
    scene.promises.max_reorder_depth = 0;
    let together = scene.begin_send("together");
    scene.send("first").send("second");
    together.ok(sent("together"));
    scene.receive("1", &[("first", 1), ("second", 1), ("together", 1)]);
    scene.is_right();
    scene
        .send("third")
        .send("fourth")
        .send("fifth")
        .send("sixth");
    scene.receive("2", &[("fifth", 1), ("fourth", 1)]);
    // At the same time as the third's.
    let third = scene.begin_receive("3");
    scene.receive("4", &[("sixth", 1)]);
    third.ok(received(&[("third", 1)]));
    scene.breaks(
        Rule::Order,
        &[
            "third, sent by #8, came to #18 after 2 messages that were sent later, such as fifth; at most 0 may",
            "fourth, sent by #10, came to #16 after 1 messages that were sent later, such as fifth; at most 0 may",
        ],
    );
    assert_eq!(scene.report().counts.reorder_depth, 2);
    scene.promises.max_reorder_depth = 2;
    scene.is_right();
}

#[test]
fn redeliveries_have_no_order() {
    let mut scene = Scene::new();
    scene.promises.max_reorder_depth = 0;
    scene.send("first").send("second");
    scene.begin_receive("lost").unknown();
    scene.receive("1", &[("second", 1)]);
    scene
        .at(VISIBILITY)
        .receive("2", &[("first", 2)])
        .is_right();

    // A first delivery, whose answer is repeated.
    let mut scene = Scene::new();
    scene.promises.max_reorder_depth = 0;
    scene.send("first").send("second");
    scene.begin_receive("1").unknown();
    scene.receive("2", &[("second", 1)]);
    scene.receive("1", &[("first", 1)]).is_right();
}

#[test]
fn a_repeated_receive_has_the_same_batch() {
    let scene = Scene::new();
    for message in ["a", "b", "c", "new"] {
        scene.send(message);
    }
    scene.receive("1", &[("a", 1), ("b", 1), ("c", 1)]);
    scene
        .receive("1", &[("a", 1), ("b", 1), ("c", 1)])
        .is_right();
    let mut again = received(&[("a", 2), ("c", 1), ("new", 1)]);
    again[1].lease = Fingerprint::of("1");
    scene.nack("a", 1, 0).begin_receive("1").ok(again);
    scene.breaks(
        Rule::Repetition,
        &[
            "b came to #10, and not to #14, which repeats it",
            "new came to #14, and not to #10, which it repeats",
        ],
    );

    // Under another lease, with nothing that would explain it: two leases at a time, too.
    let scene = Scene::new();
    scene
        .send("a")
        .receive("1", &[("a", 1)])
        .receive("1", &[("a", 2)]);
    let report = scene.report();
    assert_eq!(report.violations.count(Rule::Repetition), 1, "{report}");
    assert_eq!(report.violations.count(Rule::Exclusivity), 1, "{report}");
}

#[test]
fn a_batch_is_repeated_as_long_as_its_leases_last() {
    let repeated = |at: u64, first: &[(&str, u32)]| {
        let scene = Scene::new();
        scene.send("a").send("b");
        scene.receive("1", first).at(at).receive("1", &[("b", 1)]);
        scene
    };
    repeated(VISIBILITY, &[("a", 1)]).is_right();
    repeated(0, &[]).is_right();
    let broken = repeated(900, &[("a", 1)]).report();
    assert_eq!(broken.violations.count(Rule::Repetition), 2, "{broken}");
    // The second answer came first.
    let scene = Scene::new();
    let first = scene.begin_receive("1");
    scene.receive("1", &[]).send("a");
    first.ok(received(&[("a", 1)]));
    scene.is_right();
    // All of it was used.
    let scene = Scene::new();
    scene
        .send("a")
        .send("b")
        .receive("1", &[("a", 1)])
        .ack("a", 1);
    scene.receive("1", &[("b", 1)]).is_right();
}
