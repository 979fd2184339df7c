//! A worker: takes messages from a topic, does something about each, and acknowledges what is done.
//!
//! What it does here is to count words. A message that is no text is given back until the gateway gives it up; it then
//! lies among the dead letters, which are shown at the end. Without an argument it sends itself some work first.
#![allow(clippy::print_stdout, clippy::print_stderr)] // it is a program for people

use ron_app_sdk::blocking::{Calls, RonAppSdk};
use ron_app_sdk::{Capability, ErrorKind, Mail, Message, Receive, SdkConfig, SdkError, Topic};
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("worker: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let sdk = RonAppSdk::new(SdkConfig::from_env()?)?;
    let calls = sdk.with(Capability::from_env()?);
    let topic = match std::env::args().nth(1) {
        Some(name) => Topic::new(&name)?,
        None => send_work(&calls)?,
    };

    let receive = Receive {
        max: 10,
        visibility: Duration::from_secs(30),
        wait: Duration::from_secs(1),
        ..Receive::new(topic.clone())
    };
    loop {
        let messages = calls.mailbox_receive(&receive)?;
        if messages.is_empty() {
            break;
        }
        for message in &messages {
            work_on(&calls, message)?;
        }
    }

    let dead = Receive {
        topic: topic.dead_letters()?,
        wait: Duration::ZERO,
        ..receive
    };
    for message in calls.mailbox_receive(&dead)? {
        println!(
            "message {:<4} is a dead letter: {:?}",
            message.id(),
            message.dead
        );
        calls.mailbox_ack(&message.lease)?;
    }
    Ok(())
}

fn work_on(calls: &Calls<'_>, message: &Message) -> Result<(), SdkError> {
    let ended = match std::str::from_utf8(&message.body) {
        Ok(text) => {
            let words = text.split_whitespace().count();
            println!("message {:<4} has {words} words", message.id());
            calls.mailbox_ack(&message.lease)
        }
        Err(error) => {
            let (id, attempt) = (message.id(), message.attempt);
            println!("message {id:<4} is given back, delivery {attempt}: {error}");
            calls.mailbox_nack(&message.lease, Duration::ZERO)
        }
    };
    match ended {
        // It took longer than its visibility, and somebody else has it now.
        Err(error) if error.kind() == ErrorKind::StaleLease => Ok(()),
        ended => ended,
    }
}

fn send_work(calls: &Calls<'_>) -> Result<Topic, Box<dyn Error>> {
    let topic = Topic::new("worker/texts")?;
    for text in ["one", "two words", "and three words"] {
        calls.mailbox_send(Mail::new(topic.clone(), text))?;
    }
    calls.mailbox_send(Mail::new(topic.clone(), vec![0xff]))?;
    Ok(topic)
}
