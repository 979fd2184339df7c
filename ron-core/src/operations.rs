//! The operations that both faces of the SDK have, written once: each in its full form and in its short one.
//!
//! `storage_put` alone is not here: an asynchronous call keeps its body for as long as it lasts, a blocking one
//! borrows it.

/// Gives `RonAppSdk` and `Calls` their operations: `operations!([async] [.await])`, or `operations!([] [])` for
/// threads.
macro_rules! operations {
    ([$($async:tt)?] [$($await:tt)*]) => {
        use crate::address::{AddrB3, Address};
        use crate::capability::CapabilitySource;
        use crate::error::SdkError;
        use crate::idempotency::IdemKey;
        use crate::index::{Expected, IndexKey};
        use crate::mailbox::{Lease, Mail, Message, Receipt, Receive};
        use crate::planes::storage::UnverifiedRange;
        use crate::planes::{edge, index, mailbox, storage, ObjectInfo};
        use crate::range::ByteRange;
        use crate::ready::Readiness;
        use bytes::Bytes;
        use std::time::Duration;

        impl RonAppSdk {
            /// Opens a connection to the gateway and waits for its answer to HELLO; where one is open already, it
            /// does no I/O. Calls connect by themselves: this is for a program that wants to know early whether
            /// the gateway is there, whatever its capabilities allow. It is tried again as a read is, within
            /// `limit`, 1 ms to 1 h; `None` is `overall_timeout`. Returns how it went.
            ///
            /// # Errors
            /// `Transport`, `Tls`, `OapViolation` where something else answers, `DeadlineExceeded`, and whatever
            /// can befall any call before it is sent.
            pub $($async)? fn connect(
                &self,
                limit: impl Into<Option<Duration>>,
            ) -> Result<CallReport, SdkError> {
                self.0.connect(limit.into(), false)$($await)*
            }

            /// Whether the client is ready, as far as that is known: without any I/O, and without waiting. A client
            /// that has not connected yet does not know.
            pub fn ready(&self) -> Readiness {
                self.0.ready()
            }

            /// Finds out whether the client is ready: opens a connection, or lets one that is open show that it is
            /// alive. It is tried again as a read is, within `limit`, 1 ms to 1 h; `None` is `overall_timeout`. It
            /// needs no capability, and calls go on meanwhile.
            ///
            /// # Errors
            /// `Config` for a limit out of its range. What else goes wrong is what it returns.
            pub $($async)? fn probe(
                &self,
                limit: impl Into<Option<Duration>>,
            ) -> Result<Readiness, SdkError> {
                self.0.probe(limit.into())$($await)*
            }

            /// Fetches an object. Its bytes are hashed and compared with the address. Where `cache.enabled` is on,
            /// what the same capability has fetched not long ago is not fetched again.
            ///
            /// # Errors
            /// `NotFound`, `TooLarge` for an object above 1,015,808 bytes (fetch ranges of it instead),
            /// `IntegrityMismatch`, and whatever can befall any call.
            pub $($async)? fn storage_get(
                &self,
                capability: impl Into<CapabilitySource>,
                address: impl Into<Address>,
                limit: Duration,
            ) -> Result<Bytes, SdkError> {
                let calls = self.with(capability).timeout(limit);
                let mut running = calls.begin(storage::Get::new(address.into())?)?;
                Ok(self.0.finish(&mut running)$($await)*?.0)
            }

            /// Fetches a part of an object, which cannot be verified; see [`UnverifiedRange`].
            ///
            /// # Errors
            /// `NotFound`, `RangeNotSatisfiable`, `TooLarge` for a range above 1,015,808 bytes, and whatever can
            /// befall any call.
            pub $($async)? fn storage_get_range(
                &self,
                capability: impl Into<CapabilitySource>,
                address: impl Into<Address>,
                range: ByteRange,
                limit: Duration,
            ) -> Result<UnverifiedRange, SdkError> {
                let calls = self.with(capability).timeout(limit);
                let mut running = calls.begin(storage::GetRange::new(address.into(), range)?)?;
                Ok(self.0.finish(&mut running)$($await)*?.0)
            }

            /// Asks for an object's size.
            ///
            /// # Errors
            /// `NotFound`, and whatever can befall any call.
            pub $($async)? fn storage_head(
                &self,
                capability: impl Into<CapabilitySource>,
                address: impl Into<Address>,
                limit: Duration,
            ) -> Result<ObjectInfo, SdkError> {
                let calls = self.with(capability).timeout(limit);
                let mut running = calls.begin(storage::Head::new(address.into())?)?;
                Ok(self.0.finish(&mut running)$($await)*?.0)
            }

            /// Fetches the object at a path, or a range of it that ends at the object's end at the latest.
            ///
            /// # Errors
            /// `NotFound`, `RangeNotSatisfiable`, `TooLarge` above 1,015,808 bytes, and whatever can befall any
            /// call.
            pub $($async)? fn edge_get(
                &self,
                capability: impl Into<CapabilitySource>,
                path: &str,
                range: Option<ByteRange>,
                limit: Duration,
            ) -> Result<Bytes, SdkError> {
                let calls = self.with(capability).timeout(limit);
                let mut running = calls.begin(edge::Get::new(path, range)?)?;
                Ok(self.0.finish(&mut running)$($await)*?.0)
            }

            /// Asks for the size and address of the object at a path.
            ///
            /// # Errors
            /// `NotFound`, and whatever can befall any call.
            pub $($async)? fn edge_head(
                &self,
                capability: impl Into<CapabilitySource>,
                path: &str,
                limit: Duration,
            ) -> Result<ObjectInfo, SdkError> {
                let calls = self.with(capability).timeout(limit);
                let mut running = calls.begin(edge::Head::new(path)?)?;
                Ok(self.0.finish(&mut running)$($await)*?.0)
            }

            /// Sends a message. It is delivered at least once. Under a key that was used before, nothing is sent: the
            /// first message's receipt comes again, marked as a duplicate.
            ///
            /// # Errors
            /// `TooLarge` for a body above 1,015,808 bytes, `SchemaViolation` for a topic that takes no messages,
            /// `Conflict` where another message was sent under the key, and whatever can befall any call.
            pub $($async)? fn mailbox_send(
                &self,
                capability: impl Into<CapabilitySource>,
                mail: Mail,
                limit: Duration,
                key: Option<IdemKey>,
            ) -> Result<Receipt, SdkError> {
                let mut calls = self.with(capability).timeout(limit);
                calls.settings.idem = key;
                let mut running = calls.begin(mailbox::Send::new(mail)?)?;
                Ok(self.0.finish(&mut running)$($await)*?.0)
            }

            /// Receives messages that nobody else has, the oldest first, as many as there are and fit one answer; none
            /// where there is none in time. Each comes again after its visibility unless it is acknowledged.
            ///
            /// A call that is tried again gets the messages that a lost answer had. One that fails may have hidden
            /// messages for their visibility all the same, which counts as a delivery; its `executed` is `No` as
            /// that of any read.
            ///
            /// # Errors
            /// `SchemaViolation` where `receive` has a field out of its range, and whatever can befall any call.
            pub $($async)? fn mailbox_receive(
                &self,
                capability: impl Into<CapabilitySource>,
                receive: &Receive,
                limit: Duration,
            ) -> Result<Vec<Message>, SdkError> {
                let calls = self.with(capability).timeout(limit);
                let mut running = calls.begin(mailbox::ReceiveFrom::new(receive)?)?;
                Ok(self.0.finish(&mut running)$($await)*?.0)
            }

            /// Receives up to 16 messages from the one topic that the capability is for (its caveat `topic=`), for
            /// 30 s, and waits for a first one for as long as `limit` allows, at most 20 s.
            ///
            /// # Errors
            /// `Config` where the capability is not for a single topic, and whatever can befall any call.
            pub $($async)? fn mailbox_recv(
                &self,
                capability: impl Into<CapabilitySource>,
                limit: Duration,
            ) -> Result<Vec<Message>, SdkError> {
                let calls = self.with(capability).timeout(limit);
                let mut running = calls.begin(mailbox::ReceiveFrom::of_capability()?)?;
                Ok(self.0.finish(&mut running)$($await)*?.0)
            }

            /// Ends a message: it is not delivered again.
            ///
            /// # Errors
            /// `StaleLease` where it was delivered again, given back or given up since, and whatever can befall any
            /// call.
            pub $($async)? fn mailbox_ack(
                &self,
                capability: impl Into<CapabilitySource>,
                lease: &Lease,
                limit: Duration,
            ) -> Result<(), SdkError> {
                let calls = self.with(capability).timeout(limit);
                let mut running = calls.begin(mailbox::WithLease::ack(lease))?;
                Ok(self.0.finish(&mut running)$($await)*?.0)
            }

            /// Gives a message back, to be delivered again after `delay`, 0 to 12 h.
            ///
            /// # Errors
            /// `StaleLease` where it was delivered again or given up since, `SchemaViolation` for a longer delay, and whatever can
            /// befall any call.
            pub $($async)? fn mailbox_nack(
                &self,
                capability: impl Into<CapabilitySource>,
                lease: &Lease,
                delay: Duration,
                limit: Duration,
            ) -> Result<(), SdkError> {
                let calls = self.with(capability).timeout(limit);
                let mut running = calls.begin(mailbox::WithLease::nack(lease, delay)?)?;
                Ok(self.0.finish(&mut running)$($await)*?.0)
            }

            /// Keeps a message for `visibility` from now, 250 ms to 12 h, under the same lease.
            ///
            /// # Errors
            /// `StaleLease` where it was delivered again, given back or given up since, `SchemaViolation` for another
            /// visibility, and whatever can befall any call.
            pub $($async)? fn mailbox_extend(
                &self,
                capability: impl Into<CapabilitySource>,
                lease: &Lease,
                visibility: Duration,
                limit: Duration,
            ) -> Result<(), SdkError> {
                let calls = self.with(capability).timeout(limit);
                let mut running = calls.begin(mailbox::WithLease::extend(lease, visibility)?)?;
                Ok(self.0.finish(&mut running)$($await)*?.0)
            }

            /// The address that a name stands for.
            ///
            /// # Errors
            /// `NotFound` where it stands for nothing, and whatever can befall any call.
            pub $($async)? fn index_resolve(
                &self,
                capability: impl Into<CapabilitySource>,
                key: &IndexKey,
                limit: Duration,
            ) -> Result<AddrB3, SdkError> {
                let calls = self.with(capability).timeout(limit);
                let mut running = calls.begin(index::Resolve::new(key))?;
                Ok(self.0.finish(&mut running)$($await)*?.0)
            }

            /// Lets a name stand for an address; with `expected`, only where it stands for that so far.
            ///
            /// ```
            /// # async fn example(sdk: ron_app_sdk::RonAppSdk, capability: ron_app_sdk::Capability)
            /// # -> Result<(), Box<dyn std::error::Error>> {
            /// use ron_app_sdk::{AddrB3, Expected, IndexKey};
            ///
            /// let name = IndexKey::new("releases.latest")?;
            /// let calls = sdk.with(&capability);
            /// let first = AddrB3::of(b"1.0");
            /// calls.index_publish(&name, first, Some(Expected::Absent)).await?;
            /// calls.index_publish(&name, AddrB3::of(b"1.1"), Some(first.into())).await?;
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            /// `Conflict` where it stands for something else or another publish was made under the idempotency key, and
            /// whatever can befall any call.
            pub $($async)? fn index_publish(
                &self,
                capability: impl Into<CapabilitySource>,
                name: &IndexKey,
                address: impl Into<Address>,
                expected: Option<Expected>,
                limit: Duration,
                key: Option<IdemKey>,
            ) -> Result<(), SdkError> {
                let mut calls = self.with(capability).timeout(limit);
                calls.settings.idem = key;
                let mut running = calls.begin(index::Publish::new(name, address.into(), expected)?)?;
                Ok(self.0.finish(&mut running)$($await)*?.0)
            }
        }

        impl<R: Report> Calls<'_, R> {
            /// [`RonAppSdk::storage_get`]
            ///
            /// # Errors
            /// As there.
            pub $($async)? fn storage_get(
                &self,
                address: impl Into<Address>,
            ) -> Result<R::Output<Bytes>, SdkError> {
                self.run(storage::Get::new(address.into())?)$($await)*
            }

            /// [`RonAppSdk::storage_get_range`]
            ///
            /// # Errors
            /// As there.
            pub $($async)? fn storage_get_range(
                &self,
                address: impl Into<Address>,
                range: ByteRange,
            ) -> Result<R::Output<UnverifiedRange>, SdkError> {
                self.run(storage::GetRange::new(address.into(), range)?)$($await)*
            }

            /// [`RonAppSdk::storage_head`]
            ///
            /// # Errors
            /// As there.
            pub $($async)? fn storage_head(
                &self,
                address: impl Into<Address>,
            ) -> Result<R::Output<ObjectInfo>, SdkError> {
                self.run(storage::Head::new(address.into())?)$($await)*
            }

            /// [`RonAppSdk::edge_get`]
            ///
            /// # Errors
            /// As there.
            pub $($async)? fn edge_get(
                &self,
                path: &str,
                range: Option<ByteRange>,
            ) -> Result<R::Output<Bytes>, SdkError> {
                self.run(edge::Get::new(path, range)?)$($await)*
            }

            /// [`RonAppSdk::edge_head`]
            ///
            /// # Errors
            /// As there.
            pub $($async)? fn edge_head(
                &self,
                path: &str,
            ) -> Result<R::Output<ObjectInfo>, SdkError> {
                self.run(edge::Head::new(path)?)$($await)*
            }

            /// [`RonAppSdk::mailbox_send`]
            ///
            /// # Errors
            /// As there.
            pub $($async)? fn mailbox_send(
                &self,
                mail: Mail,
            ) -> Result<R::Output<Receipt>, SdkError> {
                self.run(mailbox::Send::new(mail)?)$($await)*
            }

            /// [`RonAppSdk::mailbox_receive`]
            ///
            /// # Errors
            /// As there.
            pub $($async)? fn mailbox_receive(
                &self,
                receive: &Receive,
            ) -> Result<R::Output<Vec<Message>>, SdkError> {
                self.run(mailbox::ReceiveFrom::new(receive)?)$($await)*
            }

            /// [`RonAppSdk::mailbox_recv`]
            ///
            /// # Errors
            /// As there.
            pub $($async)? fn mailbox_recv(
                &self,
            ) -> Result<R::Output<Vec<Message>>, SdkError> {
                self.run(mailbox::ReceiveFrom::of_capability()?)$($await)*
            }

            /// [`RonAppSdk::mailbox_ack`]
            ///
            /// # Errors
            /// As there.
            pub $($async)? fn mailbox_ack(
                &self,
                lease: &Lease,
            ) -> Result<R::Output<()>, SdkError> {
                self.run(mailbox::WithLease::ack(lease))$($await)*
            }

            /// [`RonAppSdk::mailbox_nack`]
            ///
            /// # Errors
            /// As there.
            pub $($async)? fn mailbox_nack(
                &self,
                lease: &Lease,
                delay: Duration,
            ) -> Result<R::Output<()>, SdkError> {
                self.run(mailbox::WithLease::nack(lease, delay)?)$($await)*
            }

            /// [`RonAppSdk::mailbox_extend`]
            ///
            /// # Errors
            /// As there.
            pub $($async)? fn mailbox_extend(
                &self,
                lease: &Lease,
                visibility: Duration,
            ) -> Result<R::Output<()>, SdkError> {
                self.run(mailbox::WithLease::extend(lease, visibility)?)$($await)*
            }

            /// [`RonAppSdk::index_resolve`]
            ///
            /// # Errors
            /// As there.
            pub $($async)? fn index_resolve(
                &self,
                key: &IndexKey,
            ) -> Result<R::Output<AddrB3>, SdkError> {
                self.run(index::Resolve::new(key))$($await)*
            }

            /// [`RonAppSdk::index_publish`]
            ///
            /// # Errors
            /// As there.
            pub $($async)? fn index_publish(
                &self,
                name: &IndexKey,
                address: impl Into<Address>,
                expected: Option<Expected>,
            ) -> Result<R::Output<()>, SdkError> {
                self.run(index::Publish::new(name, address.into(), expected)?)$($await)*
            }
        }
    };
}

pub(crate) use operations;
