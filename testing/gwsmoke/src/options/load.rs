//! What the load takes.

use super::{duration, number, Face, GatewayOptions, DAY};
use crate::load::{Mix, Pacing, Sizes};
use clap::Args;
use ron_app_sdk::EdgePath;
use std::time::Duration;

/// What the load takes.
#[derive(Debug, Args)]
pub struct LoadOptions {
    /// Where the gateway is.
    #[command(flatten)]
    pub gateway: GatewayOptions,
    /// Which of the gateway's faces is called.
    #[arg(long, value_enum, default_value_t = Face::Oap)]
    pub face: Face,
    /// Open loop: begin so many calls a second, evenly, whether or not earlier ones have ended; 0.1 to 1000000
    #[arg(long, value_name = "PER_SECOND", value_parser = number(0.1, 1e6))]
    pub rate: Option<f64>,
    /// Open loop: at most so many calls at once, 1 to 16384; a call that is due beyond them is reported as missed
    #[arg(long, value_name = "NUMBER", default_value_t = 1024, requires = "rate",
          value_parser = clap::value_parser!(u32).range(1..=16_384))]
    pub max_in_flight: u32,
    /// Closed loop: so many callers, each of which calls again when its call has ended; 1 to 4096
    #[arg(long, value_name = "NUMBER", default_value_t = 16, conflicts_with = "rate",
          value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub concurrency: u32,
    /// For how long calls begin, 100ms to 7days
    #[arg(long, value_name = "DURATION", default_value = "10s",
          value_parser = duration(Duration::from_millis(100), 7 * DAY))]
    pub duration: Duration,
    /// Operations and their weights: get, head, range, put, edge, send, receive, resolve, publish
    #[arg(long, value_name = "NAME=WEIGHT,…", default_value = Mix::DEFAULT)]
    pub mix: Mix,
    /// Sizes of objects and messages in bytes, 0 to 1015808, with weights where they differ: 64=9,65536=1
    #[arg(long, value_name = "BYTES[=WEIGHT],…", default_value = "64,4096,65536")]
    pub sizes: Sizes,
    /// Different objects of each size, 1 to 10000; puts repeat them, so that a long load does not fill a store
    #[arg(long, value_name = "NUMBER", default_value_t = 16,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub objects: u32,
    /// What `edge` fetches
    #[arg(long, value_name = "PATH", default_value = "/ron/64k", value_parser = edge_path)]
    pub edge_path: String,
    /// What all random choices follow from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// Exit with 1 where more than so many percent of the calls failed or were missed, 0 to 100
    #[arg(long, value_name = "PERCENT", default_value_t = 100.0, value_parser = number(0.0, 100.0))]
    pub max_failed: f64,
}

impl LoadOptions {
    /// How calls are begun.
    pub fn pacing(&self) -> Pacing {
        match self.rate {
            Some(rate) => Pacing::Open {
                rate,
                max_in_flight: self.max_in_flight,
            },
            None => Pacing::Closed {
                concurrency: self.concurrency,
            },
        }
    }
}

fn edge_path(text: &str) -> Result<String, String> {
    EdgePath::new(text)
        .map(|_| text.to_owned())
        .map_err(|rule| rule.to_string())
}
