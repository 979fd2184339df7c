//! The command line: what there is to choose, the allowed ranges, and what goes together.

mod load;
mod soak;

pub use load::LoadOptions;
pub use soak::SoakOptions;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Smoke checks, load and soak of a RON gateway.
///
/// Without a subcommand: checks GET, HEAD and RANGE, and what goes with them, over OAP and HTTP. Exits with 1 where
/// a check failed and with 2 where an option cannot be used.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub struct Arguments {
    /// Which mode.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// What the smoke checks take.
    #[command(flatten)]
    pub smoke: SmokeOptions,
}

/// The modes beside the smoke checks.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Measure: a mix of operations at a rate (open loop) or from so many callers (closed loop).
    ///
    /// In the open loop a call's latency counts from when it was due, so that a gateway that stalls is charged for
    /// every call that should have begun meanwhile.
    Load(LoadOptions),
    /// Send, receive and acknowledge messages for a long time, and check that none is lost or comes again.
    Soak(SoakOptions),
}

/// What the smoke checks take.
#[derive(Debug, Args)]
pub struct SmokeOptions {
    /// Where the gateway is.
    #[command(flatten)]
    pub gateway: GatewayOptions,
    /// Which of the gateway's faces are checked.
    #[arg(long, value_enum, default_value_t = Faces::Both)]
    pub face: Faces,
}

/// Where the gateway is and who calls.
///
/// What is not given comes from the environment: RON_SDK_GATEWAY_ADDR, RON_SDK_TLS_CA, RON_SDK_CAPABILITY and the
/// SDK's other variables.
#[derive(Debug, Default, Args)]
pub struct GatewayOptions {
    /// The gateway, https://host:port [default: RON_SDK_GATEWAY_ADDR]
    #[arg(long, value_name = "URL")]
    pub gateway: Option<String>,
    /// A PEM file of authorities to trust beside the system's [default: RON_SDK_TLS_CA]
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// A file with the capability as base64url [default: RON_SDK_CAPABILITY, which holds it]
    #[arg(long, value_name = "FILE")]
    pub capability_file: Option<PathBuf>,
    /// The limit of each call, 50ms to 1h [default: RON_SDK_OVERALL_TIMEOUT_MS, or 5s]
    #[arg(long, value_name = "DURATION", value_parser = duration(Duration::from_millis(50), HOUR))]
    pub timeout: Option<Duration>,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
}

/// One of the gateway's two faces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Face {
    /// OAP/1, through the SDK.
    Oap,
    /// HTTP/1.1.
    Http,
}

/// One or both of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Faces {
    /// OAP/1, through the SDK.
    Oap,
    /// HTTP/1.1.
    Http,
    /// Each of them, and that they show the same objects.
    Both,
}

impl Faces {
    /// Whether this face is among them.
    pub const fn includes(self, face: Face) -> bool {
        matches!(
            (self, face),
            (Self::Both, _) | (Self::Oap, Face::Oap) | (Self::Http, Face::Http)
        )
    }
}

impl fmt::Display for Face {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Oap => "oap",
            Self::Http => "http",
        })
    }
}

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Reads a duration such as `500ms`, `5s` or `24h` that is within these bounds, both included.
fn duration(
    least: Duration,
    most: Duration,
) -> impl Fn(&str) -> Result<Duration, String> + Clone + Send + Sync + 'static {
    move |text| {
        let show = humantime::format_duration;
        let duration = humantime::parse_duration(text)
            .map_err(|_| "it takes a number with a unit, such as 500ms, 5s or 24h".to_owned())?;
        if (least..=most).contains(&duration) {
            Ok(duration)
        } else {
            Err(format!("it is not from {} to {}", show(least), show(most)))
        }
    }
}

/// Reads a number that is within these bounds, both included.
fn number(
    least: f64,
    most: f64,
) -> impl Fn(&str) -> Result<f64, String> + Clone + Send + Sync + 'static {
    move |text| match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("it is not a number from {least} to {most}")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn without_a_subcommand_it_is_the_smoke_checks() {
        let arguments = Arguments::try_parse_from(["gwsmoke", "--face", "http", "--json"]).unwrap();
        assert!(arguments.command.is_none());
        assert_eq!(arguments.smoke.face, Faces::Http);
        assert!(arguments.smoke.gateway.json);
    }

    #[test]
    fn a_bad_value_is_refused_with_its_option_and_range() {
        for (line, option, range) in [
            ("--timeout 5", "--timeout", "500ms"),
            ("--timeout 49ms", "--timeout", "from 50ms to 1h"),
            ("load --duration 0s", "--duration", "from 100ms to 7days"),
            ("load --concurrency 0", "--concurrency", "1..=4096"),
            ("load --rate 0", "--rate", "from 0.1 to 1000000"),
            ("load --rate inf", "--rate", "from 0.1 to 1000000"),
            ("load --rate NaN", "--rate", "from 0.1 to 1000000"),
            (
                "load --rate 9 --max-in-flight 0",
                "--max-in-flight",
                "1..=16384",
            ),
            ("load --max-in-flight 9", "--rate", "required"),
            (
                "load --rate 9 --concurrency 9",
                "--concurrency",
                "cannot be used with",
            ),
            ("load --objects 0", "--objects", "1..=10000"),
            ("load --max-failed 101", "--max-failed", "from 0 to 100"),
            (
                "load --mix get=1,fetch=1",
                "--mix",
                "get, head, range, put, edge",
            ),
            ("load --mix get=0", "--mix", "from 1 to 1000000"),
            ("load --mix get=1,get=2", "--mix", "twice"),
            ("load --mix ack=1", "--mix", "ack"),
            ("load --sizes 1015809", "--sizes", "from 0 to 1015808"),
            ("load --sizes 64=x", "--sizes", "from 1 to 1000000"),
            ("soak --visibility 1ms", "--visibility", "from 250ms to 1h"),
            ("soak --size 31", "--size", "32..=1015808"),
            ("soak --consumers 0", "--consumers", "1..=256"),
            ("soak --duration 31days", "--duration", "to 30days"),
        ] {
            let words = ["gwsmoke"].into_iter().chain(line.split(' '));
            let error = Arguments::try_parse_from(words).unwrap_err().to_string();
            assert!(error.contains(option), "{line}: {error}");
            assert!(error.contains(range), "{line}: {error}");
        }
    }
}
