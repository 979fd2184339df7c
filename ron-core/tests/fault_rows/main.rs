//! What a call comes to under each fault that the gateway, the proxy or a peer can produce, in both clients:
//! outcome, attempts, effect, and that the fault took place. `docs/RELIABILITY.md` names the rows.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod cancels;
mod capabilities;
mod connections;
mod contents;
mod cuts;
mod fixture;
mod frames;
mod keys;
mod proxies;
mod redirects;
mod tls;
mod tor;
