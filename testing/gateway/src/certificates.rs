//! Who a gateway is: certificates from files, or from an authority made for development and tests.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::RootCertStore;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A certificate chain with its private key.
pub struct ServerIdentity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl ServerIdentity {
    /// The identity in two PEM files: the chain, its own certificate first, and the key.
    ///
    /// # Errors
    /// [`CertificateError`] names the file that cannot be used.
    pub fn from_pem_files(certificate: &Path, key: &Path) -> Result<Self, CertificateError> {
        let in_file = |path: &Path| {
            let path = path.to_owned();
            move |error| CertificateError::File { path, error }
        };
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(in_file(certificate))?;
        if chain.is_empty() {
            let error = rustls::pki_types::pem::Error::NoItemsFound;
            return Err(in_file(certificate)(error));
        }
        let key = PrivateKeyDer::from_pem_file(key).map_err(in_file(key))?;
        Ok(Self { chain, key })
    }

    /// The gateway's own certificate.
    pub fn certificate_der(&self) -> &[u8] {
        self.chain
            .first()
            .map_or(&[], |certificate| certificate.as_ref())
    }

    /// The chain and the key, as TLS takes them.
    pub fn into_parts(self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        (self.chain, self.key)
    }
}

impl Clone for ServerIdentity {
    fn clone(&self) -> Self {
        Self {
            chain: self.chain.clone(),
            key: self.key.clone_key(),
        }
    }
}

impl fmt::Debug for ServerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerIdentity({} certificates)", self.chain.len())
    }
}

/// A certificate authority with a fresh key, which lives as long as this value.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// A new authority, valid for ten years.
    ///
    /// # Errors
    /// [`CertificateError`] where the key cannot be made.
    pub fn new() -> Result<Self, CertificateError> {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "RON development authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        set_validity(
            &mut params,
            SystemTime::now() - DAY,
            SystemTime::now() + 3650 * DAY,
        );
        Ok(Self(CertifiedIssuer::self_signed(
            params,
            KeyPair::generate()?,
        )?))
    }

    /// The authority's certificate, for whoever is to trust it.
    pub fn certificate_pem(&self) -> String {
        self.0.pem()
    }

    /// The same in DER.
    pub fn certificate_der(&self) -> &[u8] {
        self.0.der()
    }

    /// Issues a certificate with a fresh key.
    ///
    /// # Errors
    /// [`CertificateError`] where a name is neither a host name nor an address.
    pub fn issue(&self, request: &CertificateRequest) -> Result<ServerIdentity, CertificateError> {
        let mut params = CertificateParams::new(request.names.clone())?;
        params
            .distinguished_name
            .push(DnType::CommonName, "ron-gateway");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params, request.not_before, request.not_after);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.0)?;
        Ok(ServerIdentity {
            chain: vec![certificate.der().clone()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        })
    }

    /// Issues a certificate for a client, with a fresh key. Its names say nothing to a gateway of this project.
    ///
    /// # Errors
    /// [`CertificateError`] where a name is neither a host name nor an address.
    pub fn issue_client(
        &self,
        request: &CertificateRequest,
    ) -> Result<ClientIdentity, CertificateError> {
        let mut params = CertificateParams::new(request.names.clone())?;
        params
            .distinguished_name
            .push(DnType::CommonName, "ron-client");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params, request.not_before, request.not_after);
        let key = KeyPair::generate()?;
        Ok(ClientIdentity {
            certificate_pem: params.signed_by(&key, &self.0)?.pem(),
            key_pem: key.serialize_pem(),
        })
    }
}

/// A client's certificate with its private key, as a client reads them from files.
pub struct ClientIdentity {
    /// The certificate.
    pub certificate_pem: String,
    /// The key.
    pub key_pem: String,
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientIdentity(key not shown)")
    }
}

/// The authorities in a PEM file, to verify the certificates of clients with.
pub(crate) fn authorities(path: &Path) -> Result<RootCertStore, CertificateError> {
    let in_file = |error| CertificateError::File {
        path: path.to_owned(),
        error,
    };
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(in_file)?;
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(certificates);
    if store.is_empty() {
        return Err(in_file(rustls::pki_types::pem::Error::NoItemsFound));
    }
    Ok(store)
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority(key not shown)")
    }
}

/// What a certificate is to say.
#[derive(Clone, Debug)]
pub struct CertificateRequest {
    /// Host names and addresses.
    pub names: Vec<String>,
    /// From when it is valid.
    pub not_before: SystemTime,
    /// Until when it is valid.
    pub not_after: SystemTime,
}

impl CertificateRequest {
    /// A certificate for these names that is valid now, and for another 90 days.
    pub fn for_names(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            names: names.into_iter().map(Into::into).collect(),
            not_before: SystemTime::now() - DAY,
            not_after: SystemTime::now() + 90 * DAY,
        }
    }

    /// The same for the machine itself: `localhost`, `127.0.0.1` and `::1`.
    pub fn localhost() -> Self {
        Self::for_names(["localhost", "127.0.0.1", "::1"])
    }
}

fn set_validity(params: &mut CertificateParams, not_before: SystemTime, not_after: SystemTime) {
    let date = |time: SystemTime| {
        let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH);
        rcgen::date_time_ymd(1970, 1, 1) + since_epoch.unwrap_or_default()
    };
    params.not_before = date(not_before);
    params.not_after = date(not_after);
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// A file that cannot be read, or does not hold what it should.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: rustls::pki_types::pem::Error,
    },
    /// A certificate that cannot be made.
    #[error("the certificate cannot be made: {0}")]
    Generation(#[from] rcgen::Error),
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn an_identity_is_read_back_from_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let identity = Authority::new()
            .unwrap()
            .issue(&CertificateRequest::localhost())
            .unwrap();
        let (certificate, key) = (
            folder.path().join("cert.pem"),
            folder.path().join("key.pem"),
        );
        let pem = |label: &str, der: &[u8]| {
            use base64::Engine as _;
            let text = base64::engine::general_purpose::STANDARD.encode(der);
            format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
        };
        fs::write(&certificate, pem("CERTIFICATE", identity.certificate_der())).unwrap();
        fs::write(&key, pem("PRIVATE KEY", identity.key.secret_der())).unwrap();
        let again = ServerIdentity::from_pem_files(&certificate, &key).unwrap();
        assert_eq!(again.certificate_der(), identity.certificate_der());
        assert_eq!(again.key.secret_der(), identity.key.secret_der());
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty.pem");
        fs::write(&empty, "").unwrap();
        for path in [&empty, &folder.path().join("absent.pem")] {
            let error = ServerIdentity::from_pem_files(path, path)
                .unwrap_err()
                .to_string();
            assert!(error.contains(path.to_str().unwrap()), "{error}");
        }
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        let authority = Authority::new().unwrap();
        assert!(authority
            .issue(&CertificateRequest::for_names(["tür"]))
            .is_err());
    }
}
