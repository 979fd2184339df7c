//! Whom a client trusts: the system's authorities, more from a file, or one pinned key. And who it is itself, where a
//! gateway asks.

use crate::config::{SpkiPin, TlsConfig};
use crate::error::{ErrorKind, SdkError};
use crate::oap::ALPN;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{ring, verify_tls13_signature, CryptoProvider};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use sha2::{Digest, Sha256};
use std::fmt::Display;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// A client's trust settings and, from its first connection on, what TLS makes of them.
pub(super) struct Trust {
    settings: TlsConfig,
    built: OnceLock<Arc<ClientConfig>>,
}

impl Trust {
    pub(super) const fn new(settings: TlsConfig) -> Self {
        Self {
            settings,
            built: OnceLock::new(),
        }
    }

    /// Whether [`Trust::client_config`] needs no file.
    pub(super) fn is_built(&self) -> bool {
        self.built.get().is_some()
    }

    /// The TLS settings. The first call may read files and take milliseconds; a failure is not remembered.
    pub(super) fn client_config(&self) -> Result<Arc<ClientConfig>, SdkError> {
        if let Some(config) = self.built.get() {
            return Ok(Arc::clone(config));
        }
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| SdkError::new(ErrorKind::Internal, error.to_string()))?;
        let builder = match self.settings.pin {
            Some(pin) => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(PinnedKey { pin, provider })),
            None => builder.with_root_certificates(self.roots()?),
        };
        let mut config = match (&self.settings.client_cert, &self.settings.client_key) {
            (Some(certificate), Some(key)) => {
                let chain = certificates("tls.client_cert", certificate)?;
                builder
                    .with_client_auth_cert(chain, private_key(key)?)
                    .map_err(|error| unusable("tls.client_key", key, &error))?
            }
            _ => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Arc::clone(self.built.get_or_init(|| Arc::new(config))))
    }

    fn roots(&self) -> Result<RootCertStore, SdkError> {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(system_roots().iter().cloned());
        if let Some(path) = &self.settings.ca {
            add_file(&mut store, path)?;
        }
        if store.is_empty() {
            return Err(SdkError::new(
                ErrorKind::Tls,
                "the system has no trusted authorities and tls.ca names none",
            ));
        }
        Ok(store)
    }
}

/// The system's authorities, read once per process, or by each of those who need them first at the same time.
/// Nobody waits for another one's reading: after a fork, that one may not be there.
fn system_roots() -> &'static [CertificateDer<'static>] {
    static ROOTS: OnceLock<Vec<CertificateDer<'static>>> = OnceLock::new();
    if ROOTS.get().is_none() {
        let _others_were_faster = ROOTS.set(rustls_native_certs::load_native_certs().certs);
    }
    ROOTS.get().map_or(&[], Vec::as_slice)
}

fn add_file(store: &mut RootCertStore, path: &Path) -> Result<(), SdkError> {
    for certificate in certificates("tls.ca", path)? {
        store
            .add(certificate)
            .map_err(|error| unusable("tls.ca", path, &error))?;
    }
    Ok(())
}

fn certificates(setting: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, SdkError> {
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable(setting, path, &error))?;
    match certificates.is_empty() {
        true => Err(unusable(setting, path, &"holds no certificate in PEM form")),
        false => Ok(certificates),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, SdkError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| match error {
        pem::Error::NoItemsFound => {
            let nothing = "holds no private key in PEM form, or an encrypted one";
            unusable("tls.client_key", path, &nothing)
        }
        error => unusable("tls.client_key", path, &error),
    })
}

/// A file that a setting names is of no use.
fn unusable(setting: &str, path: &Path, why: &dyn Display) -> SdkError {
    let rule = format_args!("{}: {why}", path.display());
    SdkError::invalid(ErrorKind::Config, setting, rule)
}

/// Accepts the certificate with one key and no other, whatever else the certificate says.
#[derive(Debug)]
struct PinnedKey {
    pin: SpkiPin,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedKey {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = webpki::EndEntityCert::try_from(end_entity)
            .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        let digest = Sha256::digest(certificate.subject_public_key_info());
        if digest[..] == self.pin.0 {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::PeerIncompatible(
            rustls::PeerIncompatible::ServerDoesNotSupportTls12Or13,
        ))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
