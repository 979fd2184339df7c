//! Records what the callers of a mailbox or an index did and saw, and judges it.
//!
//! A test that lets many tasks loose on a gateway, with faults in between, cannot compare what each of them
//! sees with what it expects: it depends on all the others. So a [`Recorder`] writes down when each call
//! began, when it ended and with what, and afterwards [`mailbox::check`] and [`index::check`] say whether a
//! right service can have such a [`History`]. This is how Jepsen tests databases, and what it calls `ok`,
//! `fail` and `info` is an [`Outcome`] here: a call that was executed, one that certainly was not, and one of
//! which nobody knows. Telling the last two apart is the caller's task: a call that failed and may have been
//! executed nevertheless is of unknown outcome, and so is one that was cancelled.
//!
//! ```
//! use ron_history::mailbox::{
//!     self, LeaseAction, LeaseAnswer, MailboxRule, Promises, ReceiveMessages, Received, SendMessage,
//!     Sent, UseLease,
//! };
//! use ron_history::{Fingerprint, History, Recorder};
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let recorder = Recorder::new();
//! let body = Fingerprint::of(b"hello");
//!
//! // Before the call, and after it. A clone of the recorder does the same in other tasks.
//! let call = recorder.invoke(SendMessage {
//!     topic: "orders".into(),
//!     key: Some(Fingerprint::of("idempotency key")),
//!     body,
//! });
//! call.ok(Sent { message: "m-1".into(), replayed: false });
//!
//! // A receive that is answered with the message, each time with a lease of its own.
//! let receive = |receive_id: &str, lease: &str, attempt: u32| {
//!     let call = recorder.invoke(ReceiveMessages {
//!         topic: "orders".into(),
//!         receive_id: Some(Fingerprint::of(receive_id)),
//!         visibility: Duration::ZERO,
//!         max: 10,
//!     });
//!     let lease = Fingerprint::of(lease);
//!     call.ok(vec![Received { message: "m-1".into(), lease, attempt, body }]);
//! };
//! receive("first", "lease 1", 1);
//!
//! let call = recorder.invoke(UseLease {
//!     message: "m-1".into(),
//!     lease: Fingerprint::of("lease 1"),
//!     action: LeaseAction::Ack,
//! });
//! call.ok(LeaseAnswer::Done);
//!
//! let report = mailbox::check(&recorder.history(), &Promises::default());
//! assert!(report.violations.is_empty(), "{report}");
//!
//! // It must not come again.
//! receive("second", "lease 2", 2);
//! let report = mailbox::check(&recorder.history(), &Promises::default());
//! assert_eq!(report.violations.count(MailboxRule::Finality), 1);
//! println!("{report}");
//!
//! // The history of a failed run can be kept, and judged again.
//! let mut file = Vec::new();
//! recorder.history().write(&mut file)?;
//! assert_eq!(History::read(&file[..])?, recorder.history());
//! # Ok(()) }
//! ```
//!
//! That the checkers find something is shown by simulated services: nothing is found with right ones,
//! whatever the network and the callers do, and each bug is found in those that have it.

mod call;
mod fingerprint;
mod history;
pub mod index;
pub mod mailbox;
mod recorder;
mod violations;

pub use call::{Call, CallNumber, Moment, Outcome, Request};
pub use fingerprint::{Fingerprint, NotAFingerprint};
pub use history::{History, ReadHistoryError};
pub use recorder::{Pending, Recorder};
pub use violations::{Violation, Violations};
