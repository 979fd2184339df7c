//! TLS 1.3 over rustls' unbuffered API: one large reused buffer in, one out.

use super::endpoint::Endpoint;
use super::outgoing::Outgoing;
use crate::error::{ErrorKind, SdkError};
use crate::oap::ALPN;
use rustls::client::UnbufferedClientConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use rustls::{AlertDescription, CertificateError, ClientConfig, Error};
use std::ops::Range;
use std::sync::Arc;

/// Room for sixteen records: a reply of 64 KiB arrives in one read, a large one in few.
const INCOMING: usize = 288 * 1024;
/// The longest plaintext of one record (RFC 8446, section 5.1).
const MAX_RECORD: usize = 16 * 1024;
/// What sealing adds to a record: header, content type, tag.
const RECORD_OVERHEAD: usize = 5 + 1 + 16;

/// The client's side of one TLS connection.
pub(super) struct TlsSession {
    tls: UnbufferedClientConnection,
    incoming: Vec<u8>,
    filled: Range<usize>,
    is_lent: bool,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Handshaking,
    Open,
    PeerClosed,
}

/// What a consumer of plaintext, or TLS itself, found wrong.
pub(super) enum OpenError<E> {
    Tls(Error),
    /// TLS succeeded with another protocol than ours.
    NoAlpn,
    Consumer(E),
}

impl TlsSession {
    pub(super) fn new(config: Arc<ClientConfig>, endpoint: &Endpoint) -> Result<Self, SdkError> {
        let tls = UnbufferedClientConnection::new(config, endpoint.server_name.clone())
            .map_err(|error| SdkError::new(ErrorKind::Tls, describe(&error)))?;
        Ok(Self {
            tls,
            incoming: Vec::new(),
            filled: 0..0,
            is_lent: false,
            state: State::Handshaking,
        })
    }

    /// Whether plaintext can be sealed.
    pub(super) fn is_open(&self) -> bool {
        self.state != State::Handshaking
    }

    /// Whether the peer has said that it sends nothing more.
    pub(super) fn is_closed_by_peer(&self) -> bool {
        self.state == State::PeerClosed
    }

    /// Gives the buffer for received bytes away, so that a thread can wait in the system with it while others
    /// seal. `None` where there is the beginning of a record in it.
    pub(super) fn lend(&mut self) -> Option<Vec<u8>> {
        if self.is_lent || !self.filled.is_empty() || self.incoming.is_empty() {
            return None;
        }
        self.filled = 0..0;
        self.is_lent = true;
        Some(std::mem::take(&mut self.incoming))
    }

    /// Takes the buffer back. What was received is at its beginning.
    pub(super) fn give_back(&mut self, buffer: Vec<u8>) {
        self.incoming = buffer;
        self.is_lent = false;
    }

    /// Whether the buffer is away: nothing can be received but by whom it was lent to.
    pub(super) fn is_lent(&self) -> bool {
        self.is_lent
    }

    /// Where received bytes go. Requires that the buffer is not lent.
    pub(super) fn space(&mut self) -> &mut [u8] {
        if self.incoming.is_empty() {
            self.incoming = vec![0; INCOMING];
        }
        if self.filled.is_empty() {
            self.filled = 0..0;
        } else if self.incoming.len() - self.filled.end < MAX_RECORD + RECORD_OVERHEAD + 256 {
            // Only the beginning of one record is left over: that is cheap to move.
            self.incoming.copy_within(self.filled.clone(), 0);
            self.filled = 0..self.filled.len();
        }
        &mut self.incoming[self.filled.end..]
    }

    /// Opens what is there, `received` new bytes included: plaintext goes to `consume`, answers of TLS
    /// itself to `outgoing`.
    pub(super) fn open<E>(
        &mut self,
        received: usize,
        outgoing: &mut Outgoing,
        mut consume: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), OpenError<E>> {
        self.filled.end += received;
        loop {
            let is_ours = self.is_open() || self.tls.alpn_protocol() == Some(ALPN);
            let bytes = &mut self.incoming[self.filled.clone()];
            let UnbufferedStatus { mut discard, state } = self.tls.process_tls_records(bytes);
            let state = match state {
                Ok(state) => state,
                Err(error) => {
                    // With a part of a message discarded, rustls may look for bytes that are gone.
                    if discard == 0 {
                        self.append_alert(outgoing);
                    }
                    return Err(OpenError::Tls(error));
                }
            };
            let mut result = Ok(());
            let mut is_idle = false;
            match state {
                ConnectionState::ReadTraffic(_) if !is_ours => return Err(OpenError::NoAlpn),
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(OpenError::Tls)?;
                        discard += record.discard;
                        result = consume(record.payload);
                        if result.is_err() {
                            break;
                        }
                    }
                }
                ConnectionState::EncodeTlsData(mut data) => encode(&mut data, outgoing)?,
                // Whatever was encoded is in `outgoing`, in order, and leaves with the next write.
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::WriteTraffic(_) => {
                    if self.state == State::Handshaking {
                        self.state = State::Open;
                    }
                    is_idle = true;
                }
                ConnectionState::PeerClosed => self.state = State::PeerClosed,
                _ => is_idle = true,
            }
            self.filled.start += discard;
            result.map_err(OpenError::Consumer)?;
            if is_idle {
                break;
            }
        }
        if self.state == State::Open && self.tls.alpn_protocol() != Some(ALPN) {
            return Err(OpenError::NoAlpn);
        }
        Ok(())
    }

    /// Seals plaintext into `outgoing`. Requires [`TlsSession::is_open`].
    pub(super) fn seal(&mut self, plaintext: &[u8], outgoing: &mut Outgoing) -> Result<(), Error> {
        let mut needed = plaintext.len() + (plaintext.len() / MAX_RECORD + 1) * RECORD_OVERHEAD;
        loop {
            let bytes = &mut self.incoming[self.filled.clone()];
            let UnbufferedStatus { discard, state } = self.tls.process_tls_records(bytes);
            self.filled.start += discard;
            match state? {
                ConnectionState::WriteTraffic(mut traffic) => {
                    match traffic.encrypt(plaintext, outgoing.space(needed)) {
                        Ok(len) => {
                            outgoing.append(len);
                            return Ok(());
                        }
                        Err(EncryptError::InsufficientSize(size)) => needed = size.required_size,
                        Err(EncryptError::EncryptExhausted) => return Err(Error::EncryptError),
                    }
                }
                ConnectionState::EncodeTlsData(mut data) => {
                    encode::<()>(&mut data, outgoing).map_err(|_| Error::EncryptError)?;
                }
                ConnectionState::TransmitTlsData(data) => data.done(),
                // Received data is opened as soon as it arrives, so none can be pending here.
                _ => return Err(Error::General("TLS is not ready to send".into())),
            }
        }
    }

    /// Tells the peer that nothing more follows.
    pub(super) fn append_close(&mut self, outgoing: &mut Outgoing) {
        let bytes = &mut self.incoming[self.filled.clone()];
        let status = self.tls.process_tls_records(bytes);
        if let Ok(ConnectionState::WriteTraffic(mut traffic)) = status.state {
            if let Ok(len) = traffic.queue_close_notify(outgoing.space(64)) {
                outgoing.append(len);
            }
        }
    }

    /// After an error, TLS has an alert to send that tells the peer what was wrong.
    fn append_alert(&mut self, outgoing: &mut Outgoing) {
        let bytes = &mut self.incoming[self.filled.clone()];
        let status = self.tls.process_tls_records(bytes);
        if let Ok(ConnectionState::EncodeTlsData(mut data)) = status.state {
            let _ = encode::<()>(&mut data, outgoing);
        }
    }
}

fn encode<E>(
    data: &mut rustls::unbuffered::EncodeTlsData<'_, rustls::client::ClientConnectionData>,
    outgoing: &mut Outgoing,
) -> Result<(), OpenError<E>> {
    let mut needed = 1024;
    loop {
        match data.encode(outgoing.space(needed)) {
            Ok(len) => {
                outgoing.append(len);
                return Ok(());
            }
            Err(EncodeError::InsufficientSize(size)) => needed = size.required_size,
            Err(EncodeError::AlreadyEncoded) => return Ok(()),
        }
    }
}

/// Whether the peer has ended the handshake because of the client's certificate (RFC 8446, section 6.2): then it has
/// not read anything that was sent after that.
pub(super) fn refuses_client(error: &Error) -> bool {
    matches!(
        error,
        Error::AlertReceived(
            AlertDescription::CertificateRequired
                | AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnknownCA
                | AlertDescription::AccessDenied
                // Its signature, or that of its authority.
                | AlertDescription::DecryptError
        )
    )
}

/// What a TLS error means to somebody who has to mend it.
pub(super) fn describe(error: &Error) -> String {
    let text = match error {
        Error::InvalidCertificate(error) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the gateway's certificate has expired"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the gateway's certificate is not valid yet: check the clocks"
            }
            CertificateError::UnknownIssuer => {
                "the gateway's certificate was issued by an authority that is not trusted"
            }
            CertificateError::BadSignature => {
                "the gateway's certificate was issued by an authority that is not trusted, \
                 though one of the same name is"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the gateway's certificate is for another name than gateway_addr's host"
            }
            CertificateError::ApplicationVerificationFailure => {
                "the gateway's key is not the one that tls.pin names"
            }
            _ => return format!("the gateway's certificate was refused: {error}"),
        },
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            return format!(
                "the gateway wants a certificate of the client: set tls.client_cert and \
                 tls.client_key ({error})"
            )
        }
        _ if refuses_client(error) => {
            return format!(
                "the gateway does not accept the client's certificate, which tls.client_cert names \
                 ({error})"
            )
        }
        Error::AlertReceived(AlertDescription::ProtocolVersion) | Error::PeerIncompatible(_) => {
            return format!("the peer does not offer TLS 1.3 as this SDK needs it ({error})")
        }
        Error::AlertReceived(AlertDescription::NoApplicationProtocol)
        | Error::NoApplicationProtocol => NO_ALPN,
        Error::InvalidMessage(_) => {
            return format!("the peer does not speak TLS on this port ({error})")
        }
        _ => return format!("TLS failed: {error}"),
    };
    text.to_owned()
}

/// The peer speaks TLS and not OAP/1.
pub(super) const NO_ALPN: &str = "the peer did not select the protocol ron/1 (ALPN)";
