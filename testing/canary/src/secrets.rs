//! The secrets of one test, and the faults that might make somebody tell them.

use crate::operations::Inputs;
use crate::Canary;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::Engine as _;
use ron_app_sdk::{AddrB3, Capability, IdemKey, Macaroon};
use ron_gateway::capability::KeyRing;
use ron_gateway::faults::{FaultKind, FaultPlan};
use std::fmt;
use std::path::Path;

/// The edge path of [`Secrets::edge_root`]'s only file.
const PATH: &str = "/object";

/// Secrets that no other test has.
pub struct Secrets {
    /// Finds all of them.
    pub canary: Canary,
    /// What the capability was minted with.
    pub root_keys: KeyRing,
    /// What the calls are made with: its subject, token id and signature are secrets.
    pub capability: Capability,
    /// What the mutations are made with.
    pub key: IdemKey,
    /// What is stored and fetched.
    pub inputs: Inputs,
    root: Vec<u8>,
}

#[allow(clippy::expect_used, clippy::new_without_default)] // it is for tests
impl Secrets {
    /// Fresh ones.
    pub fn new() -> Self {
        let (subject, token_id, key) = (text(32), text(32), text(48));
        let (attribute, lease) = (text(64), text(64));
        let root: Vec<u8> = (0..32).map(|_| fastrand::u8(..)).collect();
        // As text and as what is none.
        let mut payload = text(48).into_bytes();
        payload.extend((0..48).map(|_| fastrand::u8(128..)));

        let mut root_keys = KeyRing::default();
        root_keys.add("canary", &root).expect("a root key");
        let minter = root_keys.minter(None).expect("there is a key");
        let capability = minter.mint_with_id(&subject, &token_id, &[]);
        let capability = capability.expect("a capability");

        let mut canary = Canary::default();
        let token = capability.expose();
        assert!(Macaroon::parse(token).is_ok());
        canary.hide("the capability's subject", subject.as_bytes());
        canary.hide("the capability's id", token_id.as_bytes());
        canary.hide("the capability's signature", &token[token.len() - 32..]);
        canary.hide("the root key", &root);
        canary.hide("the idempotency key", key.as_bytes());
        canary.hide("the payload", &payload);
        canary.hide("the attribute", attribute.as_bytes());
        canary.hide("the lease", lease.as_bytes());
        Self {
            canary,
            root_keys,
            capability,
            key: IdemKey::new(&key).expect("a key"),
            inputs: Inputs {
                address: AddrB3::of(&payload),
                payload: payload.leak(),
                path: PATH,
                attribute: attribute.leak(),
                lease: lease.leak(),
            },
            root,
        }
    }

    /// Makes the folder's files be the edge plane's objects, of which one has the payload.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write_edge_root(&self, folder: &Path) -> std::io::Result<()> {
        let name = PATH.trim_start_matches('/');
        std::fs::write(folder.join(name), self.inputs.payload)
    }

    /// Writes the root key as a gateway reads it.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write_root_key(&self, path: &Path) -> std::io::Result<()> {
        let key = URL_SAFE_NO_PAD.encode(&self.root);
        std::fs::write(path, format!("canary {key}\n"))
    }

    /// The same with another capability of the same holder.
    ///
    /// Its signature is looked for from now on, too.
    pub fn attenuate(&mut self, caveat: &str) -> Capability {
        let capability = self.capability.attenuate(caveat).expect("a caveat");
        let token = capability.expose();
        let signature = &token[token.len() - 32..];
        self.canary.hide("a capability's signature", signature);
        capability
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Secrets").field(&self.canary).finish()
    }
}

/// Random letters and digits.
fn text(len: usize) -> String {
    (0..len).map(|_| fastrand::alphanumeric()).collect()
}

/// Injects one kind of fault into every call, with parameters that do not keep a test waiting.
#[allow(clippy::expect_used)] // it is for tests
pub fn plan(kind: FaultKind) -> FaultPlan {
    let parameters = match kind {
        FaultKind::Latency => r#"{"p50_ms":1,"p90_ms":2,"p99_ms":3}"#,
        FaultKind::LateReply => r#"{"after_ms":20}"#,
        FaultKind::ReorderReplies | FaultKind::MisdirectedReply => r#"{"within_ms":100}"#,
        _ => "{}",
    };
    let read =
        |fault: String| FaultPlan::from_json(&format!(r#"{{"rules":[{{"fault":{fault}}}]}}"#));
    read(format!(r#"{{"{kind}":{parameters}}}"#))
        .or_else(|_| read(format!(r#""{kind}""#)))
        .expect("a fault is its name, or its name with parameters")
}
