//! `libron_sdk`: the C interface of ron-app-sdk. The header, `include/ron_sdk.h`, is generated from this crate: the
//! comments of what is exported are written for those who read it there.
//!
//! One file per type of the header, and one per plane of operations; what is common to all functions stands in
//! `boundary`: how pointers become references, how results become statuses, and where panics end.
//!
//! # Safety
//! Every exported function trusts its caller for what the header asks: that a pointer is NULL where that is
//! allowed, or points to what its type says, for as long as the call lasts. What can be checked is checked.
#![allow(unsafe_code)] // it is what a C interface is made of
#![allow(clippy::too_many_arguments)] // C has no others
#![allow(non_camel_case_types)] // the names are C's
#![allow(clippy::missing_safety_doc)] // said once, above and in the header

pub mod abi;
pub mod address;
mod boundary;
pub mod buffer;
pub mod capability;
pub mod client;
pub mod config;
pub mod edge;
pub mod error;
pub mod index;
#[cfg(feature = "internals")]
pub mod internals;
pub mod lease;
pub mod mail;
pub mod mailbox;
pub mod message;
pub mod metrics;
pub mod options;
pub mod queue;
pub mod ready;
pub mod result;
mod start;
pub mod status;
pub mod storage;
