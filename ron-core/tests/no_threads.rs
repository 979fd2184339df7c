//! A process that can make no more threads. The limit is the process's: it is one test.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

mod support;

use ron_app_sdk::{CapabilitySource, ErrorKind};
use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};
use support::{capability, TestGateway, LIMIT};

/// Address space that is in use, in bytes.
fn address_space() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = text.split_whitespace().next().unwrap().parse().unwrap();
    pages * rustix::param::page_size() as u64
}

/// The thread that would ask the provider cannot be made: that is nobody's fault but ours to say.
#[test]
fn without_a_thread_for_the_provider_the_call_is_an_internal_error() {
    let gateway = TestGateway::start();
    let sdk = gateway.blocking_sdk();
    let put = || sdk.storage_put(capability(), b"x", LIMIT, None);
    put().unwrap();
    let token = capability();
    let provided = CapabilitySource::provider(move || Ok(token.clone()));

    let before = getrlimit(Resource::As);
    // Less than a thread's stack.
    let limit = Rlimit {
        current: Some(address_space() + (1 << 20)),
        ..before
    };
    setrlimit(Resource::As, limit).unwrap();
    let refused = sdk.storage_put(&provided, b"x", LIMIT, None);
    let fixed = put();
    setrlimit(Resource::As, before).unwrap();

    let error = refused.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
    assert!(error.to_string().contains("thread"), "{error}");
    fixed.unwrap();
    // The failure is not remembered.
    sdk.storage_put(&provided, b"x", LIMIT, None).unwrap();
}
