//! A program that was compiled with an older header of the same major number runs with this library: what `abi.txt`
//! has of the interface stays as it is, and structs that begin with their size grow at their end only.
//!
//! `RON_WRITE_HEADER=1 cargo test -p ron-ffi --test abi` adds what is new, once `RON_ABI_VERSION` has a higher minor
//! number.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The interface: the version, and what each name stands for.
#[derive(Debug, PartialEq)]
struct Interface {
    version: u32,
    items: BTreeMap<String, String>,
}

impl Interface {
    /// That of a header as cbindgen writes it.
    fn of_header(header: &str) -> Self {
        let mut items = BTreeMap::new();
        let mut version = 0;
        let mut code = String::new();
        for line in without_comments(header).lines() {
            match line
                .strip_prefix("#define ")
                .map(|rest| rest.split_once(' '))
            {
                Some(Some(("RON_ABI_VERSION", value))) => version = value.trim().parse().unwrap(),
                // An initialiser grows with its struct, and is the header's alone.
                Some(Some((name, value))) if !name.ends_with("_INIT") => {
                    items.insert(name.to_owned(), one_line(value));
                }
                Some(_) => {}
                // The frame around all of it, for C++.
                None if line.starts_with(['#', '}']) && !line.contains("ron_") => {}
                None if line.starts_with("extern \"C\"") => {}
                None => {
                    code.push_str(line);
                    code.push('\n');
                }
            }
        }
        for declaration in declarations(&code) {
            items.insert(name_of(&declaration), declaration);
        }
        Self { version, items }
    }

    /// That of the snapshot.
    fn read(text: &str) -> Self {
        let mut lines = text.lines();
        let version = lines.next().unwrap().strip_prefix("version ").unwrap();
        let items = lines.map(|line| line.split_once(" = ").unwrap());
        Self {
            version: version.parse().unwrap(),
            items: items.map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
        }
    }

    fn write(&self) -> String {
        let items = self.items.iter().map(|(k, v)| format!("{k} = {v}\n"));
        format!("version {}\n", self.version) + &items.collect::<String>()
    }

    /// What of `self` a program would miss that has been compiled with `old`.
    fn breaks(&self, old: &Self) -> Vec<String> {
        let broken = |(name, was): (&String, &String)| match self.items.get(name) {
            None => Some(format!("{name} is gone")),
            Some(is) if is == was || has_grown(was, is) => None,
            Some(is) => Some(format!("{name} was\n  {was}\nand is\n  {is}")),
        };
        old.items.iter().filter_map(broken).collect()
    }
}

fn without_comments(text: &str) -> String {
    let mut parts = text.split("/*");
    let mut code = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        code.push_str(part.split_once("*/").map_or("", |(_, rest)| rest));
    }
    code
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What ends with a semicolon outside of braces.
fn declarations(code: &str) -> Vec<String> {
    let (mut all, mut current, mut depth) = (Vec::new(), String::new(), 0);
    for character in code.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ';' if depth == 0 => {
                all.push(one_line(&std::mem::take(&mut current)));
                continue;
            }
            _ => {}
        }
        current.push(character);
    }
    assert_eq!(one_line(&current), "");
    all
}

/// A function's name, or a type's.
fn name_of(declaration: &str) -> String {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_type = declaration.starts_with("typedef");
    let before = match declaration.split_once("(*") {
        Some((_, pointer)) if is_type && !declaration.contains('{') => pointer.split(')').next(),
        _ if is_type => Some(declaration),
        _ => declaration.split('(').next(),
    };
    let name = before.unwrap().rsplit(|c| !is_name(c)).next().unwrap();
    assert!(name.starts_with("ron_"), "no name in {declaration}");
    name.to_owned()
}

/// Whether a struct that begins with its size has got further fields at its end, and nothing else has changed.
fn has_grown(was: &str, is: &str) -> bool {
    let fields = |text: &str| {
        let (head, rest) = text.split_once('{')?;
        let (fields, tail) = rest.rsplit_once('}')?;
        let fields: Vec<String> = fields
            .split(';')
            .map(one_line)
            .filter(|f| !f.is_empty())
            .collect();
        Some((head.to_owned(), tail.to_owned(), fields))
    };
    match (fields(was), fields(is)) {
        (Some((was_head, was_tail, was)), Some((head, tail, is))) => {
            (was_head, was_tail) == (head, tail)
                && was.first().is_some_and(|f| f == "size_t struct_size")
                && is.starts_with(&was)
        }
        _ => false,
    }
}

#[test]
fn what_programs_were_compiled_with_is_still_there() {
    let header = std::fs::read_to_string(file("../include/ron_sdk.h")).unwrap();
    let is = Interface::of_header(&header);
    let path = file("abi.txt");
    let old = Interface::read(&std::fs::read_to_string(&path).unwrap());
    if is.version >> 16 == old.version >> 16 {
        let broken = is.breaks(&old);
        assert!(
            broken.is_empty(),
            "programs that were compiled with version {} would break: either undo it, or raise the major number of \
             RON_ABI_VERSION\n{}",
            old.version & 0xffff,
            broken.join("\n")
        );
    }
    if is == old {
        return;
    }
    assert!(
        is.version > old.version,
        "the interface has something new since version {}: raise the minor number of RON_ABI_VERSION",
        old.version & 0xffff
    );
    assert!(
        std::env::var_os("RON_WRITE_HEADER").is_some(),
        "RON_WRITE_HEADER=1 cargo test -p ron-ffi --test abi writes what is new into ffi/abi.txt"
    );
    std::fs::write(path, is.write()).unwrap();
}

#[test]
fn a_snapshot_says_what_the_header_says() {
    let header = std::fs::read_to_string(file("../include/ron_sdk.h")).unwrap();
    let interface = Interface::of_header(&header);
    assert_eq!(Interface::read(&interface.write()), interface);
    let functions = std::fs::read_to_string(file("symbols.txt")).unwrap();
    for function in functions.lines() {
        assert!(interface.items.contains_key(function), "{function}");
    }
    assert_eq!(interface.items["RON_STALE_LEASE"], "18");
    assert!(interface.items["ron_callback_t"].contains("ron_completion_t"));
    assert!(interface.version > 0);
}

#[test]
fn what_breaks_programs_is_found() {
    let header = "
        typedef struct ron_a_t ron_a_t;
        typedef struct ron_plain_t { uint64_t call; void *data; } ron_plain_t;
        typedef struct ron_options_t { size_t struct_size; uint64_t timeout_ms; } ron_options_t;
#define RON_ABI_VERSION 1
#define RON_OK 0
        ron_status_t ron_get(const struct ron_a_t *a, size_t len);";
    let old = Interface::of_header(header);
    let now = |from: &str, to: &str| {
        assert!(header.contains(from));
        Interface::of_header(&header.replace(from, to))
            .breaks(&old)
            .len()
    };
    assert_eq!(now("ron_get", "ron_get"), 0);
    assert_eq!(now("timeout_ms;", "timeout_ms; void *more;"), 0);
    assert_eq!(
        now("#define RON_OK 0", "#define RON_OK 0\n#define RON_MORE 1"),
        0
    );
    for (from, to) in [
        ("ron_get", "ron_got"),
        ("size_t len", "uint32_t len"),
        ("RON_OK 0", "RON_OK 1"),
        ("uint64_t timeout_ms;", "void *more; uint64_t timeout_ms;"),
        ("uint64_t timeout_ms;", ""),
        ("void *data;", "void *data; void *more;"),
        ("uint64_t call; void *data;", "void *data; uint64_t call;"),
    ] {
        assert_eq!(now(from, to), 1, "{from} has become {to}");
    }
}
