//! What a connection needs of a socket. Nothing here waits.

use super::timer::SpareTimers;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::{RecvFlags, SendFlags};
use socket2::SockRef;
use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
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

/// A blocking socket that is used without blocking, but by a reader who is alone.
pub(super) struct ThreadSocket {
    stream: TcpStream,
    /// Cleared by a short read, set by a poll: a read that is bound to find nothing is not made.
    is_readable: AtomicBool,
}

impl ThreadSocket {
    pub(super) fn connect(address: &SocketAddr, timeout: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(address, timeout)?;
        prepare(&stream)?;
        stream.set_read_timeout(Some(RECEIVE))?;
        Ok(Self {
            stream,
            is_readable: AtomicBool::new(false),
        })
    }

    /// Waits for bytes and reads them, for [`RECEIVE`] at most: a system call less than to wait first.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.stream).read(buffer)
    }

    /// Waits until the socket is ready or `limit` is over.
    pub(super) fn wait(&self, read: bool, write: bool, limit: Duration) -> io::Result<()> {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, read);
        flags.set(PollFlags::OUT, write);
        let timeout = Timespec {
            tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: limit.subsec_nanos().into(),
        };
        let mut descriptors = [PollFd::new(&self.stream, flags)];
        match rustix::event::poll(&mut descriptors, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if !(descriptors[0].revents() - PollFlags::OUT).is_empty() {
            self.is_readable.store(true, Ordering::Relaxed);
        }
        Ok(())
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
        Ok(rustix::io::read(&self.stream, buffer)?)
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.try_write(bytes)
    }

    fn shut_down(&self) {
        let _ = rustix::net::shutdown(&self.stream, rustix::net::Shutdown::Both);
    }

    fn home(&self) -> tokio::runtime::Id {
        self.runtime
    }
}
