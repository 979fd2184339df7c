//! What a connection needs of a socket. Nothing here waits.

use super::race::Race;
use super::timer::SpareTimers;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::{RecvFlags, SendFlags};
use socket2::{Domain, Protocol, SockRef, Type};
use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::io::Interest;

/// Bytes that the system takes beyond what it has sent. A request that it has taken is nearly sent: the limit
/// of an attempt can begin there, however slow the network.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 128 * 1024;
/// For the peer's system to acknowledge what was sent.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(20);

/// Sets a new socket up.
pub(super) fn prepare<'a>(socket: impl Into<SockRef<'a>>) -> io::Result<()> {
    let socket = socket.into();
    socket.set_tcp_nodelay(true)?;
    #[cfg(target_os = "linux")]
    {
        socket.set_tcp_notsent_lowat(UNSENT)?;
        socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    }
    Ok(())
}

/// The longest that [`ThreadSocket::receive`] blocks.
pub(super) const RECEIVE: Duration = Duration::from_millis(80);

pub(super) trait Socket {
    /// Who may wait for the socket: a task waits with the help of the runtime on which it was opened, a
    /// thread by itself.
    type Home: Copy + PartialEq;

    /// Whether several callers may wait for the same socket at once: threads may, tasks share one waker.
    const SHARED_WAIT: bool;

    /// Reads what is there. `WouldBlock` where nothing is, as far as is known without a system call.
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Reads what is there, asking the system in any case.
    fn read_now(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes what fits.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Ends the connection, which wakes whoever waits for it.
    fn shut_down(&self);

    /// Where it can be waited for.
    fn home(&self) -> Self::Home;
}

/// The system calls of this thread on sockets, for tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct SystemCalls {
    sends: u32,
    /// One that waits for bytes counts as one.
    receives: u32,
    /// Those that do nothing else.
    waits: u32,
}

/// Counts a system call, in tests. Elsewhere it is nothing.
#[inline(always)]
fn count(change: impl FnOnce(&mut SystemCalls)) {
    #[cfg(test)]
    tests::COUNTED.with_borrow_mut(change);
    #[cfg(not(test))]
    let _ = change;
}

/// A blocking socket that is used without blocking, but by a reader who is alone.
pub(super) struct ThreadSocket {
    stream: TcpStream,
    /// Cleared by a short read, set by a poll: a read that is bound to find nothing is not made.
    is_readable: AtomicBool,
}

impl ThreadSocket {
    /// Connects to one of these addresses of a host.
    pub(super) fn connect(
        addresses: impl IntoIterator<Item = SocketAddr>,
        until: Instant,
    ) -> io::Result<Self> {
        let stream = first_connected(Race::new(addresses), until)?;
        prepare(&stream)?;
        stream.set_read_timeout(Some(RECEIVE))?;
        Ok(Self {
            stream,
            is_readable: AtomicBool::new(false),
        })
    }

    /// Waits for bytes and reads them, for [`RECEIVE`] at most: a system call less than to wait first.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        count(|calls| calls.receives += 1);
        (&self.stream).read(buffer)
    }

    /// Waits until the socket is ready or `limit` is over.
    pub(super) fn wait(&self, read: bool, write: bool, limit: Duration) -> io::Result<()> {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, read);
        flags.set(PollFlags::OUT, write);
        count(|calls| calls.waits += 1);
        let mut descriptors = [PollFd::new(&self.stream, flags)];
        poll(&mut descriptors, limit)?;
        if !(descriptors[0].revents() - PollFlags::OUT).is_empty() {
            self.is_readable.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// The first of several connections that comes about. The others are closed.
fn first_connected(mut race: Race, until: Instant) -> io::Result<TcpStream> {
    let mut open: Vec<socket2::Socket> = Vec::new();
    loop {
        let now = Instant::now();
        while let Some(address) = race.start(now) {
            match begin_connecting(address) {
                Ok(socket) => open.push(socket),
                Err(error) => race.failed(error),
            }
        }
        if open.is_empty() {
            return Err(race.lost());
        }
        let left = race.next_at().map_or(until, |next| next.min(until));
        let mut descriptors: Vec<_> = open
            .iter()
            .map(|socket| PollFd::new(socket, PollFlags::OUT))
            .collect();
        poll(&mut descriptors, left.saturating_duration_since(now))?;
        let ready: Vec<bool> = descriptors
            .iter()
            .map(|descriptor| !descriptor.revents().is_empty())
            .collect();
        let mut ready = ready.into_iter();
        let mut still_open = Vec::new();
        for socket in open {
            if ready.next() != Some(true) {
                still_open.push(socket);
                continue;
            }
            match socket.take_error()? {
                None => {
                    socket.set_nonblocking(false)?;
                    return Ok(socket.into());
                }
                Some(error) => race.failed(error),
            }
        }
        open = still_open;
        // One that has failed at the last moment leaves no time for another one.
        if Instant::now() >= until {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
}

fn begin_connecting(address: SocketAddr) -> io::Result<socket2::Socket> {
    let (domain, protocol) = (Domain::for_address(address), Protocol::TCP);
    let socket = socket2::Socket::new(domain, Type::STREAM, Some(protocol))?;
    socket.set_nonblocking(true)?;
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        Ok(()) | Err(_) => Ok(socket),
    }
}

/// Waits for one of the descriptors, or until the limit is over or a signal comes.
fn poll(descriptors: &mut [PollFd<'_>], limit: Duration) -> io::Result<()> {
    let timeout = Timespec {
        tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: limit.subsec_nanos().into(),
    };
    match rustix::event::poll(descriptors, Some(&timeout)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

impl Socket for ThreadSocket {
    type Home = ();

    const SHARED_WAIT: bool = true;

    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_readable.load(Ordering::Relaxed) {
            self.read_now(buffer)
        } else {
            Err(io::ErrorKind::WouldBlock.into())
        }
    }

    fn read_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        count(|calls| calls.receives += 1);
        let result = rustix::net::recv(&self.stream, &mut *buffer, RecvFlags::DONTWAIT);
        let result = result.map(|(read, _)| read).map_err(io::Error::from);
        let is_drained = match &result {
            Ok(read) => *read < buffer.len(),
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        };
        if is_drained {
            self.is_readable.store(false, Ordering::Relaxed);
        }
        result
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        count(|calls| calls.sends += 1);
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        Ok(rustix::net::send(&self.stream, bytes, flags)?)
    }

    fn shut_down(&self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    fn home(&self) {}
}

/// A socket registered with a tokio runtime.
pub(super) struct TaskSocket {
    pub(super) stream: tokio::net::TcpStream,
    pub(super) runtime: tokio::runtime::Id,
    pub(super) timers: SpareTimers,
}

impl Socket for TaskSocket {
    type Home = tokio::runtime::Id;

    const SHARED_WAIT: bool = false;

    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = None;
        let result = self.stream.try_io(Interest::READABLE, || {
            count(|calls| calls.receives += 1);
            let received = rustix::io::read(&self.stream, &mut *buffer)?;
            read = Some(received);
            if received > 0 && received < buffer.len() {
                // All that was there: tokio learns it without asking the system once more.
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Ok(received)
        });
        read.map_or(result, Ok)
    }

    fn read_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        count(|calls| calls.receives += 1);
        Ok(rustix::io::read(&self.stream, buffer)?)
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        count(|calls| calls.sends += 1);
        self.stream.try_write(bytes)
    }

    fn shut_down(&self) {
        let _ = rustix::net::shutdown(&self.stream, rustix::net::Shutdown::Both);
    }

    fn home(&self) -> tokio::runtime::Id {
        self.runtime
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{blocking, AddrB3, Capability, RonAppSdk, SdkConfig, TlsConfig};
    use ron_gateway::certificates::{Authority, CertificateRequest};
    use ron_gateway::{Gateway, GatewayConfig};
    use std::cell::RefCell;
    use tempfile::TempDir;
    use tokio::runtime::{Builder, Runtime};

    const LIMIT: Duration = Duration::from_secs(10);
    const WARM_UP: usize = 20;
    const CALLS: usize = 51;

    thread_local! {
        pub(super) static COUNTED: RefCell<SystemCalls> = RefCell::default();
    }

    /// A gateway on threads of its own, so that what is counted on this one is the client's.
    struct World {
        config: SdkConfig,
        capability: Capability,
        _folder: TempDir,
        _gateway: Gateway,
        _runtime: Runtime,
    }

    impl World {
        fn start() -> Self {
            let runtime = Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap();
            let authority = Authority::new().unwrap();
            let identity = authority.issue(&CertificateRequest::localhost()).unwrap();
            let start = Gateway::start(GatewayConfig::default(), identity);
            let gateway = runtime.block_on(start).unwrap();
            let folder = tempfile::tempdir().unwrap();
            let ca = folder.path().join("ca.pem");
            std::fs::write(&ca, authority.certificate_pem()).unwrap();
            let capability = gateway.mint("tester", &[]).unwrap();
            Self {
                config: SdkConfig {
                    gateway_addr: format!("https://{}", gateway.address()),
                    tls: TlsConfig {
                        ca: Some(ca),
                        ..TlsConfig::default()
                    },
                    ..SdkConfig::default()
                },
                capability: Capability::from_bytes(capability.expose()).unwrap(),
                _folder: folder,
                _gateway: gateway,
                _runtime: runtime,
            }
        }

        /// Stores 64 KiB.
        fn store(&self) -> AddrB3 {
            let sdk = blocking::RonAppSdk::new(self.config.clone()).unwrap();
            let body = vec![7; 64 * 1024];
            let address = sdk.storage_put(&self.capability, &body, LIMIT, None);
            address.unwrap()
        }
    }

    /// What a call of a warm client costs: the most sends of any, and what the call in the middle needs for the rest.
    /// How a reply arrives is the network's matter, even on the loopback interface of a busy machine.
    fn typical(mut call: impl FnMut()) -> SystemCalls {
        (0..WARM_UP).for_each(|_| call());
        let counts: Vec<_> = (0..CALLS)
            .map(|_| {
                COUNTED.take();
                call();
                COUNTED.take()
            })
            .collect();
        let middle = |part: fn(&SystemCalls) -> u32| {
            let mut parts: Vec<_> = counts.iter().map(part).collect();
            parts.sort_unstable();
            parts[CALLS / 2]
        };
        SystemCalls {
            sends: counts.iter().map(|calls| calls.sends).max().unwrap(),
            receives: middle(|calls| calls.receives),
            waits: middle(|calls| calls.waits),
        }
    }

    #[test]
    fn a_get_of_64_kib_by_a_thread_sends_once_and_receives_twice_at_most() {
        let world = World::start();
        let address = world.store();
        let sdk = blocking::RonAppSdk::new(world.config.clone()).unwrap();
        let calls = typical(|| {
            let got = sdk.storage_get(&world.capability, address, LIMIT);
            got.unwrap();
        });
        // A receive waits for the reply by itself.
        assert!(
            calls.sends == 1 && (1..=2).contains(&calls.receives) && calls.waits == 0,
            "{calls:?}"
        );
    }

    /// It waits with the runtime's help, which is not counted here: see `scripts/system_calls.sh`.
    #[test]
    fn a_get_of_64_kib_by_a_task_sends_once_and_receives_twice_at_most() {
        let world = World::start();
        let address = world.store();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let sdk = runtime.block_on(RonAppSdk::new(world.config.clone()));
        let sdk = sdk.unwrap();
        let calls = typical(|| {
            let got = runtime.block_on(sdk.storage_get(&world.capability, address, LIMIT));
            got.unwrap();
        });
        assert!(
            calls.sends == 1 && (1..=2).contains(&calls.receives) && calls.waits == 0,
            "{calls:?}"
        );
    }

    /// Whoever has a small request lets the others run first, then sends those of all.
    #[test]
    fn a_crowd_of_tasks_sends_its_small_requests_together() {
        const TASKS: u32 = 64;
        const ROUNDS: u32 = 20;
        let world = World::start();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let crowd = async {
            let sdk = std::sync::Arc::new(RonAppSdk::new(world.config.clone()).await.unwrap());
            let put = |round: u32| {
                let (sdk, capability) = (sdk.clone(), world.capability.clone());
                async move {
                    let body = round.to_be_bytes().to_vec().into();
                    let stored = sdk.storage_put(capability, body, LIMIT, None).await;
                    assert_eq!(stored.unwrap(), AddrB3::of(&round.to_be_bytes()));
                }
            };
            put(0).await;
            COUNTED.take();
            for round in 0..ROUNDS {
                let tasks: Vec<_> = (0..TASKS).map(|_| tokio::spawn(put(round))).collect();
                for task in tasks {
                    task.await.unwrap();
                }
            }
            COUNTED.take().sends
        };
        let sends = runtime.block_on(crowd);
        // The first few of a round are no crowd yet.
        assert!(sends <= ROUNDS * TASKS / 4, "{sends} sends");
    }
}
