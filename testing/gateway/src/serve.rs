//! `ron-gateway serve`: a gateway with a certificate of its own.

use crate::arguments::Serve;
use crate::say;
use crate::signals::EndSignals;
use ron_gateway::certificates::ServerIdentity;
use ron_gateway::{Gateway, GatewayConfig, Limits};

/// Serves until a signal comes, then drains.
pub(crate) async fn run(arguments: Serve) -> Result<u8, String> {
    let mut signals = EndSignals::catch().map_err(|error| error.to_string())?;
    let identity = ServerIdentity::from_pem_files(&arguments.certificate, &arguments.key)
        .map_err(|error| error.to_string())?;
    let config = GatewayConfig {
        listen: arguments.listen,
        storage_limit: arguments.content.storage_limit,
        edge_root: arguments.content.edge_root,
        limits: Limits {
            max_connections: arguments.max_connections,
            max_connections_per_address: arguments.max_connections_per_address,
            ..Limits::default()
        },
        ..GatewayConfig::default()
    };
    let gateway = start(config, identity).await?;
    say(&format!("listening on {}", gateway.address()));
    signals.next().await;
    say("draining; a second signal ends it at once");
    drain(&gateway, &mut signals).await;
    Ok(0)
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
    let gateway = Gateway::start(config, identity).await;
    gateway.map_err(|error| format!("cannot serve on {listen}: {error}"))
}

/// Lets open calls finish, unless another signal comes.
pub(crate) async fn drain(gateway: &Gateway, signals: &mut EndSignals) {
    tokio::select! {
        () = gateway.drain() => {}
        () = signals.next() => gateway.shutdown().await,
    }
}
