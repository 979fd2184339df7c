//! TLS 1.3, and what the gateway says in it.

use crate::certificates::{authorities, ServerIdentity};
use ron_app_sdk::oap;
use rustls::server::{NoClientAuth, WebPkiClientVerifier};
use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// The ALPN name of the HTTP face.
pub(crate) const ALPN_HTTP: &[u8] = b"http/1.1";
/// Tickets per handshake, so that a client can resume a pool of connections.
const TICKETS: usize = 4;

/// An acceptor of TLS 1.3 connections with this identity. With a file of authorities, it takes only clients whose
/// certificate one of them has issued.
pub(crate) fn acceptor(
    identity: ServerIdentity,
    client_ca: Option<&Path>,
) -> io::Result<TlsAcceptor> {
    let (chain, key) = identity.into_parts();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let clients = match client_ca {
        Some(path) => {
            let roots = Arc::new(authorities(path).map_err(invalid)?);
            WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider))
                .build()
                .map_err(invalid)?
        }
        None => Arc::new(NoClientAuth),
    };
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(invalid)?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)
        .map_err(invalid)?;
    config.alpn_protocols = vec![oap::ALPN.to_vec(), ALPN_HTTP.to_vec()];
    config.send_tls13_tickets = TICKETS;
    // Tickets keep the session's state at the client: resumption costs no memory here.
    config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(invalid)?;
    config.max_early_data_size = 0;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn invalid(error: impl Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::certificates::{Authority, CertificateRequest};

    #[test]
    fn only_tls_1_3_without_early_data_is_offered() {
        let identity = Authority::new()
            .unwrap()
            .issue(&CertificateRequest::localhost())
            .unwrap();
        let acceptor = acceptor(identity, None).unwrap();
        let config = acceptor.config();
        assert_eq!(config.max_early_data_size, 0);
        assert_eq!(config.send_tls13_tickets, 4);
        assert!(config.ticketer.enabled());
        assert_eq!(config.alpn_protocols, [&b"ron/1"[..], &b"http/1.1"[..]]);
    }
}
