//! Frames that no peer should send: malformed, senseless, late, endless, empty.

use super::*;

#[test]
fn late_and_duplicated_replies_are_counted_dropped_and_bounded() {
    let mut pair = Pair::ready();
    pair.call(7, b"");
    pair.client
        .receive(pair.now, &whole_reply(1, b"right"))
        .unwrap();
    for count in 1..16 {
        pair.client
            .receive(pair.now, &whole_reply(1, b"wrong"))
            .unwrap();
        assert_eq!(pair.client.stray().late, count);
    }
    assert_eq!(pair.replies(), [(7, 200, Bytes::from_static(b"right"))]);
    let violation = pair.client.receive(pair.now, &whole_reply(1, b"wrong"));
    assert_eq!(violation, Err(Violation::Flood("frames of ended calls")));
}

#[test]
fn a_reply_to_a_call_that_was_never_issued_is_a_violation() {
    for id in [0, 2, u64::MAX] {
        let mut pair = Pair::ready();
        pair.call(0, b"");
        let violation = pair.client.receive(pair.now, &whole_reply(id, b""));
        assert_eq!(violation, Err(Violation::NeverIssued(id)));
        assert!(pair.replies().is_empty());
    }
}

#[test]
fn malformed_frames_are_violations_at_the_earliest_byte() {
    let mut pair = Pair::ready();
    let violation = pair.client.receive(pair.now, &[0, 0x10, 0, 1]);
    assert_eq!(
        violation,
        Err(Violation::Frame(FrameError::Length(1_048_577)))
    );
    let violation = pair.server.receive(pair.now, &[0, 0, 0, 37]);
    assert_eq!(violation, Err(Violation::Frame(FrameError::Length(37))));
}

#[test]
fn frames_that_make_no_sense_are_violations() {
    let meta = Some(&b"{}"[..]);
    let whole = RESP.with(START).with(END);
    let to_client = [
        frame(REQ.with(START).with(END), 0, 0x0301, 1, meta, b""),
        frame(RESP.with(REQ).with(START), 200, 0x0301, 1, meta, b""),
        frame(Flags::default(), 200, 0x0301, 1, meta, b""),
        frame(whole.with(Flags::COMP), 200, 0x0301, 1, meta, b""),
        frame(whole, 200, 0x0401, 1, meta, b""),
        frame(RESP, 200, 0x0301, 1, None, b"no start"),
        frame(RESP.with(END), 200, 0x0301, 1, None, b""),
        frame(whole, 200, 0x0301, 1, None, b""),
        frame(whole, 200, 0x0301, 1, None, &[0, 0, 0, 9, b'{']),
        frame(whole, 200, 0x0301, 1, None, &[0, 1, 0, 0]),
        [
            frame(RESP.with(START), 200, 0x0301, 1, meta, b""),
            frame(RESP.with(START), 200, 0x0301, 1, meta, b""),
        ]
        .concat(),
        [
            frame(RESP.with(START), 200, 0x0301, 1, meta, b""),
            frame(RESP, 206, 0x0301, 1, None, b"x"),
        ]
        .concat(),
        frame(Flags::EVENT, 0, 0, 0, meta, b""),
        frame(Flags::EVENT.with(START).with(END), 0, 0x0301, 0, meta, b""),
        control(&Control::Cancel { corr: 1 }),
        frame(
            Flags::EVENT.with(START).with(END),
            0,
            0,
            0,
            Some(b"{\"op\":\"x\"}"),
            b"",
        ),
        frame(
            Flags::EVENT.with(START).with(END),
            0,
            0,
            0,
            Some(b"{\"op\":\"ping\",\"nonce\":1}"),
            b"body",
        ),
    ];
    for (index, bytes) in to_client.iter().enumerate() {
        let mut pair = Pair::ready();
        pair.call(0, b"");
        assert!(
            pair.client.receive(pair.now, bytes).is_err(),
            "case {index}"
        );
        assert!(pair.replies().is_empty(), "case {index}");
    }
    let to_server = [
        whole_reply(1, b""),
        frame(REQ.with(START), 200, 0x0301, 1, meta, b""),
        frame(REQ.with(START), 0, 0x0301, 2, meta, b""),
        frame(REQ, 0, 0x0301, 1, None, b""),
        frame(REQ.with(START).with(Flags::COMP), 0, 0x0301, 1, meta, b""),
        frame(REQ, 0, 0, 42, None, b"{\"ua\":\"again\"}"),
        control(&Control::Drain {
            last_corr: 0,
            reason: String::new(),
        }),
        control(&Control::Cancel { corr: 1 }),
        [
            frame(REQ.with(START).with(END), 0, 0x0301, 1, meta, b""),
            frame(REQ.with(END), 0, 0x0301, 1, None, b""),
        ]
        .concat(),
        [
            frame(REQ.with(START), 0, 0x0301, 1, meta, b""),
            frame(REQ.with(END), 0, 0x0401, 1, None, b""),
        ]
        .concat(),
    ];
    for (index, bytes) in to_server.iter().enumerate() {
        let mut pair = Pair::ready();
        assert!(
            pair.server.receive(pair.now, bytes).is_err(),
            "case {index}"
        );
        assert!(pair.bodies().len() <= 1, "case {index}");
    }
}

#[test]
fn a_body_above_the_limit_is_answered_413_and_ends_the_connection_of_a_gateway() {
    let mut pair = Pair::ready();
    let chunk = vec![0; BODY_CHUNK];
    let mut sent = frame(REQ.with(START), 0, 0x0301, 1, Some(b"{}"), b"");
    for _ in 0..=MAX_BODY / BODY_CHUNK {
        sent.extend(frame(REQ, 0, 0x0301, 1, None, &chunk));
    }
    pair.server.receive(pair.now, &sent).unwrap();
    let output = pair.server_output();
    let (refusal, _) = Frame::decode(&output).unwrap();
    assert_eq!(refusal.header.code, 413);
    let events = std::iter::from_fn(|| pair.server.next_event());
    let refused = |event| {
        matches!(
            event,
            ServerEvent::Refused {
                corr_id: 1,
                code: 413
            }
        )
    };
    assert_eq!(events.map(refused).filter(|is_so| *is_so).count(), 1);
    assert_eq!(pair.server.open_calls(), 1);
    let end = frame(REQ.with(END), 0, 0x0301, 1, None, b"");
    pair.server.receive(pair.now, &end).unwrap();
    assert_eq!(pair.server.open_calls(), 0);
    assert!(pair.bodies().is_empty());

    let mut pair = Pair::ready();
    pair.call(0, b"");
    let start = frame(RESP.with(START), 200, 0x0301, 1, Some(b"{}"), b"");
    pair.client.receive(pair.now, &start).unwrap();
    let next = frame(RESP, 200, 0x0301, 1, None, &chunk);
    let endless = (0..100).map(|_| pair.client.receive(pair.now, &next));
    let end = endless
        .enumerate()
        .find(|(_, result)| result.is_err())
        .unwrap();
    assert_eq!(end, (MAX_BODY / BODY_CHUNK, Err(Violation::BodyTooLong)));
}

#[test]
fn frames_that_move_nothing_are_bounded() {
    let mut pair = Pair::ready();
    pair.call(0, b"");
    let start = frame(RESP.with(START), 200, 0x0301, 1, Some(b"{}"), b"");
    pair.client.receive(pair.now, &start).unwrap();
    let empty = frame(RESP, 200, 0x0301, 1, None, b"").repeat(100);
    pair.client.receive(pair.now, &empty).unwrap();
    let violation = pair.client.receive(pair.now, &empty);
    assert_eq!(violation, Err(Violation::Flood("empty frames")));

    let start = frame(REQ.with(START), 0, 0x0301, 2, Some(b"{}"), b"");
    pair.server.receive(pair.now, &start).unwrap();
    let empty = frame(REQ, 0, 0x0301, 2, None, b"").repeat(101);
    let violation = pair.server.receive(pair.now, &empty);
    assert_eq!(violation, Err(Violation::Flood("empty frames")));
}

#[test]
fn a_frame_announced_and_not_sent_reserves_at_most_a_chunk() {
    let mut assembly = assembly::Assembly::default();
    assembly.push_body(b"x", MAX_BODY);
    assert!(assembly.body_capacity() <= BODY_CHUNK);
}
