//! SOCKS5: RFC 1928, and its users and passwords, RFC 1929.

use super::{Handshake, Next, Protocol, Refusal, Target};
use crate::config::Credentials;
use std::net::IpAddr;
use zeroize::Zeroizing;

const VERSION: u8 = 5;
const CONNECT: u8 = 1;
const NO_AUTHENTICATION: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
const NO_METHOD: u8 = 0xff;
/// Of RFC 1929.
const AUTHENTICATION_VERSION: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;
const STRANGER: Refusal = Refusal::Stranger("does not speak SOCKS5");

/// What is still to be said.
pub(super) struct Socks {
    stage: Stage,
    /// Whether the proxy may do without the user.
    may_be_anonymous: bool,
    authentication: Option<Zeroizing<Vec<u8>>>,
    request: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Stage {
    Method,
    Authentication,
    Reply,
}

impl Handshake {
    /// Asks a SOCKS5 proxy for a connection; with `must_authenticate` only as the user.
    pub(super) fn socks(
        target: &Target,
        credentials: Option<&Credentials>,
        must_authenticate: bool,
    ) -> Self {
        let may_be_anonymous = credentials.is_none() || !must_authenticate;
        let mut methods = Vec::new();
        if may_be_anonymous {
            methods.push(NO_AUTHENTICATION);
        }
        if credentials.is_some() {
            methods.push(USER_AND_PASSWORD);
        }
        // Room for the longest of what follows, so that growing leaves no copies of a password behind.
        let mut outgoing = Zeroizing::new(Vec::with_capacity(2048));
        outgoing.extend([VERSION, methods.len() as u8]);
        outgoing.extend(methods);
        let socks = Socks {
            stage: Stage::Method,
            may_be_anonymous,
            authentication: credentials.map(authentication),
            request: request(target),
        };
        Self::new(Protocol::Socks(socks), outgoing)
    }
}

/// Both have at most 255 bytes: see `ProxyAddr`.
fn authentication(credentials: &Credentials) -> Zeroizing<Vec<u8>> {
    let Credentials { user, password } = credentials;
    let mut bytes = Zeroizing::new(Vec::with_capacity(3 + user.len() + password.len()));
    bytes.extend([AUTHENTICATION_VERSION, user.len() as u8]);
    bytes.extend_from_slice(user);
    bytes.push(password.len() as u8);
    bytes.extend_from_slice(password);
    bytes
}

fn request(target: &Target) -> Vec<u8> {
    let mut bytes = vec![VERSION, CONNECT, 0];
    match target {
        Target::Address(address) => {
            match address.ip() {
                IpAddr::V4(ip) => {
                    bytes.push(IPV4);
                    bytes.extend(ip.octets());
                }
                IpAddr::V6(ip) => {
                    bytes.push(IPV6);
                    bytes.extend(ip.octets());
                }
            }
            bytes.extend(address.port().to_be_bytes());
        }
        Target::Name(name, port) => {
            // A DNS name has at most 253 bytes: see `Endpoint`.
            bytes.extend([NAME, name.len() as u8]);
            bytes.extend(name.as_bytes());
            bytes.extend(port.to_be_bytes());
        }
    }
    bytes
}

impl Socks {
    pub(super) fn read(&mut self, answer: &[u8], out: &mut Vec<u8>) -> Result<Next, Refusal> {
        let [version, code, ..] = *answer else {
            return Ok(Next::Incomplete);
        };
        match self.stage {
            Stage::Method => {
                if version != VERSION {
                    return Err(STRANGER);
                }
                match (code, &self.authentication) {
                    (NO_AUTHENTICATION, _) if self.may_be_anonymous => self.ask(out),
                    (USER_AND_PASSWORD, Some(authentication)) => {
                        out.extend_from_slice(authentication);
                        self.stage = Stage::Authentication;
                    }
                    (NO_METHOD, _) => return Err(Refusal::Credentials),
                    _ => return Err(STRANGER),
                }
                Ok(Next::Say(2))
            }
            Stage::Authentication => {
                if version != AUTHENTICATION_VERSION {
                    return Err(STRANGER);
                }
                if code != 0 {
                    return Err(Refusal::Credentials);
                }
                self.ask(out);
                Ok(Next::Say(2))
            }
            Stage::Reply => {
                if version != VERSION {
                    return Err(STRANGER);
                }
                // Not every proxy says the rest after a failure.
                if code != 0 {
                    return Err(failure(code));
                }
                let address = match *answer {
                    [_, _, _, IPV4, ..] => 4,
                    [_, _, _, IPV6, ..] => 16,
                    [_, _, _, NAME, len, ..] => 1 + usize::from(len),
                    [_, _, _, NAME] | [_, _] | [_, _, _] => return Ok(Next::Incomplete),
                    _ => return Err(STRANGER),
                };
                let len = 4 + address + 2;
                Ok(match answer.len() < len {
                    true => Next::Incomplete,
                    false => Next::Done(len),
                })
            }
        }
    }

    fn ask(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.request);
        self.stage = Stage::Reply;
    }
}

/// RFC 1928, section 6; from 0xf0 on Tor's own, for onion services.
fn failure(code: u8) -> Refusal {
    let meaning = match code {
        1 => "general failure",
        2 => "not allowed by its rules",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "timed out (TTL expired)",
        7 => "command not supported",
        8 => "address type not supported",
        0xf0 => "onion service not found",
        0xf1 => "onion service descriptor invalid",
        0xf2 => "onion service introduction failed",
        0xf3 => "onion service rendezvous failed",
        0xf4 => "onion service wants client authorization",
        0xf5 => "onion service refused client authorization",
        0xf6 => "onion address invalid",
        0xf7 => "onion service introduction timed out",
        _ => "a failure without a name",
    };
    let said = format!("answered {code}, {meaning}");
    match code {
        2 => Refusal::Forbidden(said),
        _ => Refusal::Failed(said),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tests::{handshake, turn};
    use super::*;

    const DONE: &[u8] = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00";

    #[test]
    fn without_a_user_it_asks_for_a_name_in_two_turns() {
        let mut talk = handshake("socks5h://proxy:1", "https://gateway.example:8443");
        assert_eq!(turn(&mut talk, b"\x05\x00").unwrap(), b"\x05\x01\x00");
        let said = turn(&mut talk, DONE).unwrap();
        assert_eq!(said, b"\x05\x01\x00\x03\x0fgateway.example\x20\xfb");
        assert!(talk.is_done);
    }

    #[test]
    fn an_address_goes_as_such() {
        for (gateway, request) in [
            (
                "https://127.0.0.1:1",
                &b"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x01"[..],
            ),
            (
                "https://[::1]:1",
                b"\x05\x01\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x00\x01",
            ),
        ] {
            let mut talk = handshake("socks5h://proxy:1", gateway);
            turn(&mut talk, b"\x05\x00").unwrap();
            assert_eq!(talk.unsent(), request);
        }
    }

    #[test]
    fn a_user_is_named_where_the_proxy_asks() {
        let new = || handshake("socks5h://user:pass@proxy:1", "https://a");
        let mut talk = new();
        assert_eq!(turn(&mut talk, b"\x05\x02").unwrap(), b"\x05\x02\x00\x02");
        assert_eq!(
            turn(&mut talk, b"\x01\x00").unwrap(),
            b"\x01\x04user\x04pass"
        );
        assert_eq!(
            turn(&mut talk, DONE).unwrap(),
            b"\x05\x01\x00\x03\x01a\x01\xbb"
        );
        let mut anonymous = new();
        turn(&mut anonymous, b"\x05\x00").unwrap();
        assert_eq!(anonymous.unsent()[..2], [VERSION, CONNECT]);
        let mut refused = new();
        turn(&mut refused, b"\x05\x02").unwrap();
        assert_eq!(turn(&mut refused, b"\x01\x01"), Err(Refusal::Credentials));
    }

    #[test]
    fn one_who_must_be_named_is_not_anonymous() {
        let credentials = Credentials {
            user: Zeroizing::new(b"user".to_vec()),
            password: Zeroizing::new(b"pass".to_vec()),
        };
        let target = Target::Name("a".into(), 1);
        let mut talk = Handshake::socks(&target, Some(&credentials), true);
        assert_eq!(talk.unsent(), b"\x05\x01\x02");
        assert_eq!(turn(&mut talk, b"\x05\x00"), Err(STRANGER));
    }

    #[test]
    fn every_refusal_is_told_apart() {
        let refused = |answers: &[&[u8]]| {
            let mut talk = handshake("socks5h://proxy:1", "https://a");
            answers
                .iter()
                .find_map(|answer| turn(&mut talk, answer).err())
        };
        assert_eq!(refused(&[b"\x05\xff"]), Some(Refusal::Credentials));
        for garbage in [&b"\x04\x00"[..], b"\x05\x01", b"\x05\x02", b"HTTP/1.1 400"] {
            assert_eq!(refused(&[garbage]), Some(STRANGER), "{garbage:?}");
        }
        for garbage in [&b"\x04\x00\x00\x01"[..], b"\x05\x00\x00\x02"] {
            assert_eq!(refused(&[b"\x05\x00", garbage]), Some(STRANGER));
        }
        for code in 1..=u8::MAX {
            match refused(&[b"\x05\x00", &[5, code]]).unwrap() {
                Refusal::Forbidden(said) if code == 2 => assert!(said.contains("answered 2,")),
                Refusal::Failed(said) => assert!(said.contains(&format!("answered {code},"))),
                other => panic!("{code}: {other:?}"),
            }
        }
        let more = [b"\x05\x00", &[DONE, b"more"].concat()[..]];
        assert_eq!(
            refused(&more),
            Some(Refusal::Stranger("says more than an answer"))
        );
    }

    #[test]
    fn a_reply_is_awaited_to_its_end_whatever_its_address() {
        for reply in [
            DONE.to_vec(),
            [&b"\x05\x00\x00\x03\x05local"[..], b"\x00\x01"].concat(),
            [&b"\x05\x00\x00\x03\x00"[..], b"\x00\x01"].concat(),
            [&b"\x05\x00\x00\x04"[..], &[0; 18]].concat(),
        ] {
            let mut talk = handshake("socks5h://proxy:1", "https://a");
            turn(&mut talk, b"\x05\x00").unwrap();
            turn(&mut talk, b"").unwrap();
            let (last, before) = reply.split_last().unwrap();
            for byte in before {
                talk.receive(&[*byte]).unwrap();
                assert!(!talk.is_done, "{reply:?}");
            }
            talk.receive(&[*last]).unwrap();
            assert!(talk.is_done, "{reply:?}");
        }
    }
}
