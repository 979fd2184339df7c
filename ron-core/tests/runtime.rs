//! Whose runtime a call waits with: the caller's, or where that has none the SDK's own. Threads and files are
//! counted, which only a process of its own can do: it is one test.
#![allow(clippy::unwrap_used)]

mod support;

use futures_executor::block_on;
use futures_util::future::join_all;
use ron_app_sdk::{ErrorKind, RonAppSdk};
use std::future::Future;
use std::time::{Duration, Instant};
use support::peer::Peer;
use support::{bytes, capability, TestGateway, LIMIT};

fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok());
    names.filter(|name| name.starts_with("ron-sdk")).count()
}

fn files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Waits until there are so many, which takes as long as a thread takes to end.
fn settles(what: &str, count: impl Fn() -> usize, expected: usize) {
    let until = Instant::now() + Duration::from_secs(5);
    while count() != expected {
        assert!(Instant::now() < until, "{} {what} of {expected}", count());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Puts and gets without any runtime of the caller's.
async fn round(sdk: &RonAppSdk, number: u32) {
    let mut object = bytes(100_000);
    object[..4].copy_from_slice(&number.to_be_bytes());
    let put = sdk
        .storage_put(capability(), object.clone().into(), LIMIT, None)
        .await;
    let got = sdk.storage_get(capability(), put.unwrap(), LIMIT).await;
    assert_eq!(got.unwrap(), object);
}

#[test]
fn the_sdks_own_runtime_is_there_where_it_is_needed_and_no_longer() {
    let gateway = TestGateway::start();
    let config = gateway.config();
    let (threads_before, files_before) = (threads(), files());
    assert_eq!(threads_before, 0);

    // Making a client starts nothing, and a caller with a runtime needs nothing of ours.
    let sdk = block_on(RonAppSdk::new(config.clone())).unwrap();
    support::block_on(round(&sdk, 0));
    assert_eq!(threads(), 0);

    // Without one, the first call starts it, for all clients. Calls from many threads share it.
    block_on(round(&sdk, 1));
    assert_eq!(threads(), 1);
    let other = block_on(RonAppSdk::new(config.clone())).unwrap();
    block_on(join_all((0..20).map(|number| round(&other, number))));
    std::thread::scope(|scope| {
        for number in 0..8 {
            let sdk = &sdk;
            scope.spawn(move || block_on(round(sdk, number)));
        }
    });
    // The second client's certificates were read on another thread, which is kept for a second.
    settles("threads", threads, 1);

    // Callers on two runtimes of their own and on none use one client at the same time.
    std::thread::scope(|scope| {
        for caller in 0..3 {
            let sdk = &sdk;
            scope.spawn(move || {
                let rounds = async { join_all((0..20).map(|number| round(sdk, number))).await };
                match caller {
                    0 => block_on(rounds),
                    _ => support::block_on(rounds),
                }
            });
        }
    });

    // It ends with the last client, wherever that is dropped, and can begin anew.
    drop(sdk);
    assert_eq!(threads(), 1);
    support::block_on(async { drop(other) });
    settles("threads", threads, 0);
    for number in 0..20 {
        let sdk = block_on(RonAppSdk::new(config.clone())).unwrap();
        block_on(round(&sdk, number));
    }
    settles("threads", threads, 0);

    // Dropped with calls open, which nobody polls any more, it does not wait for anything.
    let silent = Peer::after_hello(|conversation, _| conversation.linger());
    let sdk = block_on(RonAppSdk::new(silent.config())).unwrap();
    let limit = Duration::from_millis(50);
    let error = block_on(sdk.storage_get(capability(), ron_app_sdk::AddrB3::of(b""), limit));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::DeadlineExceeded);
    let start = Instant::now();
    {
        let put = sdk.storage_put(capability(), bytes(1000).into(), LIMIT, None);
        let mut put = Box::pin(put);
        let waker = futures_util::task::noop_waker_ref();
        let mut context = std::task::Context::from_waker(waker);
        assert!(put.as_mut().poll(&mut context).is_pending());
        assert_eq!(sdk.open_calls(), 1);
    }
    assert_eq!(sdk.open_calls(), 0);
    drop(sdk);
    assert!(start.elapsed() < Duration::from_millis(500));
    settles("threads", threads, 0);
    // The connections of the silent peer end with its process; the gateway's with ours.
    drop(gateway);
    let most = files_before + 8;
    let until = Instant::now() + Duration::from_secs(5);
    while files() > most {
        assert!(
            Instant::now() < until,
            "{} files of {files_before}",
            files()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}
