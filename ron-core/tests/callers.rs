//! Many callers on few connections: they share, wait their turn, and may leave at any time.
#![allow(clippy::unwrap_used)]

mod support;

use bytes::Bytes;
use futures_util::future::join_all;
use ron_app_sdk::{AddrB3, ByteRange, ErrorKind, RonAppSdk};
use ron_gateway::edge::SAMPLE_PATH;
use ron_gateway::GatewayConfig;
use std::future::{poll_fn, Future};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};
use support::leaving::{abandoned, patient_gateway};
use support::peer::{object_meta, Peer, OK};
use support::{block_on, bytes, capability, within, TestGateway, LIMIT};
use tokio::runtime::Builder;

/// A small generator of numbers that are the same in every run (xorshift64*, Vigna 2016).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }
}

/// One caller: starts calls of every kind, drops most of them, and checks all that complete.
async fn abandon_calls(sdk: RonAppSdk, seed: u64, calls: u64) -> u64 {
    let (mut random, capability) = (Random(seed), capability());
    let small = Bytes::from(bytes(100 + seed as usize));
    let large = Bytes::from(bytes(200_000 + seed as usize));
    let address = |body: &Bytes| AddrB3::of(body);
    let (small_address, large_address) = (address(&small), address(&large));
    for body in [&small, &large] {
        let put = sdk.storage_put(&capability, body.clone(), LIMIT, None);
        put.await.unwrap();
    }
    let mut dropped = 0;
    for _ in 0..calls {
        let polls = random.below(5);
        let calls = sdk.with(&capability).timeout(LIMIT);
        let is_done = match random.below(6) {
            0 => {
                let put = abandoned(calls.storage_put(small.clone()), polls).await;
                put.map(|result| assert_eq!(result.unwrap(), small_address))
                    .is_some()
            }
            1 => {
                let put = abandoned(calls.storage_put(large.clone()), polls).await;
                put.map(|result| assert_eq!(result.unwrap(), large_address))
                    .is_some()
            }
            2 => {
                let get = abandoned(calls.storage_get(large_address), polls).await;
                get.map(|result| assert_eq!(result.unwrap(), large))
                    .is_some()
            }
            3 => {
                let range = ByteRange::new(7, 70_000).unwrap();
                let get = abandoned(calls.storage_get_range(large_address, range), polls).await;
                get.map(|result| assert_eq!(result.unwrap().bytes, large[7..=70_000]))
                    .is_some()
            }
            4 => {
                let get = abandoned(calls.edge_get(SAMPLE_PATH, None), polls).await;
                get.map(|result| assert_eq!(result.unwrap().len(), 65_536))
                    .is_some()
            }
            _ => {
                let get = abandoned(calls.storage_get(small_address), polls).await;
                get.map(|result| assert_eq!(result.unwrap(), small))
                    .is_some()
            }
        };
        dropped += u64::from(!is_done);
    }
    dropped
}

/// 100,000 futures dropped at random awaits, on one connection that serves every other call throughout.
#[test]
fn dropping_calls_at_any_await_leaves_the_connection_usable() {
    let mut all_dropped = 0;
    for (runtime, callers) in [
        (Builder::new_current_thread().enable_all().build(), 8),
        (
            Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build(),
            8,
        ),
    ] {
        let gateway = patient_gateway(GatewayConfig::default());
        let mut config = gateway.config();
        config.pool.max = 1;
        let dropped: u64 = runtime.unwrap().block_on(async {
            let sdk = RonAppSdk::new(config).await.unwrap();
            let callers = (0..callers)
                .map(|caller| tokio::spawn(abandon_calls(sdk.clone(), 1 + caller, 16_000)));
            let dropped = join_all(callers).await;
            dropped.into_iter().map(Result::unwrap).sum()
        });
        all_dropped += dropped;
        assert_eq!(gateway.gateway.metrics().connections_accepted(), 1);
    }
    assert!(all_dropped >= 100_000, "only {all_dropped} were dropped");
}

#[test]
fn threads_share_a_client() {
    let gateway = TestGateway::start();
    let sdk = gateway.blocking_sdk();
    std::thread::scope(|scope| {
        for thread in 0..16u8 {
            let sdk = &sdk;
            scope.spawn(move || {
                let capability = capability();
                for round in 0..50usize {
                    let size = [10, 5000, 70_000, 300_000][round % 4];
                    let body = vec![thread; size + round];
                    let put = sdk.storage_put(&capability, &body, LIMIT, None);
                    let got = sdk.storage_get(&capability, put.unwrap(), LIMIT);
                    assert_eq!(got.unwrap(), body);
                }
            });
        }
    });
    assert!(gateway.gateway.metrics().connections_accepted() <= 4);
}

#[test]
fn tasks_share_a_client_on_either_runtime() {
    for runtime in [
        Builder::new_current_thread().enable_all().build(),
        Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build(),
    ] {
        let gateway = TestGateway::start();
        runtime.unwrap().block_on(async {
            let sdk = gateway.sdk().await;
            let tasks = (0..200u8).map(|task| {
                let sdk = sdk.clone();
                tokio::spawn(async move {
                    let capability = capability();
                    for size in [10, 70_000, 5000] {
                        let body = Bytes::from(vec![task; size]);
                        let put = sdk.storage_put(&capability, body.clone(), LIMIT, None);
                        let got = sdk.storage_get(&capability, put.await.unwrap(), LIMIT);
                        assert_eq!(got.await.unwrap(), body);
                    }
                })
            });
            for result in join_all(tasks).await {
                result.unwrap();
            }
        });
        assert!(gateway.gateway.metrics().connections_accepted() <= 4);
    }
}

#[test]
fn the_pool_grows_by_one_when_three_quarters_of_the_slots_are_in_use() {
    let peer = Peer::after_hello(|conversation, _| conversation.linger());
    block_on(async {
        let sdk = RonAppSdk::new(peer.config()).await.unwrap();
        let capability = capability();
        for (calls, connections) in [(48, 1), (49, 2), (300, 3), (300, 4), (300, 4)] {
            // Less than the shortest limit of an attempt.
            let limit = Duration::from_millis(200);
            let calls = (0..calls).map(|_| sdk.storage_get(&capability, AddrB3::of(b"x"), limit));
            for result in join_all(calls).await {
                assert_eq!(result.unwrap_err().kind(), ErrorKind::DeadlineExceeded);
            }
            assert_eq!(peer.connections(), connections);
        }
    });
}

#[test]
fn calls_wait_for_a_slot_in_the_order_in_which_they_came() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&order);
    let peer = Peer::tls(Default::default(), move |conversation, _| {
        conversation.hello(1)?;
        loop {
            let frame = conversation.receive()?;
            let text = String::from_utf8_lossy(&frame.payload).into_owned();
            seen.lock().unwrap().push(text);
            let size = "{\"executed\":\"no\",\"address\":\"b3:";
            let meta = format!("{size}{}\",\"size\":1}}", "0".repeat(64));
            let flags = ron_app_sdk::oap::Flags::from_bits(2 | 8 | 16).unwrap();
            conversation.send(
                flags,
                OK,
                support::peer::EDGE,
                frame.header.corr_id,
                Some(&meta),
                b"",
            )?;
        }
    });
    let mut config = peer.config();
    config.pool.max = 1;
    block_on(async {
        let sdk = RonAppSdk::new(config).await.unwrap();
        let calls = (0..20).map(|call| {
            let sdk = sdk.clone();
            async move {
                let path = format!("/{call:02}");
                sdk.edge_head(capability(), &path, LIMIT).await.unwrap();
            }
        });
        join_all(calls).await;
    });
    let order = order.lock().unwrap();
    for (call, text) in order.iter().enumerate() {
        assert!(text.contains(&format!("\"/{call:02}\"")), "{call}: {text}");
    }
    assert_eq!(order.len(), 20);
}

#[test]
fn a_call_whose_time_runs_out_in_the_queue_was_not_executed() {
    let peer = Peer::tls(Default::default(), |conversation, _| {
        conversation.hello(1)?;
        conversation.linger()
    });
    let mut config = peer.config();
    config.pool.max = 1;
    let sdk = ron_app_sdk::blocking::RonAppSdk::new(config).unwrap();
    // Less than the shortest limit of an attempt.
    let limit = Duration::from_millis(200);
    std::thread::scope(|scope| {
        let call = |delay: u64| {
            let sdk = &sdk;
            scope.spawn(move || {
                std::thread::sleep(Duration::from_millis(delay));
                within(limit, || {
                    sdk.storage_put(capability(), b"x", limit, None)
                        .unwrap_err()
                })
            })
        };
        let (first, second) = (call(0), call(100));
        let (first, second) = (first.join().unwrap(), second.join().unwrap());
        assert_eq!(first.kind(), ErrorKind::DeadlineExceeded);
        assert_eq!(first.executed(), ron_app_sdk::Executed::Unknown);
        assert_eq!(second.kind(), ErrorKind::DeadlineExceeded);
        assert_eq!(second.executed(), ron_app_sdk::Executed::No);
        assert!(second.to_string().contains("free slot"), "{second}");
    });
}

/// The first caller reads for both; when its time is over, the second has to take over.
#[test]
fn a_reader_that_leaves_hands_its_role_on() {
    let peer = || {
        Peer::after_hello(|conversation, _| {
            conversation.request()?;
            let second = conversation.request()?;
            std::thread::sleep(Duration::from_millis(400));
            conversation.reply(second, OK, &object_meta(b"x"), b"x")?;
            conversation.linger()
        })
    };
    let (short, pause) = (Duration::from_millis(200), Duration::from_millis(50));
    let address = AddrB3::of(b"x");
    let blocking = peer();
    let sdk = blocking.sdk();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| sdk.storage_get(capability(), address, short));
        std::thread::sleep(pause);
        assert_eq!(sdk.storage_get(capability(), address, LIMIT).unwrap(), "x");
        let error = first.join().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    });
    let peer = peer();
    block_on(async {
        let sdk = RonAppSdk::new(peer.config()).await.unwrap();
        let capability = capability();
        let second = async {
            tokio::time::sleep(pause).await;
            sdk.storage_get(&capability, address, LIMIT).await
        };
        let (first, second) = tokio::join!(sdk.storage_get(&capability, address, short), second);
        assert_eq!(first.unwrap_err().kind(), ErrorKind::DeadlineExceeded);
        assert_eq!(second.unwrap(), "x");
    });
}

/// A future that is held without being polled must not hold up the others on its connection.
#[test]
fn a_reader_that_is_not_polled_does_not_stop_the_others() {
    let peer = Peer::after_hello(|conversation, _| loop {
        let corr_id = conversation.request()?;
        std::thread::sleep(Duration::from_millis(30));
        conversation.reply(corr_id, OK, &object_meta(b"x"), b"x")?;
    });
    block_on(async {
        let sdk = RonAppSdk::new(peer.config()).await.unwrap();
        let (capability, address) = (capability(), AddrB3::of(b"x"));
        let get = || sdk.storage_get(&capability, address, LIMIT);
        assert_eq!(get().await.unwrap(), "x");
        let mut held = pin!(get());
        let first = poll_fn(|context| Poll::Ready(held.as_mut().poll(context))).await;
        assert!(first.is_pending());
        let start = Instant::now();
        for _ in 0..3 {
            assert_eq!(get().await.unwrap(), "x");
        }
        assert!(start.elapsed() < Duration::from_secs(1));
        assert_eq!(held.await.unwrap(), "x");
    });
    assert_eq!(peer.connections(), 1);
}

/// Held at any point between its first poll and its reply: whatever role the call has by then, the others
/// get on without it.
#[test]
fn a_call_that_is_held_anywhere_does_not_stop_the_others() {
    let gateway = TestGateway::start();
    let body = Bytes::from(bytes(300_000));
    for polls in 1..8u64 {
        let mut config = gateway.config();
        config.pool.max = 1;
        config.timeouts.connect = Duration::from_millis(300);
        block_on(async {
            let sdk = RonAppSdk::new(config).await.unwrap();
            let capability = capability();
            let mut held = Vec::new();
            for _ in 0..3 {
                held.push(Box::pin(sdk.storage_put(
                    &capability,
                    body.clone(),
                    LIMIT,
                    None,
                )));
                let call = held.last_mut().unwrap();
                let _ = abandoned(call.as_mut(), polls).await;
            }
            let start = Instant::now();
            for _ in 0..3 {
                let put = sdk.storage_put(&capability, body.clone(), LIMIT, None);
                assert_eq!(put.await.unwrap(), AddrB3::of(&body));
            }
            let took = start.elapsed();
            assert!(
                took < Duration::from_secs(3),
                "{took:?} with calls held after {polls} polls"
            );
        });
    }
}

/// Large bodies both ways on one connection, from more threads than it has patience for.
#[test]
fn threads_that_write_and_read_much_do_not_block_each_other() {
    let gateway = TestGateway::start();
    let mut config = gateway.config();
    config.pool.max = 1;
    let sdk = ron_app_sdk::blocking::RonAppSdk::new(config).unwrap();
    let body = bytes(ron_app_sdk::MAX_BODY);
    let address = sdk.storage_put(capability(), &body, LIMIT, None).unwrap();
    let start = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..12 {
            let (sdk, body) = (&sdk, &body);
            scope.spawn(move || {
                for _ in 0..8 {
                    if thread % 2 == 0 {
                        sdk.storage_put(capability(), body, LIMIT, None).unwrap();
                    } else {
                        sdk.storage_get(capability(), address, LIMIT).unwrap();
                    }
                }
            });
        }
    });
    let took = start.elapsed();
    assert!(took < Duration::from_secs(4), "{took:?}: a stall");
}

/// Whoever has something to write writes it, and does not wait for another thread to come by.
#[test]
fn a_crowd_of_threads_puts_as_fast_as_a_few_do() {
    const CALLS: usize = 512;
    let gateway = TestGateway::start();
    let mut config = gateway.config();
    config.pool.max = 1;
    let sdk = ron_app_sdk::blocking::RonAppSdk::new(config).unwrap();
    let body = bytes(64 * 1024);
    let time = |threads: usize| {
        let start = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    for _ in 0..CALLS / threads {
                        sdk.storage_put(capability(), &body, LIMIT, None).unwrap();
                    }
                });
            }
        });
        start.elapsed()
    };
    let fastest = |threads| (0..3).map(|_| time(threads)).min().unwrap();
    let (few, crowd) = (fastest(2), fastest(64));
    assert!(crowd < 3 * few, "{crowd:?} in a crowd, {few:?} for a few");
}

#[test]
fn a_caller_that_leaves_while_connecting_lets_the_others_connect() {
    let gateway = TestGateway::start();
    block_on(async {
        let sdk = gateway.sdk().await;
        let capability = capability();
        for polls in 0..6 {
            let sdk = RonAppSdk::new(gateway.config()).await.unwrap();
            let dialing = sdk.storage_put(&capability, "x".into(), LIMIT, None);
            let waiting = sdk.storage_put(&capability, "y".into(), LIMIT, None);
            let (_, waited) = tokio::join!(abandoned(dialing, polls), waiting);
            assert_eq!(waited.unwrap(), AddrB3::of(b"y"));
        }
        sdk.storage_put(&capability, "x".into(), LIMIT, None)
            .await
            .unwrap();
    });
}

/// A connection belongs to the runtime on which it was opened; the client does not.
#[test]
fn a_client_outlives_the_runtimes_of_its_connections() {
    let gateway = TestGateway::start();
    let sdk = block_on(gateway.sdk());
    let rounds = 20;
    for _ in 0..rounds {
        block_on(async {
            let put = sdk.storage_put(capability(), "x".into(), LIMIT, None).await;
            let got = sdk.storage_get(capability(), put.unwrap(), LIMIT).await;
            assert_eq!(got.unwrap(), "x");
        });
    }
    assert_eq!(gateway.gateway.metrics().connections_accepted(), rounds);
    let settled = Instant::now() + Duration::from_secs(2);
    while gateway.gateway.metrics().connections_open() > 8 {
        assert!(
            Instant::now() < settled,
            "connections of ended runtimes stay open"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A thousand callers at once, a third of whom leave at a random await: what they held is free again.
#[test]
fn nothing_is_left_of_callers_who_leave() {
    let gateway = patient_gateway(GatewayConfig::default());
    for runtime in [
        Builder::new_current_thread().enable_all().build(),
        Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build(),
    ] {
        runtime.unwrap().block_on(async {
            let sdk = gateway.sdk().await;
            let stayed = join_all((0..1000).map(|caller| {
                let sdk = sdk.clone();
                tokio::spawn(async move {
                    let mut random = Random(caller + 1);
                    let (mut stayed, holder) = (0, capability());
                    for _ in 0..5 {
                        let object = Bytes::from(bytes(random.below(100_000) as usize));
                        let call = sdk.storage_put(&holder, object.clone(), LIMIT, None);
                        if caller % 3 == 0 {
                            abandoned(call, random.below(4)).await;
                        } else {
                            assert_eq!(call.await.unwrap(), AddrB3::of(&object));
                            stayed += 1;
                        }
                    }
                    stayed
                })
            }))
            .await;
            let stayed: u32 = stayed.into_iter().map(Result::unwrap).sum();
            assert_eq!(stayed, 666 * 5);
            let until = Instant::now() + Duration::from_secs(5);
            loop {
                // Cancelled calls have their slots until the gateway has answered them, which somebody has to read.
                sdk.storage_head(capability(), AddrB3::of(b""), LIMIT)
                    .await
                    .ok();
                let stats = sdk.stats();
                let left = (
                    stats.open_calls,
                    stats.waiting_calls,
                    stats.open_streams,
                    stats.unsent_bytes,
                );
                if left == (0, 0, 0, 0) {
                    assert!(stats.connections <= 4);
                    break;
                }
                assert!(Instant::now() < until, "{stats:?}");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
    }
}
