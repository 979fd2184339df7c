//! HTTP's CONNECT: RFC 9110, section 9.3.6, and Basic authentication, RFC 7617.

use super::{Handshake, Next, Protocol, Refusal, Target};
use crate::config::Credentials;
use base64::engine::general_purpose::STANDARD;
use base64::Engine as _;
use httparse::{Response, Status, EMPTY_HEADER};
use zeroize::Zeroizing;

const MAX_HEADERS: usize = 64;
/// Of a proxy's own words, as many characters are repeated.
const MAX_REASON: usize = 100;
const STRANGER: Refusal = Refusal::Stranger("does not speak HTTP/1.1");

impl Handshake {
    /// Asks an HTTP proxy for a tunnel.
    pub(super) fn http(target: &Target, credentials: Option<&Credentials>) -> Self {
        let mut request = Zeroizing::new(Vec::with_capacity(8 * 1024));
        request.extend_from_slice(b"CONNECT ");
        request.extend_from_slice(target.to_string().as_bytes());
        request.extend_from_slice(b" HTTP/1.1\r\nHost: ");
        request.extend_from_slice(target.to_string().as_bytes());
        if let Some(Credentials { user, password }) = credentials {
            let mut pair = Zeroizing::new(Vec::with_capacity(user.len() + 1 + password.len()));
            pair.extend_from_slice(user);
            pair.push(b':');
            pair.extend_from_slice(password);
            let text = Zeroizing::new(STANDARD.encode(&*pair));
            request.extend_from_slice(b"\r\nProxy-Authorization: Basic ");
            request.extend_from_slice(text.as_bytes());
        }
        request.extend_from_slice(b"\r\n\r\n");
        Self::new(Protocol::Http, request)
    }
}

pub(super) fn read(answer: &[u8]) -> Result<Next, Refusal> {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut response = Response::new(&mut headers);
    let len = match response.parse(answer) {
        Ok(Status::Complete(len)) => len,
        Ok(Status::Partial) => return Ok(Next::Incomplete),
        Err(_) => return Err(STRANGER),
    };
    let status = response.code.ok_or(STRANGER)?;
    let reason = response.reason.unwrap_or_default().chars();
    // The text is the peer's: it must not be able to forge a line of a log.
    let reason = reason.filter(|c| !c.is_control()).take(MAX_REASON);
    let said = format!("answered {status} {}", reason.collect::<String>());
    let said = said.trim_end().to_owned();
    match status {
        100..=199 => Ok(Next::Listen(len)),
        200..=299 => Ok(Next::Done(len)),
        401 | 407 => Err(Refusal::Credentials),
        403 | 405 | 451 => Err(Refusal::Forbidden(said)),
        _ => Err(Refusal::Failed(said)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tests::{handshake, turn};
    use super::*;

    fn answered(answer: &str) -> Result<bool, Refusal> {
        let mut handshake = handshake("http://proxy:1", "https://gateway.example");
        turn(&mut handshake, answer.as_bytes())?;
        Ok(handshake.is_done)
    }

    #[test]
    fn it_names_the_gateway_and_the_user() {
        let mut plain = handshake("http://proxy:1", "https://gateway.example:8443");
        let said = turn(&mut plain, b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
        assert_eq!(
            said,
            b"CONNECT gateway.example:8443 HTTP/1.1\r\nHost: gateway.example:8443\r\n\r\n"
        );
        assert!(plain.is_done);
        // RFC 7617, section 2.
        let known = handshake("http://Aladdin:open%20sesame@proxy:1", "https://[::1]:8443");
        assert_eq!(
            known.unsent(),
            b"CONNECT [::1]:8443 HTTP/1.1\r\nHost: [::1]:8443\r\n\
              Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"
        );
    }

    #[test]
    fn every_success_opens_the_tunnel_and_nothing_else_does() {
        assert_eq!(answered("HTTP/1.0 200\r\n\r\n"), Ok(true));
        assert_eq!(answered("HTTP/1.1 204 No\r\na: b\r\n\r\n"), Ok(true));
        assert_eq!(
            answered("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"),
            Ok(true)
        );
        assert_eq!(answered("HTTP/1.1 200 OK\r\n"), Ok(false));
        for (answer, refusal) in [
            ("407 Authenticate", Refusal::Credentials),
            (
                "403 Not here",
                Refusal::Forbidden("answered 403 Not here".into()),
            ),
            (
                "502 Bad Gateway",
                Refusal::Failed("answered 502 Bad Gateway".into()),
            ),
            ("302 Found", Refusal::Failed("answered 302 Found".into())),
        ] {
            let found = answered(&format!("HTTP/1.1 {answer}\r\nlocation: x\r\n\r\nbody"));
            assert_eq!(found, Err(refusal), "{answer}");
        }
    }

    #[test]
    fn what_is_not_http_or_goes_on_is_refused() {
        assert_eq!(answered("\x05\x00"), Err(STRANGER));
        assert_eq!(answered("SSH-2.0-x\r\n"), Err(STRANGER));
        let more = answered("HTTP/1.1 200 OK\r\n\r\nmore");
        assert_eq!(more, Err(Refusal::Stranger("says more than an answer")));
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(65));
        assert_eq!(answered(&many), Err(STRANGER));
    }
}
