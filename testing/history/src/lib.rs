//! Records what the callers of a mailbox or an index did and saw, and judges it.

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
