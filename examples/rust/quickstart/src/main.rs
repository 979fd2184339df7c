//! Goes once through all four planes: puts a file and gets it back, reads an edge object, sends a message and receives
//! it, gives the file a name and looks it up.
//!
//! The gateway and the capability come from the environment; `make demo` sets it.
#![allow(clippy::print_stdout, clippy::print_stderr)] // it is a program for people

use bytes::Bytes;
use ron_app_sdk::{
    AddrB3, ByteRange, CallReport, Calls, Capability, ErrorKind, IndexKey, Mail, Receive, Reported,
    RonAppSdk, SdkConfig, SdkError, Topic, MAX_BODY,
};
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

/// What the README says about the edge object that every development gateway has.
const EDGE_PATH: &str = "/ron/64k";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let path = std::env::args().nth(1).unwrap_or("README.md".into());
    match run(&path).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quickstart: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(path: &str) -> Result<(), Box<dyn Error>> {
    let file = Bytes::from(std::fs::read(path).map_err(|error| format!("{path}: {error}"))?);
    let sdk = RonAppSdk::new(SdkConfig::from_env()?).await?;
    let capability = Capability::from_env()?;
    let calls = sdk.with(&capability).with_report();

    let address = storage(&calls, path, &file).await?;
    let (object, report) = calls.edge_get(EDGE_PATH, None).await?;
    row("edge_get", EDGE_PATH, object.len(), report);
    mailbox(&calls, address).await?;
    index(&calls, address).await?;
    Ok(())
}

async fn storage(
    calls: &Calls<'_, Reported>,
    path: &str,
    file: &Bytes,
) -> Result<AddrB3, Box<dyn Error>> {
    let (address, report) = match calls.storage_put(file.clone()).await {
        Err(error) if error.kind() == ErrorKind::TooLarge => {
            return Err(too_long(path, file.len(), &error).into())
        }
        result => result?,
    };
    println!("{path} is {address}\n");
    println!(
        "{:<18} {:<32} {:>9} {:>8} {:>8} {:>12}",
        "operation", "result", "bytes", "attempts", "replayed", "time"
    );
    row("storage_put", "stored", file.len(), report);

    let (bytes, report) = calls.storage_get(address).await?;
    let verdict = if bytes == *file {
        "verified, equal to the file"
    } else {
        return Err("the bytes that came back are not the file's".into());
    };
    row("storage_get", verdict, bytes.len(), report);

    let (info, report) = calls.storage_head(address).await?;
    row("storage_head", &format!("{} bytes", info.size), 0, report);

    if file.is_empty() {
        println!("{:<18} an empty file has no ranges", "storage_get_range");
    } else {
        let range = ByteRange::new(0, 99)?;
        let (part, report) = calls.storage_get_range(address, range).await?;
        if file[..part.bytes.len()] != part.bytes {
            return Err("the range is not the file's".into());
        }
        let verdict = format!("bytes {} of {}", part.range, part.size);
        row("storage_get_range", &verdict, part.bytes.len(), report);
    }

    Ok(address)
}

/// Tells somebody of the file, who takes the message and acknowledges it.
async fn mailbox(calls: &Calls<'_, Reported>, address: AddrB3) -> Result<(), Box<dyn Error>> {
    let topic = Topic::new("quickstart/files")?;
    let mail = Mail::new(topic.clone(), address.to_string()).attribute("kind", "new-file")?;
    let (receipt, report) = calls.mailbox_send(mail).await?;
    let verdict = if receipt.duplicate {
        "sent before"
    } else {
        "sent"
    };
    row("mailbox_send", verdict, 0, report);

    let receive = Receive {
        wait: Duration::from_secs(1),
        ..Receive::new(topic)
    };
    let (messages, report) = calls.mailbox_receive(&receive).await?;
    let message = messages.first().ok_or("the message did not arrive")?;
    let verdict = format!("delivery {} to quickstart/files", message.attempt);
    row("mailbox_receive", &verdict, message.body.len(), report);

    let ((), report) = calls.mailbox_ack(&message.lease).await?;
    row("mailbox_ack", "will not come again", 0, report);
    Ok(())
}

/// Gives the file a name, and looks it up.
async fn index(calls: &Calls<'_, Reported>, address: AddrB3) -> Result<(), Box<dyn Error>> {
    let name = IndexKey::new("quickstart.latest")?;
    let ((), report) = calls.index_publish(&name, address, None).await?;
    row("index_publish", name.as_str(), 0, report);
    let (resolved, report) = calls.index_resolve(&name).await?;
    if resolved != address {
        return Err("the name stands for another object".into());
    }
    row("index_resolve", "the file's address", 0, report);
    Ok(())
}

fn row(operation: &str, result: &str, bytes: usize, report: CallReport) {
    let time = format!("{:.3} ms", report.elapsed.as_secs_f64() * 1000.0);
    println!(
        "{operation:<18} {result:<32} {bytes:>9} {:>8} {:>8} {time:>12}",
        report.attempts,
        if report.replayed { "yes" } else { "no" }
    );
}

fn too_long(path: &str, len: usize, error: &SdkError) -> String {
    format!("{path} has {len} bytes and one object at most {MAX_BODY}: {error}")
}
