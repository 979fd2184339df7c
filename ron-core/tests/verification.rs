//! Nothing turns the verification of the gateway off: no function, no setting, no variable.
#![allow(clippy::unwrap_used)]

use ron_app_sdk::{SdkConfig, TlsConfig};
use std::fs;
use std::path::{Path, PathBuf};

/// Words for what must not exist in what an application can reach.
const WORDS: [&str; 9] = [
    "danger",
    "insecure",
    "unsafe",
    "untrusted",
    "no_verify",
    "skip_",
    "accept_any",
    "allow_invalid",
    "trust_all",
];

/// Every source file of the SDK, with its path below `src`.
fn sources() -> Vec<(String, String)> {
    fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, files);
            } else {
                files.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    let read = |path: PathBuf| {
        let name = path
            .strip_prefix(&root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        (name, fs::read_to_string(path).unwrap())
    };
    let sources: Vec<_> = files.into_iter().map(read).collect();
    assert!(sources.len() > 50, "{}", sources.len());
    sources
}

/// Where and how often a text is.
fn places(text: &str) -> Vec<(String, usize)> {
    let count = |(name, source): (String, String)| (name, source.matches(text).count());
    let counts = sources().into_iter().map(count);
    let mut found: Vec<_> = counts.filter(|(_, count)| *count > 0).collect();
    found.sort();
    found
}

#[test]
fn the_peer_is_verified_by_the_library_or_by_its_pinned_key() {
    let trust = |count| vec![("transport/trust.rs".to_owned(), count)];
    // rustls' own word for what replaces its verification: once, for a pinned key.
    assert_eq!(places(".dangerous()"), trust(1));
    assert_eq!(places("impl ServerCertVerifier for "), trust(1));
    assert_eq!(places("ServerCertVerified::assertion()"), trust(1));
    assert_eq!(places("HandshakeSignatureValid::assertion()"), []);
    // One place makes the TLS settings, with one version, and nothing writes secrets down.
    assert_eq!(places("ClientConfig::builder"), trust(1));
    assert_eq!(places("version::TLS1"), trust(1));
    assert_eq!(places("version::TLS13"), trust(1));
    assert_eq!(places("KeyLogFile"), []);
    assert_eq!(places("key_log"), []);
    assert_eq!(places("enable_early_data"), []);
}

#[test]
fn no_public_item_and_no_setting_says_that_it_weakens_anything() {
    for (name, source) in sources() {
        for line in source.lines().map(str::trim) {
            let is_reachable = line.starts_with("pub ") || line.contains("RON_SDK_");
            let text = line.to_lowercase();
            let word = WORDS.iter().find(|word| text.contains(*word));
            assert!(!is_reachable || word.is_none(), "{name}: {line}");
        }
    }
}

/// A new setting of trust has to come by here, and to say what it does.
#[test]
fn the_settings_of_trust_are_an_authority_more_or_one_key() {
    let SdkConfig { tls, .. } = SdkConfig::default();
    let TlsConfig {
        ca,
        pin,
        // What a gateway trusts the client by, and nothing else.
        client_cert,
        client_key,
    } = tls;
    assert_eq!((ca, pin), (None, None));
    assert_eq!((client_cert, client_key), (None, None));
    let variables = sources()
        .into_iter()
        .flat_map(|(_, source)| {
            let names = source
                .split('"')
                .filter(|text| text.starts_with("RON_SDK_"));
            names.map(str::to_owned).collect::<Vec<_>>()
        })
        .filter(|name| name.contains("TLS") || name.contains("VERIF") || name.contains("TRUST"))
        .collect::<std::collections::BTreeSet<_>>();
    let expected = [
        "RON_SDK_CACHE_VERIFY_PUTS",
        "RON_SDK_TLS_CA",
        "RON_SDK_TLS_CLIENT_CERT",
        "RON_SDK_TLS_CLIENT_KEY",
        "RON_SDK_TLS_PIN",
    ];
    assert_eq!(variables.into_iter().collect::<Vec<_>>(), expected);
}

/// The SDK reads no variable but its own.
#[test]
fn the_environment_is_asked_for_the_sdks_variables_only() {
    for (name, source) in sources() {
        let outside_tests = source.split("#[cfg(test)]").next().unwrap_or_default();
        for line in outside_tests
            .lines()
            .filter(|line| line.contains("env::var"))
        {
            let is_known = ["config/environment.rs", "capability/mod.rs"].contains(&name.as_str());
            assert!(is_known, "{name}: {line}");
        }
    }
}
