//! Figures for people and for programs.
#![allow(clippy::print_stdout, clippy::print_stderr)] // it is for people

use crate::contenders::{Name, Work};
use ron_bare::Result;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// One client on one kind of work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) work: Work,
    pub(crate) client: Name,
    /// Callers that share it.
    pub(crate) clients: usize,
    /// Bytes of the body.
    pub(crate) payload: usize,
    pub(crate) p50_us: f64,
    pub(crate) p95_us: f64,
    pub(crate) p99_us: f64,
    /// Calls a second, of all callers together.
    pub(crate) ops_s: f64,
    /// The median over all rounds of: its median in the round, as a multiple of the floor's in the same round.
    pub(crate) ratio_p50: f64,
    /// Its 95th percentile less the floor's.
    pub(crate) added_p95_us: f64,
    /// Resident at the end, in KiB.
    pub(crate) rss_kib: u64,
    /// The most that was ever resident, in KiB.
    pub(crate) rss_peak_kib: u64,
    pub(crate) rounds: usize,
    pub(crate) calls: usize,
    /// The core on which client and server were kept, `null` where they were not.
    pub(crate) core: Option<usize>,
}

impl Row {
    /// How many callers there were, in words.
    pub(crate) fn callers(&self) -> String {
        match self.clients {
            1 => "one caller".to_owned(),
            callers => format!("{callers} callers of one client"),
        }
    }
}

/// Prints the rows of one kind of work as a table.
pub(crate) fn print(rows: &[Row]) -> Result<()> {
    let first = rows.first().ok_or("nothing was measured")?;
    let place = match first.core {
        Some(core) => format!("client and server on core {core}"),
        None => "not pinned".to_owned(),
    };
    println!(
        "{} of {} bytes, verified, {}, {place}, {} rounds",
        first.work.name(),
        first.payload,
        first.callers(),
        first.rounds
    );
    println!(
        "{:<16} {:>9} {:>9} {:>9} {:>10} {:>9} {:>10} {:>9}",
        "client", "p50 µs", "p95 µs", "p99 µs", "calls/s", "ratio p50", "added p95", "RSS KiB"
    );
    for row in rows {
        println!(
            "{:<16} {:>9.1} {:>9.1} {:>9.1} {:>10.0} {:>9.3} {:>10.1} {:>9}",
            row.client.text(),
            row.p50_us,
            row.p95_us,
            row.p99_us,
            row.ops_s,
            row.ratio_p50,
            row.added_p95_us,
            row.rss_kib
        );
    }
    println!();
    Ok(())
}

/// Writes the rows as a JSON array.
pub(crate) fn write(rows: &[Row], path: &Path) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut text = serde_json::to_string_pretty(rows)?;
    text.push('\n');
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Whether a client stayed within a multiple of the floor's median everywhere; says where it did not.
pub(crate) fn check(rows: &[Row], client: Name, limit: f64) -> Result<bool> {
    let mut found = rows.iter().filter(|row| row.client == client).peekable();
    if found.peek().is_none() {
        return Err(format!("{} was not measured", client.text()).into());
    }
    let mut is_within = true;
    for row in found.filter(|row| row.ratio_p50.is_nan() || row.ratio_p50 > limit) {
        is_within = false;
        eprintln!(
            "{} of {} bytes, {}: {:.3} times the floor is above {limit}, {}",
            row.work.name(),
            row.payload,
            row.callers(),
            row.ratio_p50,
            client.text()
        );
    }
    Ok(is_within)
}
