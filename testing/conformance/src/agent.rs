//! A program that makes the calls in its language.

use crate::protocol::Line;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// The longest that a line may take to come: no step lasts as long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running agent.
pub(crate) struct Agent {
    pub(crate) language: String,
    can: Vec<String>,
    child: Child,
    requests: ChildStdin,
    replies: Receiver<String>,
}

impl Agent {
    /// Starts a program, given with its arguments, and waits until it is ready.
    pub(crate) fn start(command: &str) -> Result<Self, String> {
        let told = |error: &dyn std::fmt::Display| format!("{command}: {error}");
        let mut words = command.split_whitespace();
        let program = words.next().ok_or_else(|| told(&"no program"))?;
        let mut child = Command::new(program)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| told(&error))?;
        let (Some(requests), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(told(&"no pipes"));
        };
        let (sender, replies) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut agent = Self {
            language: String::new(),
            can: Vec::new(),
            child,
            requests,
            replies,
        };
        let ready = agent.reply().map_err(|error| told(&error))?;
        let language = ready.get("language").filter(|_| ready.verb == "ready");
        agent.language = language
            .ok_or_else(|| told(&"it does not say that it is ready"))?
            .to_owned();
        agent.can = ready
            .get("can")
            .unwrap_or_default()
            .split(',')
            .map(str::to_owned)
            .collect();
        Ok(agent)
    }

    /// Whether it can do more than calls.
    pub(crate) fn can(&self, what: &str) -> bool {
        self.can.iter().any(|known| known == what)
    }

    /// Has it do something.
    pub(crate) fn ask(&mut self, request: &Line) -> Result<Line, String> {
        writeln!(self.requests, "{request}")
            .map_err(|error| format!("the agent is gone: {error}"))?;
        self.requests
            .flush()
            .map_err(|error| format!("the agent is gone: {error}"))?;
        self.reply()
    }

    fn reply(&mut self) -> Result<Line, String> {
        match self.replies.recv_timeout(PATIENCE) {
            Ok(line) => Line::parse(&line),
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("the agent says nothing for {PATIENCE:?}"))
            }
            Err(RecvTimeoutError::Disconnected) => Err("the agent is gone".to_owned()),
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
