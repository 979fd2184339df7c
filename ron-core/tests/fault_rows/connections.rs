//! Connections that are refused, silent, slow, or gone.

use crate::fixture::{
    first, into_puts, on_each_client, once, told, with_each_client, Client, DEFAULT, SLACK,
};
use crate::support::bytes;
use crate::support::peer::{frame, object_meta, Peer, OK, STORAGE};
use ron_app_sdk::oap::Flags;
use ron_app_sdk::{AddrB3, ErrorKind, Executed, GaveUp};
use ron_fault_proxy::{Connections, Direction, Faults};
use ron_gateway::faults::{Fault, FaultKind, FaultRule};
use std::num::{NonZeroU64, NonZeroUsize};
use std::time::{Duration, Instant};

#[test]
fn a_reset_after_the_commit_repeats_the_put_and_what_was_beside_it() {
    on_each_client(|fixture| {
        let object = bytes(3000);
        let addresses = [fixture.stored(&object); 20];
        let latency = Fault::Latency {
            p50_ms: 300,
            p90_ms: 300,
            p99_ms: 300,
        };
        fixture.arm([
            FaultRule {
                operation: Some("storage.get".to_owned()),
                ..first(latency)
            },
            into_puts(first(Fault::Reset)),
        ]);
        let client = fixture.client_with(|config| config.pool.max = 1);
        std::thread::scope(|scope| {
            let gets = scope.spawn(|| client.gets_at_once(&addresses));
            while fixture.gateway.gateway.faults().decisions() < 20 {
                std::thread::sleep(Duration::from_millis(1));
            }
            let put = client.put(b"x");
            assert_eq!(told(&put), (2, true, Executed::Yes));
            for got in gets.join().unwrap() {
                assert_eq!(told(&got).0, 2);
                assert_eq!(got.unwrap().0, object);
            }
        });
        assert_eq!(fixture.fired(FaultKind::Reset), 1);
        assert_eq!(fixture.effects(), (2, 2, 1));
    });
}

#[test]
fn bytes_that_come_one_by_one_are_as_good() {
    on_each_client(|fixture| {
        let (proxy, client) = fixture.proxied(|_| {});
        let slices = Direction {
            slice: NonZeroUsize::new(1),
            ..Direction::default()
        };
        proxy.set(Faults {
            to_gateway: slices,
            from_gateway: slices,
            ..Faults::default()
        });
        let object = bytes(5000);
        let put = client.put(&object);
        assert_eq!(told(&put), (1, false, Executed::Yes));
        let got = client.get(put.unwrap().0);
        assert_eq!(told(&got).0, 1);
        assert_eq!(got.unwrap().0, object);
        assert!(proxy.counters().slices > 10_000);
    });
}

#[test]
fn an_answer_that_drips_is_given_up_in_time() {
    on_each_client(|fixture| {
        let limit = Duration::from_secs(2);
        let (proxy, client) = fixture.proxied(|_| {});
        client.put(b"x").unwrap();
        proxy.set(Faults::from_gateway(Direction {
            bandwidth: NonZeroU64::new(1),
            ..Direction::default()
        }));
        let client = client.with_limit(limit);
        let began = Instant::now();
        let error = client.put(b"y").unwrap_err();
        assert!(began.elapsed() < limit + SLACK, "{:?}", began.elapsed());
        assert!(error.attempts() > 1, "{error}");
        assert_eq!(error.executed(), Executed::Unknown);
        assert!(proxy.counters().throttles > 0);
        assert_eq!(client.open_calls(), 0);
        assert_eq!(fixture.effects().2, 1);

        // As soon as the line is better, so are calls.
        proxy.set(Faults::default());
        let client = client.with_limit(DEFAULT);
        client.put(b"z").unwrap();
    });
}

/// A byte now and then is progress: only the call's own limit is left.
#[test]
fn a_body_that_drips_ends_with_the_calls_limit() {
    let object = bytes(1000);
    let whole = object.clone();
    let peer = Peer::after_hello(move |conversation, _| {
        let corr_id = conversation.request()?;
        let start = Flags::RESP.with(Flags::START);
        conversation.send(start, OK, STORAGE, corr_id, Some(&object_meta(&whole)), b"")?;
        for byte in &whole {
            conversation.send(Flags::RESP, OK, STORAGE, corr_id, None, &[*byte])?;
            std::thread::sleep(Duration::from_millis(50));
        }
        conversation.linger()
    });
    with_each_client(|face| {
        let limit = Duration::from_millis(900);
        let mut config = peer.patient_config();
        config.timeouts.read = Duration::from_millis(500);
        let client = Client::new(face, config).with_limit(limit);
        let began = Instant::now();
        let error = client.get(AddrB3::of(&object)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DeadlineExceeded, "{error}");
        assert_eq!((error.attempts(), error.executed()), (1, Executed::No));
        assert!(began.elapsed() < limit + SLACK, "{:?}", began.elapsed());
    });
}

/// Slow is not stalled: what moves all the time takes its time.
#[test]
fn a_slow_line_takes_as_long_as_it_takes() {
    on_each_client(|fixture| {
        let (proxy, client) = fixture.proxied(|config| {
            config.timeouts.read = Duration::from_millis(400);
            config.timeouts.write = Duration::from_millis(400);
        });
        let client = client.with_limit(Duration::from_secs(20));
        let object = bytes(150_000);
        let address = client.put(&object).unwrap().0;
        let slow = Direction {
            bandwidth: NonZeroU64::new(64 << 10),
            ..Direction::default()
        };
        for faults in [Faults::from_gateway(slow), Faults::to_gateway(slow)] {
            proxy.set(faults);
            let began = Instant::now();
            if faults.to_gateway == slow {
                let put = client.put(&object);
                assert_eq!(told(&put).0, 1);
            } else {
                let got = client.get(address);
                assert_eq!(told(&got).0, 1);
                assert_eq!(got.unwrap().0, object);
            }
            assert!(began.elapsed() > Duration::from_secs(2), "it was not slow");
        }
        assert!(proxy.counters().throttles > 10);
    });
}

#[test]
fn everything_open_on_a_half_open_connection_is_answered_elsewhere() {
    on_each_client(|fixture| {
        let (proxy, client) = fixture.proxied(|config| config.pool.max = 1);
        let object = bytes(2000);
        let address = client.put(&object).unwrap().0;
        fixture.arm([first(Fault::Latency {
            p50_ms: 300,
            p90_ms: 300,
            p99_ms: 300,
        })]);
        let began = Instant::now();
        std::thread::scope(|scope| {
            let gets = scope.spawn(|| client.gets_at_once(&[address; 20]));
            while fixture.gateway.gateway.faults().decisions() < 20 {
                std::thread::sleep(Duration::from_millis(1));
            }
            proxy.set(Faults::connections(Connections::HalfOpen));
            while proxy.counters().half_opens == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
            proxy.set(Faults::default());
            for got in gets.join().unwrap() {
                assert_eq!(told(&got).0, 2);
                assert_eq!(got.unwrap().0, object);
            }
        });
        assert!(began.elapsed() < DEFAULT, "{:?}", began.elapsed());
        // The dead connection is closed, and not used again.
        fixture.disarm();
        let began = Instant::now();
        client.get(address).unwrap();
        assert!(began.elapsed() < SLACK);
    });
}

#[test]
fn a_listener_that_never_answers_costs_the_connect_timeout_and_an_attempt() {
    on_each_client(|fixture| {
        let connect = Duration::from_millis(300);
        let (proxy, client) = fixture.proxied(|config| config.timeouts.connect = connect);
        proxy.set(Faults::connections(Connections::Silent));
        let began = Instant::now();
        let error = client.put(b"x").unwrap_err();
        assert!(began.elapsed() < DEFAULT + SLACK);
        assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
        assert_eq!(error.executed(), Executed::No);
        assert!(error.attempts() > 1 && error.gave_up().is_some(), "{error}");
        assert_eq!(proxy.counters().silences, u64::from(error.attempts()));

        let client = fixture.proxied_by(&proxy, |config| config.timeouts.connect = connect);
        let silences = proxy.counters().silences;
        std::thread::scope(|scope| {
            let put = scope.spawn(|| client.put(b"x"));
            while proxy.counters().silences == silences {
                std::thread::sleep(Duration::from_millis(1));
            }
            proxy.set(Faults::default());
            assert_eq!(told(&put.join().unwrap()), (2, false, Executed::Yes));
        });
        assert_eq!(fixture.effects(), (1, 1, 1));
    });
}

#[test]
fn a_hello_that_is_not_answered_costs_the_connect_timeout_and_an_attempt() {
    on_each_client(|fixture| {
        fixture.arm([once(Fault::HelloSilence)]);
        let connect = Duration::from_millis(300);
        let client = fixture.client_with(|config| config.timeouts.connect = connect);
        let began = Instant::now();
        // The request had left with HELLO: it may have been executed.
        let put = client.put(b"x");
        assert_eq!(told(&put).0, 2);
        assert!(began.elapsed() >= connect);
        assert_eq!(fixture.fired(FaultKind::HelloSilence), 1);
        assert_eq!(fixture.effects().2, 1);
    });
}

#[test]
fn a_port_that_refuses_is_dialled_again_with_back_off() {
    on_each_client(|fixture| {
        for faults in [None, Some(Faults::connections(Connections::Refuse))] {
            let (proxy, client) = fixture.proxied(|_| {});
            match faults {
                Some(faults) => proxy.set(faults),
                None => proxy.down().unwrap(),
            }
            let began = Instant::now();
            let error = client.put(b"x").unwrap_err();
            // What cannot be reached is not dialled after three fifths of the call's time.
            assert!(began.elapsed() < DEFAULT * 3 / 5 + SLACK);
            assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
            assert_eq!(error.executed(), Executed::No);
            assert!((1..=5).contains(&error.attempts()), "{error}");
            let gave_up = [Some(GaveUp::Attempts), Some(GaveUp::Deadline)];
            assert!(gave_up.contains(&error.gave_up()), "{error:?}");
            let counters = proxy.counters();
            if faults.is_some() {
                assert_eq!(counters.refusals, u64::from(error.attempts()));
            } else {
                assert_eq!((counters.downs, counters.connections), (1, 0));
            }

            proxy.set(Faults::default());
            proxy.up().unwrap();
            let put = client.with_limit(Duration::from_secs(20)).put(b"x");
            assert_eq!(told(&put).0, 1);
        }
    });
}

/// As if a switch had been restarted in the middle of everything.
#[test]
fn connections_that_are_killed_cost_each_call_an_attempt() {
    on_each_client(|fixture| {
        let (proxy, client) = fixture.proxied(|_| {});
        let address = client.put(b"x").unwrap().0;
        fixture.arm([first(Fault::Latency {
            p50_ms: 300,
            p90_ms: 300,
            p99_ms: 300,
        })]);
        std::thread::scope(|scope| {
            let gets = scope.spawn(|| client.gets_at_once(&[address; 10]));
            while fixture.gateway.gateway.faults().decisions() < 10 {
                std::thread::sleep(Duration::from_millis(1));
            }
            proxy.kill_connections();
            for got in gets.join().unwrap() {
                assert_eq!(told(&got).0, 2);
            }
        });
        assert_eq!(proxy.counters().kills, 1);
    });
}

/// A reply whose frame is cut in the middle, header included, at each byte: by a reset and by an end.
#[test]
fn a_reply_cut_at_any_byte_of_its_frames_is_repeated() {
    let object = bytes(100);
    let meta = object_meta(&object);
    let whole = Flags::RESP.with(Flags::START).with(Flags::END);
    let reply = frame(whole, OK, STORAGE, 1, Some(&meta), &object);
    let cuts: Vec<usize> = (0..=42).chain([60, 100, 200, reply.len() - 1]).collect();
    let cases = cuts.len() * 2;
    let peer = {
        let (reply, cuts) = (reply.clone(), cuts.clone());
        Peer::after_hello(move |conversation, number| {
            conversation.request()?;
            if number % 2 == 1 {
                conversation.send_bytes(&reply)?;
                return conversation.linger();
            }
            let cut = cuts[number / 4];
            conversation.send_bytes(&reply[..cut])?;
            if number % 4 == 0 {
                // The bytes before it have to be read first: a reset drops what was not.
                std::thread::sleep(Duration::from_millis(5));
                let socket = socket2::SockRef::from(&conversation.stream.sock);
                socket.set_linger(Some(Duration::ZERO))?;
            }
            Ok(())
        })
    };
    for case in 0..cases {
        let face = [
            crate::fixture::Face::Blocking,
            crate::fixture::Face::Asynchronous,
        ][case % 2];
        let mut config = peer.patient_config();
        config.backoff.base = Duration::from_millis(1);
        let got = Client::new(face, config).get(AddrB3::of(&object));
        assert_eq!(told(&got).0, 2, "cut {}", cuts[case / 2]);
        assert_eq!(got.unwrap().0, object);
    }
    assert_eq!(peer.connections(), 2 * cases);
}
