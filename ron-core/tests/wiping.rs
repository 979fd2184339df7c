//! Capabilities, idempotency keys and a proxy's password leave nothing in a process's memory once they are dropped.
//!
//! A process of its own gets a token in a file and a key, makes calls, and then looks through its memory. It
//! knows what to look for in a masked form only, so that it does not find its own question.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod support;

use base64::engine::general_purpose::STANDARD;
use base64::Engine as _;
use ron_app_sdk::{
    blocking, Capability, CapabilitySource, IdemKey, RonAppSdk, SdkConfig, TlsConfig,
};
use ron_fault_proxy::ForwardProxy;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;
use support::{block_on, bytes, root_keys, TestGateway};
use zeroize::{Zeroize, Zeroizing};

const LIMIT: Duration = Duration::from_secs(5);
/// Set for the process that looks.
const CHILD: &str = "RON_TEST_WIPING";
const MASK: u8 = 0x5a;
/// Of the proxy.
const USER: &str = "wiped";
/// Enough to be no coincidence.
const NEEDLE: usize = 20;

fn masked(secret: &[u8]) -> Vec<u8> {
    secret.iter().map(|byte| byte ^ MASK).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digits).collect()
}

#[test]
fn nothing_of_a_capability_or_a_key_stays_in_memory() {
    if std::env::var_os(CHILD).is_some() {
        return look();
    }
    let gateway = TestGateway::start();
    let config = gateway.config();
    let token = root_keys()
        .minter(None)
        .unwrap()
        .mint("tester", &[])
        .unwrap();
    let text = token.expose_base64url();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    File::create(&path)
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let key = IdemKey::random().unwrap();
    // The end of the token is its signature, which nobody but its holder has.
    let raw = token.expose();
    let proxy = ForwardProxy::start(gateway.gateway.address()).unwrap();
    let password = hex(&raw[raw.len() - NEEDLE / 2..]);
    // Longer by a multiple of three bytes, so that it is the end of the text that HTTP has of both.
    let basic = STANDARD.encode(format!("{USER}:{password}"));
    let secrets = [
        &raw[raw.len() - NEEDLE..],
        &text.as_bytes()[text.len() - NEEDLE..],
        key.expose().as_bytes(),
        password.as_bytes(),
        &basic.as_bytes()[basic.len() - NEEDLE..],
    ];
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "nothing_of_a_capability_or_a_key_stays_in_memory",
            "--nocapture",
        ])
        .env(CHILD, secrets.map(|secret| hex(&masked(secret))).join(","))
        .env("RON_SDK_GATEWAY_ADDR", &config.gateway_addr)
        .env("RON_SDK_TLS_CA", config.tls.ca.unwrap())
        .env("RON_TEST_WIPING_FILE", &path)
        .env("RON_TEST_WIPING_PROXY", proxy.address().to_string())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    assert!(text.contains("1 passed"), "{text}");
    let puts = gateway.gateway.metrics().calls("storage", "put", 200);
    assert_eq!(puts, 10);
    let users = proxy.asked().into_iter().map(|asked| asked.credentials);
    let expected = Some((USER.to_owned(), password));
    assert_eq!(users.collect::<Vec<_>>(), vec![expected; 4]);
}

/// What the process of its own does.
fn look() {
    let needles: Vec<Vec<u8>> = std::env::var(CHILD)
        .unwrap()
        .split(',')
        .map(unhex)
        .collect();
    let path = PathBuf::from(std::env::var_os("RON_TEST_WIPING_FILE").unwrap());
    let config = SdkConfig {
        gateway_addr: std::env::var("RON_SDK_GATEWAY_ADDR").unwrap(),
        tls: TlsConfig {
            ca: std::env::var_os("RON_SDK_TLS_CA").map(PathBuf::from),
            ..TlsConfig::default()
        },
        ..SdkConfig::default()
    };
    {
        let capability = Capability::from_file(&path).unwrap();
        let source = CapabilitySource::file(&path);
        let key = || {
            let text = Zeroizing::new(needles[2].iter().map(|b| b ^ MASK).collect::<Vec<u8>>());
            IdemKey::new(std::str::from_utf8(&text).unwrap()).unwrap()
        };
        let held = Box::new(key());
        calls(&config, &capability, &source, &key);
        // The search finds what is there: without this, finding nothing would say nothing.
        assert!(copies(&needles[0]) >= 1, "the capability is alive");
        assert!(copies(&needles[2]) >= 1, "the key is alive");
        for scheme in ["http", "socks5h"] {
            let config = through_proxy(&config, scheme, &needles[3]);
            assert!(copies(&needles[3]) >= 1, "the password is alive");
            put_through(&config, &capability);
        }
        drop((held, source));
    }
    let found: Vec<usize> = needles.iter().map(|needle| copies(needle)).collect();
    assert_eq!(
        found, [0; 5],
        "copies of the token, of its text, of the key, and of the password and its text"
    );
}

fn through_proxy(config: &SdkConfig, scheme: &str, password: &[u8]) -> SdkConfig {
    let place = std::env::var("RON_TEST_WIPING_PROXY").unwrap();
    let mut text = Zeroizing::new(String::with_capacity(200));
    write!(text, "{scheme}://{USER}:").unwrap();
    text.extend(password.iter().map(|byte| char::from(byte ^ MASK)));
    write!(text, "@{place}").unwrap();
    let mut config = config.clone();
    config.set("proxy", &text).unwrap();
    config
}

fn put_through(config: &SdkConfig, capability: &Capability) {
    let blocking = blocking::RonAppSdk::new(config.clone()).unwrap();
    let put = blocking.storage_put(capability, &bytes(10), LIMIT, None);
    put.unwrap();
    block_on(async {
        let sdk = RonAppSdk::new(config.clone()).await.unwrap();
        let put = sdk.storage_put(capability, bytes(10).into(), LIMIT, None);
        put.await.unwrap();
    });
}

fn calls(
    config: &SdkConfig,
    capability: &Capability,
    source: &CapabilitySource,
    key: &dyn Fn() -> IdemKey,
) {
    let blocking = blocking::RonAppSdk::new(config.clone()).unwrap();
    // One that shares the request's record, and one with a body of its own.
    for size in [100, 200_000] {
        let put = blocking.storage_put(capability, &bytes(size), LIMIT, Some(key()));
        if size == 100 {
            blocking
                .storage_get(capability, put.unwrap(), LIMIT)
                .unwrap();
        } else {
            // The same key for another object.
            put.unwrap_err();
        }
    }
    blocking
        .storage_put(source, &bytes(100), LIMIT, Some(key()))
        .unwrap();
    blocking
        .storage_put(capability, &bytes(300_000), LIMIT, None)
        .unwrap();
    block_on(async {
        let sdk = RonAppSdk::new(config.clone()).await.unwrap();
        let put = sdk.storage_put(capability, bytes(100).into(), LIMIT, Some(key()));
        put.await.unwrap();
        let calls = sdk.with(source).timeout(LIMIT).idempotency_key(key());
        calls.storage_put(bytes(100)).await.unwrap();
        let attenuated = capability.attenuate("op=storage.put").unwrap();
        let put = sdk.storage_put(attenuated, bytes(10).into(), LIMIT, None);
        put.await.unwrap();
    });
}

/// How often the masked bytes are in memory that was written to, the stack of this thread left out: what a
/// function has put there is nobody's secret to wipe, and soon overwritten.
fn copies(needle: &[u8]) -> usize {
    let mut window = [0; 1 << 16];
    let here = std::ptr::from_ref(&window) as usize;
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let memory = File::open("/proc/self/mem").unwrap();
    let mut found = 0;
    for line in maps.lines() {
        let mut fields = line.split_ascii_whitespace();
        let (range, rights) = (fields.next().unwrap(), fields.next().unwrap());
        let name = fields.nth(3).unwrap_or_default();
        let (from, to) = range.split_once('-').unwrap();
        let number = |text| usize::from_str_radix(text, 16).unwrap();
        let (mut at, to) = (number(from), number(to));
        let is_special = name.starts_with("[stack") || name.starts_with("[v");
        if !rights.starts_with("rw") || is_special || (at..to).contains(&here) {
            continue;
        }
        // Windows overlap, so that nothing is missed between two of them.
        while at < to {
            let len = window.len().min(to - at);
            let Ok(read) = memory.read_at(&mut window[..len], at as u64) else {
                break;
            };
            let is_there = |bytes: &[u8]| bytes.iter().zip(needle).all(|(a, b)| a ^ MASK == *b);
            found += window[..read]
                .windows(needle.len())
                .filter(|w| is_there(w))
                .count();
            if read < window.len() || at + read >= to {
                break;
            }
            at += read - (needle.len() - 1);
        }
    }
    window.zeroize();
    found
}
