//! The OAP face as a load's target: the SDK.

use super::operation::Operation;
use super::target::{Outcome, Target, Task};
use super::work::Work;
use crate::lock::lock;
use bytes::Bytes;
use ron_app_sdk::{
    CallReport, Calls, Capability, ErrorKind, IndexKey, Lease, Mail, Receive, Reported, RonAppSdk,
    SdkError, Topic,
};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// A receive takes a few messages, so that it keeps up with as many sends.
pub(super) const MESSAGES: u16 = 4;

/// Calls through the SDK.
pub struct OapTarget {
    sdk: RonAppSdk,
    capability: Capability,
    work: Arc<Work>,
    edge_path: String,
    topic: Topic,
    names: Vec<IndexKey>,
    /// Of messages that were received and not acknowledged yet: at most as many as open receives brought.
    leases: Mutex<VecDeque<Lease>>,
}

impl OapTarget {
    /// A target with messages in `topic` and these names.
    pub fn new(
        sdk: RonAppSdk,
        capability: Capability,
        work: Arc<Work>,
        edge_path: String,
        topic: Topic,
        names: Vec<IndexKey>,
    ) -> Self {
        Self {
            sdk,
            capability,
            work,
            edge_path,
            topic,
            names,
            leases: Mutex::default(),
        }
    }

    fn calls(&self) -> Calls<'_, Reported> {
        self.sdk.with(&self.capability).with_report()
    }

    async fn receive(&self) -> Outcome {
        let receive = Receive {
            max: MESSAGES,
            ..Receive::new(self.topic.clone())
        };
        match self.calls().mailbox_receive(&receive).await {
            Ok((messages, report)) => {
                let bytes = messages
                    .iter()
                    .map(|message| message.body.len() as u64)
                    .sum();
                let received = messages.len() as u32;
                let leases = messages.into_iter().map(|message| message.lease);
                lock(&self.leases).extend(leases);
                Outcome {
                    received,
                    ..Outcome::ok(report.attempts, bytes)
                }
            }
            Err(error) => error.into(),
        }
    }

    async fn ack(&self) -> Outcome {
        let lease = lock(&self.leases).pop_front();
        match lease {
            Some(lease) => moved(self.calls().mailbox_ack(&lease).await, |()| 0),
            None => Outcome::failed(0, ErrorKind::Internal, "there is nothing to acknowledge"),
        }
    }
}

impl Target for OapTarget {
    async fn call(&self, task: Task) -> Outcome {
        let object = self.work.object(task);
        let size = object.body.len() as u64;
        let name = &self.names[task.object % self.names.len()];
        let calls = self.calls();
        match task.operation {
            // Its bytes have been hashed and compared.
            Operation::Get => moved(calls.storage_get(object.address).await, |body| {
                body.len() as u64
            }),
            Operation::Head => match calls.storage_head(object.address).await {
                Ok((info, report)) if info.size != size => wrong(report, "another size"),
                result => moved(result, |_| 0),
            },
            Operation::Range => match object.middle() {
                Some(range) => match calls.storage_get_range(object.address, range).await {
                    Ok((part, report)) if !is_part(&object.body, &part.bytes, range) => {
                        wrong(report, "other bytes")
                    }
                    result => moved(result, |part| part.bytes.len() as u64),
                },
                None => Outcome::failed(0, ErrorKind::Internal, "an empty object has no range"),
            },
            Operation::Put => moved(calls.storage_put(object.body.clone()).await, |_| size),
            Operation::Edge => moved(
                calls.edge_get(&self.edge_path, None).await,
                |body: Bytes| body.len() as u64,
            ),
            Operation::Send => {
                let mail = Mail::new(self.topic.clone(), object.body.clone());
                moved(calls.mailbox_send(mail).await, |_| size)
            }
            Operation::Receive => self.receive().await,
            Operation::Ack => self.ack().await,
            Operation::Resolve => moved(calls.index_resolve(name).await, |_| 0),
            Operation::Publish => moved(
                calls.index_publish(name, object.address, None).await,
                |()| 0,
            ),
        }
    }
}

/// Whether these are the bytes of a range.
pub(super) fn is_part(body: &[u8], part: &[u8], range: ron_app_sdk::ByteRange) -> bool {
    let bounds = range.first() as usize..=range.last() as usize;
    body.get(bounds) == Some(part)
}

fn moved<T>(result: Result<(T, CallReport), SdkError>, bytes: impl FnOnce(T) -> u64) -> Outcome {
    match result {
        Ok((value, report)) => Outcome::ok(report.attempts, bytes(value)),
        Err(error) => error.into(),
    }
}

fn wrong(report: CallReport, what: &str) -> Outcome {
    let text = format!("the gateway says {what} than were stored");
    Outcome::failed(report.attempts, ErrorKind::IntegrityMismatch, text)
}
