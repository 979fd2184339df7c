//! One scenario, made by one agent.

use crate::agent::Agent;
use crate::protocol::{body, body_text, Line};
use crate::scenario::{Scenario, Step};
use crate::world::World;
use serde_json::Value;
use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

/// Texts that earlier steps have brought.
type Saved = BTreeMap<String, String>;

/// Whether everything was as it had to be; the error says what was not.
pub(crate) fn run(scenario: &Scenario, agent: &mut Agent) -> Result<(), String> {
    let mut world = World::start(scenario)?;
    world.arm(&scenario.faults)?;
    let mut client = world.client();
    // A setting may name the gateway that was started.
    let known = Saved::from([("gateway".to_owned(), world.address().to_owned())]);
    for (key, value) in &scenario.client {
        let name = format!("config.{key}");
        client.fields.retain(|(known, _)| *known != name);
        if !value.is_null() {
            let text = text(value, &known)?;
            client = client.with(name, world.fill_in(&text));
        }
    }
    let made = agent.ask(&client)?;
    let mut saved = Saved::new();
    if let Some(expected) = &scenario.client_error {
        return refused(&made, expected, &saved);
    }
    if scenario.steps.is_empty() {
        return Err("a scenario has steps or a client_error".to_owned());
    }
    if made.verb != "ok" {
        return Err(format!("no client: {made}"));
    }
    for (index, step) in scenario.steps.iter().enumerate() {
        let told = |error| format!("step {} ({}): {error}", index + 1, step.verb);
        make(step, agent, &mut world, &mut saved).map_err(told)?;
    }
    world.check(scenario)
}

/// No client was made, and the error says why.
fn refused(made: &Line, expected: &BTreeMap<String, Value>, saved: &Saved) -> Result<(), String> {
    if made.verb != "error" {
        return Err(format!("a client was made, or worse: {made}"));
    }
    for (name, value) in expected {
        check(name, value, made.get(name), saved).map_err(|error| format!("{error} in: {made}"))?;
    }
    Ok(())
}

fn make(
    step: &Step,
    agent: &mut Agent,
    world: &mut World,
    saved: &mut Saved,
) -> Result<(), String> {
    match &*step.verb {
        "faults" => return world.arm(&step.faults),
        "stop_gateway" => {
            world.stop();
            return Ok(());
        }
        "wait" => {
            let ms = step.with.get("ms").and_then(Value::as_u64);
            thread::sleep(Duration::from_millis(ms.ok_or("no ms")?));
            return Ok(());
        }
        _ => {}
    }
    let mut request = Line::new(&step.verb);
    for (name, value) in &step.with {
        request = request.with(name, text(value, saved)?);
    }
    let mut reply = agent.ask(&request)?;
    if step.verb == "metrics" {
        reply = samples(&reply)?;
    }
    let (verb, expected) = match (&step.ok, &step.error) {
        (Some(expected), None) => ("ok", expected),
        (None, Some(expected)) => ("error", expected),
        _ => return Err("a step has either ok or error".to_owned()),
    };
    if reply.verb != verb {
        return Err(format!("not {verb} but: {reply}"));
    }
    for (name, value) in expected {
        check(name, value, reply.get(name), saved)
            .map_err(|error| format!("{error} in: {reply}"))?;
    }
    for (variable, field) in &step.save {
        let found = reply
            .get(field)
            .ok_or_else(|| format!("no {field} in: {reply}"))?;
        saved.insert(variable.clone(), found.to_owned());
    }
    Ok(())
}

/// The metrics of a reply one by one: each sample of the text is a field, which is called by its name and its labels.
fn samples(reply: &Line) -> Result<Line, String> {
    let text = reply
        .get("text")
        .ok_or_else(|| format!("no text in: {reply}"))?;
    if !text.ends_with("# EOF\n") {
        return Err(format!("the text does not end: {reply}"));
    }
    let mut fields = Line::new(&reply.verb);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line
            .rsplit_once(' ')
            .ok_or_else(|| format!("no sample: {line:?}"))?;
        fields = fields.with(name, value);
    }
    Ok(fields)
}

/// A value as text. That of a text that begins with `$` is what was saved under the rest of it.
fn text(value: &Value, saved: &Saved) -> Result<String, String> {
    match value {
        Value::String(text) => match text.strip_prefix('$') {
            Some(variable) => saved
                .get(variable)
                .cloned()
                .ok_or_else(|| format!("{text} was not saved")),
            None => Ok(text.clone()),
        },
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => Err(format!("neither text nor number nor truth: {value}")),
    }
}

/// `timeouts.connect_ms`, `timeouts_connect_ms` and `timeouts.connectMs` are the same setting.
fn folded(name: &str) -> String {
    let letters = name.chars().filter(|letter| !matches!(letter, '.' | '_'));
    letters.flat_map(char::to_lowercase).collect()
}

fn check(name: &str, expected: &Value, found: Option<&str>, saved: &Saved) -> Result<(), String> {
    let wrong = || Err(format!("{name} is {found:?} instead of {expected}"));
    if let Value::Object(rule) = expected {
        for (rule, value) in rule {
            let number = found.and_then(|found| found.parse::<f64>().ok());
            let holds = match (&**rule, value) {
                ("contains", Value::String(part)) => {
                    found.is_some_and(|found| found.contains(part.as_str()))
                }
                ("contains", Value::Array(parts)) => {
                    let mut parts = parts.iter().filter_map(Value::as_str);
                    found.is_some_and(|found| parts.all(|part| found.contains(part)))
                }
                // A setting, by the name that it has in the language.
                ("names", Value::String(setting)) => {
                    found.is_some_and(|found| folded(found).contains(&folded(setting)))
                }
                ("absent", Value::Bool(absent)) => found.is_none() == *absent,
                ("one_of", Value::Array(texts)) => {
                    let mut texts = texts.iter().filter_map(Value::as_str);
                    texts.any(|text| found == Some(text))
                }
                ("at_least", limit) => number >= limit.as_f64() && number.is_some(),
                ("at_most", limit) => number <= limit.as_f64() && number.is_some(),
                _ => return Err(format!("{name}: no such rule: {rule}")),
            };
            if !holds {
                return wrong();
            }
        }
        return Ok(());
    }
    let text = text(expected, saved)?;
    // Bodies have more than one way to be written.
    let is_body = name == "body" || name.ends_with(".body");
    let text = if is_body {
        body_text(&body(&text)?)
    } else {
        text
    };
    if found == Some(&*text) {
        Ok(())
    } else {
        wrong()
    }
}
