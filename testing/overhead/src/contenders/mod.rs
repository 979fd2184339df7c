//! The clients that are compared, each behind the same few lines: a turn of so many callers for so long.

mod bare;
mod callers;
#[cfg(feature = "peers")]
mod grpc;
#[cfg(feature = "peers")]
mod http;
mod sdk;
mod tasks;

use crate::closed_loop::Slice;
use crate::endpoint::Endpoint;
use crate::object::Object;
use ron_bare::Result;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// Worker threads of a multi-thread runtime: tokio's own default is one per core, of which a pinned process sees
/// one alone.
const WORKERS: usize = 2;

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Work {
    /// Fetches the object, hashed and compared.
    Get,
    /// Stores the object, hashed and compared with the receipt.
    Put,
}

impl Work {
    pub(crate) const ALL: [Self; 2] = [Self::Get, Self::Put];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Put => "put",
        }
    }
}

/// A client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Name {
    /// rustls' unbuffered interface on one thread, which serves several callers by turns
    Floor,
    /// The same without TLS
    PlainTcp,
    /// rustls' own stream on one thread
    RustlsBuffered,
    /// A tokio-rustls stream that one task uses
    TokioRustls,
    /// Reader and writer tasks on a current-thread runtime, callers in tasks
    Tasks,
    /// Reader and writer tasks on a multi-thread runtime, callers in tasks
    TasksMt,
    /// Reader and writer tasks on a multi-thread runtime, callers in threads that block on it
    TasksBlockOn,
    /// reqwest over HTTP/1.1, with a connection for each caller
    #[cfg(feature = "peers")]
    Http1,
    /// reqwest over HTTP/2
    #[cfg(feature = "peers")]
    Http2,
    /// The same on a multi-thread runtime
    #[cfg(feature = "peers")]
    Http2Mt,
    /// tonic
    #[cfg(feature = "peers")]
    Grpc,
    /// The same on a multi-thread runtime
    #[cfg(feature = "peers")]
    GrpcMt,
    /// The SDK's blocking client, callers in threads
    SdkBlocking,
    /// The SDK's asynchronous client on a current-thread runtime
    SdkAsync,
    /// The SDK's asynchronous client on a multi-thread runtime
    SdkAsyncMt,
}

impl Name {
    /// All of them, the floor first.
    pub(crate) fn all() -> Vec<Self> {
        <Self as clap::ValueEnum>::value_variants().to_vec()
    }

    /// As on the command line.
    pub(crate) fn text(self) -> String {
        let value = clap::ValueEnum::to_possible_value(&self);
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    pub(crate) const fn is_sdk(self) -> bool {
        matches!(self, Self::SdkBlocking | Self::SdkAsync | Self::SdkAsyncMt)
    }

    /// Whether it can serve so many callers over one connection.
    pub(crate) const fn serves(self, callers: usize) -> bool {
        !matches!(self, Self::TokioRustls) || callers == 1
    }
}

/// A connected client with its callers.
pub(crate) trait Contender {
    /// Lets every caller make one call after the other for so long.
    fn run(&mut self, duration: Duration) -> Result<Slice>;
}

/// What a contender is to do.
pub(crate) struct Task {
    pub(crate) endpoint: Endpoint,
    pub(crate) object: Arc<Object>,
    pub(crate) work: Work,
    pub(crate) callers: usize,
}

/// A client that has connected and made its first call.
pub(crate) fn connect(name: Name, task: &Task) -> Result<Box<dyn Contender>> {
    let mut contender: Box<dyn Contender> = match name {
        Name::Floor => bare::blocking::<ron_bare::Floor>(task, task.endpoint.oap)?,
        Name::PlainTcp => bare::blocking::<ron_bare::Plain>(task, task.endpoint.plain)?,
        Name::RustlsBuffered => bare::blocking::<ron_bare::Buffered>(task, task.endpoint.oap)?,
        Name::TokioRustls => bare::one_task(task)?,
        Name::Tasks => tasks::in_tasks(current_thread()?, task)?,
        Name::TasksMt => tasks::in_tasks(multi_thread()?, task)?,
        Name::TasksBlockOn => tasks::in_threads(multi_thread()?, task)?,
        #[cfg(feature = "peers")]
        Name::Http1 => http::contender(current_thread()?, task, b"http/1.1")?,
        #[cfg(feature = "peers")]
        Name::Http2 => http::contender(current_thread()?, task, b"h2")?,
        #[cfg(feature = "peers")]
        Name::Http2Mt => http::contender(multi_thread()?, task, b"h2")?,
        #[cfg(feature = "peers")]
        Name::GrpcMt => grpc::contender(multi_thread()?, task)?,
        #[cfg(feature = "peers")]
        Name::Grpc => grpc::contender(current_thread()?, task)?,
        Name::SdkBlocking => sdk::blocking(task)?,
        Name::SdkAsync => sdk::asynchronous(current_thread()?, task)?,
        Name::SdkAsyncMt => sdk::asynchronous(multi_thread()?, task)?,
    };
    contender.run(Duration::ZERO)?;
    Ok(contender)
}

fn current_thread() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

fn multi_thread() -> Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    Ok(builder.worker_threads(WORKERS).enable_all().build()?)
}
