//! What the soak takes.

use super::{duration, number, GatewayOptions, DAY, HOUR};
use clap::Args;
use std::time::Duration;

/// So many messages are sent where no rate is given: below the 100,000 idempotency keys that a gateway remembers
/// of one subject for 24 h.
const MESSAGES: f64 = 90_000.0;
/// The rate where none is given and the soak is short, in messages a second.
const FASTEST_DEFAULT: f64 = 200.0;
const SLOWEST: f64 = 0.01;

/// What the soak takes.
#[derive(Debug, Args)]
pub struct SoakOptions {
    /// Where the gateway is.
    #[command(flatten)]
    pub gateway: GatewayOptions,
    /// For how long messages are sent, 1s to 30days; then what is left is received
    #[arg(long, value_name = "DURATION", default_value = "1m",
          value_parser = duration(Duration::from_secs(1), 30 * DAY))]
    pub duration: Duration,
    /// Messages sent per second, 0.01 to 10000 [default: 90000 messages in all, but at most 200 a second: a gateway
    /// remembers 100000 idempotency keys of one subject for a day, and refuses the next]
    #[arg(long, value_name = "PER_SECOND", value_parser = number(SLOWEST, 10_000.0))]
    pub rate: Option<f64>,
    /// Bytes of a message, 32 to 1015808
    #[arg(long, value_name = "BYTES", default_value_t = 256,
          value_parser = clap::value_parser!(u32).range(32..=1_015_808))]
    pub size: u32,
    /// Callers that receive and acknowledge, 1 to 256
    #[arg(long, value_name = "NUMBER", default_value_t = 4,
          value_parser = clap::value_parser!(u32).range(1..=256))]
    pub consumers: u32,
    /// For how long a received message is hidden from the others, 250ms to 1h
    #[arg(long, value_name = "DURATION", default_value = "10s",
          value_parser = duration(Duration::from_millis(250), HOUR))]
    pub visibility: Duration,
    /// Let the gateway fail meanwhile, through its admin call: needs RON_GATEWAY_ADMIN_TOKEN, as `ron-gateway dev`
    /// sets it
    #[arg(long)]
    pub faults: bool,
    /// By how much this process may grow after its beginning, in MiB, 1 to 65536
    #[arg(long, value_name = "MIB", default_value_t = 64,
          value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub max_growth: u32,
    /// What all random choices follow from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
}

impl SoakOptions {
    /// Messages sent per second.
    pub fn rate(&self) -> f64 {
        self.rate.unwrap_or_else(|| {
            (MESSAGES / self.duration.as_secs_f64()).clamp(SLOWEST, FASTEST_DEFAULT)
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::options::{Arguments, Command};
    use clap::Parser;

    #[test]
    fn a_day_of_messages_fits_the_keys_that_a_gateway_remembers() {
        for (line, rate) in [
            ("soak --duration 10s", 200.0),
            ("soak --duration 24h", 90_000.0 / 86_400.0),
            ("soak --duration 24h --rate 5", 5.0),
        ] {
            let words = ["gwsmoke"].into_iter().chain(line.split(' '));
            let Some(Command::Soak(options)) = Arguments::try_parse_from(words).unwrap().command
            else {
                panic!("{line}");
            };
            assert!((options.rate() - rate).abs() < 1e-9, "{line}");
        }
    }
}
