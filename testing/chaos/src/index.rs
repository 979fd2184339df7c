//! What callers of an index do, and how they are recorded.

use crate::record_failure;
use crate::world::capability;
use fastrand::Rng;
use futures_util::future::join_all;
use ron_app_sdk::{AddrB3, Capability, ErrorKind, Executed, IndexKey, RonAppSdk};
use ron_history::index::{Expected, Publish, PublishAnswer, Resolve};
use ron_history::{Fingerprint, Recorder};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(5);

/// Who does how much.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Calls in all.
    pub calls: u64,
    /// Tasks that call.
    pub callers: u64,
    /// Names that they share.
    pub keys: u64,
    /// What the random decisions follow from.
    pub seed: u64,
}

impl Load {
    /// 64 callers of 8 names.
    pub fn new(calls: u64, seed: u64) -> Self {
        Self {
            calls,
            callers: 64,
            keys: 8,
            seed,
        }
    }
}

struct Callers {
    sdk: RonAppSdk,
    capability: Capability,
    recorder: Recorder,
    load: Load,
    calls: AtomicU64,
    values: AtomicU64,
}

impl Callers {
    /// Resolves and publishes until the calls are used up, mostly by compare-and-set from what was seen last.
    async fn caller(&self, number: u64) {
        let mut random = Rng::with_seed(self.load.seed ^ number);
        let mut seen = vec![None; self.load.keys as usize];
        while self.calls.fetch_add(1, Ordering::Relaxed) < self.load.calls {
            let key = random.usize(..seen.len());
            let name = IndexKey::new(&format!("chaos.{key}")).unwrap();
            match random.u8(..10) {
                0..=5 => {
                    if let Some(value) = self.resolve(&name).await {
                        seen[key] = value;
                    }
                }
                6..=8 => {
                    let expected = match seen[key] {
                        Some(address) => ron_app_sdk::Expected::Address(address),
                        None => ron_app_sdk::Expected::Absent,
                    };
                    seen[key] = self.publish(&name, Some(expected)).await.or(seen[key]);
                }
                _ => seen[key] = self.publish(&name, None).await.or(seen[key]),
            }
        }
    }

    async fn resolve(&self, name: &IndexKey) -> Option<Option<AddrB3>> {
        let pending = self.recorder.invoke(Resolve {
            key: name.as_str().into(),
        });
        match self.sdk.index_resolve(&self.capability, name, LIMIT).await {
            Ok(address) => {
                pending.ok(Some(fingerprint(address)));
                Some(Some(address))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                pending.ok(None);
                Some(None)
            }
            Err(error) => {
                record_failure(pending, &error);
                None
            }
        }
    }

    async fn publish(
        &self,
        name: &IndexKey,
        expected: Option<ron_app_sdk::Expected>,
    ) -> Option<AddrB3> {
        let value = self.values.fetch_add(1, Ordering::Relaxed);
        let address = AddrB3::of(&value.to_be_bytes());
        let pending = self.recorder.invoke(Publish {
            key: name.as_str().into(),
            value: fingerprint(address),
            expected: match expected {
                None => Expected::Anything,
                Some(ron_app_sdk::Expected::Absent) => Expected::Absent,
                Some(ron_app_sdk::Expected::Address(address)) => {
                    Expected::Value(fingerprint(address))
                }
            },
        });
        let calls = self.sdk.with(&self.capability).timeout(LIMIT);
        match calls.index_publish(name, address, expected).await {
            Ok(()) => {
                pending.ok(PublishAnswer::Published);
                Some(address)
            }
            Err(error)
                if error.kind() == ErrorKind::Conflict && error.executed() == Executed::No =>
            {
                pending.ok(PublishAnswer::Conflict);
                None
            }
            Err(error) => {
                record_failure(pending, &error);
                None
            }
        }
    }
}

fn fingerprint(address: AddrB3) -> Fingerprint {
    Fingerprint::of(address.digest())
}

/// Lets the callers loose, until their calls are used up.
pub async fn run(sdk: RonAppSdk, load: Load, recorder: &Recorder) {
    let callers = Arc::new(Callers {
        sdk,
        capability: capability(),
        recorder: recorder.clone(),
        load,
        calls: AtomicU64::new(0),
        values: AtomicU64::new(0),
    });
    let spawn = |number| {
        let callers = Arc::clone(&callers);
        tokio::spawn(async move { callers.caller(number).await })
    };
    for ended in join_all((0..load.callers).map(spawn)).await {
        ended.unwrap();
    }
}
