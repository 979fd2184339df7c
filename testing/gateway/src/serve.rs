//! `ron-gateway serve`: a gateway with a certificate of its own.

use crate::arguments::Serve;
use crate::injection::{refuse_variables, Injection, ADMIN_TOKEN};
use crate::say;
use crate::signals::EndSignals;
use ron_gateway::capability::{KeyRing, Revocations};
use ron_gateway::certificates::ServerIdentity;
use ron_gateway::{CallLog, Gateway, GatewayConfig, Limits};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a file of revoked capabilities is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Serves until a signal comes, then drains.
pub(crate) async fn run(arguments: Serve) -> Result<u8, String> {
    let mut signals = EndSignals::catch().map_err(|error| error.to_string())?;
    let mut injection = if arguments.faults {
        Some(Injection::from_environment()?)
    } else {
        refuse_variables()?;
        None
    };
    let identity = ServerIdentity::from_pem_files(&arguments.certificate, &arguments.key)
        .map_err(|error| error.to_string())?;
    let config = GatewayConfig {
        listen: arguments.listen,
        storage_limit: arguments.content.storage_limit,
        edge_root: arguments.content.edge_root,
        client_ca: arguments.content.client_ca,
        root_keys: root_keys(&arguments.root_key)?,
        revocations: revocations(arguments.revoked.as_deref())?,
        limits: Limits {
            max_connections: arguments.max_connections,
            max_connections_per_address: arguments.max_connections_per_address,
            max_calls_per_subject: arguments.max_calls_per_subject,
            calls_per_second_per_subject: arguments.calls_per_second_per_subject,
            ..Limits::default()
        },
        admin_token: injection.as_ref().map(|injection| injection.token.clone()),
        call_log: arguments.log_calls.then(call_log),
        ..GatewayConfig::default()
    };
    let gateway = start(config, identity).await?;
    if let Some(injection) = &mut injection {
        injection.arm(&gateway)?;
        print(&format!(
            "export {ADMIN_TOKEN}={}\n",
            injection.token.expose()
        ))?;
    }
    say(&format!("listening on {}", gateway.address()));
    signals.next().await;
    say("draining; a second signal ends it at once");
    drain(&gateway, &mut signals).await;
    Ok(0)
}

/// A log of calls on the standard error stream: one JSON document on each line.
pub(crate) fn call_log() -> CallLog {
    CallLog::new(|call| {
        if let Ok(line) = serde_json::to_string(call) {
            say(&line);
        }
    })
}

/// The keys in these files.
pub(crate) fn root_keys(files: &[PathBuf]) -> Result<KeyRing, String> {
    let mut keys = KeyRing::default();
    for file in files {
        keys.read(file).map_err(|error| error.to_string())?;
    }
    Ok(keys)
}

/// What is revoked in this file, if there is one.
pub(crate) fn revocations(file: Option<&Path>) -> Result<Revocations, String> {
    match file {
        Some(file) => Revocations::open(file).map_err(|error| error.to_string()),
        None => Ok(Revocations::default()),
    }
}

/// Reads the file of revoked capabilities again whenever it has changed.
async fn follow(revocations: Revocations) {
    let mut complaint = None;
    loop {
        tokio::time::sleep(LOOK).await;
        let revocations = revocations.clone();
        let refreshed = tokio::task::spawn_blocking(move || revocations.refresh()).await;
        match refreshed {
            // Said once, and not every second.
            Ok(Err(error)) if complaint.as_ref() != Some(&error.to_string()) => {
                say(&format!("{error}; what was revoked stays revoked"));
                complaint = Some(error.to_string());
            }
            Ok(Ok(true)) => complaint = None,
            _ => {}
        }
    }
}

/// Prints lines for a shell.
pub(crate) fn print(lines: &str) -> Result<(), String> {
    let mut stdout = std::io::stdout();
    stdout
        .write_all(lines.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| format!("the variables cannot be printed: {error}"))
}

/// Starts a gateway; the error says where, and for which folder.
pub(crate) async fn start(
    config: GatewayConfig,
    identity: ServerIdentity,
) -> Result<Gateway, String> {
    let listen = config.listen;
    if let Some(root) = &config.edge_root {
        std::fs::read_dir(root).map_err(|error| format!("{}: {error}", root.display()))?;
    }
    let revocations = config.revocations.clone();
    let gateway = Gateway::start(config, identity).await;
    let gateway = gateway.map_err(|error| format!("cannot serve on {listen}: {error}"))?;
    if revocations.has_file() {
        // It ends with the program.
        tokio::spawn(follow(revocations));
    }
    Ok(gateway)
}

/// Lets open calls finish, unless another signal comes.
pub(crate) async fn drain(gateway: &Gateway, signals: &mut EndSignals) {
    tokio::select! {
        () = gateway.drain() => {}
        () = signals.next() => gateway.shutdown().await,
    }
}
