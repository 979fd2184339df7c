//! The command line.

mod token;

pub(crate) use token::{Attenuate, Key, Mint, Revoke, Source, Token};

use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

/// A RON gateway: storage, edge, mailbox and index over OAP/1 and HTTP, on one port, over TLS 1.3.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a gateway for development, with a certificate and a capability made for this run.
    Dev(Dev),
    /// Run a gateway with a certificate from files.
    Serve(Serve),
    /// Make, narrow, read and revoke capabilities.
    #[command(subcommand)]
    Token(Token),
}

/// What both subcommands take.
#[derive(Debug, Args)]
pub(crate) struct Content {
    /// Serve the files below this folder on the edge plane.
    #[arg(long, value_name = "DIR")]
    pub(crate) edge_root: Option<PathBuf>,
    /// Take only clients whose certificate one of the authorities in this file has issued.
    #[arg(long, value_name = "PEM")]
    pub(crate) client_ca: Option<PathBuf>,
    /// Keep at most so many bytes of objects in memory.
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 30)]
    pub(crate) storage_limit: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Dev {
    /// Listen on this address; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8443")]
    pub(crate) listen: SocketAddr,
    #[command(flatten)]
    pub(crate) content: Content,
    /// Check and mint capabilities with the root keys in this file, instead of one made for this run; may
    /// be given several times. The first key mints.
    #[arg(long, value_name = "FILE")]
    pub(crate) root_key: Vec<PathBuf>,
    /// Deny the capabilities whose token ids are in this file, one on each line; read again when it changes.
    #[arg(long, value_name = "FILE")]
    pub(crate) revoked: Option<PathBuf>,
    /// Write a line about every call to the standard error stream, with the trace that it is part of.
    #[arg(long)]
    pub(crate) log_calls: bool,
    /// Write ca.pem into this folder and leave it there, instead of a temporary one.
    #[arg(long, value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
    /// Run this command with the gateway's address, certificate authority and capability in its
    /// environment, and end with it.
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Listen on this address; port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: SocketAddr,
    /// The certificate chain, the gateway's own certificate first.
    #[arg(long, value_name = "PEM")]
    pub(crate) certificate: PathBuf,
    /// The certificate's private key.
    #[arg(long, value_name = "PEM")]
    pub(crate) key: PathBuf,
    /// Check capabilities with the root keys in this file, on each line a key id and the key as base64url; may
    /// be given several times.
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) root_key: Vec<PathBuf>,
    /// Deny the capabilities whose token ids are in this file, one on each line; read again when it changes.
    #[arg(long, value_name = "FILE")]
    pub(crate) revoked: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) content: Content,
    /// Take at most so many connections at once.
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000)]
    pub(crate) max_connections: usize,
    /// Take at most so many connections at once from one address.
    #[arg(long, value_name = "NUMBER", default_value_t = 64)]
    pub(crate) max_connections_per_address: usize,
    /// Take at most so many calls at once of one capability's subject.
    #[arg(long, value_name = "NUMBER", default_value_t = 4096)]
    pub(crate) max_calls_per_subject: usize,
    /// Let one subject begin at most so many calls a second [default: any].
    #[arg(long, value_name = "NUMBER")]
    pub(crate) calls_per_second_per_subject: Option<NonZeroU32>,
    /// Write a line about every call to the standard error stream, with the trace that it is part of.
    #[arg(long)]
    pub(crate) log_calls: bool,
    /// Inject the faults that the variables RON_GATEWAY_FAULT_* ask for, and let the holder of the
    /// printed token change them: for tests only.
    #[arg(long)]
    pub(crate) faults: bool,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn what_follows_two_dashes_is_the_command() {
        let line = [
            "ron-gateway",
            "dev",
            "--listen",
            "127.0.0.1:0",
            "--",
            "sh",
            "-c",
            "exit 3",
        ];
        match Arguments::try_parse_from(line).unwrap().command {
            Command::Dev(dev) => assert_eq!(dev.command, ["sh", "-c", "exit 3"]),
            _ => panic!("another subcommand"),
        }
        assert!(Arguments::try_parse_from(["ron-gateway", "dev", "sh"]).is_err());
    }
}
