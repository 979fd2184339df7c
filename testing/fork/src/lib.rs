//! Forks a process for tests, and waits for the child without waiting for ever.
//!
//! Forking is `unsafe` in Rust: the child of a process with several threads has one of them, and the locks of all.
//! That is what is tested here, so it is done here.
#![allow(unsafe_code)]

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::time::{Duration, Instant};

/// What became of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Child {
    /// Its work returned this number.
    Ended(i32),
    /// Its work panicked or a signal ended it.
    Broke,
    /// It was still at it when its time was up, and was killed.
    Hung,
    /// The system made no process.
    NotMade,
}

const PANICKED: i32 = 101;

/// Does `work` in a child of this process, which then ends without running anything else of it.
pub fn in_child(limit: Duration, work: impl FnOnce() -> u8) -> Child {
    // SAFETY: the child runs `work` alone, and leaves with `_exit`. What that may touch is the test's subject; a
    // lock that it waits for in vain ends with the limit.
    let child = unsafe { libc::fork() };
    match child {
        -1 => Child::NotMade,
        0 => {
            let code = catch_unwind(AssertUnwindSafe(work)).map_or(PANICKED, i32::from);
            // SAFETY: it ends the process and calls nothing.
            unsafe { libc::_exit(code) }
        }
        child => wait(child, limit),
    }
}

fn wait(child: libc::pid_t, limit: Duration) -> Child {
    let until = Instant::now() + limit;
    let mut status = 0;
    loop {
        // SAFETY: `status` outlives the call, which writes to nothing else.
        let ended = unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) };
        if ended == child {
            return match (libc::WIFEXITED(status), libc::WEXITSTATUS(status)) {
                (true, code) if code != PANICKED => Child::Ended(code),
                _ => Child::Broke,
            };
        }
        if Instant::now() >= until {
            // SAFETY: the child is this process's own and has not been waited for: its number is its own.
            unsafe { libc::kill(child, libc::SIGKILL) };
            // SAFETY: as above.
            unsafe { libc::waitpid(child, &mut status, 0) };
            return Child::Hung;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
