//! The connection itself: HELLO, ping, drain.

use super::*;

#[test]
fn hello_refused_late_or_of_another_version_is_a_violation() {
    let good = serde_json::to_string(&HelloReply::new(64, Profile::Micronode, true)).unwrap();
    let changed = |from: &str, to: &str| {
        assert!(good.contains(from));
        frame(RESP, 200, 0, 0, None, good.replace(from, to).as_bytes())
    };
    for (bytes, what) in [
        (frame(RESP, 400, 0, 0, None, b"{}"), "refused"),
        (frame(RESP, 200, 0, 0, None, b"not json"), "expected"),
        (whole_reply(1, b""), "before"),
        (frame(RESP, 200, 0, 7, None, good.as_bytes()), "not HELLO's"),
        (
            frame(RESP.with(END), 200, 0, 0, None, good.as_bytes()),
            "not HELLO's",
        ),
        (changed("\"versions\":[1]", "\"versions\":[2]"), "versions"),
        (changed("\"dto\":[1]", "\"dto\":[2]"), "versions"),
        (
            changed("\"max_inflight\":64", "\"max_inflight\":0"),
            "max_inflight",
        ),
        (
            changed("\"max_frame\":1048576", "\"max_frame\":38"),
            "max_frame",
        ),
    ] {
        let mut pair = Pair::new(ServerLimits::default());
        pair.request(0, b"");
        let error = pair.client.receive(pair.now, &bytes).unwrap_err();
        assert_eq!(error.kind(), "hello");
        assert!(error.to_string().contains(what), "{error}");
        assert!(pair.client.hello().is_none());
    }
    let mut pair = Pair::new(ServerLimits::default());
    let huge = changed(
        "\"max_inflight\":64",
        "\"max_inflight\":18446744073709551615",
    );
    pair.client.receive(pair.now, &huge).unwrap();
    assert_eq!(pair.client.slots(), 256, "what HELLO says is clamped");
}

#[test]
fn a_client_that_does_not_begin_with_a_known_hello_is_cut_off() {
    let hello = |text: &[u8]| frame(REQ, 0, 0, 42, None, text);
    for (bytes, answered) in [
        (
            frame(REQ.with(START).with(END), 0, 0x0301, 1, Some(b"{}"), b""),
            None,
        ),
        (control(&Control::Ping { nonce: 1 }), None),
        (
            frame(REQ.with(END), 0, 0, 42, None, br#"{"ua":null}"#),
            None,
        ),
        (hello(b"{}x"), Some(400)),
        (hello(br#"{"ua":null,"dto":[2]}"#), Some(400)),
    ] {
        let mut pair = Pair::new(ServerLimits::default());
        assert!(pair.server.receive(pair.now, &bytes).is_err());
        let output = pair.server_output();
        let code = Frame::decode(&output)
            .ok()
            .map(|(frame, _)| frame.header.code);
        assert_eq!(code, answered);
    }
    let mut pair = Pair::new(ServerLimits::default());
    pair.server
        .receive(pair.now, &hello(br#"{"ua":"sdk/0.1"}"#))
        .unwrap();
    let output = pair.server_output();
    let header = Frame::decode(&output).unwrap().0.header;
    assert_eq!((header.code, header.corr_id, header.flags), (200, 42, RESP));
}

#[test]
fn pings_are_answered_both_ways_and_a_flood_is_cut_off() {
    let mut pair = Pair::ready();
    pair.client.ping(7);
    pair.exchange();
    assert_eq!(
        pair.client.next_event(),
        Some(ClientEvent::Pong { nonce: 7 })
    );
    pair.server.ping(8);
    pair.send_to_client();
    pair.send_to_server();
    assert!(matches!(
        pair.server.next_event(),
        Some(ServerEvent::Pong { nonce: 8 })
    ));

    let ping = control(&Control::Ping { nonce: 0 });
    let flood = ping.repeat(101);
    let late = pair.now + Duration::from_secs(1);
    assert_eq!(
        pair.client.receive(late, &flood),
        Err(Violation::Flood("control messages"))
    );
    assert_eq!(
        pair.server.receive(late, &flood),
        Err(Violation::Flood("control messages"))
    );
}

#[test]
fn a_drain_lets_earlier_calls_finish_and_tells_later_ones() {
    let mut pair = Pair::ready();
    pair.call(1, b"one");
    pair.call(2, b"two");
    pair.server.drain("stopping");
    let (_, unseen) = pair.request(3, b"three");
    pair.server.receive(pair.now, &unseen).unwrap();
    assert_eq!(pair.bodies().len(), 2, "the third call is not executed");
    pair.send_to_client();
    assert!(pair.client.is_draining());
    assert_eq!(
        pair.client.next_event(),
        Some(ClientEvent::NotExecuted { tag: 3 })
    );
    let refused = pair.client.start(4, &REQUEST, 0, &mut Vec::new());
    assert_eq!(refused, Err(Refusal::Draining));
    assert!(!pair.server.is_finished());
    pair.server.answer(2, 200, ok_meta(), Bytes::new());
    pair.server.answer(1, 200, ok_meta(), Bytes::new());
    pair.send_to_client();
    assert_eq!(pair.replies().len(), 2);
    assert!(pair.server.is_finished());
}

#[test]
fn a_drain_before_hello_comes_right_after_it() {
    let mut pair = Pair::new(ServerLimits::default());
    pair.server.drain("stopping");
    assert!(!pair.server.is_finished() && pair.server_output().is_empty());
    pair.exchange();
    assert_eq!(pair.client.next_event(), Some(ClientEvent::Ready));
    assert!(pair.client.is_draining());
    assert!(pair.server.is_finished());
}
