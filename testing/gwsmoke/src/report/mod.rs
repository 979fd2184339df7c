//! What is printed: tables for people, JSON for programs.

mod load;
mod smoke;
mod soak;

pub use load::{ErrorRow, LoadReport, OperationRow, Quantiles};
pub use smoke::SmokeReport;
pub use soak::SoakReport;

use serde::Serialize;
use std::fmt::Display;
use std::io::{self, Write};

/// Prints a text on standard output.
///
/// # Errors
/// Where nobody reads it any more.
pub fn print(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}

/// Prints a report: as indented JSON, or as its table.
///
/// # Errors
/// Where nobody reads it any more. No report has anything that cannot be serialised.
pub fn show(report: &(impl Serialize + Display), is_json: bool) -> io::Result<()> {
    if is_json {
        print(&format!("{}\n", serde_json::to_string_pretty(report)?))
    } else {
        print(&report.to_string())
    }
}
