//! How a queue tells its host that there are completions.

#[cfg(unix)]
pub(super) use descriptor::Descriptor;

/// The host's way of being told.
pub(super) enum Notify {
    /// A descriptor becomes readable.
    #[cfg(unix)]
    Descriptor(Descriptor),
    /// A function is called.
    Callback(Box<dyn Fn() + Send + Sync>),
    /// Whether a descriptor would be readable.
    #[cfg(all(test, shuttle))]
    Modelled(shuttle::sync::Arc<shuttle::sync::atomic::AtomicBool>),
}

impl Notify {
    #[cfg(unix)]
    pub(super) fn descriptor() -> Result<Self, crate::error::SdkError> {
        use crate::error::{ErrorKind, SdkError};
        Descriptor::new().map(Self::Descriptor).map_err(|error| {
            let message = format!("no descriptor for a completion queue: {error}");
            SdkError::new(ErrorKind::Internal, message).with_source(error)
        })
    }

    pub(super) fn tell(&self) {
        match self {
            #[cfg(unix)]
            Self::Descriptor(descriptor) => descriptor.set(),
            Self::Callback(wake) => wake(),
            #[cfg(all(test, shuttle))]
            Self::Modelled(is_readable) => {
                is_readable.store(true, std::sync::atomic::Ordering::SeqCst)
            }
        }
    }

    pub(super) fn clear(&self) {
        match self {
            #[cfg(unix)]
            Self::Descriptor(descriptor) => descriptor.clear(),
            Self::Callback(_) => {}
            #[cfg(all(test, shuttle))]
            Self::Modelled(is_readable) => {
                is_readable.store(false, std::sync::atomic::Ordering::SeqCst)
            }
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod descriptor {
    use rustix::event::{eventfd, EventfdFlags};
    use std::io;
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

    /// An event counter of the kernel.
    pub(in super::super) struct Descriptor(OwnedFd);

    impl Descriptor {
        pub(super) fn new() -> io::Result<Self> {
            let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
            Ok(Self(eventfd(0, flags)?))
        }

        /// It fails only where it is set already.
        pub(super) fn set(&self) {
            let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
        }

        /// It fails only where it is clear already.
        pub(super) fn clear(&self) {
            let _ = rustix::io::read(&self.0, &mut [0; 8]);
        }

        pub(in super::super) fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }
}

#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
mod descriptor {
    use std::io::{self, Read, Write};
    use std::os::fd::{AsFd, BorrowedFd};
    use std::os::unix::net::UnixStream;

    /// A pair of sockets, with at most a few bytes between them.
    pub(in super::super) struct Descriptor {
        reading: UnixStream,
        writing: UnixStream,
    }

    impl Descriptor {
        pub(super) fn new() -> io::Result<Self> {
            let (reading, writing) = UnixStream::pair()?;
            reading.set_nonblocking(true)?;
            writing.set_nonblocking(true)?;
            Ok(Self { reading, writing })
        }

        /// It fails only where it is set already.
        pub(super) fn set(&self) {
            let _ = (&self.writing).write(&[1]);
        }

        /// It fails only where it is clear already.
        pub(super) fn clear(&self) {
            let _ = (&self.reading).read(&mut [0; 64]);
        }

        pub(in super::super) fn as_fd(&self) -> BorrowedFd<'_> {
            self.reading.as_fd()
        }
    }
}
