//! What is said to a proxy until it has connected to the gateway: a state machine without I/O.
//!
//! Both protocols go in turns: the client says something, the proxy answers, and nobody says more than that. So
//! whatever follows an answer is an error, and nothing that was read has to be kept for TLS.

mod http;
mod route;
mod socks;

pub(super) use route::{Isolation, Proxy, Target};

use super::socket::Socket;
use std::io;
use zeroize::Zeroizing;

/// The longest answer, which is one of HTTP.
const MAX_ANSWER: usize = 8 * 1024;

/// The talk with a proxy.
pub(super) struct Handshake {
    protocol: Protocol,
    outgoing: Zeroizing<Vec<u8>>,
    sent: usize,
    /// As much of the next answer as has arrived.
    answer: Vec<u8>,
    is_done: bool,
}

enum Protocol {
    Http,
    Socks(socks::Socks),
}

/// What one answer brings.
enum Next {
    /// It is not complete.
    Incomplete,
    /// It had so many bytes, and something is to be said next.
    Say(usize),
    /// It had so many bytes, and another one follows.
    Listen(usize),
    /// It had so many bytes, and the gateway comes next.
    Done(usize),
}

/// What a driver does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Read,
    Write,
    Done,
}

/// Why a proxy does not connect to the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It speaks something else.
    Stranger(&'static str),
    /// It wants a user and a password, or others.
    Credentials,
    /// It may not connect to there: its number for that, and what it means.
    Forbidden(String),
    /// It cannot connect to there, or not now.
    Failed(String),
}

/// What ends the talk early.
pub(super) enum Problem {
    Refused(Refusal),
    Lost(io::Error),
}

impl Handshake {
    fn new(protocol: Protocol, outgoing: Zeroizing<Vec<u8>>) -> Self {
        Self {
            protocol,
            outgoing,
            sent: 0,
            answer: Vec::new(),
            is_done: false,
        }
    }

    /// What is to be written. Nothing where the proxy has to answer first.
    fn unsent(&self) -> &[u8] {
        &self.outgoing[self.sent..]
    }

    /// What the proxy has said.
    fn receive(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let too_much = Refusal::Stranger("says more than an answer");
        if self.is_done || self.answer.len() + bytes.len() > MAX_ANSWER {
            return Err(too_much);
        }
        self.answer.extend_from_slice(bytes);
        loop {
            let next = match &mut self.protocol {
                Protocol::Http => http::read(&self.answer)?,
                Protocol::Socks(socks) => socks.read(&self.answer, &mut self.outgoing)?,
            };
            let (len, is_turn) = match next {
                Next::Incomplete => return Ok(()),
                Next::Say(len) => (len, true),
                Next::Listen(len) => (len, false),
                Next::Done(len) => {
                    self.is_done = true;
                    (len, true)
                }
            };
            self.answer.drain(..len);
            if is_turn {
                return match self.answer.is_empty() {
                    true => Ok(()),
                    false => Err(too_much),
                };
            }
        }
    }

    /// Does all that can be done without waiting.
    pub(super) fn advance<S: Socket>(&mut self, socket: &S) -> Result<Progress, Problem> {
        let mut buffer = [0; 1024];
        loop {
            if self.is_done {
                return Ok(Progress::Done);
            }
            let is_talking = !self.unsent().is_empty();
            let result = match is_talking {
                true => socket.try_write(self.unsent()),
                false => socket.try_read(&mut buffer),
            };
            match result {
                Ok(0) => return Err(Problem::Lost(io::ErrorKind::UnexpectedEof.into())),
                Ok(len) if is_talking => self.sent += len,
                Ok(len) => self.receive(&buffer[..len]).map_err(Problem::Refused)?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(match is_talking {
                        true => Progress::Write,
                        false => Progress::Read,
                    })
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Problem::Lost(error)),
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::ProxyAddr;
    use proptest::prelude::*;

    pub(super) fn handshake(proxy: &str, gateway: &str) -> Handshake {
        let proxy = Proxy::new(proxy.parse::<ProxyAddr>().unwrap());
        let gateway = gateway.parse().unwrap();
        proxy.handshake(&Target::of(&gateway), &Isolation::default())
    }

    /// Says all that the client has to say, and what the proxy answers to it.
    pub(super) fn turn(handshake: &mut Handshake, answer: &[u8]) -> Result<Vec<u8>, Refusal> {
        let said = handshake.unsent().to_vec();
        handshake.sent += said.len();
        handshake.receive(answer)?;
        Ok(said)
    }

    const PROXIES: [&str; 3] = [
        "http://user:password@proxy:1",
        "socks5://user:password@proxy:1",
        "socks5h://proxy:1",
    ];

    proptest! {
        /// However an answer is cut, it is read in the same way, and what is kept of it is bounded.
        #[test]
        fn no_answer_makes_it_panic_or_keep_much(
            answer in proptest::collection::vec(any::<u8>(), 0..600),
            cuts in proptest::collection::vec(1..64usize, 1..32),
            prefix in 0..4usize,
        ) {
            let begins: [&[u8]; 4] = [b"", b"\x05\x00\x05\x00\x00\x01", b"\x05\x02", b"HTTP/1.1 200 "];
            let answer = [begins[prefix], &answer].concat();
            for proxy in PROXIES {
                let mut whole = handshake(proxy, "https://gateway.example:8443");
                let mut rest = &answer[..];
                let mut cuts = cuts.iter().cycle();
                let mut end = Ok(());
                while !rest.is_empty() && end.is_ok() && !whole.is_done {
                    let (now, later) = rest.split_at(*cuts.next().unwrap() % (rest.len() + 1));
                    whole.sent = whole.outgoing.len();
                    end = whole.receive(now);
                    rest = later;
                    prop_assert!(whole.answer.len() <= MAX_ANSWER);
                }
            }
        }
    }

    #[test]
    fn an_endless_answer_ends_the_talk() {
        for proxy in PROXIES {
            let mut handshake = handshake(proxy, "https://gateway.example:8443");
            let said = [b'a'; 1000];
            let ends = (0..10).find_map(|_| handshake.receive(&said).err());
            assert!(matches!(ends, Some(Refusal::Stranger(_))), "{proxy}");
        }
        let mut handshake = handshake(PROXIES[0], "https://gateway.example:8443");
        turn(&mut handshake, b"HTTP/1.1 200 Fine\r\nx: ").unwrap();
        let ends = (0..10).find_map(|_| handshake.receive(&[b'a'; 1000]).err());
        assert_eq!(ends, Some(Refusal::Stranger("says more than an answer")));
    }
}
