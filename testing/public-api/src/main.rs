//! Prints the public interface of a crate, one item per line: `ron-public-api RUSTDOC.json`. See scripts/public_api.sh.
#![allow(clippy::print_stdout, clippy::print_stderr)] // it is a program for people

use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: ron-public-api RUSTDOC.json");
        return ExitCode::from(2);
    };
    let interface = public_api::Builder::from_rustdoc_json(path)
        // What every type has, or has by what its derives say in the source.
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build();
    match interface {
        Ok(interface) => {
            print!("{interface}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("ron-public-api: {error}");
            ExitCode::FAILURE
        }
    }
}
