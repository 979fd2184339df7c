//! `ron-gateway token`: capabilities on the command line.

use crate::arguments::{Attenuate, Key, Mint, Revoke, Source, Token};
use crate::say;
use crate::serve::root_keys;
use ron_app_sdk::{Capability, Macaroon};
use ron_gateway::capability::{Clock, Condition, Identifier, KeyRing, Revocations};
use std::io::{Read, Write};
use std::time::Duration;
use zeroize::Zeroizing;

/// More than the longest capability has as base64url.
const LONGEST_TEXT: u64 = 16 * 1024;

/// Runs one of its subcommands.
pub(crate) fn run(token: Token) -> Result<(), String> {
    match token {
        Token::Mint(arguments) => mint(&arguments),
        Token::Attenuate(arguments) => attenuate(&arguments),
        Token::Show(source) => show(&source),
        Token::Revoke(arguments) => revoke(&arguments),
        Token::Key(arguments) => key(&arguments),
    }
}

fn mint(arguments: &Mint) -> Result<(), String> {
    let keys = root_keys(&arguments.root_key)?;
    let minter = keys
        .minter(arguments.key_id.as_deref())
        .ok_or("there is no root key of that id")?;
    let end = arguments.caveats.expires_in.map(end);
    let caveats = arguments.caveats.caveats.iter().chain(&end);
    let caveats: Vec<&str> = caveats.map(String::as_str).collect();
    let capability = match &arguments.token_id {
        Some(token_id) => minter.mint_with_id(&arguments.subject, token_id, &caveats),
        None => minter.mint(&arguments.subject, &caveats),
    };
    print_capability(&capability.map_err(|error| error.to_string())?)
}

fn attenuate(arguments: &Attenuate) -> Result<(), String> {
    let mut capability = read(&arguments.source)?;
    let end = arguments.caveats.expires_in.map(end);
    for caveat in arguments.caveats.caveats.iter().chain(&end) {
        let narrowed = capability.attenuate(caveat);
        capability = narrowed.map_err(|error| error.to_string())?;
    }
    print_capability(&capability)
}

fn show(source: &Source) -> Result<(), String> {
    let capability = read(source)?;
    let token = parse(&capability)?;
    let mut lines = vec!["version: 2".to_owned()];
    if let Some(location) = token.location() {
        lines.push(format!("location: {}", location.escape_debug()));
    }
    match Identifier::parse(token.identifier()) {
        Ok(identifier) => {
            lines.push(format!("key id: {}", identifier.key_id()));
            lines.push(format!("subject: {}", identifier.subject()));
            lines.push(format!("token id: {}", identifier.token_id()));
        }
        Err(_) => {
            let identifier = token.identifier().escape_ascii();
            lines.push(format!("identifier: {identifier} (no gateway's)"));
        }
    }
    for caveat in token.caveats() {
        let text = caveat.identifier().escape_ascii();
        let is_known = Condition::parse(caveat.identifier()).is_ok() && !caveat.is_third_party();
        let note = if is_known {
            ""
        } else {
            " (not understood, denies every call)"
        };
        lines.push(format!("caveat: {text}{note}"));
    }
    lines.push(format!("bytes: {}", capability.expose().len()));
    print(&(lines.join("\n") + "\n"))
}

fn revoke(arguments: &Revoke) -> Result<(), String> {
    let token_id = match &arguments.token_id {
        Some(token_id) => token_id.clone(),
        None => {
            let token = parse(&read(&arguments.source)?)?;
            let identifier = Identifier::parse(token.identifier());
            let identifier = identifier.map_err(|error| error.to_string())?;
            identifier.token_id().to_owned()
        }
    };
    let file = &arguments.revoked;
    match Revocations::append(file, &token_id) {
        Ok(true) => say(&format!("revoked {token_id}")),
        Ok(false) => say(&format!("{token_id} was revoked already")),
        Err(error) => return Err(format!("cannot revoke it in {}: {error}", file.display())),
    }
    Ok(())
}

fn key(arguments: &Key) -> Result<(), String> {
    let file = &arguments.root_key;
    KeyRing::create_file(file, &arguments.key_id)
        .map_err(|error| format!("cannot make {}: {error}", file.display()))
}

/// The caveat that ends a token after this time.
fn end(after: Duration) -> String {
    let end = Clock::system().now().saturating_add(after.as_secs());
    format!("exp<{end}")
}

fn read(source: &Source) -> Result<Capability, String> {
    let capability = if source.stdin {
        // With room for all of it, so that no part is left behind where the text had to move.
        let mut text = Zeroizing::new(String::with_capacity(2 * LONGEST_TEXT as usize));
        let mut stdin = std::io::stdin().lock().take(LONGEST_TEXT);
        stdin
            .read_to_string(&mut text)
            .map_err(|error| format!("cannot read the capability: {error}"))?;
        Capability::from_base64url(&text)
    } else {
        Capability::from_env()
    };
    capability.map_err(|error| error.to_string())
}

fn parse(capability: &Capability) -> Result<Macaroon, String> {
    Macaroon::parse(capability.expose()).map_err(|error| error.to_string())
}

fn print_capability(capability: &Capability) -> Result<(), String> {
    let line = Zeroizing::new(format!("{}\n", *capability.expose_base64url()));
    print(&line)
}

fn print(text: &str) -> Result<(), String> {
    let mut stdout = std::io::stdout();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| format!("cannot print: {error}"))
}
