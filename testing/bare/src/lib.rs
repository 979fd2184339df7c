//! OAP/1 clients without an SDK: frames are built beforehand, and a call is a send and as many receives as its
//! reply needs.
//!
//! They are what the SDK is compared with. Deadlines, retries, pools, limits and errors worth reading are not
//! here; verification is: a get's body is hashed and compared with its address, a put's body is hashed and
//! compared with its receipt. [`Client`] is one connection with one blocking caller, over
//!
//! - [`Floor`]: rustls' unbuffered interface, the fastest way that there is without changing rustls;
//! - [`Buffered`]: rustls' own stream, the usual way;
//! - [`Plain`]: TCP without TLS.
//!
//! Two more are asynchronous: [`OneTask`], a TLS stream that one task reads and writes, and [`Tasks`], which many callers
//! share with the help of a task that reads and one that writes, as most clients are made. All of them send [`Frames`].
//!
//! ```no_run
//! use ron_bare::{client_config, Client, Floor, Request};
//! # fn example(capability: &[u8], address: ron_app_sdk::AddrB3) -> ron_bare::Result<()> {
//! let tls = client_config("ca.pem".as_ref())?;
//! let mut client = Client::<Floor>::connect("127.0.0.1:8443".parse()?, &tls)?;
//! let mut get = Request::get(capability, address);
//! client.call(&mut get)?; // verified
//! # Ok(())
//! # }
//! ```

mod buffered;
mod client;
mod floor;
mod frames;
mod one_task;
mod plain;
mod reply;
mod request;
mod tasks;
mod tls;

pub use buffered::Buffered;
pub use client::{Client, Wire};
pub use floor::Floor;
pub use frames::Frames;
pub use one_task::OneTask;
pub use plain::Plain;
pub use request::Request;
pub use tasks::Tasks;
pub use tls::{client_config, pinned_config};

/// What went wrong, as text.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
/// The result of whatever may fail here.
pub type Result<T> = std::result::Result<T, Error>;

/// Room for a reply of 64 KiB and its records several times over: it arrives in one receive.
const BUFFER: usize = 288 * 1024;
