//! `include/ron_sdk.h` is what cbindgen makes of this crate: a change of the interface shows itself there.
//!
//! `RON_WRITE_HEADER=1 cargo test -p ron-ffi --test header` writes it.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn generated() -> String {
    let folder = env!("CARGO_MANIFEST_DIR");
    let config = cbindgen::Config::from_file(Path::new(folder).join("cbindgen.toml")).unwrap();
    let builder = cbindgen::Builder::new().with_config(config);
    let bindings = builder.with_crate(folder).generate().unwrap();
    let mut header = Vec::new();
    bindings.write(&mut header);
    String::from_utf8(header).unwrap()
}

#[test]
fn the_header_is_that_of_the_library() {
    let path = root().join("include/ron_sdk.h");
    let generated = generated();
    if std::env::var_os("RON_WRITE_HEADER").is_some() {
        std::fs::write(&path, generated).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    for (number, (is, should)) in committed.lines().zip(generated.lines()).enumerate() {
        assert_eq!(is, should, "ron_sdk.h, line {}", number + 1);
    }
    assert_eq!(committed, generated);
}

/// The functions of the header are those that the library exports, as `symbols.txt` lists them.
#[test]
fn the_list_of_symbols_is_that_of_the_header() {
    let header = generated();
    let mut declared: Vec<&str> = header
        .lines()
        .filter(|line| !line.starts_with([' ', '/', '#', '*', '}']) && !line.starts_with("typedef"))
        .filter_map(|line| line.split_once('(')?.0.rsplit([' ', '*']).next())
        .filter(|name| name.starts_with("ron_"))
        .collect();
    declared.sort_unstable();
    declared.dedup();
    let path = root().join("ffi/symbols.txt");
    if std::env::var_os("RON_WRITE_HEADER").is_some() {
        std::fs::write(&path, declared.join("\n") + "\n").unwrap();
        return;
    }
    let listed = std::fs::read_to_string(path).unwrap();
    assert_eq!(listed.lines().collect::<Vec<_>>(), declared);
}
