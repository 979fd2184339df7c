//! The checkers against services that are simulated, right ones and wrong ones.
//!
//! A seed decides everything in a simulation: what callers do, what the network loses, delays and repeats,
//! and who gives up. On a right service the checkers must find nothing, whatever the seed; of each wrong
//! one they must find what is wrong with it.

#![allow(clippy::unwrap_used)]

mod arbitrary;
mod index;
mod index_service;
mod mailbox;
mod mailbox_callers;
mod mailbox_protocol;
mod mailbox_service;
mod simulation;
mod speed;
