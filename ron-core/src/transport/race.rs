//! From several addresses of one host to one connection: "happy eyeballs" (RFC 8305), in small. No I/O.
//!
//! The families take turns, and the next address is tried when the last one has failed or has not answered for a
//! while. The first connection wins.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// After this without an answer, the next address is tried too (RFC 8305, section 5).
pub(super) const HEAD_START: Duration = Duration::from_millis(250);
/// Addresses of one host that are tried at most.
const MOST: usize = 8;

/// The addresses that are left, and when the next one is tried.
pub(super) struct Race {
    left: VecDeque<SocketAddr>,
    next_at: Option<Instant>,
    error: io::Error,
}

impl Race {
    pub(super) fn new(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self {
            left: in_turns(addresses),
            next_at: None,
            error: io::Error::new(io::ErrorKind::NotFound, "the host has no address"),
        }
    }

    /// The address to try now, if there is one: until there is none, ask again.
    pub(super) fn start(&mut self, now: Instant) -> Option<SocketAddr> {
        if self.next_at.is_some_and(|at| now < at) {
            return None;
        }
        let address = self.left.pop_front()?;
        self.next_at = Some(now + HEAD_START);
        Some(address)
    }

    /// When [`Race::start`] has the next one, where one is left.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.next_at.filter(|_| !self.left.is_empty())
    }

    /// An address could not be reached: the next one need not wait.
    pub(super) fn failed(&mut self, error: io::Error) {
        self.error = error;
        self.next_at = None;
    }

    /// Why nobody has won.
    pub(super) fn lost(&mut self) -> io::Error {
        std::mem::replace(&mut self.error, io::ErrorKind::NotConnected.into())
    }
}

/// In the resolver's order, but with the families in turns.
fn in_turns(addresses: impl IntoIterator<Item = SocketAddr>) -> VecDeque<SocketAddr> {
    let (mut same, mut other) = (VecDeque::new(), VecDeque::new());
    let mut first_is_v6 = None;
    for address in addresses {
        let is_v6 = address.is_ipv6();
        let list = match is_v6 == *first_is_v6.get_or_insert(is_v6) {
            true => &mut same,
            false => &mut other,
        };
        if list.len() < MOST && !list.contains(&address) {
            list.push_back(address);
        }
    }
    let mut turns = VecDeque::new();
    while turns.len() < MOST && (!same.is_empty() || !other.is_empty()) {
        turns.extend(same.pop_front());
        turns.extend(other.pop_front());
    }
    turns.truncate(MOST);
    turns
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_families_take_turns_in_the_resolvers_order() {
        let given = [
            "[::1]:1",
            "[::2]:1",
            "[::1]:1",
            "1.1.1.1:1",
            "[::3]:1",
            "2.2.2.2:1",
        ];
        let turns = ["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"];
        assert_eq!(in_turns(addresses(&given)), addresses(&turns));
        let many = (1..=40u8).map(|last| SocketAddr::from(([10, 0, 0, last], 1)));
        assert_eq!(in_turns(many).len(), MOST);
    }

    #[test]
    fn the_next_address_waits_for_a_failure_or_the_head_start() {
        let now = Instant::now();
        let mut race = Race::new(addresses(&["1.1.1.1:1", "2.2.2.2:1", "3.3.3.3:1"]));
        assert_eq!(race.start(now).unwrap().to_string(), "1.1.1.1:1");
        assert_eq!(race.start(now), None);
        assert_eq!(race.next_at(), Some(now + HEAD_START));
        let later = now + HEAD_START;
        assert_eq!(race.start(later).unwrap().to_string(), "2.2.2.2:1");
        assert_eq!(race.start(later), None);
        race.failed(io::ErrorKind::ConnectionRefused.into());
        assert_eq!(race.start(later).unwrap().to_string(), "3.3.3.3:1");
        assert_eq!((race.start(later), race.next_at()), (None, None));
        assert_eq!(race.lost().kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn a_host_without_addresses_is_an_error() {
        let mut race = Race::new([]);
        assert_eq!((race.start(Instant::now()), race.next_at()), (None, None));
        assert_eq!(race.lost().kind(), io::ErrorKind::NotFound);
    }

    /// An address at which nobody answers: its queue is full, and the system drops what else knocks.
    fn silent() -> (SocketAddr, Vec<socket2::Socket>) {
        use socket2::{Domain, Socket, Type};
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener
            .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
            .unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let mut sockets = vec![listener];
        for _ in 0..4 {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            let _ = socket.connect(&address.into());
            sockets.push(socket);
        }
        std::thread::sleep(Duration::from_millis(50));
        (address, sockets)
    }

    fn listening() -> std::net::TcpListener {
        std::net::TcpListener::bind("127.0.0.1:0").unwrap()
    }

    /// How long it takes a thread, and a task, to connect to one of these addresses; or what they hear.
    fn connect(addresses: &[SocketAddr], limit: Duration) -> [Result<Duration, io::ErrorKind>; 2] {
        use crate::transport::{asynchronous, socket::ThreadSocket};
        let start = Instant::now();
        let connected = ThreadSocket::connect(addresses.iter().copied(), start + limit);
        let thread = connected.map(|_| start.elapsed());
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        let task = runtime.block_on(async {
            let start = Instant::now();
            let race = asynchronous::race(Race::new(addresses.iter().copied()));
            let connected = tokio::time::timeout(limit, race).await;
            let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            connected.map(|_| start.elapsed())
        });
        [thread, task].map(|result| result.map_err(|error| error.kind()))
    }

    const LIMIT: Duration = Duration::from_secs(5);

    #[test]
    fn a_first_address_that_is_dead_costs_a_head_start() {
        let ((silent, _held), listener) = (silent(), listening());
        let alive = listener.local_addr().unwrap();
        for took in connect(&[silent, alive], LIMIT) {
            let took = took.unwrap();
            // 250 ms, and slack for a busy machine.
            assert!(
                took >= HEAD_START && took < HEAD_START + Duration::from_millis(150),
                "{took:?}"
            );
        }
    }

    #[test]
    fn a_first_address_that_refuses_costs_nothing() {
        let listener = listening();
        let (alive, gone) = (
            listener.local_addr().unwrap(),
            listening().local_addr().unwrap(),
        );
        for took in connect(&[gone, gone, alive], LIMIT) {
            assert!(took.unwrap() < HEAD_START / 2, "{took:?}");
        }
    }

    #[test]
    fn nobody_answers_or_everybody_refuses() {
        let ((silent, _held), gone) = (silent(), listening().local_addr().unwrap());
        let limit = Duration::from_millis(400);
        for heard in connect(&[silent, gone], limit) {
            assert_eq!(heard.unwrap_err(), io::ErrorKind::TimedOut);
        }
        for heard in connect(&[gone], limit) {
            assert_eq!(heard.unwrap_err(), io::ErrorKind::ConnectionRefused);
        }
        for heard in connect(&[], limit) {
            assert_eq!(heard.unwrap_err(), io::ErrorKind::NotFound);
        }
    }
}
