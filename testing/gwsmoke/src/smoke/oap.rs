//! The checks of the OAP face, through the SDK.

use super::capabilities::Capabilities;
use super::sample::Sample;
use super::verdict::{equal, refusal, same_bytes, success, Checks, Mismatch, Result};
use crate::settings::{Settings, Unusable};
use bytes::Bytes;
use ron_app_sdk::{
    AddrB3, ByteRange, Calls, Capability, ErrorKind, Expected, IdemKey, IndexKey, Mail, Receive,
    RonAppSdk, Topic,
};
use std::time::Duration;

/// What every gateway has at this path.
pub(super) const EDGE_PATH: &str = "/ron/64k";
pub(super) const EDGE_SIZE: usize = 65_536;

pub(super) struct Oap<'a> {
    sdk: RonAppSdk,
    capabilities: &'a Capabilities,
    sample: &'a Sample,
}

impl<'a> Oap<'a> {
    pub(super) async fn new(
        settings: &Settings,
        capabilities: &'a Capabilities,
        sample: &'a Sample,
    ) -> std::result::Result<Self, Unusable> {
        let mut settings = settings.clone();
        // Each get is to reach the gateway.
        settings.config.cache.enabled = false;
        Ok(Self {
            sdk: settings.sdk().await?,
            capabilities,
            sample,
        })
    }

    fn calls(&self) -> Calls<'_> {
        self.with(&self.capabilities.good)
    }

    fn with(&self, capability: &Capability) -> Calls<'_> {
        self.sdk.with(capability)
    }

    pub(super) async fn check(&self, checks: &mut Checks<'_>) {
        if !checks.run("the gateway answers", self.answers()).await {
            // Each of the others would wait for as long.
            return;
        }
        checks
            .run("put: the address is the object's", self.put())
            .await;
        checks.run("get: length, bytes and hash", self.get()).await;
        checks.run("head: size and address", self.head()).await;
        let end = self.sample.object.len();
        for (check, first, last) in [
            ("range: the first bytes", 0, 9),
            ("range: the middle", end / 2, end / 2 + 4999),
            ("range: the last bytes", end - 10, end - 1),
            ("range: past the end, cut to it", end - 10, end + 9),
            ("range: the whole object", 0, end - 1),
        ] {
            checks.run(check, self.range(first, last)).await;
        }
        checks
            .run("range: out of bounds is refused", self.range_past_the_end())
            .await;
        checks.run("an empty object", self.empty()).await;
        checks.run("a body at the limit", self.longest()).await;
        checks
            .run("a body one byte over is refused", self.too_long())
            .await;
        checks
            .run("a missing object is not found", self.missing())
            .await;
        for (check, capability, kind, status) in [
            (
                "an expired capability is refused",
                &self.capabilities.expired,
                ErrorKind::CapabilityExpired,
                401,
            ),
            (
                "a capability for something else is refused",
                &self.capabilities.narrow,
                ErrorKind::CapabilityDenied,
                403,
            ),
            (
                "a forged capability is refused",
                &self.capabilities.forged,
                ErrorKind::CapabilityDenied,
                403,
            ),
        ] {
            let calls = self.with(capability);
            let get = calls.storage_get(self.sample.address);
            checks
                .run(check, async { refusal(get.await, kind, Some(status)) })
                .await;
        }
        checks
            .run("a repeated put is executed once", self.repeated())
            .await;
        checks.run("edge: get, head and range", self.edge()).await;
        checks
            .run("mailbox: send, receive, acknowledge", self.mailbox())
            .await;
        checks
            .run("index: publish, resolve, conflict", self.index())
            .await;
    }

    async fn answers(&self) -> Result {
        match self.calls().storage_head(self.sample.missing).await {
            Err(error) if error.status().is_none() && is_silence(error.kind()) => Err(Mismatch {
                expected: "an answer".into(),
                got: error.to_string(),
            }),
            // Whatever it says: the others look at that.
            _ => Ok(()),
        }
    }

    async fn put(&self) -> Result {
        let address = success(self.calls().storage_put(self.sample.object.clone()).await)?;
        equal("address", self.sample.address, address)
    }

    async fn get(&self) -> Result {
        self.fetch(self.sample.address, &self.sample.object).await
    }

    pub(super) async fn fetch(&self, address: AddrB3, expected: &[u8]) -> Result {
        let body = success(self.calls().storage_get(address).await)?;
        equal("length", expected.len(), body.len())?;
        same_bytes(expected, &body)
    }

    async fn head(&self) -> Result {
        let info = success(self.calls().storage_head(self.sample.address).await)?;
        equal("size", self.sample.object.len() as u64, info.size)?;
        equal("address", self.sample.address, info.address)
    }

    async fn range(&self, first: usize, last: usize) -> Result {
        let range = success(ByteRange::new(first as u64, last as u64))?;
        let part = success(
            self.calls()
                .storage_get_range(self.sample.address, range)
                .await,
        )?;
        let size = self.sample.object.len();
        let last = last.min(size - 1);
        equal("size", size as u64, part.size)?;
        equal("range", format!("{first}-{last}"), part.range.to_string())?;
        same_bytes(self.sample.part(first, last), &part.bytes)
    }

    async fn range_past_the_end(&self) -> Result {
        let end = self.sample.object.len() as u64;
        let range = success(ByteRange::new(end, end + 9))?;
        let result = self
            .calls()
            .storage_get_range(self.sample.address, range)
            .await;
        refusal(result, ErrorKind::RangeNotSatisfiable, Some(416))
    }

    async fn empty(&self) -> Result {
        let address = success(self.calls().storage_put(Bytes::new()).await)?;
        equal("address", AddrB3::of(b""), address)?;
        self.fetch(address, b"").await?;
        equal(
            "size",
            0,
            success(self.calls().storage_head(address).await)?.size,
        )?;
        let range = success(ByteRange::new(0, 0))?;
        let result = self.calls().storage_get_range(address, range).await;
        refusal(result, ErrorKind::RangeNotSatisfiable, Some(416))
    }

    async fn longest(&self) -> Result {
        let address = success(self.calls().storage_put(self.sample.longest.clone()).await)?;
        equal("address", AddrB3::of(&self.sample.longest), address)?;
        self.fetch(address, &self.sample.longest).await
    }

    async fn too_long(&self) -> Result {
        let body = vec![0; self.sample.longest.len() + 1];
        refusal(
            self.calls().storage_put(body).await,
            ErrorKind::TooLarge,
            None,
        )
    }

    async fn missing(&self) -> Result {
        let (calls, missing) = (self.calls(), self.sample.missing);
        refusal(
            calls.storage_get(missing).await,
            ErrorKind::NotFound,
            Some(404),
        )?;
        refusal(
            calls.storage_head(missing).await,
            ErrorKind::NotFound,
            Some(404),
        )
    }

    async fn repeated(&self) -> Result {
        let key = success(IdemKey::random())?;
        let calls = self.calls().idempotency_key(key).with_report();
        let (_, first) = success(calls.storage_put(self.sample.object.clone()).await)?;
        equal("replayed", false, first.replayed && first.attempts == 1)?;
        let (address, second) = success(calls.storage_put(self.sample.object.clone()).await)?;
        equal("replayed", true, second.replayed)?;
        equal("address", self.sample.address, address)?;
        let other = calls
            .storage_put("another object")
            .await
            .map(|(address, _)| address);
        refusal(other, ErrorKind::Conflict, Some(409))
    }

    async fn edge(&self) -> Result {
        let calls = self.calls();
        let whole = success(calls.edge_get(EDGE_PATH, None).await)?;
        equal("length", EDGE_SIZE, whole.len())?;
        let info = success(calls.edge_head(EDGE_PATH).await)?;
        equal("size", EDGE_SIZE as u64, info.size)?;
        equal("address", AddrB3::of(&whole), info.address)?;
        let range = success(ByteRange::new(100, 199))?;
        let part = success(calls.edge_get(EDGE_PATH, Some(range)).await)?;
        same_bytes(whole.get(100..200).unwrap_or_default(), &part)?;
        let past = success(ByteRange::new(EDGE_SIZE as u64, EDGE_SIZE as u64))?;
        let result = calls.edge_get(EDGE_PATH, Some(past)).await;
        refusal(result, ErrorKind::RangeNotSatisfiable, Some(416))
    }

    async fn mailbox(&self) -> Result {
        let topic = success(Topic::new(&format!("gwsmoke/{}/oap", self.sample.run)))?;
        let calls = self.calls();
        let sent = Mail::new(topic.clone(), self.sample.object.slice(..100));
        let receipt = success(calls.mailbox_send(sent).await)?;
        let receive = Receive {
            wait: Duration::from_secs(1),
            ..Receive::new(topic)
        };
        let messages = success(calls.mailbox_receive(&receive).await)?;
        equal("messages", 1, messages.len())?;
        for message in &messages {
            equal("message", &*receipt.id, message.id())?;
            equal("delivery", 1, message.attempt)?;
            same_bytes(&self.sample.object[..100], &message.body)?;
            success(calls.mailbox_ack(&message.lease).await)?;
        }
        let receive = Receive {
            wait: Duration::ZERO,
            ..receive
        };
        let left = success(calls.mailbox_receive(&receive).await)?;
        equal("messages after the acknowledgement", 0, left.len())
    }

    async fn index(&self) -> Result {
        let name = success(IndexKey::new(&format!("gwsmoke.{}.oap", self.sample.run)))?;
        let (calls, address) = (self.calls(), self.sample.address);
        refusal(
            calls.index_resolve(&name).await,
            ErrorKind::NotFound,
            Some(404),
        )?;
        success(
            calls
                .index_publish(&name, address, Some(Expected::Absent))
                .await,
        )?;
        equal(
            "address",
            address,
            success(calls.index_resolve(&name).await)?,
        )?;
        let again = calls.index_publish(&name, self.sample.missing, Some(Expected::Absent));
        refusal(again.await, ErrorKind::Conflict, Some(409))?;
        equal(
            "address",
            address,
            success(calls.index_resolve(&name).await)?,
        )
    }
}

/// Whether nothing came that could be an answer.
const fn is_silence(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::DeadlineExceeded
            | ErrorKind::Transport
            | ErrorKind::Tls
            | ErrorKind::TorUnavailable
            | ErrorKind::Config
            | ErrorKind::Stalled
    )
}
