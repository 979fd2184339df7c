//! `ron-gateway dev`: a gateway with a certificate and a capability made for this run.
//!
//! Alone, it prints the variables that point an application at it. With a command, it runs that
//! with the variables in its environment, and ends with it.

use crate::arguments::Dev;
use crate::injection::{Injection, ADMIN_TOKEN};
use crate::say;
use crate::serve::{call_log, drain, print, revocations, root_keys, start};
use crate::signals::EndSignals;
use ron_app_sdk::Capability;
use ron_gateway::certificates::{Authority, CertificateRequest};
use ron_gateway::faults::AdminToken;
use ron_gateway::{Gateway, GatewayConfig, IdempotencyLimits, Limits};
use rustix::process::{kill_process, Pid, Signal};
use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// For a command to end after it was asked to.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves until a signal comes or the command ends, then drains.
pub(crate) async fn run(arguments: Dev) -> Result<u8, String> {
    let mut signals = EndSignals::catch().map_err(|error| error.to_string())?;
    let mut injection = Injection::from_environment()?;
    let directory = Directory::make(arguments.directory)?;
    let authority = Authority::new().map_err(|error| error.to_string())?;
    let mut request = CertificateRequest::localhost();
    let listen = arguments.listen.ip();
    if !listen.is_unspecified() && !request.names.contains(&listen.to_string()) {
        request.names.push(listen.to_string());
    }
    let identity = authority
        .issue(&request)
        .map_err(|error| error.to_string())?;
    let ca = directory.path().join("ca.pem");
    std::fs::write(&ca, authority.certificate_pem())
        .map_err(|error| format!("{}: {error}", ca.display()))?;

    let (limits, idempotency) = limits();
    let config = GatewayConfig {
        listen: arguments.listen,
        storage_limit: arguments.content.storage_limit,
        edge_root: arguments.content.edge_root,
        client_ca: arguments.content.client_ca,
        root_keys: root_keys(&arguments.root_key)?,
        revocations: revocations(arguments.revoked.as_deref())?,
        limits,
        idempotency,
        expose_metrics: true,
        admin_token: Some(injection.token.clone()),
        call_log: arguments.log_calls.then(call_log),
        ..GatewayConfig::default()
    };
    let gateway = start(config, identity).await?;
    let capability = gateway
        .mint("developer", &[])
        .map_err(|error| error.to_string())?;
    injection.arm(&gateway)?;
    let variables = variables(gateway.address(), &ca, &capability, &injection.token);
    match arguments.command.split_first() {
        Some((program, rest)) => {
            run_command(program, rest, variables, &gateway, &mut signals).await
        }
        None => serve(&variables, &gateway, &mut signals).await,
    }
}

/// Everything in development comes from one address and from one subject: they may have as much as all.
fn limits() -> (Limits, IdempotencyLimits) {
    let (limits, idempotency) = (Limits::default(), IdempotencyLimits::default());
    (
        Limits {
            max_connections_per_address: limits.max_connections,
            ..limits
        },
        IdempotencyLimits {
            max_keys_per_subject: idempotency.max_keys,
            ..idempotency
        },
    )
}

async fn serve(
    variables: &[(&str, OsString)],
    gateway: &Gateway,
    signals: &mut EndSignals,
) -> Result<u8, String> {
    let lines: String = variables
        .iter()
        .map(|(name, value)| format!("export {name}={}\n", shell_word(&value.to_string_lossy())))
        .collect();
    print(&lines)?;
    say(&format!(
        "listening on {}; stop it with Ctrl-C or SIGTERM",
        gateway.address()
    ));
    signals.next().await;
    drain(gateway, signals).await;
    Ok(0)
}

async fn run_command(
    program: &OsStr,
    arguments: &[OsString],
    variables: [(&str, OsString); 4],
    gateway: &Gateway,
    signals: &mut EndSignals,
) -> Result<u8, String> {
    let mut child = Command::new(program)
        .args(arguments)
        .envs(variables)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("cannot run {}: {error}", program.to_string_lossy()))?;
    let status = tokio::select! {
        status = child.wait() => status,
        () = signals.next() => terminate(&mut child).await,
    };
    let status = status.map_err(|error| format!("cannot wait for the command: {error}"))?;
    drain(gateway, signals).await;
    Ok(exit_code(status))
}

/// Asks the command to end, and ends it where it does not.
async fn terminate(child: &mut Child) -> std::io::Result<ExitStatus> {
    let id = child
        .id()
        .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(id) = id {
        // It can only fail where the command has ended by itself.
        let _ = kill_process(id, Signal::TERM);
    }
    if let Ok(status) = timeout(PATIENCE, child.wait()).await {
        return status;
    }
    child.kill().await?;
    child.wait().await
}

/// The command's exit code as a shell reports it: 128 and the signal where one ended it.
fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| Some(128 + status.signal()?));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// What points an application at the gateway.
fn variables(
    address: SocketAddr,
    ca: &Path,
    capability: &Capability,
    admin_token: &AdminToken,
) -> [(&'static str, OsString); 4] {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let url = format!("https://{}", SocketAddr::new(ip, address.port()));
    [
        ("RON_SDK_GATEWAY_ADDR", url.into()),
        ("RON_SDK_TLS_CA", ca.into()),
        (
            "RON_SDK_CAPABILITY",
            capability.expose_base64url().as_str().into(),
        ),
        (ADMIN_TOKEN, admin_token.expose().into()),
    ]
}

/// The text as one word of a shell command, quoted only where it has to be.
fn shell_word(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/:._-+@%=".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
    }
}

/// The folder with the authority's certificate.
enum Directory {
    /// Removed at the end.
    Temporary(TempDir),
    Given(PathBuf),
}

impl Directory {
    fn make(given: Option<PathBuf>) -> Result<Self, String> {
        match given {
            None => TempDir::with_prefix("ron-gateway-")
                .map(Self::Temporary)
                .map_err(|error| format!("no temporary folder: {error}")),
            Some(path) => {
                // An absolute path stays right wherever the application runs.
                let absolute = std::fs::create_dir_all(&path).and_then(|()| path.canonicalize());
                absolute
                    .map(Self::Given)
                    .map_err(|error| format!("{}: {error}", path.display()))
            }
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Temporary(directory) => directory.path(),
            Self::Given(path) => path,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use ron_gateway::capability::KeyRing;

    #[test]
    fn one_client_may_have_what_all_may_have() {
        let (limits, idempotency) = limits();
        assert_eq!(limits.max_connections_per_address, 10_000);
        assert_eq!(idempotency.max_keys_per_subject, 1_000_000);
    }

    #[test]
    fn words_are_quoted_where_a_shell_would_split_them() {
        assert_eq!(shell_word("/tmp/ca.pem"), "/tmp/ca.pem");
        assert_eq!(shell_word("/tmp/my ca.pem"), "'/tmp/my ca.pem'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!(shell_word(""), "''");
    }

    #[test]
    fn an_application_is_pointed_at_an_address_that_it_can_reach() {
        let minter = KeyRing::generate("dev").unwrap().minter(None).unwrap();
        let capability = minter.mint("developer", &[]).unwrap();
        let token = AdminToken::random().unwrap();
        for (listen, url) in [
            ("0.0.0.0:1", "https://127.0.0.1:1"),
            ("[::]:2", "https://[::1]:2"),
            ("10.0.0.1:3", "https://10.0.0.1:3"),
        ] {
            let listen = listen.parse().unwrap();
            let [(_, value), ..] = variables(listen, Path::new("ca"), &capability, &token);
            assert_eq!(value, url);
        }
    }

    #[test]
    fn an_exit_code_is_what_a_shell_would_report() {
        assert_eq!(exit_code(ExitStatus::from_raw(3 << 8)), 3);
        assert_eq!(exit_code(ExitStatus::from_raw(9)), 137);
    }
}
