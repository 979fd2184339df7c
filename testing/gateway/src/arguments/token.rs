//! The command line of `ron-gateway token`. No token is ever an argument: those are visible to others.

use clap::{Args, Subcommand};
use ron_gateway::capability::Condition;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Print a new capability for a subject.
    Mint(Mint),
    /// Print a capability narrowed by further caveats; no root key is needed.
    Attenuate(Attenuate),
    /// Print what a capability says, without its signature and without verifying it.
    Show(Source),
    /// Add a capability's token id to a file of revoked ones.
    Revoke(Revoke),
    /// Make a file with a random root key.
    Key(Key),
}

#[derive(Debug, Args)]
pub(crate) struct Mint {
    /// The file with the root keys; may be given several times.
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) root_key: Vec<PathBuf>,
    /// Mint with the key of this id [default: the first one].
    #[arg(long, value_name = "ID")]
    pub(crate) key_id: Option<String>,
    /// Whom the capability is for: 1 to 64 of A-Z a-z 0-9 . _ -
    #[arg(long, value_name = "NAME")]
    pub(crate) subject: String,
    /// What it can be revoked by [default: 128 random bits].
    #[arg(long, value_name = "ID")]
    pub(crate) token_id: Option<String>,
    #[command(flatten)]
    pub(crate) caveats: Caveats,
}

#[derive(Debug, Args)]
pub(crate) struct Attenuate {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) caveats: Caveats,
}

/// Where a capability comes from.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// Read the capability from the standard input, and not from RON_SDK_CAPABILITY.
    #[arg(long)]
    pub(crate) stdin: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Caveats {
    /// Narrow it by this condition, such as op=storage.get; may be given several times.
    #[arg(long = "caveat", value_name = "CAVEAT", value_parser = caveat)]
    pub(crate) caveats: Vec<String>,
    /// Let it end after this time: a number and s, m, h or d.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) expires_in: Option<Duration>,
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The file with the ids of revoked capabilities; made where there is none.
    #[arg(long, value_name = "FILE")]
    pub(crate) revoked: PathBuf,
    /// Revoke the capability of this token id, and not the one in RON_SDK_CAPABILITY.
    #[arg(long, value_name = "ID", conflicts_with = "stdin")]
    pub(crate) token_id: Option<String>,
    #[command(flatten)]
    pub(crate) source: Source,
}

#[derive(Debug, Args)]
pub(crate) struct Key {
    /// The file to make; only its owner will be able to read it.
    #[arg(long, value_name = "FILE")]
    pub(crate) root_key: PathBuf,
    /// The key's id: 1 to 32 of A-Z a-z 0-9 . _ -
    #[arg(long, value_name = "ID", default_value = "k1")]
    pub(crate) key_id: String,
}

/// One that a gateway of this version understands: any other would deny every call.
fn caveat(text: &str) -> Result<String, String> {
    let condition: Result<Condition, _> = text.parse();
    condition
        .map(|_| text.to_owned())
        .map_err(|error| error.to_string())
}

fn duration(text: &str) -> Result<Duration, String> {
    let rule = || "a number and s, m, h or d, such as 90m".to_owned();
    let (at, unit) = text.char_indices().last().ok_or_else(rule)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return Err(rule()),
    };
    let number = &text[..at];
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(rule());
    }
    let number: u64 = number.parse().map_err(|_| rule())?;
    let seconds = number.checked_mul(seconds).ok_or_else(rule)?;
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_number_and_a_unit() {
        for (text, seconds) in [("90s", 90), ("15m", 900), ("1h", 3600), ("7d", 604_800)] {
            assert_eq!(duration(text).unwrap().as_secs(), seconds);
        }
        for bad in [
            "",
            "h",
            "1",
            "1 h",
            "-1h",
            "+1h",
            "1.5h",
            "1w",
            "99999999999999999999d",
            "1é",
        ] {
            assert!(duration(bad).is_err(), "{bad:?}");
        }
        assert!(duration("18446744073709551615d").is_err());
    }
}
