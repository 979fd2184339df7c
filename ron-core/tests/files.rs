//! Open files, which only a process of its own can count.
#![allow(clippy::unwrap_used)]

mod support;

use ron_app_sdk::{AddrB3, ErrorKind, RonAppSdk};
use std::time::{Duration, Instant};
use support::peer::Peer;
use support::{block_on, capability};

/// A call that timed out leaves its slot taken, on a connection whose runtime is gone.
#[test]
fn ended_runtimes_do_not_leave_their_connections_for_ever() {
    let open_files = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let peer = Peer::after_hello(|conversation, _| conversation.linger());
    let sdk = block_on(RonAppSdk::new(peer.config())).unwrap();
    let before = open_files();
    for _ in 0..60 {
        block_on(async {
            let limit = Duration::from_millis(20);
            let call = sdk.storage_get(capability(), AddrB3::of(b"x"), limit);
            assert_eq!(call.await.unwrap_err().kind(), ErrorKind::DeadlineExceeded);
        });
    }
    assert_eq!(peer.connections(), 60);
    let settled = Instant::now() + Duration::from_secs(2);
    // Both ends of at most nine connections, and two files each by which they hold on to their runtime.
    while open_files() > before + 9 * 4 {
        assert!(
            Instant::now() < settled,
            "{} of {before} files",
            open_files()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}
