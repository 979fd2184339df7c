//! Whether a client is ready, check by check.

use crate::error::{ErrorKind, SdkError};

/// What `ready` and `probe` say of a client, check by check. What one check depends on stands before it: where that
/// has failed, nothing is known of those behind it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Readiness {
    /// The settings, and the files that they name.
    pub config: Check,
    /// Tor, where the transport is that.
    pub tor: Check,
    /// A connection to the gateway that has answered HELLO.
    pub transport: Check,
}

/// What came of a check.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Check {
    /// All is well.
    Ok,
    /// It is not, and why.
    Failed(SdkError),
    /// There is nothing to be checked.
    NotApplicable,
    /// It has not come to that yet.
    Unknown,
}

impl Readiness {
    /// Whether every check that applies is well.
    pub fn is_ready(&self) -> bool {
        let mut checks = self.checks().into_iter();
        checks.all(|(_, check)| matches!(check, Check::Ok | Check::NotApplicable))
    }

    /// All checks by their names: `config`, `tor`, `transport`.
    pub fn checks(&self) -> [(&'static str, &Check); 3] {
        [
            ("config", &self.config),
            ("tor", &self.tor),
            ("transport", &self.transport),
        ]
    }

    /// Given whether a connection is well, where there was one, and whether it goes through Tor.
    pub(crate) fn of(connection: Option<Result<(), SdkError>>, uses_tor: bool) -> Self {
        let if_tor = |check| match uses_tor {
            true => check,
            false => Check::NotApplicable,
        };
        let mut readiness = Self {
            config: Check::Ok,
            tor: if_tor(Check::Unknown),
            transport: Check::Unknown,
        };
        match connection {
            None => {}
            Some(Ok(())) => {
                readiness.tor = if_tor(Check::Ok);
                readiness.transport = Check::Ok;
            }
            Some(Err(error)) => match error.kind() {
                ErrorKind::Config => readiness.config = Check::Failed(error),
                ErrorKind::TorUnavailable => readiness.tor = if_tor(Check::Failed(error)),
                kind => {
                    // Whoever speaks TLS to somebody has got through.
                    if matches!(kind, ErrorKind::Tls | ErrorKind::OapViolation) {
                        readiness.tor = if_tor(Check::Ok);
                    }
                    readiness.transport = Check::Failed(error);
                }
            },
        }
        readiness
    }
}

impl Check {
    /// `ok`, `failed`, `not_applicable` or `unknown`: the same in every language.
    pub fn state(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed(_) => "failed",
            Self::NotApplicable => "not_applicable",
            Self::Unknown => "unknown",
        }
    }

    /// Why it has failed, where it has.
    pub fn error(&self) -> Option<&SdkError> {
        match self {
            Self::Failed(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(
        connection: Option<Result<(), SdkError>>,
        uses_tor: bool,
    ) -> ([&'static str; 3], bool) {
        let readiness = Readiness::of(connection, uses_tor);
        let states = readiness.checks().map(|(_, check)| check.state());
        (states, readiness.is_ready())
    }

    #[test]
    fn the_check_fails_whose_fault_it_is_and_those_behind_it_are_unknown() {
        let failed = |kind| Some(Err(SdkError::new(kind, "it failed")));
        for (connection, without_tor, with_tor) in [
            (
                None,
                ["ok", "not_applicable", "unknown"],
                ["ok", "unknown", "unknown"],
            ),
            (
                failed(ErrorKind::Config),
                ["failed", "not_applicable", "unknown"],
                ["failed", "unknown", "unknown"],
            ),
            (
                failed(ErrorKind::Transport),
                ["ok", "not_applicable", "failed"],
                ["ok", "unknown", "failed"],
            ),
            (
                failed(ErrorKind::Tls),
                ["ok", "not_applicable", "failed"],
                ["ok", "ok", "failed"],
            ),
        ] {
            assert_eq!(states(connection.clone(), false), (without_tor, false));
            assert_eq!(states(connection, true), (with_tor, false));
        }
        let unavailable = failed(ErrorKind::TorUnavailable);
        assert_eq!(
            states(unavailable, true),
            (["ok", "failed", "unknown"], false)
        );
        assert_eq!(states(Some(Ok(())), true), (["ok"; 3], true));
        let without_tor = ["ok", "not_applicable", "ok"];
        assert_eq!(states(Some(Ok(())), false), (without_tor, true));
    }
}
