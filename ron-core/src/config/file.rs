//! Settings from TOML: a table for each part of a name before its dot.

use super::keys::{find, invalid, Key, KEYS, TRANSPORT};
use super::value::SettingKind;
use super::SdkConfig;
use crate::error::SdkError;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use toml::de::{DeTable, DeValue};
use toml::Spanned;

/// A file of settings is a page, and nobody means a larger one.
const MAX_FILE: u64 = 1 << 20;

impl SdkConfig {
    /// The defaults, with what a text in TOML sets.
    ///
    /// ```
    /// use ron_app_sdk::SdkConfig;
    ///
    /// let config = SdkConfig::from_toml(
    ///     r#"
    ///     gateway_addr = "https://gateway.example:8443"
    ///     fallback_addrs = ["https://second.example:8443"]
    ///
    ///     [timeouts]
    ///     connect_ms = 500
    ///     "#,
    /// )?;
    /// assert_eq!(config.timeouts.connect.as_millis(), 500);
    /// # Ok::<(), ron_app_sdk::SdkError>(())
    /// ```
    ///
    /// # Errors
    /// `Config` with the line: where the text is not TOML, there is no such setting, a value has another type than its
    /// setting, or is out of its range.
    pub fn from_toml(text: &str) -> Result<Self, SdkError> {
        let mut config = Self::default();
        config.read_toml(text, "")?;
        config.validate()?;
        Ok(config)
    }

    /// What the environment sets, before what a file in TOML sets, before the defaults: [`SdkConfig::load`] with a
    /// path. The file has 1 MiB at most.
    ///
    /// # Errors
    /// As of [`SdkConfig::from_toml`], with the file's name, and of [`SdkConfig::from_env`]; and where the file cannot be
    /// read.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, SdkError> {
        Self::load(Some(path.as_ref()))
    }

    /// Sets what a file sets. `named_by` is the variable that names it, if one does.
    pub(super) fn read_file(
        &mut self,
        path: &Path,
        named_by: Option<&str>,
    ) -> Result<(), SdkError> {
        let shown = path.display().to_string();
        let text = read(path).map_err(|error| match named_by {
            Some(variable) => invalid(variable, format_args!("{shown} cannot be read: {error}")),
            None => invalid(&shown, format_args!("the file cannot be read: {error}")),
        })?;
        self.read_toml(&text, &format!("{shown}, "))
    }

    fn read_toml(&mut self, text: &str, file: &str) -> Result<(), SdkError> {
        let place = Place { text, file };
        let table = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            // Without the line's text, in which there may be a password.
            invalid(&place.of(at), format_args!("no TOML: {}", error.message()))
        })?;
        self.read_table(table.get_ref(), "", &place)
    }

    fn read_table(
        &mut self,
        table: &DeTable<'_>,
        prefix: &str,
        place: &Place<'_>,
    ) -> Result<(), SdkError> {
        let mut entries: Vec<_> = table.iter().collect();
        // Wherever it stands: it decides about defaults.
        entries.sort_by_key(|(name, _)| name.get_ref() != TRANSPORT);
        for (name, value) in entries {
            let full = format!("{prefix}{}", name.get_ref());
            let written = format!("{full} ({})", place.of(name.span().start));
            let inner = format!("{full}.");
            match value.get_ref() {
                DeValue::Table(table) if KEYS.iter().any(|key| key.name.starts_with(&inner)) => {
                    self.read_table(table, &inner, place)?;
                }
                value => {
                    let key = find(&full, &written)?;
                    let text = text_of(key, value).map_err(|wrong| invalid(&written, wrong))?;
                    key.set(self, &text, &written)?;
                }
            }
        }
        Ok(())
    }
}

/// Says where something stands.
struct Place<'a> {
    text: &'a str,
    /// The file's name with a comma, or nothing.
    file: &'a str,
}

impl Place<'_> {
    fn of(&self, at: usize) -> String {
        let before = self.text.as_bytes().iter().take(at);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        format!("{}line {line}", self.file)
    }
}

/// The text that sets what a value says, or why it cannot be what the setting holds.
fn text_of(key: &Key, value: &DeValue<'_>) -> Result<String, String> {
    let text = match (key.value.kind(), value) {
        (
            SettingKind::Duration | SettingKind::Whole | SettingKind::Number,
            DeValue::Integer(integer),
        ) => i128::from_str_radix(integer.as_str(), integer.radix())
            .map(|integer| integer.to_string())
            .unwrap_or_else(|_| integer.to_string()),
        (
            SettingKind::Duration | SettingKind::Whole | SettingKind::Number,
            DeValue::Float(float),
        ) => float.as_str().to_owned(),
        (SettingKind::Flag, DeValue::Boolean(flag)) => flag.to_string(),
        (
            SettingKind::Text
            | SettingKind::Secret
            | SettingKind::Path
            | SettingKind::Choice
            | SettingKind::List,
            DeValue::String(text),
        ) => text.to_string(),
        (SettingKind::List, DeValue::Array(array)) => {
            let texts = array.iter().map(|item: &Spanned<DeValue<'_>>| {
                let text = item.get_ref().as_str();
                text.ok_or_else(|| is_of_another_type(key, item.get_ref()))
            });
            texts.collect::<Result<Vec<_>, _>>()?.join(",")
        }
        (_, value) => return Err(is_of_another_type(key, value)),
    };
    Ok(text)
}

/// The value is repeated where it is short and no secret.
fn is_of_another_type(key: &Key, value: &DeValue<'_>) -> String {
    let (rule, kind) = (key.value.rule(), value.type_str());
    match value {
        DeValue::Integer(integer) => format!("the {kind} {integer} is not {rule}"),
        DeValue::Float(float) => format!("the {kind} {float} is not {rule}"),
        DeValue::Boolean(flag) => format!("the {kind} {flag} is not {rule}"),
        DeValue::String(text) => format!("the {kind} {text:?} is not {rule}"),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            format!("a value of the type {kind} is not {rule}")
        }
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?
        .take(MAX_FILE + 1)
        .read_to_string(&mut text)?;
    if read as u64 > MAX_FILE {
        let message = format!("it has more than {MAX_FILE} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use proptest::prelude::*;

    /// Every setting as a user would write it.
    const EVERY: &str = r#"
        gateway_addr = "https://gateway.example"
        fallback_addrs = ["https://b", "https://c:1"]
        overall_timeout_ms = 1_000
        transport = "tls"
        proxy = "socks5h://user:password@proxy.example:1080"
        tor.socks_addr = "[::1]:9150"
        [timeouts]
        connect_ms = 0x64
        read_ms = 200
        write_ms = 300
        [tls]
        ca = '/etc/ca.pem'
        client_cert = '/etc/client.pem'
        client_key = '/etc/client.key'
        [pool]
        max = 2
        [backoff]
        base_ms = 20
        factor = 1.5
        cap_ms = 700
        max_attempts = 3
        [idempotency]
        enabled = false
        [cache]
        enabled = true
        max_entries = 7
        max_bytes = 1024
        ttl_ms = 5000
        verify_puts = false
        [tracing]
        enabled = false
    "#;

    #[test]
    fn every_setting_is_read() {
        let config = SdkConfig::from_toml(EVERY).unwrap();
        for setting in SdkConfig::settings() {
            // A pin excludes the authority, and Tor the proxy.
            if !["tls.pin", "transport"].contains(&setting.name()) {
                let value = config.get(setting.name()).unwrap();
                assert_ne!(value, setting.default(), "{}", setting.name());
            }
        }
        assert_eq!(config.timeouts.connect.as_millis(), 100);
        assert_eq!(config.fallback_addrs, ["https://b", "https://c:1"]);
        let pin = format!("sha256:{}", "ab".repeat(32));
        let config = SdkConfig::from_toml(&format!("tls.pin = {pin:?}")).unwrap();
        assert_eq!(config.tls.pin.unwrap().to_string(), pin);
        let listed = SdkConfig::from_toml(r#"fallback_addrs = "https://b,https://c""#).unwrap();
        assert_eq!(listed.fallback_addrs, ["https://b", "https://c"]);
        assert_eq!(
            SdkConfig::from_toml("backoff.factor = 3")
                .unwrap()
                .backoff
                .factor,
            3.0
        );
    }

    #[test]
    fn the_transport_counts_first_wherever_it_stands() {
        let text = "overall_timeout_ms = 5000\n[timeouts]\nread_ms = 700\n";
        for text in [format!("transport = \"tor\"\n{text}"), {
            let (first, rest) = text.split_at(text.find('[').unwrap());
            format!("{first}transport = \"tor\"\n{rest}")
        }] {
            let config = SdkConfig::from_toml(&text).unwrap();
            assert_eq!(config.overall_timeout.as_secs(), 5);
            assert_eq!(config.timeouts.connect.as_secs(), 20);
        }
    }

    #[test]
    fn what_is_wrong_is_refused_with_its_line() {
        for (text, expected) in [
            (
                "\n[pool]\nmin = 1",
                "pool.min (line 3): no such setting; did you mean pool.max?",
            ),
            ("pools = 1", "pools (line 1): no such setting"),
            ("[pools]\nmax = 1", "pools (line 1): no such setting"),
            ("pool = 4", "pool (line 1): no such setting"),
            (
                "[pool.max]\nof = 1",
                "pool.max (line 1): a value of the type table is not a whole number from 1 to 16",
            ),
            (
                "[pool]\nmax = 17",
                r#"pool.max (line 2): "17" is not a whole number from 1 to 16"#,
            ),
            (
                "[pool]\nmax = \"4\"",
                r#"pool.max (line 2): the string "4" is not a whole number from 1 to 16"#,
            ),
            ("[pool]\nmax = 4.0", "is not a whole number from 1 to 16"),
            (
                "[pool]\nmax = true",
                "pool.max (line 2): the boolean true is not a whole number",
            ),
            (
                "timeouts.read_ms = 9",
                r#"timeouts.read_ms (line 1): "9" is not a whole number of milliseconds from 10 to 600000"#,
            ),
            (
                "cache.enabled = 1",
                "cache.enabled (line 1): the integer 1 is not true or false",
            ),
            (
                "cache.enabled = \"true\"",
                "the string \"true\" is not true or false",
            ),
            (
                "backoff.factor = nan",
                "backoff.factor (line 1): \"nan\" is not a number from 1 to 10",
            ),
            (
                "tls.ca = 1979-05-27",
                "tls.ca (line 1): a value of the type datetime is not a path",
            ),
            (
                "fallback_addrs = [\"https://a\", 1]",
                "fallback_addrs (line 1): the integer 1 is not at most 8",
            ),
            (
                "gateway_addr = [\"https://a\"]",
                "gateway_addr (line 1): a value of the type array is not https://host",
            ),
            ("a = 1\na = 2", "line 2: no TOML"),
            ("[pool", "line 1: no TOML"),
            ("backoff.base_ms = 20000", "backoff.base: 20s is not from"),
        ] {
            let error = SdkConfig::from_toml(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(expected), "{text}: {error}");
        }
    }

    fn from_file(path: &Path) -> Result<SdkConfig, SdkError> {
        SdkConfig::from_variables(Some(path), |_| None)
    }

    #[test]
    fn a_file_is_named_where_it_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ron.toml");
        std::fs::write(&path, "\npool.max = 0").unwrap();
        let text = from_file(&path).unwrap_err().to_string();
        let expected = format!("pool.max ({}, line 2): \"0\" is not", path.display());
        assert!(text.contains(&expected), "{text}");
        std::fs::write(&path, "pool.max = 2").unwrap();
        assert_eq!(from_file(&path).unwrap().pool.max, 2);
        for (what, wrong) in [
            (vec![b'#'; (1 << 20) + 1], "more than 1048576 bytes"),
            (vec![0xff], "UTF-8"),
        ] {
            std::fs::write(&path, what).unwrap();
            let text = from_file(&path).unwrap_err().to_string();
            assert!(
                text.contains("cannot be read") && text.contains(wrong),
                "{text}"
            );
        }
        assert!(from_file(folder.path()).is_err());
    }

    #[test]
    fn a_password_is_not_repeated() {
        for text in [
            "gateway_addr = \"https://user:canary@a\"",
            "gateway_addr = \"https://user:canary@a",
            "fallback_addrs = [\"https://user:canary@a\"]",
            "proxy = \"canary",
            "proxy = \"http://user:canary@proxy\"",
            "proxy = \"canary\"",
        ] {
            let error = SdkConfig::from_toml(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_much_for_it(text in ".{0,200}") {
            let _ = SdkConfig::from_toml(&text);
        }

        #[test]
        fn no_value_is_too_much_for_it(
            key in prop::sample::select(SdkConfig::keys().collect::<Vec<_>>()),
            value in "[-+0-9a-fx_.:\"'\\[\\]{}=, T]{1,24}",
        ) {
            let _ = SdkConfig::from_toml(&format!("{key} = {value}"));
        }
    }
}
