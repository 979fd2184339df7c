//! gwsmoke: smoke checks of a RON gateway, for developers and operators.
//!
//! - [`smoke`]: puts an object and checks GET, HEAD and RANGE, and what must be refused, over OAP through the SDK and
//!   over HTTP.
//!
//! The program is a thin layer on top: [`options`] and [`report`].

pub mod http;
pub mod options;
pub mod report;
pub mod settings;
pub mod smoke;
