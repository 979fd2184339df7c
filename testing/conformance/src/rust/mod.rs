//! The agents of the two clients in Rust.

pub(crate) mod asynchronous;
pub(crate) mod blocking;

use crate::protocol::{body_text, Line};
use ron_app_sdk::{
    AddrB3, ByteRange, CallReport, Capability, DeadReason, Executed, Expected, IdemKey, Lease,
    Mail, Message, ObjectInfo, Receipt, Receive, SdkConfig, SdkError, Topic,
};
use std::fmt::Display;
use std::io::{BufRead, Write};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

/// Why there is no result.
enum Failure {
    /// The SDK says so.
    Sdk(SdkError),
    /// The request was none.
    Request(String),
}

impl From<SdkError> for Failure {
    fn from(error: SdkError) -> Self {
        Self::Sdk(error)
    }
}

impl From<String> for Failure {
    fn from(error: String) -> Self {
        Self::Request(error)
    }
}

/// Answers each line of the standard input.
fn serve(
    language: &str,
    can: &str,
    mut answer: impl FnMut(&Line) -> Result<Line, Failure>,
) -> Result<ExitCode, String> {
    let mut output = std::io::stdout().lock();
    let mut say = |line: &Line| writeln!(output, "{line}").and_then(|()| output.flush());
    let ready = Line::new("ready")
        .with("language", language)
        .with("can", can);
    say(&ready).map_err(|error| error.to_string())?;
    for request in std::io::stdin().lock().lines() {
        let request = request.map_err(|error| error.to_string())?;
        let answered = Line::parse(&request)
            .map_err(Failure::from)
            .and_then(|request| answer(&request));
        let line = match answered {
            Ok(line) => line,
            Err(Failure::Sdk(error)) => error_line(&error),
            Err(Failure::Request(why)) => Line::new("misunderstood").with("why", why),
        };
        say(&line).map_err(|error| error.to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn error_line(error: &SdkError) -> Line {
    let mut line = Line::new("error")
        .with("kind", error.kind().name())
        .with("number", error.kind().number())
        .with("executed", executed(error.executed()))
        .with("attempts", error.attempts())
        .with("message", error);
    if let Some(status) = error.status() {
        line = line.with("status", status);
    }
    if let Some(after) = error.retry_after() {
        line = line.with("retry_after_ms", after.as_millis());
    }
    line
}

/// The settings and the capability of the step `client`.
fn client(request: &Line) -> Result<(SdkConfig, Option<Capability>), Failure> {
    let mut config = SdkConfig::default();
    for (key, value) in request.under("config.") {
        config.set(key, value)?;
    }
    let capability = request.get("capability").filter(|text| !text.is_empty());
    Ok((
        config,
        capability.map(Capability::from_base64url).transpose()?,
    ))
}

fn required<'a>(request: &'a Line, name: &str) -> Result<&'a str, Failure> {
    let missing = || Failure::Request(format!("{} without {name}", request.verb));
    request.get(name).ok_or_else(missing)
}

fn number<T: FromStr>(request: &Line, name: &str) -> Result<Option<T>, Failure> {
    let wrong = |text: &str| Failure::Request(format!("{name} is no number: {text:?}"));
    request
        .get(name)
        .map(|text| text.parse().map_err(|_| wrong(text)))
        .transpose()
}

fn millis(request: &Line, name: &str) -> Result<Option<Duration>, Failure> {
    Ok(number(request, name)?.map(Duration::from_millis))
}

fn body(request: &Line) -> Result<Vec<u8>, Failure> {
    Ok(crate::protocol::body(required(request, "body")?)?)
}

/// A text that has to follow a rule of its own type; one that does not is an argument that the SDK refuses.
fn checked<T, E: Display>(what: &str, checked: Result<T, E>) -> Result<T, Failure> {
    checked.map_err(|error| Failure::Request(format!("{what}: {error}")))
}

fn topic(request: &Line) -> Result<Topic, Failure> {
    checked("topic", Topic::new(required(request, "topic")?))
}

fn range(request: &Line) -> Result<Option<ByteRange>, Failure> {
    match (number(request, "first")?, number(request, "last")?) {
        (Some(first), Some(last)) => Ok(Some(checked("range", ByteRange::new(first, last))?)),
        _ => Ok(None),
    }
}

fn key(request: &Line) -> Result<Option<IdemKey>, Failure> {
    let key = request.get("idempotency_key");
    key.map(|key| checked("idempotency_key", IdemKey::new(key)))
        .transpose()
}

fn lease(request: &Line) -> Result<Lease, Failure> {
    let token = |name| {
        let text = required(request, name)?;
        let none = || Failure::Request(format!("{name} is none"));
        ron_app_sdk::mailbox::Token::new(text).ok_or_else(none)
    };
    Ok(Lease::new(topic(request)?, token("id")?, token("token")?))
}

fn mail(request: &Line) -> Result<Mail, Failure> {
    let mut mail = Mail::new(topic(request)?, body(request)?);
    for (name, value) in request.under("attribute.") {
        mail = checked("attribute", mail.attribute(name, value))?;
    }
    Ok(mail)
}

fn receive(request: &Line) -> Result<Receive, Failure> {
    let defaults = Receive::new(topic(request)?);
    Ok(Receive {
        max: number(request, "max")?.unwrap_or(defaults.max),
        visibility: millis(request, "visibility_ms")?.unwrap_or(defaults.visibility),
        wait: millis(request, "wait_ms")?.unwrap_or(defaults.wait),
        ..defaults
    })
}

fn expected(request: &Line) -> Result<Option<Expected>, Failure> {
    let address = |text: &str| {
        Ok(Expected::Address(checked(
            "expected",
            text.parse::<AddrB3>(),
        )?))
    };
    request
        .get("expected")
        .map(|text| {
            if text == "absent" {
                Ok(Expected::Absent)
            } else {
                address(text)
            }
        })
        .transpose()
}

/// What every result says.
fn ok(report: &CallReport) -> Line {
    Line::new("ok")
        .with("attempts", report.attempts)
        .with("replayed", report.replayed)
        .with("executed", executed(report.executed))
}

const fn executed(executed: Executed) -> &'static str {
    match executed {
        Executed::No => "no",
        Executed::Yes => "yes",
        Executed::Unknown => "unknown",
    }
}

fn with_info(line: Line, info: &ObjectInfo) -> Line {
    line.with("address", info.address).with("size", info.size)
}

fn with_receipt(line: Line, receipt: &Receipt) -> Line {
    line.with("id", &receipt.id)
        .with("duplicate", receipt.duplicate)
}

fn with_body(line: Line, body: &[u8]) -> Line {
    line.with("body", body_text(body))
}

fn with_messages(mut line: Line, messages: &[Message]) -> Line {
    line = line.with("count", messages.len());
    for (index, message) in messages.iter().enumerate() {
        line = line
            .with(format!("{index}.topic"), message.lease.topic())
            .with(format!("{index}.id"), message.id())
            .with(format!("{index}.token"), message.lease.expose())
            .with(format!("{index}.attempt"), message.attempt)
            .with(format!("{index}.body"), body_text(&message.body));
        for (name, value) in message.attributes.iter() {
            line = line.with(format!("{index}.attribute.{name}"), value);
        }
        if let Some(dead) = &message.dead {
            let reason = match dead.reason {
                DeadReason::TooManyDeliveries => "too_many_deliveries",
                _ => "unknown",
            };
            line = line
                .with(format!("{index}.dead.reason"), reason)
                .with(format!("{index}.dead.deliveries"), dead.deliveries);
        }
    }
    line
}

/// Makes `perform`, which makes the call of a request: `calls!([async] [.await] Calls)`, or without either for
/// threads.
macro_rules! calls {
    ([$($async:tt)?] [$($await:tt)*] $calls:ty, $body:expr) => {
        $($async)? fn perform(calls: $calls, request: &Line) -> Result<Line, Failure> {
            let address = || required(request, "address");
            Ok(match &*request.verb {
                "storage_put" => {
                    let body = body(request)?;
                    let (address, report) = calls.storage_put($body(&body))$($await)*?;
                    ok(&report).with("address", address)
                }
                "storage_get" => {
                    let (body, report) = calls.storage_get(address()?)$($await)*?;
                    with_body(ok(&report), &body)
                }
                "storage_get_range" => {
                    let range = range(request)?.ok_or_else(|| "no range".to_owned())?;
                    let (part, report) = calls.storage_get_range(address()?, range)$($await)*?;
                    with_body(ok(&report), &part.bytes)
                        .with("first", part.range.first())
                        .with("last", part.range.last())
                        .with("size", part.size)
                }
                "storage_head" => {
                    let (info, report) = calls.storage_head(address()?)$($await)*?;
                    with_info(ok(&report), &info)
                }
                "edge_get" => {
                    let (path, range) = (required(request, "path")?, range(request)?);
                    let (body, report) = calls.edge_get(path, range)$($await)*?;
                    with_body(ok(&report), &body)
                }
                "edge_head" => {
                    let (info, report) = calls.edge_head(required(request, "path")?)$($await)*?;
                    with_info(ok(&report), &info)
                }
                "mailbox_send" => {
                    let (receipt, report) = calls.mailbox_send(mail(request)?)$($await)*?;
                    with_receipt(ok(&report), &receipt)
                }
                "mailbox_receive" => {
                    let (messages, report) = calls.mailbox_receive(&receive(request)?)$($await)*?;
                    with_messages(ok(&report), &messages)
                }
                "mailbox_recv" => {
                    let (messages, report) = calls.mailbox_recv()$($await)*?;
                    with_messages(ok(&report), &messages)
                }
                "mailbox_ack" => ok(&calls.mailbox_ack(&lease(request)?)$($await)*?.1),
                "mailbox_nack" => {
                    let delay = millis(request, "delay_ms")?.unwrap_or_default();
                    ok(&calls.mailbox_nack(&lease(request)?, delay)$($await)*?.1)
                }
                "mailbox_extend" => {
                    let visibility = millis(request, "visibility_ms")?.unwrap_or_default();
                    ok(&calls.mailbox_extend(&lease(request)?, visibility)$($await)*?.1)
                }
                "index_resolve" => {
                    let name = checked("name", IndexKey::new(required(request, "name")?))?;
                    let (address, report) = calls.index_resolve(&name)$($await)*?;
                    ok(&report).with("address", address)
                }
                "index_publish" => {
                    let name = checked("name", IndexKey::new(required(request, "name")?))?;
                    let expected = expected(request)?;
                    ok(&calls.index_publish(&name, address()?, expected)$($await)*?.1)
                }
                verb => return Err(format!("no such call: {verb}").into()),
            })
        }
    };
}
use calls;

/// What a request is made with, where it has it.
macro_rules! settings {
    ($sdk:expr, $capability:expr, $request:expr) => {{
        let own = $request
            .get("capability")
            .map(Capability::from_base64url)
            .transpose()?;
        let none = || Failure::Request("no capability".to_owned());
        let capability = own.as_ref().or($capability.as_ref()).ok_or_else(none)?;
        let mut calls = $sdk.with(capability);
        if let Some(limit) = millis($request, "timeout_ms")? {
            calls = calls.timeout(limit);
        }
        if let Some(key) = key($request)? {
            calls = calls.idempotency_key(key);
        }
        calls.with_report()
    }};
}
use settings;
