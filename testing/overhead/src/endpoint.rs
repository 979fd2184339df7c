//! What a client has to know of the server's process.

use ron_app_sdk::{Capability, Macaroon, SdkConfig};
use ron_bare::{pinned_config, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::CertificateDer;
use rustls::ClientConfig;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::sync::Arc;

/// One server's addresses, and whom to trust. It travels as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Endpoint {
    /// OAP/1 over TLS.
    pub(crate) oap: SocketAddr,
    /// OAP/1 over plain TCP.
    pub(crate) plain: SocketAddr,
    /// HTTP/1.1 and HTTP/2 over TLS.
    pub(crate) http: Option<SocketAddr>,
    /// gRPC over TLS.
    pub(crate) grpc: Option<SocketAddr>,
    /// The server's certificate in PEM.
    pub(crate) certificate: String,
    /// The SHA-256 of its public key, as `tls.pin` takes it.
    pub(crate) pin: String,
    /// Bytes of the object that it serves.
    pub(crate) payload: usize,
}

impl Endpoint {
    /// TLS settings of the bare clients.
    pub(crate) fn tls(&self) -> Result<Arc<ClientConfig>> {
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes())?;
        pinned_config(certificate)
    }

    /// The SDK's settings: its defaults, with one connection.
    pub(crate) fn sdk_config(&self) -> Result<SdkConfig> {
        let mut config = SdkConfig {
            gateway_addr: format!("https://{}", self.oap),
            ..SdkConfig::default()
        };
        config.tls.pin = Some(self.pin.parse()?);
        config.pool.max = 1;
        Ok(config)
    }
}

/// The token that every call carries, as long as a gateway's own.
pub(crate) fn capability() -> Result<Capability> {
    let token = Macaroon::mint(
        b"any key will do",
        "ron-gateway",
        b"k1:0123456789abcdef:overhead",
    );
    let token = token.attenuate(b"op=storage.get,storage.put")?;
    Ok(Capability::from_bytes(token.encode())?)
}
