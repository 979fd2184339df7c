//! `History`: what was recorded, and its form in a file.
//!
//! The file has one JSON document per line: the format's version, then the calls in the order in which
//! they began, then what was left after the drain, if there was one.

use crate::call::{Call, Moment, Outcome, Request};
use crate::index::{Publish, Resolve};
use crate::mailbox::{ReceiveMessages, Remnant, Restart, SendMessage, UseLease};
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Write};

/// The version of the file's form.
const VERSION: u32 = 1;

/// Calls as their callers saw them, each kind in the order in which they began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Messages put into topics.
    pub sends: Vec<Call<SendMessage>>,
    /// Batches taken out of topics.
    pub receives: Vec<Call<ReceiveMessages>>,
    /// Acknowledgements, refusals and extensions.
    pub lease_uses: Vec<Call<UseLease>>,
    /// The mailbox's restarts.
    pub restarts: Vec<Call<Restart>>,
    /// Keys given a value.
    pub publishes: Vec<Call<Publish>>,
    /// Keys read.
    pub resolves: Vec<Call<Resolve>>,
    /// What was left when everything that could be received was received; `None` where that was not done.
    pub remnants: Option<Vec<Remnant>>,
}

/// Why a history cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadHistoryError {
    /// The source failed.
    #[error("the history cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A line is not what it must be.
    #[error("line {line} of the history: {what}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum WrittenLine<'a> {
    Version(u32),
    Send(&'a Call<SendMessage>),
    Receive(&'a Call<ReceiveMessages>),
    UseLease(&'a Call<UseLease>),
    Restart(&'a Call<Restart>),
    Publish(&'a Call<Publish>),
    Resolve(&'a Call<Resolve>),
    Drained(&'a [Remnant]),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ReadLine {
    Version(u32),
    Send(Call<SendMessage>),
    Receive(Call<ReceiveMessages>),
    UseLease(Call<UseLease>),
    Restart(Call<Restart>),
    Publish(Call<Publish>),
    Resolve(Call<Resolve>),
    Drained(Vec<Remnant>),
}

impl History {
    /// How many calls there are, of all kinds.
    pub fn calls(&self) -> usize {
        self.sends.len()
            + self.receives.len()
            + self.lease_uses.len()
            + self.restarts.len()
            + self.publishes.len()
            + self.resolves.len()
    }

    /// Writes the history, for [`History::read`].
    ///
    /// # Errors
    /// Where the target fails.
    pub fn write(&self, mut target: impl Write) -> io::Result<()> {
        let mut lines: Vec<(Moment, WrittenLine<'_>)> = Vec::with_capacity(self.calls());
        push(&mut lines, &self.sends, WrittenLine::Send);
        push(&mut lines, &self.receives, WrittenLine::Receive);
        push(&mut lines, &self.lease_uses, WrittenLine::UseLease);
        push(&mut lines, &self.restarts, WrittenLine::Restart);
        push(&mut lines, &self.publishes, WrittenLine::Publish);
        push(&mut lines, &self.resolves, WrittenLine::Resolve);
        lines.sort_by_key(|(invoked, _)| *invoked);
        let drained = self.remnants.as_deref().map(WrittenLine::Drained);
        let lines = lines.into_iter().map(|(_, line)| line).chain(drained);
        for line in [WrittenLine::Version(VERSION)].into_iter().chain(lines) {
            serde_json::to_writer(&mut target, &line)?;
            target.write_all(b"\n")?;
        }
        target.flush()
    }

    /// Reads what [`History::write`] has written.
    ///
    /// # Errors
    /// Where the source fails, and where a line is none of a history's, or says what no recorder records.
    pub fn read(source: impl BufRead) -> Result<Self, ReadHistoryError> {
        let mut history = Self::default();
        let mut last = None;
        let mut is_first = true;
        for (index, text) in source.lines().enumerate() {
            let line = index + 1;
            let wrong = |what: String| ReadHistoryError::Line { line, what };
            let parsed = serde_json::from_str(&text?).map_err(|error| wrong(error.to_string()))?;
            if is_first != matches!(parsed, ReadLine::Version(_)) {
                return Err(wrong("the version stands in the first line alone".into()));
            }
            is_first = false;
            if history.remnants.is_some() {
                return Err(wrong("there is something after the drain".into()));
            }
            match parsed {
                ReadLine::Version(VERSION) => Ok(()),
                ReadLine::Version(other) => Err(format!("the version is {other}, not {VERSION}")),
                ReadLine::Send(call) => take(&mut history, &mut last, call),
                ReadLine::Receive(call) => take(&mut history, &mut last, call),
                ReadLine::UseLease(call) => take(&mut history, &mut last, call),
                ReadLine::Restart(call) => take(&mut history, &mut last, call),
                ReadLine::Publish(call) => take(&mut history, &mut last, call),
                ReadLine::Resolve(call) => take(&mut history, &mut last, call),
                ReadLine::Drained(remnants) => {
                    history.remnants = Some(remnants);
                    Ok(())
                }
            }
            .map_err(wrong)?;
        }
        if is_first {
            let what = "the version is missing".into();
            return Err(ReadHistoryError::Line { line: 1, what });
        }
        Ok(history)
    }
}

fn push<'a, R: Request>(
    lines: &mut Vec<(Moment, WrittenLine<'a>)>,
    calls: &'a [Call<R>],
    line: fn(&'a Call<R>) -> WrittenLine<'a>,
) {
    lines.extend(calls.iter().map(|call| (call.invoked, line(call))));
}

/// Checks what the checkers rely on: calls in order, and none that ends before it begins.
fn take<R: Request>(
    history: &mut History,
    last: &mut Option<Moment>,
    call: Call<R>,
) -> Result<(), String> {
    let invoked = call.invoked;
    let is_before =
        |a: Moment, b: Moment| a.sequence < b.sequence && a.nanoseconds <= b.nanoseconds;
    if last.is_some_and(|last| !is_before(last, invoked)) {
        return Err("a call begins before the one in the line above".into());
    }
    let ended = match &call.outcome {
        Outcome::Ok { ended, .. } | Outcome::Failed { ended } => Some(*ended),
        Outcome::Unknown { ended } => *ended,
    };
    if ended.is_some_and(|ended| !is_before(invoked, ended)) {
        return Err("a call ends before it begins".into());
    }
    *last = Some(invoked);
    R::calls_mut(history).push(call);
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::index::{Expected, PublishAnswer};
    use crate::mailbox::{LeaseAction, LeaseAnswer, Place, Received, Sent};
    use crate::{Fingerprint, Recorder};
    use std::time::Duration;

    /// One call of each kind, and each outcome.
    fn history() -> History {
        let recorder = Recorder::new();
        let (message, topic) = ("m-1", "orders");
        let (lease, body) = (Fingerprint::of("lease"), Fingerprint::of("body"));
        let sent = Sent {
            message: message.into(),
            replayed: false,
        };
        let send = SendMessage {
            topic: topic.into(),
            key: Some(Fingerprint::of("key")),
            body,
        };
        recorder.invoke(send.clone()).ok(sent);
        recorder.invoke(send.clone()).failed();
        recorder.invoke(SendMessage { key: None, ..send }).unknown();
        let receive = recorder.invoke(ReceiveMessages {
            topic: topic.into(),
            receive_id: Some(Fingerprint::of("receive")),
            visibility: Duration::from_secs(30),
            max: 10,
        });
        receive.ok(vec![Received {
            message: message.into(),
            lease,
            attempt: 1,
            body,
        }]);
        let delay = Duration::from_millis(1500);
        for action in [
            LeaseAction::Extend { visibility: delay },
            LeaseAction::Nack { delay },
            LeaseAction::Ack,
        ] {
            let message = message.into();
            let pending = recorder.invoke(UseLease {
                message,
                lease,
                action,
            });
            pending.ok(LeaseAnswer::Done);
        }
        recorder.invoke(Restart).ok(());
        let publish = recorder.invoke(Publish {
            key: "name".into(),
            value: body,
            expected: Expected::Value(lease),
        });
        let resolve = recorder.invoke(Resolve { key: "name".into() });
        publish.ok(PublishAnswer::Conflict);
        resolve.ok(None);
        recorder.drained(vec![Remnant {
            message: message.into(),
            topic: topic.into(),
            body,
            place: Place::DeadLetter {
                reason: "delivered too often".to_owned(),
                deliveries: 16,
            },
        }]);
        recorder.history()
    }

    fn written(history: &History) -> String {
        let mut bytes = Vec::new();
        history.write(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        let history = history();
        let text = written(&history);
        assert_eq!(text.lines().count(), history.calls() + 2, "{text}");
        assert_eq!(History::read(text.as_bytes()).unwrap(), history);
        let empty = History::default();
        assert_eq!(History::read(written(&empty).as_bytes()).unwrap(), empty);
    }

    #[test]
    fn what_no_recorder_records_is_refused_with_its_line() {
        let text = written(&history());
        let lines: Vec<&str> = text.lines().collect();
        let with = |index: usize, line: &str| {
            let mut lines = lines.clone();
            lines[index] = line;
            lines.join("\n")
        };
        let swapped = lines[1].replace("\"ended\":[1,", "\"ended\":[0,");
        let cases = [
            (String::new(), 1, "version is missing"),
            (lines[1..].join("\n"), 1, "version stands in the first"),
            (with(0, "{\"version\":2}"), 1, "version is 2"),
            (with(3, lines[0]), 4, "version stands in the first"),
            (with(4, "{\"sent\":1}"), 5, "unknown variant"),
            (with(4, "{"), 5, "EOF"),
            (with(3, lines[2]), 4, "begins before"),
            (with(1, &swapped), 2, "ends before"),
            (
                format!("{text}{}", lines[1]),
                lines.len() + 1,
                "after the drain",
            ),
        ];
        for (text, expected_line, expected) in cases {
            match History::read(text.as_bytes()).unwrap_err() {
                ReadHistoryError::Line { line, what } => {
                    assert_eq!(line, expected_line, "{what}");
                    assert!(what.contains(expected), "{what}");
                }
                ReadHistoryError::Io(error) => panic!("{error}"),
            }
        }
    }
}
