//! Rolling restarts: a gateway takes the place of another one every two seconds, and nobody notices.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use bytes::Bytes;
use ron_app_sdk::{IndexKey, Mail, Receive, RonAppSdk, SdkError, Topic};
use ron_chaos::{capability, World};
use ron_gateway::GatewayConfig;
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(2);
const FOR: Duration = Duration::from_secs(30);

/// One caller's round through the planes: reads, and mutations under keys.
async fn round(sdk: &RonAppSdk, number: u64) -> Result<(), SdkError> {
    let calls = sdk.with(capability());
    // Not so many objects that they fill the store.
    let object = Bytes::from((number % 4096).to_be_bytes().repeat(1000));
    let address = calls.storage_put(object.clone()).await?;
    assert_eq!(calls.storage_get(address).await?, object);
    assert_eq!(calls.edge_head("/ron/64k").await?.size, 65_536);
    let topic = Topic::new(&format!("restart/{}", number % 16)).unwrap();
    calls.mailbox_send(Mail::new(topic.clone(), object)).await?;
    for message in calls.mailbox_receive(&Receive::new(topic)).await? {
        calls.mailbox_ack(&message.lease).await?;
    }
    let name = IndexKey::new(&format!("restart.{}", number % 4096)).unwrap();
    calls.index_publish(&name, address, None).await?;
    assert_eq!(calls.index_resolve(&name).await?, address);
    Ok(())
}

#[test]
fn no_call_fails_in_thirty_seconds_of_rolling_restarts() {
    let mut config = GatewayConfig::default();
    // Half a minute of mutations from one subject.
    config.idempotency.max_keys_per_subject = 10_000_000;
    config.idempotency.max_keys = 10_000_000;
    let mut world = World::new(config);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let rounds = runtime.block_on(async {
        let sdk = world.sdk().await;
        let start = Instant::now();
        let callers = (0..16).map(|caller| {
            let sdk = sdk.clone();
            tokio::spawn(async move {
                let mut rounds = 0;
                while start.elapsed() < FOR {
                    round(&sdk, caller + 16 * rounds).await?;
                    rounds += 1;
                }
                Ok::<u64, SdkError>(rounds)
            })
        });
        let callers: Vec<_> = callers.collect();
        let mut restarts = 0;
        while start.elapsed() < FOR {
            tokio::time::sleep(EVERY).await;
            world.restart();
            restarts += 1;
        }
        assert!(restarts >= 14);
        let mut rounds = 0;
        for caller in callers {
            rounds += caller.await.unwrap().unwrap();
        }
        rounds
    });
    println!("{rounds} rounds of 8 calls");
    assert!(rounds > 1000, "{rounds}");
    assert_eq!(world.gateway.ledger().unwrap().most_effects_of_one_key(), 1);
}
