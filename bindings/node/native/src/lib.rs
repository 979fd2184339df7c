//! The native part of `@ron/app-sdk`: a thin bridge, which is not an interface for people.
//!
//! JavaScript starts calls here, gets a number for each, and takes completions in batches. Promises, options, defaults
//! and error classes are its own; see `bindings/node/src`.

// What JavaScript sees is public, and nothing of it can be reached from Rust.
#![allow(unreachable_pub)]

mod bodies;
mod capability;
mod client;
mod completions;
mod environment;
mod failure;
mod tables;
