//! How much memory this process has, where the system tells: Linux.

/// Resident bytes, now.
pub(super) fn resident() -> Option<u64> {
    resident_in(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn resident_in(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Watches that the process does not grow.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watch {
    /// What it had when everything had been used once.
    pub(super) first: Option<u64>,
    /// The most since.
    pub(super) most: Option<u64>,
}

impl Watch {
    /// Takes a measurement. Returns by how many bytes it is above the first one, where that is more than `allowed`
    /// for the first time.
    pub(super) fn measure(&mut self, resident: u64, allowed: u64) -> Option<u64> {
        let first = *self.first.get_or_insert(resident);
        let limit = first.saturating_add(allowed);
        let was_above = self.most.is_some_and(|most| most > limit);
        self.most = self.most.max(Some(resident));
        (resident > limit && !was_above).then(|| resident - first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_words_are_read() {
        let status = "Name:\tgwsmoke\nVmHWM:\t   90000 kB\nVmRSS:\t   12345 kB\nThreads:\t3\n";
        assert_eq!(resident_in(status), Some(12_345 * 1024));
        assert_eq!(resident_in("Name:\tgwsmoke\n"), None);
        if cfg!(target_os = "linux") {
            assert!(resident().is_some_and(|bytes| bytes > 100_000));
        }
    }

    #[test]
    fn growing_too_much_is_told_once() {
        let mut watch = Watch::default();
        let measured = [100, 90, 120, 121, 125, 100, 130].map(|now| watch.measure(now, 20));
        assert_eq!(measured, [None, None, None, Some(21), None, None, None]);
        assert_eq!((watch.first, watch.most), (Some(100), Some(130)));
    }
}
