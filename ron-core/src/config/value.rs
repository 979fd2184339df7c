//! What a setting holds: how a text sets it, its range, and how its value is written.

use super::{check_duration, check_number, SdkConfig};
use crate::error::SdkError;
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// What kind of value a setting has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SettingKind {
    /// A whole number of milliseconds.
    Duration,
    /// A whole number.
    Whole,
    /// A number.
    Number,
    /// `true` or `false`.
    Flag,
    /// A text with a form of its own.
    Text,
    /// A text that may hold a password: it is never repeated.
    Secret,
    /// A path of a file.
    Path,
    /// Texts: with commas between them, or a list of TOML.
    List,
    /// One of a few words.
    Choice,
}

/// The least and the most that a setting may be, both included.
pub(super) type Bounds<T> = (T, T);

/// A part of the settings.
pub(super) struct Field<T: 'static> {
    pub(super) get: fn(&SdkConfig) -> &T,
    pub(super) get_mut: fn(&mut SdkConfig) -> &mut T,
}

/// `field!(timeouts.connect)`
macro_rules! field {
    ($($part:ident).+) => {
        crate::config::value::Field {
            get: |config| &config.$($part).+,
            get_mut: |config| &mut config.$($part).+,
        }
    };
}
pub(super) use field;

/// A setting's value.
pub(super) enum Value {
    Duration(Field<Duration>, Bounds<Duration>),
    Size(Field<usize>, Bounds<usize>),
    Count(Field<u32>, Bounds<u32>),
    Number(Field<f32>, Bounds<f32>),
    Flag(Field<bool>),
    Path(Field<Option<PathBuf>>),
    Other(Other),
}

/// A value with a form of its own.
pub(super) struct Other {
    pub(super) kind: SettingKind,
    /// What a text has to be: "sha256: and 64 hexadecimal digits".
    pub(super) rule: &'static str,
    /// The text that sets the value; empty where there is none.
    pub(super) get: fn(&SdkConfig) -> String,
    /// The error says what the text is or is not, and repeats it where it is no secret.
    pub(super) set: fn(&mut SdkConfig, &str) -> Result<(), String>,
}

impl Value {
    pub(super) fn kind(&self) -> SettingKind {
        match self {
            Self::Duration(..) => SettingKind::Duration,
            Self::Size(..) | Self::Count(..) => SettingKind::Whole,
            Self::Number(..) => SettingKind::Number,
            Self::Flag(_) => SettingKind::Flag,
            Self::Path(_) => SettingKind::Path,
            Self::Other(other) => other.kind,
        }
    }

    /// What is allowed.
    pub(super) fn range(&self) -> String {
        match self {
            Self::Duration(_, (least, most)) => between(least.as_millis(), most.as_millis()),
            Self::Size(_, (least, most)) => between(least, most),
            Self::Count(_, (least, most)) => between(least, most),
            Self::Number(_, (least, most)) => between(least, most),
            Self::Flag(_) => "true or false".to_owned(),
            Self::Path(_) => "a path".to_owned(),
            Self::Other(other) => other.rule.to_owned(),
        }
    }

    /// What a text has to be, to go on from "is not".
    pub(super) fn rule(&self) -> String {
        let range = self.range();
        match self.kind() {
            SettingKind::Duration => format!("a whole number of milliseconds from {range}"),
            SettingKind::Whole => format!("a whole number from {range}"),
            SettingKind::Number => format!("a number from {range}"),
            _ => range,
        }
    }

    /// The text that sets what is set.
    pub(super) fn text(&self, config: &SdkConfig) -> String {
        match self {
            Self::Duration(field, _) => (field.get)(config).as_millis().to_string(),
            Self::Size(field, _) => (field.get)(config).to_string(),
            Self::Count(field, _) => (field.get)(config).to_string(),
            Self::Number(field, _) => (field.get)(config).to_string(),
            Self::Flag(field) => (field.get)(config).to_string(),
            Self::Path(field) => {
                let path = (field.get)(config).as_ref();
                path.map_or_else(String::new, |path| path.display().to_string())
            }
            Self::Other(other) => (other.get)(config),
        }
    }

    /// Sets what the text says. The error is a sentence's end: `"9" is not a whole number from 10 to 20`.
    pub(super) fn set(&self, config: &mut SdkConfig, text: &str) -> Result<(), String> {
        let is_set = match self {
            Self::Duration(field, bounds) => parsed(text)
                .map(Duration::from_millis)
                .and_then(|value| within(value, *bounds))
                .map(|value| *(field.get_mut)(config) = value),
            Self::Size(field, bounds) => parsed(text)
                .and_then(|value| within(value, *bounds))
                .map(|value| *(field.get_mut)(config) = value),
            Self::Count(field, bounds) => parsed(text)
                .and_then(|value| within(value, *bounds))
                .map(|value| *(field.get_mut)(config) = value),
            Self::Number(field, bounds) => parsed(text)
                .and_then(|value| within(value, *bounds))
                .map(|value| *(field.get_mut)(config) = value),
            Self::Flag(field) => parsed(text).map(|value| *(field.get_mut)(config) = value),
            Self::Path(field) => Some(text.trim())
                .filter(|path| !path.is_empty())
                .map(|path| *(field.get_mut)(config) = Some(path.into())),
            Self::Other(other) => return (other.set)(config, text.trim()),
        };
        is_set.ok_or_else(|| is_not(text, self.rule()))
    }

    /// Whether what is set is in its range; `field` is its name in code.
    pub(super) fn check(&self, field: &str, config: &SdkConfig) -> Result<(), SdkError> {
        match self {
            Self::Duration(value, bounds) => check_duration(field, *(value.get)(config), *bounds),
            Self::Size(value, bounds) => check_number(field, *(value.get)(config), *bounds),
            Self::Count(value, bounds) => check_number(field, *(value.get)(config), *bounds),
            Self::Number(value, bounds) => check_number(field, *(value.get)(config), *bounds),
            Self::Flag(_) | Self::Path(_) | Self::Other(_) => Ok(()),
        }
    }
}

/// `"9" is not …`
pub(super) fn is_not(text: &str, rule: impl Display) -> String {
    format!("{text:?} is not {rule}")
}

fn between(least: impl Display, most: impl Display) -> String {
    format!("{least} to {most}")
}

fn parsed<T: FromStr>(text: &str) -> Option<T> {
    text.trim().parse().ok()
}

fn within<T: PartialOrd>(value: T, (least, most): Bounds<T>) -> Option<T> {
    (value >= least && value <= most).then_some(value)
}
