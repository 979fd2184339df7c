//! What a waiting call weighs: its future is all that it has of its own.
#![allow(clippy::unwrap_used)]

mod support;

use bytes::Bytes;
use ron_app_sdk::{AddrB3, Mail, Receive, RonAppSdk, SdkConfig, Topic};
use std::mem::size_of_val;
use support::{capability, LIMIT};

/// Ten thousand gets fit into 16 MiB, with what the connection keeps of each.
const MOST: usize = 1200;

#[tokio::test]
async fn a_calls_future_is_small() {
    let sdk = RonAppSdk::new(SdkConfig::default()).await.unwrap();
    let (address, topic) = (AddrB3::of(b""), Topic::new("t").unwrap());
    let receive = Receive::new(topic.clone());
    let sizes = [
        (
            "get",
            size_of_val(&sdk.storage_get(capability(), address, LIMIT)),
        ),
        (
            "put",
            size_of_val(&sdk.storage_put(capability(), Bytes::from("x"), LIMIT, None)),
        ),
        (
            "send",
            size_of_val(&sdk.mailbox_send(capability(), Mail::new(topic, "x"), LIMIT, None)),
        ),
        (
            "receive",
            size_of_val(&sdk.mailbox_receive(capability(), &receive, LIMIT)),
        ),
    ];
    assert!(sizes.iter().all(|(_, size)| *size <= MOST), "{sizes:?}");
}
