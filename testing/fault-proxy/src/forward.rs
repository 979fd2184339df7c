//! A proxy that is told where to go: SOCKS5 and HTTP's CONNECT on one port, and what goes wrong with them.

use base64::engine::general_purpose::STANDARD;
use base64::Engine as _;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How long it says nothing where it is to say nothing.
const SILENCE: Duration = Duration::from_secs(60);
const HEAD: usize = 8 * 1024;

/// A running proxy: every name is that of its one upstream; an address is gone to as it is. Dropping it ends it, not
/// the connections through it.
///
/// ```
/// use ron_fault_proxy::ForwardProxy;
/// use std::net::TcpListener;
///
/// # fn main() -> std::io::Result<()> {
/// let gateway = TcpListener::bind("127.0.0.1:0")?;
/// let proxy = ForwardProxy::start(gateway.local_addr()?)?;
/// // … calls through socks5h://{proxy.address()} …
/// assert!(proxy.asked().is_empty());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct ForwardProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    behaviour: Mutex<Forwarding>,
    asked: Mutex<Vec<Asked>>,
    is_over: AtomicBool,
}

/// What it does with whoever comes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Forwarding {
    /// Connects, whoever asks.
    #[default]
    Serve,
    /// Connects where this user and this password ask.
    Demand(String, String),
    /// Takes no method of SOCKS5 that it is offered; answers 407 to CONNECT.
    TakeNobody,
    /// Answers with this code of SOCKS5, or this status of HTTP.
    Refuse(u16),
    /// Listens and says nothing.
    Silent,
    /// Takes a method of SOCKS5, and says nothing more; nothing at all to CONNECT.
    SilentAfterMethod,
    /// Says something else.
    Garbage,
    /// Closes the connection when it has heard something.
    HangUp,
    /// Closes the connection when it has heard where to go to.
    HangUpLate,
    /// Connects, and says more than it should.
    Chatter,
}

/// Where it was to connect to, and what else it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Whether over SOCKS5; else by CONNECT.
    pub is_socks: bool,
    /// A name, or an address.
    pub host: String,
    /// Whether it was a name.
    pub is_name: bool,
    /// The port.
    pub port: u16,
    /// The user and the password, where they were told.
    pub credentials: Option<(String, String)>,
}

impl ForwardProxy {
    /// Starts a proxy on a free port of the loopback interface.
    ///
    /// # Errors
    /// Where there is no such port or thread.
    pub fn start(upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            upstream,
            behaviour: Mutex::default(),
            asked: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let listening = Arc::clone(&shared);
        spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                if listening.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&listening);
                // A client that is cut off is what a test asked for, or went away by itself.
                let _ = spawn(move || drop(shared.serve(client)));
            }
        })?;
        Ok(Self { address, shared })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it does with those who come from now on.
    pub fn set(&self, behaviour: Forwarding) {
        *lock(&self.shared.behaviour) = behaviour;
    }

    /// Where it was to connect to so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.shared.asked).clone()
    }
}

impl Drop for ForwardProxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        let behaviour = lock(&self.behaviour).clone();
        let mut first = [0];
        client.read_exact(&mut first)?;
        match (&behaviour, first[0]) {
            (Forwarding::Silent, _) => silence(&mut client),
            (Forwarding::HangUp, _) => Ok(()),
            (Forwarding::Garbage, _) => {
                client.write_all(b"SSH-2.0-Something else\r\n")?;
                silence(&mut client)
            }
            (_, 5) => self.socks(client, &behaviour),
            (_, b'C') => self.http(client, &behaviour),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    fn socks(&self, mut client: TcpStream, behaviour: &Forwarding) -> io::Result<()> {
        let methods = read_counted(&mut client)?;
        let has_user = methods.contains(&2);
        let demands = matches!(behaviour, Forwarding::Demand(..));
        if *behaviour == Forwarding::TakeNobody || (demands && !has_user) {
            return client.write_all(&[5, 0xff]);
        }
        client.write_all(&[5, if has_user { 2 } else { 0 }])?;
        if *behaviour == Forwarding::SilentAfterMethod {
            return silence(&mut client);
        }
        let mut credentials = None;
        if has_user {
            client.read_exact(&mut [0])?;
            let user = read_counted(&mut client)?;
            let password = read_counted(&mut client)?;
            credentials = Some((text(user), text(password)));
            let is_known = behaviour.knows(credentials.as_ref());
            client.write_all(&[1, u8::from(!is_known)])?;
            if !is_known {
                return Ok(());
            }
        }
        let mut head = [0; 4];
        client.read_exact(&mut head)?;
        let (host, is_name) = match head[3] {
            1 => {
                let mut octets = [0; 4];
                client.read_exact(&mut octets)?;
                (Ipv4Addr::from(octets).to_string(), false)
            }
            4 => {
                let mut octets = [0; 16];
                client.read_exact(&mut octets)?;
                (Ipv6Addr::from(octets).to_string(), false)
            }
            _ => (text(read_counted(&mut client)?), true),
        };
        let mut port = [0; 2];
        client.read_exact(&mut port)?;
        let asked = Asked {
            is_socks: true,
            host,
            is_name,
            port: u16::from_be_bytes(port),
            credentials,
        };
        let upstream = self.upstream(&asked);
        lock(&self.asked).push(asked);
        let reply = |code: u8| [5, code, 0, 1, 127, 0, 0, 1, 0, 9];
        match behaviour {
            Forwarding::HangUpLate => Ok(()),
            Forwarding::Refuse(code) => {
                client.write_all(&reply(u8::try_from(*code).unwrap_or(u8::MAX)))
            }
            _ => {
                let Ok(gateway) = TcpStream::connect(upstream?) else {
                    return client.write_all(&reply(5));
                };
                client.write_all(&reply(0))?;
                forward(client, gateway, behaviour)
            }
        }
    }

    fn http(&self, mut client: TcpStream, behaviour: &Forwarding) -> io::Result<()> {
        let mut head = vec![b'C'];
        while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD {
            let mut byte = [0];
            client.read_exact(&mut byte)?;
            head.extend(byte);
        }
        let head = text(head);
        let place = head.split(' ').nth(1).unwrap_or_default();
        let (host, port) = place.rsplit_once(':').unwrap_or((place, "0"));
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let header = "Proxy-Authorization: Basic ";
        let credentials = head.lines().find_map(|line| line.strip_prefix(header));
        let credentials = credentials.and_then(decode_basic);
        if *behaviour == Forwarding::SilentAfterMethod {
            return silence(&mut client);
        }
        if !behaviour.knows(credentials.as_ref()) {
            return client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
        }
        let asked = Asked {
            is_socks: false,
            host: host.to_owned(),
            is_name: host.parse::<IpAddr>().is_err(),
            port: port.parse().unwrap_or_default(),
            credentials,
        };
        let upstream = self.upstream(&asked);
        lock(&self.asked).push(asked);
        match behaviour {
            Forwarding::HangUpLate => Ok(()),
            Forwarding::Refuse(status) => {
                let answer = format!("HTTP/1.1 {status} Refused\r\nContent-Length: 0\r\n\r\n");
                client.write_all(answer.as_bytes())
            }
            _ => {
                let Ok(gateway) = TcpStream::connect(upstream?) else {
                    return client.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n");
                };
                client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
                forward(client, gateway, behaviour)
            }
        }
    }

    fn upstream(&self, asked: &Asked) -> io::Result<SocketAddr> {
        match asked.host.parse() {
            Ok(ip) => Ok(SocketAddr::new(ip, asked.port)),
            Err(_) => Ok(self.upstream),
        }
    }
}

impl Forwarding {
    fn knows(&self, credentials: Option<&(String, String)>) -> bool {
        match self {
            Self::TakeNobody => false,
            Self::Demand(user, password) => {
                credentials.is_some_and(|known| known.0 == *user && known.1 == *password)
            }
            _ => true,
        }
    }
}

/// Copies both ways until both ends have closed theirs.
fn forward(mut client: TcpStream, mut gateway: TcpStream, how: &Forwarding) -> io::Result<()> {
    if *how == Forwarding::Chatter {
        client.write_all(b"and another thing")?;
    }
    let (mut from_client, mut to_gateway) = (client.try_clone()?, gateway.try_clone()?);
    spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_gateway);
        let _ = to_gateway.shutdown(Shutdown::Write);
    })?;
    let _ = io::copy(&mut gateway, &mut client);
    client.shutdown(Shutdown::Write)
}

/// Keeps a connection open until its client closes it, or has waited for very long.
fn silence(client: &mut TcpStream) -> io::Result<()> {
    client.set_read_timeout(Some(SILENCE))?;
    while client.read(&mut [0; 512])? > 0 {}
    Ok(())
}

fn read_counted(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut len = [0];
    client.read_exact(&mut len)?;
    let mut bytes = vec![0; usize::from(len[0])];
    client.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

/// An HTTP user and password (RFC 7617).
fn decode_basic(text: &str) -> Option<(String, String)> {
    let pair = STANDARD.decode(text.trim()).ok()?;
    let pair = String::from_utf8(pair).ok()?;
    let (user, password) = pair.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = thread::Builder::new().name("forward-proxy".to_owned());
    thread.spawn(work).map(drop)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
