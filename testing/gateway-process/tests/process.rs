//! A gateway's process serves, and is gone with the process that started it.
//!
//! Without the test harness, since the program is its own gateway.
#![allow(clippy::unwrap_used)]

use ron_app_sdk::blocking::RonAppSdk;
use ron_gateway_process::{serve_if_asked, GatewayProcess};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(10);
/// Asks this program to start a gateway, tell its address and wait to be killed.
const PARENT: &str = "RON_TEST_PARENT";

fn main() {
    if serve_if_asked().unwrap() {
        return;
    }
    if std::env::var_os(PARENT).is_some() {
        parent();
    }
    it_serves_an_edge_object_and_ends_when_it_is_dropped();
    it_ends_when_its_parent_is_killed();
}

fn it_serves_an_edge_object_and_ends_when_it_is_dropped() {
    let gateway = start(&[("object", b"hello")]);
    let sdk = RonAppSdk::new(gateway.config()).unwrap();
    let bytes = sdk.edge_get(gateway.capability(), "/object", None, LIMIT);
    assert_eq!(bytes.unwrap(), "hello");
    let address = address(&gateway);
    assert!(is_serving(&address));
    drop(gateway);
    assert!(!is_serving(&address));
}

fn it_ends_when_its_parent_is_killed() {
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .env(PARENT, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(parent.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    let address = line.trim_end();
    assert!(is_serving(address));
    parent.kill().unwrap();
    parent.wait().unwrap();
    let until = Instant::now() + LIMIT;
    while is_serving(address) {
        assert!(Instant::now() < until, "the gateway is still there");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn parent() -> ! {
    let gateway = start(&[]);
    let mut out = std::io::stdout();
    writeln!(out, "{}", address(&gateway)).unwrap();
    out.flush().unwrap();
    std::thread::sleep(LIMIT);
    std::process::exit(1)
}

/// Starts this program once more.
fn start(edge: &[(&str, &[u8])]) -> GatewayProcess {
    GatewayProcess::start(&std::env::current_exe().unwrap(), edge).unwrap()
}

fn address(gateway: &GatewayProcess) -> String {
    let url = gateway.config().gateway_addr;
    url.trim_start_matches("https://").to_owned()
}

fn is_serving(address: &str) -> bool {
    TcpStream::connect(address).is_ok()
}
