//! What this process runs on, and what it takes.

use ron_bare::Result;
use rustix::thread::{sched_setaffinity, CpuSet};
use serde::{Deserialize, Serialize};

/// Keeps this process, and every thread that it starts from now on, on one core.
pub(crate) fn pin(core: usize) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(None, &cores)?)
}

/// How much memory a process has in use.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// Resident, in KiB, with the pages of its program.
    pub(crate) rss_kib: u64,
    /// The part of it that is the process's own: heap and stacks.
    pub(crate) anonymous_kib: u64,
    /// The most that was ever resident.
    pub(crate) peak_kib: u64,
}

impl Memory {
    /// This process's, as the system sees it.
    pub(crate) fn now() -> Result<Self> {
        let status = std::fs::read_to_string("/proc/self/status")?;
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|value| value.split_whitespace().next()?.parse().ok())
                .ok_or_else(|| format!("/proc/self/status has no {name}"))
        };
        Ok(Self {
            rss_kib: kib("VmRSS:")?,
            anonymous_kib: kib("RssAnon:")?,
            peak_kib: kib("VmHWM:")?,
        })
    }
}
