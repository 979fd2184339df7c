//! P1, P2, P3 and P7: which messages there are.

use super::*;

#[test]
fn a_message_that_was_sent_is_received_or_left() {
    let scene = Scene::new();
    for message in ["acked", "lost", "ready", "dead"] {
        scene.send(message);
    }
    scene.begin_send("never executed").failed();
    scene.begin_send("perhaps").unknown();
    scene.receive("r", &[("acked", 1)]).ack("acked", 1);
    // Without a drain nobody can say.
    scene.is_right();
    assert_eq!(scene.report().not_judged, [Rule::NoLoss]);
    scene.drained(&[("ready", Place::Ready), ("dead", dead("too often", 16))]);
    scene.breaks(
        Rule::NoLoss,
        &["lost, sent by #2, was never received, and is not left"],
    );
    let counts = scene.report().counts;
    assert_eq!(
        (counts.attempts, counts.acknowledged, counts.received),
        (6, 4, 1)
    );
    assert_eq!((counts.lost, counts.left, counts.dead_letters), (1, 1, 1));
}

#[test]
fn a_message_that_was_received_stays_until_it_is_acknowledged() {
    let scene = Scene::new();
    scene.send("kept").send("gone").send("perhaps");
    scene.receive("r", &[("kept", 1), ("gone", 1), ("perhaps", 1)]);
    scene.begin_use("perhaps", 1, LeaseAction::Ack).unknown();
    scene.begin_use("gone", 1, LeaseAction::Ack).failed();
    scene.drained(&[("kept", Place::Leased)]);
    let gone = "gone was never acknowledged, and is not left; #6 was the last to receive it";
    scene.breaks(Rule::NoLoss, &[gone]);
}

#[test]
fn a_message_that_appears_was_sent() {
    let scene = Scene::new();
    scene.begin_send("perhaps").unknown();
    scene.begin_send("never executed").failed();
    scene.receive("1", &[("perhaps", 1)]);
    scene.is_right();
    assert_eq!(scene.report().counts.recovered, 1);
    scene.receive("2", &[("never executed", 1)]);
    scene.receive("3", &[("late", 1)]);
    scene.send("late");
    scene.breaks(
        Rule::NoInvention,
        &[
            "late in receive #8: it was sent later, by #10",
            "never executed in receive #6: nobody sent such a body to topic",
        ],
    );
    assert_eq!(scene.report().counts.unexpected, 2);
}

#[test]
fn a_message_keeps_its_body_and_its_topic() {
    let scene = Scene::new();
    scene.send("m").begin_send("perhaps").unknown();
    let mut batch = received(&[("m", 1), ("perhaps", 1)]);
    scene.begin_receive("1").ok(batch.clone());
    scene.is_right();
    for received in &mut batch {
        received.body = Fingerprint::of("other");
    }
    scene.begin_receive("1").ok(batch);
    let elsewhere = ReceiveMessages {
        topic: "elsewhere".into(),
        receive_id: None,
        visibility: Duration::from_millis(VISIBILITY),
        max: 1,
    };
    scene.at(VISIBILITY);
    scene.recorder.invoke(elsewhere).ok(received(&[("m", 2)]));
    scene.breaks(
        Rule::NoInvention,
        &[
            "m in receive #6 has another body, or topic, than in #0",
            "perhaps in receive #6 has another body, or topic, than in #4",
            "m in receive #8 has another body, or topic, than in #0",
        ],
    );
}

#[test]
fn a_key_has_one_message() {
    let scene = Scene::new();
    scene.begin_send("k").unknown();
    scene.begin_send("k").ok(sent("k"));
    let replayed = true;
    scene.begin_send("k").ok(Sent {
        replayed,
        ..sent("k")
    });
    scene.receive("1", &[("k", 1)]).is_right();

    // The one that began first was executed second.
    let scene = Scene::new();
    let second = scene.begin_send("k");
    scene.send("k");
    let again = Sent {
        replayed,
        ..sent("k")
    };
    second.ok(again);
    scene.is_right();

    let scene = Scene::new();
    scene.begin_send("k").unknown();
    scene.send("k").send("k");
    scene.begin_send("k").ok(sent("other"));
    scene.begin_send("another").ok(sent("k"));
    scene.breaks(
        Rule::Identity,
        &[
            "#2 and #4 have the same key of topic, and neither is flagged as a repetition",
            "#2 and #6 have the same key of topic, and different messages",
            "#2 and #8 have different keys, and the same message k",
        ],
    );
}

#[test]
fn a_key_has_one_message_where_no_answer_names_the_other() {
    let scene = Scene::new();
    // Executed twice; the first answer was lost within the call.
    scene.send("answered");
    scene.begin_send("unanswered").unknown();
    scene.begin_send("unanswered").unknown();
    let second = |key: &str| {
        let mut batch = received(&[("second", 1)]);
        batch[0].message = format!("second {key}").into();
        batch[0].body = body(key);
        batch
    };
    scene.begin_receive("1").ok(second("unanswered"));
    scene.is_right();
    scene.receive("2", &[("unanswered", 1)]);
    scene.begin_receive("3").ok(second("answered"));
    scene.breaks(
        Rule::Identity,
        &[
            "second answered in receive #10 is a second message of a send like #0",
            "unanswered in receive #8 is a second message of a send like #2",
        ],
    );
}

#[test]
fn a_key_has_one_body() {
    let scene = Scene::new();
    scene.send("k");
    let replayed = Sent {
        replayed: true,
        ..sent("k")
    };
    let request = SendMessage {
        topic: TOPIC.into(),
        key: Some(Fingerprint::of("k")),
        body: body("other"),
    };
    scene.recorder.invoke(request).ok(replayed);
    scene.breaks(
        Rule::Identity,
        &["#0 and #2 have the same key of topic, and different bodies"],
    );
}

#[test]
fn a_message_is_delivered_so_often_and_then_dead_once() {
    let mut scene = Scene::new();
    scene.promises.max_deliveries = 2;
    scene.send("m").send("acked").send("often");
    scene
        .receive("1", &[("m", 1), ("acked", 1)])
        .ack("acked", 1);
    scene.at(VISIBILITY).receive("2", &[("m", 2)]);
    let often = dead("delivered too often", 2);
    scene
        .drained(&[("m", often.clone()), ("often", Place::Ready)])
        .is_right();
    scene.at(2 * VISIBILITY).receive("3", &[("m", 3)]);
    scene.drained(&[
        ("m", often.clone()),
        ("m", often.clone()),
        ("acked", often),
        ("often", dead(" ", 3)),
    ]);
    let wrong = "m is a dead letter after 2 deliveries, of at most 2; 3 are known";
    scene.breaks(
        Rule::DeadLetters,
        &[
            "m: #12 is delivery number 3, of at most 2",
            "m is left 2 times",
            wrong,
            wrong,
            "acked was acknowledged by #8, and is a dead letter",
            "often is a dead letter without a reason",
            "often is a dead letter after 3 deliveries, of at most 2; 0 are known",
        ],
    );
}

#[test]
fn details_are_bounded_and_numbers_are_not() {
    let mut scene = Scene::new();
    scene.promises.details_per_rule = 3;
    for message in ["a", "b", "c", "d", "e"] {
        scene.receive("1", &[(message, 1)]).ack(message, 9);
    }
    let violations = scene.report().violations;
    assert_eq!(violations.count(Rule::NoInvention), 5);
    assert_eq!(violations.count(Rule::Fencing), 5);
    assert_eq!(violations.details().len(), 9, "{violations}");
}
