//! Frames that should not be there: what a gateway can do on a connection besides answering.

use crate::fixture::{
    always, first, into_puts, on_each_client, once, told, with_each_client, Client, Fixture, SLACK,
};
use crate::support::bytes;
use crate::support::peer::{object_meta, Peer, OK};
use bytes::Bytes;
use ron_app_sdk::oap::control::Control;
use ron_app_sdk::oap::Reason;
use ron_app_sdk::{AddrB3, ErrorKind, Executed};
use ron_gateway::faults::{Fault, FaultRule};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Objects of different sizes, stored.
fn objects(fixture: &Fixture, count: usize) -> (Vec<Vec<u8>>, Vec<AddrB3>) {
    let client = fixture.client();
    let objects: Vec<Vec<u8>> = (1..=count).map(bytes).collect();
    let put = |object: &Vec<u8>| client.put(object).unwrap().0;
    let addresses = objects.iter().map(put).collect();
    (objects, addresses)
}

/// A client with a connection on which HELLO was answered.
fn established(client: Client) -> Client {
    let absent = client.head(AddrB3::of(b"absent")).unwrap_err();
    assert_eq!(absent.kind(), ErrorKind::NotFound);
    client
}

#[test]
fn a_reply_that_comes_twice_is_given_once() {
    on_each_client(|fixture| {
        let (objects, addresses) = objects(fixture, 40);
        let accepted = fixture.accepted();
        fixture.arm([always(Fault::DuplicateReply)]);
        let client = fixture.client();
        for (number, (object, address)) in objects.iter().zip(addresses).enumerate() {
            let got = client.get(address);
            // Sixteen of them end a connection, and its call goes elsewhere.
            let most = if number < 15 { 1 } else { 2 };
            assert!(told(&got).0 <= most, "{number}");
            assert_eq!(got.unwrap().0, object);
            if number < 15 {
                assert_eq!(fixture.accepted(), accepted + 1);
            }
        }
        assert!(fixture.accepted() > accepted + 1);
        assert!(fixture.fired(Fault::DuplicateReply.kind()) >= 40);
    });
}

#[test]
fn replies_in_reverse_reach_their_callers() {
    on_each_client(|fixture| {
        let (objects, addresses) = objects(fixture, 64);
        let fault = Fault::ReorderReplies {
            count: 64,
            within_ms: 900,
        };
        fixture.arm([always(fault.clone())]);
        let client = fixture.client_with(|config| config.pool.max = 1);
        for (object, got) in objects.iter().zip(client.gets_at_once(&addresses)) {
            assert_eq!(told(&got).0, 1);
            assert_eq!(got.unwrap().0, object);
        }
        assert_eq!(fixture.fired(fault.kind()), 64);
    });
}

/// Two callers get each other's reply, again and again: each notices, whatever it had asked for.
#[test]
fn a_reply_to_another_call_is_never_taken_for_ones_own() {
    on_each_client(|fixture| {
        let (objects, addresses) = objects(fixture, 16);
        let client = fixture.client();
        let fault = Fault::MisdirectedReply { within_ms: 20 };
        fixture.arm([FaultRule {
            probability: 0.04,
            ..always(fault.clone())
        }]);
        let wrong = [ErrorKind::IntegrityMismatch, ErrorKind::SchemaViolation];
        let (mut mistaken, mut trials) = (0, 0);
        for round in 0..100u32 {
            for (object, got) in objects.iter().zip(client.gets_at_once(&addresses)) {
                match got {
                    Ok((bytes, report)) => {
                        assert_eq!(bytes, object);
                        mistaken += u32::from(report.attempts > 1);
                    }
                    Err(error) => assert!(wrong.contains(&error.kind()), "{error}"),
                }
                trials += 1;
            }
            for (address, got) in addresses.iter().zip(client.heads_at_once(&addresses)) {
                match got {
                    Ok((info, _)) => assert_eq!(info.address, *address),
                    Err(error) => assert!(wrong.contains(&error.kind()), "{error}"),
                }
                trials += 1;
            }
            let bodies: Vec<Bytes> = (0..8).map(|n| format!("{round} {n}").into()).collect();
            for (body, put) in bodies.iter().zip(client.puts_at_once(&bodies)) {
                match put {
                    Ok((address, _)) => assert_eq!(address, AddrB3::of(body)),
                    Err(error) => {
                        assert!(wrong.contains(&error.kind()), "{error}");
                        assert_eq!(error.executed(), Executed::Yes);
                    }
                }
                trials += 1;
            }
        }
        let fired = fixture.fired(fault.kind());
        assert!(
            trials == 4000 && fired > 40 && mistaken > 10,
            "{fired} {mistaken}"
        );
        assert_eq!(fixture.effects().2, 1);
    });
}

/// One that is wrong ends the connection; what was open on it is tried again on another one.
#[test]
fn a_frame_that_breaks_the_protocol_costs_its_connection() {
    on_each_client(|fixture| {
        let refused = [
            Fault::StrayReply { count: 1 },
            Fault::RequestFromGateway,
            Fault::BadLength { len: 0 },
            Fault::BadLength { len: 37 },
            Fault::BadLength { len: 1_048_577 },
            Fault::BadLength { len: u32::MAX },
            Fault::BadVersion { version: 2 },
            Fault::ReservedFlag { bits: 256 },
            Fault::EmptyFrames { count: 101 },
            Fault::PingFlood { count: 101 },
        ];
        for (round, fault) in refused.iter().enumerate() {
            let body = bytes(round + 1);
            let kind = fault.kind();
            let fired = fixture.fired(kind);
            let client = established(fixture.client());
            let accepted = fixture.accepted();
            fixture.arm([into_puts(first(fault.clone()))]);
            let put = client.put(&body);
            assert_eq!(told(&put), (2, true, Executed::Yes), "{fault:?}");
            assert_eq!(fixture.accepted(), accepted + 1, "{fault:?}");

            fixture.arm([once(fault.clone())]);
            let got = client.get(AddrB3::of(&body));
            assert_eq!(told(&got).0, 2, "{fault:?}");
            assert_eq!(got.unwrap().0, body);

            fixture.disarm();
            let impatient = established(fixture.impatient_client());
            fixture.arm([once(fault.clone())]);
            let error = impatient.get(AddrB3::of(&body)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::OapViolation, "{fault:?}: {error}");
            assert_eq!((error.attempts(), error.executed()), (1, Executed::No));

            fixture.disarm();
            let unkeyed = established(fixture.unkeyed_client());
            fixture.arm([into_puts(once(fault.clone()))]);
            let error = unkeyed.put(b"unkeyed").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::OapViolation, "{fault:?}: {error}");
            assert_eq!((error.attempts(), error.executed()), (1, Executed::Unknown));
            assert_eq!(fixture.fired(kind), fired + 4, "{fault:?}");
        }
        let (total, keys, most) = fixture.effects();
        assert_eq!((keys, most), (refused.len(), 1));
        assert_eq!(total, 2 * refused.len() as u64);
    });
}

#[test]
fn calls_beside_a_broken_one_are_tried_again_too() {
    on_each_client(|fixture| {
        let (objects, addresses) = objects(fixture, 30);
        let fault = Fault::BadVersion { version: 7 };
        let latency = Fault::Latency {
            p50_ms: 100,
            p90_ms: 100,
            p99_ms: 100,
        };
        fixture.arm([
            first(latency),
            FaultRule {
                every_nth: Some(30),
                ..first(fault.clone())
            },
        ]);
        let client = fixture.client_with(|config| config.pool.max = 1);
        let gotten = client.gets_at_once(&addresses);
        let repeated = gotten.iter().filter(|got| told(got).0 == 2).count();
        for (object, got) in objects.iter().zip(gotten) {
            assert_eq!(got.unwrap().0, object);
        }
        assert!(repeated > 15, "{repeated}");
        assert_eq!(fixture.fired(fault.kind()), 1);
    });
}

#[test]
fn a_frame_that_is_announced_and_not_sent_is_a_stall() {
    on_each_client(|fixture| {
        let fault = Fault::StalledFrame { len: 1_048_576 };
        let read = Duration::from_millis(400);
        let client = established(fixture.client_with(|config| config.timeouts.read = read));
        fixture.arm([into_puts(first(fault.clone()))]);
        let put = client.put(b"x");
        assert_eq!(told(&put), (2, true, Executed::Yes));
        assert_eq!(fixture.fired(fault.kind()), 1);
        assert_eq!(fixture.effects(), (1, 1, 1));
    });
}

#[test]
fn an_endless_answer_is_left_at_the_limit_and_fetched_elsewhere() {
    on_each_client(|fixture| {
        let address = fixture.stored(b"x");
        fixture.arm([once(Fault::EndlessBody)]);
        let got = fixture.client().get(address);
        assert_eq!(told(&got).0, 2);
        assert_eq!(got.unwrap().0, "x");
        fixture.arm([once(Fault::EndlessBody)]);
        let error = fixture.impatient_client().get(address).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OapViolation);
        assert!(error.to_string().contains("1015808"), "{error}");
        assert_eq!(fixture.fired(Fault::EndlessBody.kind()), 2);
    });
}

#[test]
fn calls_that_the_gateway_gives_up_are_not_hammered_at_it() {
    on_each_client(|fixture| {
        let cancelled = Fault::CancelAll {
            reason: Reason::Cancelled,
        };
        fixture.arm([always(cancelled.clone())]);
        let client = fixture.client();
        let error = client.put(b"x").unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Cancelled, 1));
        assert_eq!(error.executed(), Executed::Unknown);
        let error = client.get(AddrB3::of(b"x")).unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Cancelled, 1));
        assert_eq!(fixture.fired(cancelled.kind()), 2);

        // Where it says that it is overloaded, the budget is the limit: 100 retries, and one more every 5 s.
        fixture.arm([always(Fault::CancelAll {
            reason: Reason::Unavailable,
        })]);
        let client = fixture.client();
        let began = Instant::now();
        let (mut calls, mut attempts) = (0, 0);
        while calls < 960 {
            let bodies: Vec<Bytes> = (0..48u32).map(|n| (calls + n).to_string().into()).collect();
            for put in client.puts_at_once(&bodies) {
                let error = put.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Server, "{error}");
                attempts += error.attempts();
                calls += 1;
            }
        }
        let trickle = began.elapsed().as_secs() as u32 / 5 + 1;
        assert!(attempts <= calls + 100 + trickle, "{attempts} for {calls}");
        assert!(attempts > calls, "some are tried again");
        assert_eq!(fixture.effects().0, 0);
    });
}

#[test]
fn a_drain_in_the_middle_fails_nobody() {
    on_each_client(|fixture| {
        let (objects, addresses) = objects(fixture, 40);
        fixture.arm([FaultRule {
            every_nth: Some(20),
            ..once(Fault::Drain)
        }]);
        let client = fixture.client_with(|config| config.pool.max = 1);
        for (object, got) in objects.iter().zip(client.gets_at_once(&addresses)) {
            // Who was not taken moves for free.
            assert_eq!(told(&got).0, 1);
            assert_eq!(got.unwrap().0, object);
        }
        assert_eq!(fixture.fired(Fault::Drain.kind()), 1);
        fixture.arm([FaultRule {
            every_nth: Some(20),
            ..once(Fault::Drain)
        }]);
        // Without a key, too: what the drain did not take was not executed.
        let unkeyed = fixture.unkeyed_client();
        let bodies: Vec<Bytes> = (0..40).map(|n| format!("body {n}").into()).collect();
        let before = fixture.effects().0;
        for put in unkeyed.puts_at_once(&bodies) {
            assert_eq!(told(&put).0, 1);
        }
        assert_eq!(fixture.effects().0, before + 40);
        assert_eq!(fixture.fired(Fault::Drain.kind()), 2);
    });
}

/// Whatever reason it gives, a gateway that sends its clients away again and again is left once each time.
#[test]
fn a_gateway_that_drains_every_few_calls_is_dialled_once_for_each() {
    for reason in ["too_many_pings", "overload"] {
        with_each_client(|face| {
            let served = AtomicU32::new(0);
            let peer = Peer::after_hello(move |conversation, _| {
                for _ in 0..3 {
                    let corr_id = conversation.request()?;
                    served.fetch_add(1, Ordering::SeqCst);
                    conversation.reply(corr_id, OK, &object_meta(b"x"), b"x")?;
                }
                let last_corr = u64::from(3u8);
                let mut drain = Vec::new();
                let reason = reason.to_owned();
                Control::Drain { last_corr, reason }.append_frame(&mut drain);
                conversation.send_bytes(&drain)?;
                conversation.linger()
            });
            let client = Client::new(face, peer.patient_config());
            for _ in 0..30 {
                let got = client.get(AddrB3::of(b"x"));
                assert_eq!(told(&got).0, 1);
                // The drain has arrived before the next call looks.
                std::thread::sleep(Duration::from_millis(5));
            }
            let dialled = peer.connections();
            assert!((10..=11).contains(&dialled), "{dialled}");
        });
    }
}

#[test]
fn a_gateway_that_takes_one_call_at_a_time_gets_one_at_a_time() {
    on_each_client(|fixture| {
        let (objects, addresses) = objects(fixture, 64);
        for value in [1, u64::from(u32::MAX)] {
            fixture.arm([always(Fault::HelloMaxInflight { value })]);
            let client = fixture.client_with(|config| config.pool.max = 1);
            for (object, got) in objects.iter().zip(client.gets_at_once(&addresses)) {
                // One that says more than it keeps to refuses some, which come again.
                assert!(value > 1 || told(&got).0 == 1);
                assert_eq!(got.unwrap().0, object);
            }
        }
        assert_eq!(
            fixture.fired(Fault::HelloMaxInflight { value: 1 }.kind()),
            2
        );
    });
}

#[test]
fn a_gateway_that_takes_no_calls_does_not_speak_the_protocol() {
    on_each_client(|fixture| {
        fixture.arm([always(Fault::HelloMaxInflight { value: 0 })]);
        let began = Instant::now();
        let error = fixture.client().get(AddrB3::of(b"x")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OapViolation, "{error}");
        assert_eq!((error.attempts(), error.executed()), (1, Executed::No));
        assert!(began.elapsed() < SLACK);
        assert_eq!(
            fixture.fired(Fault::HelloMaxInflight { value: 0 }.kind()),
            1
        );
    });
}

/// One that never answers keeps the others waiting for the limit of their own call only.
#[test]
fn waiting_for_the_only_slot_ends_with_the_calls_time() {
    let peer = Peer::tls(Default::default(), |conversation, _| {
        conversation.hello(1)?;
        conversation.linger()
    });
    let limit = Duration::from_millis(200);
    with_each_client(|face| {
        let mut config = peer.config();
        config.pool.max = 1;
        let client = Client::new(face, config).with_limit(limit);
        let began = Instant::now();
        let addresses = [AddrB3::of(b"x"); 8];
        for got in client.gets_at_once(&addresses) {
            assert_eq!(got.unwrap_err().kind(), ErrorKind::DeadlineExceeded);
        }
        assert!(began.elapsed() < limit + SLACK);
        assert_eq!(client.open_calls(), 0);
    });
}
