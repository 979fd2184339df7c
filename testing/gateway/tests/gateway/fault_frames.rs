//! Injected faults in the frames of a connection, as they come over the wire.

use crate::faults::armed;
use crate::support::{within, Connection, Fixture, MINUTE};
use ron_app_sdk::oap::control::Control;
use ron_app_sdk::oap::hello::HelloReply;
use ron_app_sdk::oap::{split_meta, ErrorReply, Flags, Frame, FrameError, Header, Operation};
use ron_app_sdk::oap::{Executed, Reason, StoragePutReply, HEADER_LEN, MAX_FRAME};
use ron_app_sdk::AddrB3;
use ron_gateway::faults::{Fault, FaultKind, FaultRule};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What comes over the wire, without a session that would judge it.
struct Raw {
    connection: Connection,
    bytes: Vec<u8>,
}

impl Raw {
    async fn connect(fixture: &Fixture) -> Self {
        Self {
            connection: fixture.connect().await,
            bytes: Vec::new(),
        }
    }

    async fn put(&mut self, body: &[u8]) -> u64 {
        self.connection
            .send(&Operation::StoragePut, body, MINUTE)
            .await
            .1
    }

    /// Reads until there are so many bytes.
    async fn have(&mut self, count: usize) {
        while self.bytes.len() < count {
            let read = self.connection.stream.read_buf(&mut self.bytes);
            assert!(within(5, read).await.unwrap() > 0, "closed");
        }
    }

    async fn header(&mut self) -> Result<Header, FrameError> {
        self.have(HEADER_LEN).await;
        Header::decode(self.bytes.first_chunk().unwrap())
    }

    async fn frame(&mut self) -> (Header, Vec<u8>) {
        let len = self.header().await.unwrap().len as usize;
        self.have(len).await;
        let (frame, _) = Frame::decode(&self.bytes).unwrap();
        let found = (frame.header, frame.payload.to_vec());
        self.bytes.drain(..len);
        found
    }

    /// The next frame, which is a whole receipt: of which call, and for what.
    async fn receipt(&mut self) -> (u64, AddrB3) {
        let (header, payload) = self.frame().await;
        assert_eq!(header.code, 200);
        assert!(header.is_start() && header.is_end());
        let (meta, _) = split_meta(&payload).unwrap();
        let receipt: StoragePutReply = serde_json::from_slice(meta).unwrap();
        (header.corr_id, receipt.address)
    }

    async fn control(&mut self) -> Control {
        let (header, payload) = self.frame().await;
        assert!(header.flags.contains(Flags::EVENT));
        serde_json::from_slice(split_meta(&payload).unwrap().0).unwrap()
    }

    async fn is_silent(&mut self) -> bool {
        let read = self.connection.stream.read_buf(&mut self.bytes);
        let read = tokio::time::timeout(Duration::from_millis(200), read).await;
        read.is_err() && self.bytes.is_empty()
    }
}

/// A gateway with the fault in every call, and a raw connection to it.
async fn raw(fault: Fault) -> (Fixture, Raw) {
    let fixture = armed([FaultRule::new(fault)]).await;
    let raw = Raw::connect(&fixture).await;
    (fixture, raw)
}

#[tokio::test]
async fn a_reply_comes_twice() {
    let (fixture, mut raw) = raw(Fault::DuplicateReply).await;
    raw.put(b"x").await;
    let expected = (1, AddrB3::of(b"x"));
    assert_eq!([raw.receipt().await, raw.receipt().await], [expected; 2]);
    assert_eq!(fixture.gateway.faults().fired(FaultKind::DuplicateReply), 1);
    assert!(raw.is_silent().await);
}

#[tokio::test]
async fn replies_come_in_reverse() {
    let fault = Fault::ReorderReplies {
        count: 4,
        within_ms: 300,
    };
    let (fixture, mut raw) = raw(fault).await;
    for body in [b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8", b"9"] {
        raw.put(body).await;
    }
    for corr_id in [4, 3, 2, 1, 8, 7, 6, 5, 9] {
        let body = [b'0' + corr_id as u8];
        assert_eq!(raw.receipt().await, (corr_id, AddrB3::of(&body)));
    }
    assert_eq!(fixture.gateway.faults().fired(FaultKind::ReorderReplies), 8);
}

#[tokio::test]
async fn two_replies_come_under_each_others_number() {
    let (fixture, mut raw) = raw(Fault::MisdirectedReply { within_ms: 300 }).await;
    for body in [b"1", b"2", b"3"] {
        raw.put(body).await;
    }
    assert_eq!(raw.receipt().await, (2, AddrB3::of(b"1")));
    assert_eq!(raw.receipt().await, (1, AddrB3::of(b"2")));
    // Nothing comes to be swapped with the third.
    assert_eq!(raw.receipt().await, (3, AddrB3::of(b"3")));
    assert_eq!(
        fixture.gateway.faults().fired(FaultKind::MisdirectedReply),
        1
    );
}

#[tokio::test]
async fn a_reply_comes_that_nobody_asked_for() {
    let (fixture, mut raw) = raw(Fault::StrayReply { count: 2 }).await;
    raw.put(b"x").await;
    for corr_id in [u64::MAX, u64::MAX, 1] {
        assert_eq!(raw.receipt().await, (corr_id, AddrB3::of(b"x")));
    }
    assert_eq!(fixture.gateway.faults().fired(FaultKind::StrayReply), 1);
}

#[tokio::test]
async fn a_reply_comes_after_its_cancel_was_answered() {
    let (fixture, mut raw) = raw(Fault::LateAfterCancel { count: 2 }).await;
    let corr_id = raw.put(b"x").await;
    assert!(raw.is_silent().await);
    let mut cancel = Vec::new();
    Control::Cancel { corr: corr_id }.append_frame(&mut cancel);
    raw.connection.stream.write_all(&cancel).await.unwrap();
    for code in [499, 200, 200] {
        let (header, _) = raw.frame().await;
        assert_eq!((header.corr_id, header.code), (corr_id, code));
        assert!(header.is_start() && header.is_end());
    }
    assert_eq!(
        fixture.gateway.faults().fired(FaultKind::LateAfterCancel),
        1
    );
}

#[tokio::test]
async fn headers_break_each_rule() {
    type Check = fn(Result<Header, FrameError>) -> bool;
    let lengths = [37, 0, MAX_FRAME as u32 + 1, u32::MAX];
    let mut checks: Vec<(Fault, Check)> = vec![
        (Fault::RequestFromGateway, |header| {
            let header = header.unwrap();
            header.flags.contains(Flags::REQ) && header.corr_id == 1
        }),
        (Fault::BadVersion { version: 2 }, |header| {
            header == Err(FrameError::Version(2))
        }),
        (Fault::ReservedFlag { bits: 256 }, |header| {
            header == Err(FrameError::Flags(256 + 26))
        }),
    ];
    for len in lengths {
        checks.push((Fault::BadLength { len }, |header| {
            matches!(header, Err(FrameError::Length(_)))
        }));
    }
    for (fault, is_as_expected) in checks {
        let kind = fault.kind();
        let (fixture, mut raw) = raw(fault.clone()).await;
        raw.put(b"x").await;
        let header = raw.header().await;
        assert!(is_as_expected(header), "{kind}: {header:?}");
        if let Fault::BadLength { len } = fault {
            assert_eq!(raw.bytes[..4], len.to_be_bytes());
        }
        raw.bytes.drain(..HEADER_LEN);
        // The real reply follows.
        assert_eq!(raw.receipt().await, (1, AddrB3::of(b"x")));
        assert_eq!(fixture.gateway.faults().fired(kind), 1);
    }
}

#[tokio::test]
async fn a_frame_is_announced_and_nothing_follows() {
    let len = MAX_FRAME as u32;
    let (fixture, mut raw) = raw(Fault::StalledFrame { len }).await;
    raw.put(b"x").await;
    assert_eq!(raw.header().await.unwrap().len, len);
    raw.bytes.clear();
    raw.put(b"y").await;
    assert!(raw.is_silent().await);
    assert_eq!(fixture.gateway.metrics().calls("storage", "put", 200), 2);
    assert_eq!(fixture.gateway.faults().fired(FaultKind::StalledFrame), 1);
}

#[tokio::test]
async fn a_body_does_not_end() {
    let (fixture, mut raw) = raw(Fault::EndlessBody).await;
    raw.put(b"x").await;
    let (start, _) = raw.frame().await;
    assert!(start.is_start() && !start.is_end());
    for _ in 0..100 {
        let (body, payload) = raw.frame().await;
        assert_eq!((body.flags, body.code, body.corr_id), (Flags::RESP, 200, 1));
        assert_eq!(payload.len(), 65_536);
    }
    assert_eq!(fixture.gateway.faults().fired(FaultKind::EndlessBody), 1);
    drop(raw);
    let metrics = fixture.gateway.metrics();
    crate::support::eventually(|| metrics.connections_open() == 0).await;
}

#[tokio::test]
async fn a_reply_has_empty_frames() {
    let (fixture, mut raw) = raw(Fault::EmptyFrames { count: 101 }).await;
    raw.put(b"x").await;
    let (start, _) = raw.frame().await;
    assert!(start.is_start() && !start.is_end());
    for _ in 0..101 {
        let (empty, payload) = raw.frame().await;
        assert_eq!((empty.flags, payload.len()), (Flags::RESP, 0));
    }
    assert!(raw.frame().await.0.is_end());
    assert_eq!(fixture.gateway.faults().fired(FaultKind::EmptyFrames), 1);
}

#[tokio::test]
async fn pings_come_in_a_row() {
    let (fixture, mut raw) = raw(Fault::PingFlood { count: 101 }).await;
    raw.put(b"x").await;
    for nonce in 0..101 {
        assert_eq!(raw.control().await, Control::Ping { nonce });
    }
    assert_eq!(raw.receipt().await.0, 1);
    assert_eq!(fixture.gateway.faults().fired(FaultKind::PingFlood), 1);
}

#[tokio::test]
async fn every_open_call_is_given_up_unasked() {
    for reason in [Reason::Cancelled, Reason::Internal] {
        let silent = FaultRule {
            times: Some(3),
            ..FaultRule::new(Fault::BlackHole)
        };
        let all = FaultRule {
            every_nth: Some(4),
            ..FaultRule::new(Fault::CancelAll { reason })
        };
        let fixture = armed([silent, all]).await;
        let mut raw = Raw::connect(&fixture).await;
        for body in [b"1", b"2", b"3", b"4"] {
            raw.put(body).await;
        }
        let mut given_up = Vec::new();
        for _ in 0..4 {
            let (header, payload) = raw.frame().await;
            let (meta, _) = split_meta(&payload).unwrap();
            let error: ErrorReply = serde_json::from_slice(meta).unwrap();
            assert_eq!((error.reason, error.executed), (reason, Executed::Unknown));
            assert_eq!(header.code, reason.code());
            given_up.push(header.corr_id);
        }
        given_up.sort_unstable();
        assert_eq!(given_up, [1, 2, 3, 4]);
        assert_eq!(fixture.gateway.faults().fired(FaultKind::CancelAll), 1);
        // The connection goes on.
        raw.put(b"5").await;
        assert_eq!(raw.receipt().await.0, 5);
    }
}

#[tokio::test]
async fn a_drain_names_a_call_in_the_middle() {
    let late = FaultRule {
        times: Some(2),
        ..FaultRule::new(Fault::LateReply { after_ms: 300 })
    };
    let drain = FaultRule {
        every_nth: Some(3),
        ..FaultRule::new(Fault::Drain)
    };
    let fixture = armed([late, drain]).await;
    let mut raw = Raw::connect(&fixture).await;
    for body in [b"1", b"2", b"3", b"4"] {
        raw.put(body).await;
    }
    assert!(matches!(
        raw.control().await,
        Control::Drain { last_corr: 2, .. }
    ));
    let mut answered = [raw.receipt().await, raw.receipt().await];
    answered.sort_unstable_by_key(|(corr_id, _)| *corr_id);
    assert_eq!(answered, [(1, AddrB3::of(b"1")), (2, AddrB3::of(b"2"))]);
    assert!(raw.connection.ends().await);
    assert_eq!(fixture.gateway.faults().fired(FaultKind::Drain), 1);
    fixture.gateway.faults().disarm();
    let mut connection = fixture.connect().await;
    for (body, code) in [(b"2", 200), (b"3", 404), (b"4", 404)] {
        let address = AddrB3::of(body);
        let head = Operation::StorageHead { address };
        assert_eq!(connection.call(head, b"").await.code, code);
    }
}

#[tokio::test]
async fn hello_says_too_little_or_nothing() {
    for value in [1, 0] {
        let fixture = armed([FaultRule::new(Fault::HelloMaxInflight { value })]).await;
        let mut connection = fixture.connect_silently().await;
        let hello = std::mem::take(connection.session.control_output());
        connection.stream.write_all(&hello).await.unwrap();
        let mut raw = Raw {
            connection,
            bytes: Vec::new(),
        };
        let (header, payload) = raw.frame().await;
        let hello: HelloReply = serde_json::from_slice(&payload).unwrap();
        assert_eq!((header.code, hello.max_inflight), (200, value));
        let recent = &fixture.gateway.faults().recent()[0];
        assert_eq!(
            (recent.kind, &*recent.operation),
            (FaultKind::HelloMaxInflight, "hello")
        );
    }
    let fixture = armed([FaultRule::new(Fault::HelloSilence)]).await;
    let mut connection = fixture.connect_silently().await;
    let hello = std::mem::take(connection.session.control_output());
    connection.stream.write_all(&hello).await.unwrap();
    let mut raw = Raw {
        connection,
        bytes: Vec::new(),
    };
    assert!(raw.is_silent().await);
    assert_eq!(fixture.gateway.faults().fired(FaultKind::HelloSilence), 1);
}

#[tokio::test]
async fn a_gateway_that_drains_gives_out_what_it_holds() {
    let fault = Fault::ReorderReplies {
        count: 9,
        within_ms: 300,
    };
    let (fixture, mut raw) = raw(fault).await;
    raw.put(b"1").await;
    raw.put(b"2").await;
    let metrics = fixture.gateway.metrics();
    crate::support::eventually(|| metrics.calls("storage", "put", 200) == 2).await;
    let read = async {
        assert!(matches!(raw.control().await, Control::Drain { .. }));
        assert_eq!(raw.receipt().await.0, 2);
        assert_eq!(raw.receipt().await.0, 1);
        assert!(raw.connection.ends().await);
    };
    within(5, async { tokio::join!(fixture.gateway.drain(), read) }).await;
}
