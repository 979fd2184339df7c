//! From the start of a process to its first reply, and how long making a client takes.
#![allow(clippy::print_stdout)] // it is for people

use crate::endpoint::{capability, Endpoint};
use crate::object::Object;
use crate::pipe::{Process, Server, ServerOptions};
use crate::statistics::{median, percentile};
use ron_app_sdk::{blocking, RonAppSdk, SdkConfig};
use ron_bare::{Client, Floor, Request, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::CertificateDer;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tokio::runtime::Builder;

/// The first argument of a process that is timed.
pub(crate) const COMMAND: &str = "cold";
/// What it says when its first reply is there.
const REPLIED: &str = "replied";
/// The object's length.
const PAYLOAD: usize = 64;
const LIMIT: Duration = Duration::from_secs(5);

#[derive(clap::Args)]
pub(crate) struct ColdStartOptions {
    /// Rounds in which every kind of process is started once
    #[arg(long, default_value_t = 100)]
    rounds: usize,
}

/// A process that connects, gets an object and ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bare,
    Blocking,
    Async,
    /// Trusting the system's authorities, and one more.
    BlockingWithRoots,
}

impl Kind {
    const ALL: [Self; 4] = [
        Self::Bare,
        Self::Blocking,
        Self::Async,
        Self::BlockingWithRoots,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Bare => "floor",
            Self::Blocking => "sdk-blocking",
            Self::Async => "sdk-async",
            Self::BlockingWithRoots => "sdk-blocking, system roots",
        }
    }
}

/// Starts processes of every kind by turns, and prints how long they took.
pub(crate) fn run(options: &ColdStartOptions) -> Result<ExitCode> {
    let server = Server::start(&ServerOptions {
        payload: PAYLOAD,
        core: None,
        hold: false,
    })?;
    let folder = tempfile::tempdir()?;
    let ca = folder.path().join("ca.pem");
    fs::write(&ca, &server.endpoint.certificate)?;
    let mut times: Vec<Vec<u32>> = vec![Vec::new(); Kind::ALL.len()];
    for round in 0..=options.rounds {
        for (&kind, times) in Kind::ALL.iter().zip(&mut times) {
            let time = cold(kind, &server.endpoint, &ca)?;
            // The first round brings the program into memory.
            if round > 0 {
                times.push(u32::try_from(time.as_nanos())?);
            }
        }
    }
    println!(
        "from process start to the first reply, {} rounds",
        options.rounds
    );
    println!(
        "{:<28} {:>9} {:>9} {:>10}",
        "process", "p50 µs", "p95 µs", "ratio p50"
    );
    let floor = times.first().cloned().unwrap_or_default();
    for (kind, mut times) in Kind::ALL.iter().zip(times) {
        let pairs = times.iter().zip(&floor);
        let mut ratios: Vec<f64> = pairs
            .map(|(one, floor)| f64::from(*one) / f64::from(*floor))
            .collect();
        times.sort_unstable();
        println!(
            "{:<28} {:>9.0} {:>9.0} {:>10.3}",
            kind.name(),
            percentile(&times, 50.0) / 1e3,
            percentile(&times, 95.0) / 1e3,
            median(&mut ratios)
        );
    }
    println!();
    making()?;
    Ok(ExitCode::SUCCESS)
}

fn cold(kind: Kind, endpoint: &Endpoint, ca: &Path) -> Result<Duration> {
    let arguments = [
        COMMAND.to_owned(),
        kind.name().to_owned(),
        endpoint.oap.to_string(),
        match kind {
            Kind::Bare => endpoint.certificate.clone(),
            Kind::BlockingWithRoots => ca.display().to_string(),
            _ => endpoint.pin.clone(),
        },
    ];
    let start = Instant::now();
    let mut process = Process::start(&arguments)?;
    match process.receive()?.trim_end() {
        REPLIED => Ok(start.elapsed()),
        other => Err(format!("a cold process said {other}").into()),
    }
}

/// Is a process that is timed: its kind, the server's address, and whom to trust.
pub(crate) fn start(arguments: &[String]) -> Result<ExitCode> {
    let [kind, address, trust] = arguments else {
        return Err("a cold process takes three arguments".into());
    };
    let kind = Kind::ALL.into_iter().find(|known| known.name() == kind);
    let kind = kind.ok_or("there is no such kind of process")?;
    let object = Object::of_len(PAYLOAD);
    let capability = capability()?;
    if kind == Kind::Bare {
        let certificate = CertificateDer::from_pem_slice(trust.as_bytes())?;
        let tls = ron_bare::pinned_config(certificate)?;
        let mut client = Client::<Floor>::connect(address.parse()?, &tls)?;
        client.call(&mut Request::get(capability.expose(), object.address))?;
        println!("{REPLIED}");
        return Ok(ExitCode::SUCCESS);
    }
    let mut config = SdkConfig {
        gateway_addr: format!("https://{address}"),
        ..SdkConfig::default()
    };
    match kind {
        Kind::BlockingWithRoots => config.tls.ca = Some(trust.into()),
        _ => config.tls.pin = Some(trust.parse()?),
    }
    let body = if kind == Kind::Async {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let sdk = RonAppSdk::new(config).await?;
            sdk.storage_get(&capability, object.address, LIMIT).await
        })?
    } else {
        let sdk = blocking::RonAppSdk::new(config)?;
        sdk.storage_get(&capability, object.address, LIMIT)?
    };
    if body != object.body {
        return Err("another object was fetched".into());
    }
    println!("{REPLIED}");
    Ok(ExitCode::SUCCESS)
}

/// Prints how long `new` takes with the default settings.
fn making() -> Result<()> {
    let mut times = Vec::new();
    for _ in 0..1000 {
        let start = Instant::now();
        let sdk = blocking::RonAppSdk::new(SdkConfig::default())?;
        times.push(u32::try_from(start.elapsed().as_nanos())?);
        drop(sdk);
    }
    let first = f64::from(times.first().copied().unwrap_or_default());
    times.sort_unstable();
    println!(
        "new(SdkConfig::default()): p50 {:.1} µs, p99 {:.1} µs, the first one in the process {:.1} µs",
        percentile(&times, 50.0) / 1e3,
        percentile(&times, 99.0) / 1e3,
        first / 1e3
    );
    Ok(())
}
