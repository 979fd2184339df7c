//! A gateway in a process of its own, so that what is measured in this one is the client alone.
//!
//! A program that measures starts another one, or itself once more: the `main` of what it starts begins with
//! [`serve_if_asked`], which there serves and returns true. The gateway ends with its parent, however that ends: its
//! standard input is a pipe that nobody else holds.

use ron_app_sdk::{Capability, SdkConfig, TlsConfig};
use ron_gateway::certificates::{Authority, CertificateRequest};
use ron_gateway::{Deduplication, Gateway, GatewayConfig, Limits, MailboxLimits};
use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Names the folder that a gateway finds its edge objects in and writes its certificate authority to.
const FOLDER: &str = "RON_GATEWAY_PROCESS_FOLDER";
const AUTHORITY: &str = "ca.pem";
const EDGE: &str = "edge";

/// A gateway that runs until this is dropped.
pub struct GatewayProcess {
    child: Child,
    config: SdkConfig,
    capability: Capability,
    _folder: TempDir,
}

impl GatewayProcess {
    /// Starts a program whose `main` begins with [`serve_if_asked`], with these objects on the edge plane: names
    /// without a slash, and bytes.
    ///
    /// # Errors
    /// Where the system makes no folder or process, or the program does not serve.
    pub fn start(program: &Path, edge: &[(&str, &[u8])]) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let objects = folder.path().join(EDGE);
        std::fs::create_dir(&objects)?;
        for (name, bytes) in edge {
            std::fs::write(objects.join(name), bytes)?;
        }
        let mut child = Command::new(program)
            .env(FOLDER, folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        match read_line(&mut child) {
            Ok((address, capability)) => Ok(Self {
                child,
                config: SdkConfig {
                    gateway_addr: format!("https://{address}"),
                    tls: TlsConfig {
                        ca: Some(folder.path().join(AUTHORITY)),
                        ..TlsConfig::default()
                    },
                    ..SdkConfig::default()
                },
                capability,
                _folder: folder,
            }),
            Err(error) => {
                end(&mut child);
                Err(error)
            }
        }
    }

    /// Settings of a client of this gateway.
    pub fn config(&self) -> SdkConfig {
        self.config.clone()
    }

    /// A capability that it lets pass.
    pub fn capability(&self) -> &Capability {
        &self.capability
    }
}

impl Drop for GatewayProcess {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Serves until the process that started this one is gone, where that has asked for it: then returns true, and the
/// program is at its end.
///
/// # Errors
/// Where it cannot serve.
pub fn serve_if_asked() -> Result<bool, Box<dyn Error>> {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return Ok(false);
    };
    serve(Path::new(&folder))?;
    Ok(true)
}

fn serve(folder: &Path) -> Result<(), Box<dyn Error>> {
    let authority = Authority::new()?;
    std::fs::write(folder.join(AUTHORITY), authority.certificate_pem())?;
    let identity = authority.issue(&CertificateRequest::localhost())?;
    let limits = Limits::default();
    let config = GatewayConfig {
        edge_root: Some(folder.join(EDGE)),
        limits: Limits {
            // Everything comes from one address.
            max_connections_per_address: limits.max_connections,
            ..limits
        },
        // Millions of mutations are made, and none is repeated: each would be remembered for a day.
        deduplication: Deduplication::Off,
        mailbox: MailboxLimits {
            max_deliveries: u32::MAX,
            max_batches: 10_000,
            max_spent_leases: 10_000,
            ..MailboxLimits::default()
        },
        ..GatewayConfig::default()
    };
    let runtime = Runtime::new()?;
    let gateway = runtime.block_on(Gateway::start(config, identity))?;
    let capability = gateway.mint("measured", &[])?;
    let mut out = io::stdout();
    writeln!(
        out,
        "{} {}",
        gateway.address(),
        capability.expose_base64url().as_str()
    )?;
    out.flush()?;
    // Nothing is ever written there: the end of it is the parent's.
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// What a gateway says when it serves: where, and a capability.
fn read_line(child: &mut Child) -> io::Result<(String, Capability)> {
    let mut line = String::new();
    if let Some(out) = child.stdout.take() {
        BufReader::new(out).read_line(&mut line)?;
    }
    let told = line.trim_end().split_once(' ').and_then(|(address, text)| {
        let capability = Capability::from_base64url(text).ok()?;
        Some((address.to_owned(), capability))
    });
    told.ok_or_else(|| io::Error::other("the gateway's process has not begun to serve"))
}

fn end(child: &mut Child) {
    drop(child.stdin.take());
    // It can only fail where the process has ended by itself.
    let _ = child.kill();
    let _ = child.wait();
}
