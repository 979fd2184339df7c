//! What is printed: tables for people, JSON for programs.

mod load;
mod smoke;
mod soak;

pub use load::{ErrorRow, LoadReport, OperationRow, Quantiles};
pub use smoke::SmokeReport;
pub use soak::SoakReport;

use serde::Serialize;
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

/// A report as indented JSON.
///
/// # Errors
/// None in practice: no report has anything that cannot be serialised.
pub fn json(report: &impl Serialize) -> io::Result<String> {
    let text = serde_json::to_string_pretty(report).map_err(io::Error::from)?;
    Ok(format!("{text}\n"))
}
