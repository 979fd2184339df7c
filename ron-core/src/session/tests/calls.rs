//! Calls: order, cuts, splits, errors before and after START.

use super::*;

#[test]
fn replies_out_of_order_reach_their_callers() {
    let mut pair = Pair::ready();
    let ids: Vec<u64> = (0..64).map(|tag| pair.call(tag, &[tag as u8])).collect();
    assert_eq!(ids, (1..=64).collect::<Vec<u64>>());
    let bodies = pair.bodies();
    for (corr_id, body) in bodies.into_iter().rev() {
        pair.server.answer(corr_id, 200, ok_meta(), body);
    }
    pair.send_to_client();
    let replies = pair.replies();
    assert_eq!(replies.len(), 64);
    assert_eq!(replies[0].0, 63);
    for (tag, code, body) in replies {
        assert_eq!((code, &body[..]), (200, &[tag as u8][..]));
    }
    assert_eq!((pair.client.open_calls(), pair.server.open_calls()), (0, 0));
}

#[test]
fn a_conversation_cut_at_every_byte_reads_the_same() {
    let mut pair = Pair::new(ServerLimits::default());
    let mut upstream = std::mem::take(pair.client.control_output());
    let (_, request) = pair.request(5, b"request body");
    upstream.extend_from_slice(&request);
    let mut server = Server::new(
        HelloReply::new(1, Profile::Micronode, true),
        ServerLimits::default(),
    );
    server.receive(pair.now, &upstream).unwrap();
    server.answer(1, 200, ok_meta(), Bytes::from_static(b"reply body"));
    let mut downstream = Vec::new();
    server.output(&mut downstream, usize::MAX);

    for cut in 0..=upstream.len() {
        let mut pair = Pair::new(ServerLimits::default());
        pair.server.receive(pair.now, &upstream[..cut]).unwrap();
        pair.server.receive(pair.now, &upstream[cut..]).unwrap();
        let expected = [(1, Bytes::from_static(b"request body"))];
        assert_eq!(pair.bodies(), expected, "cut at {cut}");
    }
    for cut in 0..=downstream.len() {
        let mut pair = Pair::new(ServerLimits::default());
        pair.request(5, b"request body");
        pair.client.receive(pair.now, &downstream[..cut]).unwrap();
        pair.client.receive(pair.now, &downstream[cut..]).unwrap();
        let expected = [(5, 200, Bytes::from_static(b"reply body"))];
        assert_eq!(pair.replies(), expected, "cut at {cut}");
    }
}

#[test]
fn limits_of_the_parts_are_refused_before_anything_is_written() {
    let mut pair = Pair::ready();
    let mut out = Vec::new();
    let request = |capability, meta| Request {
        plane: Plane::Storage,
        tenant_id: 0,
        capability,
        meta,
    };
    let (long, meta) = (
        vec![0; MAX_CAPABILITY + 1],
        vec![b' '; crate::oap::MAX_META + 1],
    );
    for (request, body_len) in [
        (request(&long, b"{}"), 0),
        (request(b"", &meta), 0),
        (request(b"", b"{}"), MAX_BODY + 1),
    ] {
        let refused = pair.client.start(0, &request, body_len, &mut out);
        assert_eq!(refused, Err(Refusal::TooLong));
    }
    assert!(out.is_empty());
    let sent = pair
        .client
        .start(0, &request(&long[1..], &meta[1..]), MAX_BODY, &mut out);
    assert_eq!(sent.unwrap().body, 0..BODY_CHUNK);
}

#[test]
fn an_error_before_the_requests_end_stops_its_sender() {
    let mut pair = Pair::ready();
    let mut out = Vec::new();
    let body = vec![1; 3 * BODY_CHUNK];
    let sent = pair
        .client
        .start(4, &REQUEST, body.len(), &mut out)
        .unwrap();
    out.extend_from_slice(&body[sent.body]);
    pair.server.receive(pair.now, &out).unwrap();
    pair.server
        .refuse(1, &ErrorReply::not_executed(Reason::CapabilityMissing));
    pair.send_to_client();
    assert_eq!(pair.replies(), [(4, 403, Bytes::new())]);
    assert_eq!(
        pair.client.resume(1, BODY_CHUNK, body.len(), &mut out),
        None
    );
    assert_eq!(pair.server.open_calls(), 1);
    pair.send_to_server();
    assert_eq!(
        pair.server.open_calls(),
        0,
        "an empty END closed the request's side"
    );
    assert!(pair.bodies().is_empty());
}

#[test]
fn an_error_after_start_replaces_what_came_before_it() {
    let mut pair = Pair::ready();
    let id = pair.call(1, b"");
    let body = Bytes::from(vec![1; 3 * BODY_CHUNK]);
    pair.server.answer(id, 200, ok_meta(), body);
    let mut out = Vec::new();
    pair.server.output(&mut out, 1);
    pair.server
        .refuse(id, &ErrorReply::not_executed(Reason::Internal));
    pair.server.output(&mut out, usize::MAX);
    pair.client.receive(pair.now, &out).unwrap();
    let Some(ClientEvent::Reply {
        tag,
        code,
        meta,
        body,
    }) = pair.client.next_event()
    else {
        panic!("no reply");
    };
    assert_eq!((tag, code, body.len()), (1, 500, 0));
    let error: ErrorReply = serde_json::from_slice(&meta).unwrap();
    assert_eq!(error.reason, Reason::Internal);
    assert_eq!(pair.client.open_calls(), 0);
    assert!(!pair.client.is_receiving());
}

#[test]
fn an_error_split_over_frames_keeps_its_meta() {
    let mut pair = Pair::ready();
    let id = pair.call(1, b"");
    let meta = br#"{"reason":"not_found","executed":"no"}"#;
    let start = frame(RESP.with(START), 404, 0x0301, id, Some(meta), b"");
    let end = frame(RESP.with(END), 404, 0x0301, id, None, b"");
    pair.client
        .receive(pair.now, &[start, end].concat())
        .unwrap();
    let Some(ClientEvent::Reply {
        code, meta: got, ..
    }) = pair.client.next_event()
    else {
        panic!("no reply");
    };
    assert_eq!((code, &got[..]), (404, &meta[..]));
}

#[test]
fn a_peer_that_closes_ends_every_open_call_once() {
    let mut pair = Pair::ready();
    let ids: Vec<u64> = (0..5).map(|tag| pair.call(tag, b"body")).collect();
    pair.server.answer(ids[3], 200, ok_meta(), Bytes::new());
    pair.send_to_client();
    pair.client.cancel(ids[1]);
    let partial = frame(RESP.with(START), 200, 0x0301, ids[0], Some(b"{}"), b"part");
    pair.client.receive(pair.now, &partial).unwrap();
    pair.client.end();
    pair.client.end();
    let mut ended = Vec::new();
    while let Some(event) = pair.client.next_event() {
        match event {
            ClientEvent::Reply { tag, .. } => ended.push((tag, "answered")),
            ClientEvent::Lost { tag } => ended.push((tag, "lost")),
            _ => {}
        }
    }
    assert_eq!(
        ended,
        [(3, "answered"), (0, "lost"), (2, "lost"), (4, "lost")]
    );
    assert_eq!(pair.client.open_calls(), 0);
    assert!(!pair.client.is_receiving());
    assert!(pair.client.control_output().is_empty());
    let refused = pair.client.start(9, &REQUEST, 0, &mut Vec::new());
    assert_eq!(refused, Err(Refusal::Draining));
}

#[test]
fn a_large_answer_does_not_hold_up_a_small_one() {
    let mut pair = Pair::ready();
    let (large, small) = (pair.call(1, b""), pair.call(2, b""));
    let body = Bytes::from(vec![1; 8 * BODY_CHUNK]);
    pair.server.answer(large, 200, ok_meta(), body);
    let mut out = Vec::new();
    pair.server.output(&mut out, 1);
    pair.server.answer(small, 200, ok_meta(), Bytes::new());
    pair.server.ping(1);
    pair.server.output(&mut out, usize::MAX);
    let mut order = Vec::new();
    let mut rest = &out[..];
    while !rest.is_empty() {
        let (frame, tail) = Frame::decode(rest).unwrap();
        order.push(frame.header.corr_id);
        rest = tail;
    }
    assert_eq!(order, [1, 0, 1, 2, 1, 1, 1, 1, 1, 1]);
}

#[test]
fn a_small_request_goes_between_the_frames_of_a_large_one() {
    let mut pair = Pair::ready();
    let body = vec![1; 3 * BODY_CHUNK];
    let mut out = Vec::new();
    let large = pair
        .client
        .start(1, &REQUEST, body.len(), &mut out)
        .unwrap();
    out.extend_from_slice(&body[large.body]);
    let (small, bytes) = pair.request(2, b"small");
    out.extend_from_slice(&bytes);
    pair.server.receive(pair.now, &out).unwrap();
    assert_eq!(pair.bodies(), [(small, Bytes::from_static(b"small"))]);
    let mut out = Vec::new();
    let mut sent = BODY_CHUNK;
    while let Some(next) = pair.client.resume(1, sent, body.len(), &mut out) {
        out.extend_from_slice(&body[next.body.clone()]);
        sent = next.body.end;
    }
    pair.server.receive(pair.now, &out).unwrap();
    assert_eq!(pair.bodies(), [(1, Bytes::from(body))]);
}

#[test]
fn a_request_is_announced_before_its_body_is_there() {
    let mut pair = Pair::ready();
    let start = frame(REQ.with(START), 0, 0x0999, 1, Some(b"{\"op\":1}"), b"part");
    pair.server.receive(pair.now, &start).unwrap();
    let Some(ServerEvent::Request { corr_id: 1, head }) = pair.server.next_event() else {
        panic!("no request");
    };
    assert_eq!(
        (head.app_proto_id, &head.meta[..]),
        (0x0999, &b"{\"op\":1}"[..])
    );
    assert!(pair.server.next_event().is_none());
}
