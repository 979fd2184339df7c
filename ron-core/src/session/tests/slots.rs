//! Slots and cancels: how many calls are open, and when one stops counting.

use super::*;

#[test]
fn one_call_may_precede_hellos_answer_and_the_rest_waits_for_slots() {
    let mut pair = Pair::new(ServerLimits {
        max_in_flight: 2,
        ..ServerLimits::default()
    });
    let mut out = std::mem::take(pair.client.control_output());
    pair.client.start(0, &REQUEST, 0, &mut out).unwrap();
    let refused = pair.client.start(1, &REQUEST, 0, &mut out);
    assert_eq!(refused, Err(Refusal::NoSlot));
    pair.server.receive(pair.now, &out).unwrap();
    pair.send_to_client();
    assert_eq!(pair.client.slots(), 2);
    let mut out = Vec::new();
    pair.client.start(1, &REQUEST, 0, &mut out).unwrap();
    let refused = pair.client.start(2, &REQUEST, 0, &mut out);
    assert_eq!(refused, Err(Refusal::NoSlot));
    pair.server.answer(1, 200, ok_meta(), Bytes::new());
    pair.send_to_client();
    let events: Vec<ClientEvent> = std::iter::from_fn(|| pair.client.next_event()).collect();
    assert!(events.contains(&ClientEvent::SlotFree));
    assert!(pair.client.start(2, &REQUEST, 0, &mut out).is_ok());
}

#[test]
fn a_client_that_exceeds_its_slots_is_answered_429_then_cut_off() {
    let mut pair = Pair::new(ServerLimits {
        max_in_flight: 2,
        ..ServerLimits::default()
    });
    pair.exchange();
    let request = |id| frame(REQ.with(START).with(END), 0, 0x0301, id, Some(b"{}"), b"");
    for id in 1..=3 {
        pair.server.receive(pair.now, &request(id)).unwrap();
    }
    let output = pair.server_output();
    let (refusal, rest) = Frame::decode(&output).unwrap();
    assert!(rest.is_empty());
    assert_eq!((refusal.header.corr_id, refusal.header.code), (3, 429));
    let (meta, _) = split_meta(refusal.payload).unwrap();
    let error: ErrorReply = serde_json::from_slice(meta).unwrap();
    assert_eq!(
        (error.reason, error.executed),
        (Reason::TooManyInFlight, Executed::No)
    );

    let open = |id| frame(REQ.with(START), 0, 0x0301, id, Some(b"{}"), b"");
    pair.server.receive(pair.now, &open(4)).unwrap();
    pair.server.receive(pair.now, &open(5)).unwrap();
    let flood = pair.server.receive(pair.now, &open(6));
    assert_eq!(flood, Err(Violation::Flood("calls at once")));
}

#[test]
fn an_answer_that_is_cut_off_by_a_cancel_still_says_what_was_executed() {
    for executed in ["no", "yes"] {
        let mut pair = Pair::ready();
        let id = pair.call(1, b"");
        let meta = format!(r#"{{"executed":"{executed}"}}"#).into_bytes();
        let body = Bytes::from(vec![1; 3 * BODY_CHUNK]);
        pair.server.answer(id, 200, meta, body);
        pair.server.output(&mut Vec::new(), 1);
        pair.client.cancel(id);
        pair.send_to_server();
        let output = pair.server_output();
        let (last, rest) = Frame::decode(&output).unwrap();
        assert!(rest.is_empty());
        assert_eq!((last.header.code, last.header.flags), (499, RESP.with(END)));
        let (meta, _) = split_meta(last.payload).unwrap();
        assert!(String::from_utf8_lossy(meta).contains(&format!(r#""executed":"{executed}""#)));
    }
}

#[test]
fn a_cancelled_call_keeps_its_slot_until_the_gateway_has_answered() {
    let mut pair = Pair::ready();
    let id = pair.call(1, b"body");
    pair.client.cancel(id);
    pair.client.cancel(id);
    assert_eq!(pair.client.open_calls(), 1);
    pair.send_to_server();
    let events: Vec<ServerEvent> = std::iter::from_fn(|| pair.server.next_event()).collect();
    let cancelled = |event: &&ServerEvent| matches!(event, ServerEvent::Cancelled { corr_id: 1 });
    assert_eq!(events.iter().filter(cancelled).count(), 1);
    pair.server
        .refuse(id, &ErrorReply::not_executed(Reason::Cancelled));
    pair.send_to_client();
    assert!(pair.replies().is_empty(), "nobody hears of it");
    assert_eq!((pair.client.open_calls(), pair.server.open_calls()), (0, 0));
    assert_eq!(pair.client.stray().cancelled, 1);

    let id = pair.call(2, b"body");
    pair.client.cancel(id);
    pair.client
        .receive(pair.now, &whole_reply(id, b"the real reply"))
        .unwrap();
    assert!(pair.replies().is_empty());
    assert_eq!(pair.client.open_calls(), 0);
}

#[test]
fn a_call_cancelled_halfway_through_its_request_is_not_executed() {
    let mut pair = Pair::ready();
    let mut out = Vec::new();
    let body = vec![1; 3 * BODY_CHUNK];
    let sent = pair
        .client
        .start(1, &REQUEST, body.len(), &mut out)
        .unwrap();
    out.extend_from_slice(&body[sent.body]);
    pair.server.receive(pair.now, &out).unwrap();
    pair.client.cancel(1);
    assert_eq!(
        pair.client.resume(1, BODY_CHUNK, body.len(), &mut out),
        None
    );
    pair.exchange();
    assert!(pair.bodies().is_empty());
    assert_eq!((pair.client.open_calls(), pair.server.open_calls()), (0, 0));
}

#[test]
fn more_than_a_hundred_cancels_a_second_are_a_reason_to_drain() {
    let mut pair = Pair::ready();
    for _ in 0..100 {
        let id = pair.call(1, b"");
        pair.client.cancel(id);
        pair.send_to_server();
        pair.server
            .refuse(id, &ErrorReply::not_executed(Reason::Cancelled));
        pair.send_to_client();
    }
    assert!(!pair.client.is_draining() && !pair.server.is_draining());
    let id = pair.call(1, b"");
    pair.client.cancel(id);
    pair.send_to_server();
    assert!(pair.server.is_draining());
    pair.send_to_client();
    assert!(pair.client.is_draining());

    let mut pair = Pair::ready();
    for count in 0..=100 {
        assert!(!pair.client.is_draining(), "after {count}");
        let id = pair.call(1, b"");
        pair.server
            .refuse(id, &ErrorReply::not_executed(Reason::Cancelled));
        pair.send_to_client();
    }
    assert!(
        pair.client.is_draining(),
        "resets by the gateway count as well"
    );
}
