//! One call, prepared beforehand and made on either client.

use bytes::Bytes;
use ron_app_sdk::mailbox::Lease;
use ron_app_sdk::{
    blocking, AddrB3, ByteRange, Capability, IndexKey, Mail, Receive, RonAppSdk, SdkError,
};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

/// None that is made here is meant to reach it.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// A call with everything that it needs.
#[derive(Clone)]
pub enum Call {
    /// Store it.
    Put(Bytes),
    /// Fetch it.
    Get(AddrB3),
    /// Fetch that part of it.
    GetRange(AddrB3, ByteRange),
    /// Ask for its size.
    Head(AddrB3),
    /// Fetch what is at the path.
    EdgeGet(Arc<str>),
    /// Ask for the size of what is at the path.
    EdgeHead(Arc<str>),
    /// Send it.
    Send(Mail),
    /// Receive it.
    Receive(Arc<Receive>),
    /// Receive with this capability, which is for one topic.
    Recv(Capability),
    /// Acknowledge.
    Ack(Lease),
    /// Give back.
    Nack(Lease),
    /// Keep for longer.
    Extend(Lease),
    /// Ask what it stands for.
    Resolve(Arc<IndexKey>),
    /// Let it stand for that.
    Publish(Arc<IndexKey>, AddrB3),
}

/// Makes a call on `$sdk`; leases that it has got go to `$leases`.
macro_rules! make {
    ($sdk:ident, $capability:ident, $call:ident, $leases:ident, [$($borrow:tt)?] [$($await:tt)*]) => {
        match $call {
            Call::Put(body) => {
                black_box($sdk.storage_put($capability, $($borrow)? body, LIMIT, None)$($await)*?);
            }
            Call::Get(address) => {
                black_box($sdk.storage_get($capability, address, LIMIT)$($await)*?);
            }
            Call::GetRange(address, range) => {
                black_box($sdk.storage_get_range($capability, address, range, LIMIT)$($await)*?);
            }
            Call::Head(address) => {
                black_box($sdk.storage_head($capability, address, LIMIT)$($await)*?);
            }
            Call::EdgeGet(path) => {
                black_box($sdk.edge_get($capability, &path, None, LIMIT)$($await)*?);
            }
            Call::EdgeHead(path) => {
                black_box($sdk.edge_head($capability, &path, LIMIT)$($await)*?);
            }
            Call::Send(mail) => {
                black_box($sdk.mailbox_send($capability, mail, LIMIT, None)$($await)*?);
            }
            Call::Receive(receive) => {
                let messages = $sdk.mailbox_receive($capability, &receive, LIMIT)$($await)*?;
                $leases.extend(messages.into_iter().map(|message| message.lease));
            }
            Call::Recv(capability) => {
                let messages = $sdk.mailbox_recv(&capability, LIMIT)$($await)*?;
                $leases.extend(messages.into_iter().map(|message| message.lease));
            }
            Call::Ack(lease) => {
                $sdk.mailbox_ack($capability, &lease, LIMIT)$($await)*?;
            }
            Call::Nack(lease) => {
                $sdk.mailbox_nack($capability, &lease, Duration::ZERO, LIMIT)$($await)*?;
            }
            Call::Extend(lease) => {
                let visibility = Duration::from_secs(60);
                $sdk.mailbox_extend($capability, &lease, visibility, LIMIT)$($await)*?;
            }
            Call::Resolve(name) => {
                black_box($sdk.index_resolve($capability, &name, LIMIT)$($await)*?);
            }
            Call::Publish(name, address) => {
                $sdk.index_publish($capability, &name, address, None, LIMIT, None)$($await)*?;
            }
        }
    };
}

impl Call {
    /// Makes it on this thread.
    ///
    /// # Errors
    /// Those of the operation.
    pub fn make(
        self,
        sdk: &blocking::RonAppSdk,
        capability: &Capability,
        leases: &mut Vec<Lease>,
    ) -> Result<(), SdkError> {
        make!(sdk, capability, self, leases, [&] []);
        Ok(())
    }

    /// Makes it in this task.
    ///
    /// # Errors
    /// Those of the operation.
    pub async fn make_async(
        self,
        sdk: &RonAppSdk,
        capability: &Capability,
        leases: &mut Vec<Lease>,
    ) -> Result<(), SdkError> {
        make!(sdk, capability, self, leases, [] [.await]);
        Ok(())
    }
}
