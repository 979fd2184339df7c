//! The caveats that a gateway understands, and how they are written.

use ron_app_sdk::Topic;
use std::str::FromStr;

/// What a caveat asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// `op=storage.get,storage.head`: one of these operations.
    Operations(Vec<String>),
    /// `tenant=` and 32 hexadecimal digits.
    Tenant(u128),
    /// `path^=/public/`: an edge path that begins with this text.
    PathPrefix(String),
    /// `topic=orders`: this topic.
    Topic(Topic),
    /// `topic^=orders.`: a topic that begins with this text.
    TopicPrefix(String),
    /// `exp<1900000000`: before this second since 1970.
    Expires(u64),
    /// `nbf>1800000000`: after this second since 1970.
    NotBefore(u64),
    /// `max_bytes<65537`: fewer bytes of request body than this.
    MaxBytes(u64),
    /// `idem_scope=invoices-`: an idempotency key that begins with this text, for mutations.
    IdemScope(String),
}

impl Condition {
    /// Reads a caveat. There is one way to write each: no spaces, no signs, nothing empty.
    ///
    /// # Errors
    /// Where no caveat begins like this one, or what follows breaks its rule.
    pub fn parse(caveat: &[u8]) -> Result<Self, CaveatError> {
        let text = std::str::from_utf8(caveat).map_err(|_| CaveatError::Unknown)?;
        let split = text
            .find(['=', '<', '>', '^'])
            .ok_or(CaveatError::Unknown)?;
        let end = split + 1 + usize::from(text[split..].starts_with("^="));
        let (kind, value) = text.split_at(end);
        let condition = match kind {
            "op=" => operations(value).map(Self::Operations),
            "tenant=" => tenant(value).map(Self::Tenant),
            "path^=" => {
                let is_path = value.starts_with('/') && is_plain(value);
                is_path.then(|| Self::PathPrefix(value.to_owned()))
            }
            "topic=" => Topic::new(value).ok().map(Self::Topic),
            "topic^=" => non_empty(value).map(Self::TopicPrefix),
            "exp<" => number(value).map(Self::Expires),
            "nbf>" => number(value).map(Self::NotBefore),
            "max_bytes<" => number(value).map(Self::MaxBytes),
            "idem_scope=" => non_empty(value).map(Self::IdemScope),
            _ => return Err(CaveatError::Unknown),
        };
        let kind = KINDS.into_iter().find(|known| *known == kind);
        condition.ok_or(kind.map_or(CaveatError::Unknown, CaveatError::Malformed))
    }

    /// How a caveat of this kind begins.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Operations(_) => "op=",
            Self::Tenant(_) => "tenant=",
            Self::PathPrefix(_) => "path^=",
            Self::Topic(_) => "topic=",
            Self::TopicPrefix(_) => "topic^=",
            Self::Expires(_) => "exp<",
            Self::NotBefore(_) => "nbf>",
            Self::MaxBytes(_) => "max_bytes<",
            Self::IdemScope(_) => "idem_scope=",
        }
    }
}

const KINDS: [&str; 9] = [
    "op=",
    "tenant=",
    "path^=",
    "topic=",
    "topic^=",
    "exp<",
    "nbf>",
    "max_bytes<",
    "idem_scope=",
];

impl FromStr for Condition {
    type Err = CaveatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text.as_bytes())
    }
}

/// Why a caveat is not understood. It does not repeat the caveat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaveatError {
    /// No caveat begins like this one.
    #[error("a caveat is of no known kind")]
    Unknown,
    /// What follows the beginning breaks the rule of that kind.
    #[error("a caveat {0} is malformed")]
    Malformed(&'static str),
}

fn operations(value: &str) -> Option<Vec<String>> {
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let is_operation = |item: &str| {
        item.split_once('.')
            .is_some_and(|(plane, name)| is_name(plane) && is_name(name))
    };
    let items = value.split(',');
    items
        .map(|item| is_operation(item).then(|| item.to_owned()))
        .collect()
}

fn tenant(value: &str) -> Option<u128> {
    let is_hex = value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| u128::from_str_radix(value, 16).ok())?
}

fn number(value: &str) -> Option<u64> {
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| value.parse().ok())?
}

fn non_empty(value: &str) -> Option<String> {
    (!value.is_empty() && is_plain(value)).then(|| value.to_owned())
}

fn is_plain(value: &str) -> bool {
    !value.contains(char::is_control)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_read() {
        let text = |text: &str| text.to_owned();
        for (caveat, condition) in [
            (
                "op=storage.get,edge.head",
                Condition::Operations(vec![text("storage.get"), text("edge.head")]),
            ),
            (
                "tenant=0102030405060708090a0B0c0d0e0f10",
                Condition::Tenant(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10),
            ),
            ("path^=/", Condition::PathPrefix(text("/"))),
            ("path^=/a=b<c", Condition::PathPrefix(text("/a=b<c"))),
            (
                "topic=a/b.c",
                Condition::Topic(Topic::new("a/b.c").unwrap()),
            ),
            ("topic^=orders.", Condition::TopicPrefix(text("orders."))),
            ("exp<1900000000", Condition::Expires(1_900_000_000)),
            ("nbf>0", Condition::NotBefore(0)),
            ("max_bytes<1", Condition::MaxBytes(1)),
            ("idem_scope=inv-", Condition::IdemScope(text("inv-"))),
        ] {
            let parsed = Condition::parse(caveat.as_bytes());
            assert_eq!(parsed, Ok(condition.clone()), "{caveat}");
            assert!(KINDS.contains(&condition.kind()) && caveat.starts_with(condition.kind()));
        }
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for caveat in [
            "",
            "op",
            "=",
            "^=",
            "OP=storage.get",
            " op=storage.get",
            "op<storage.get",
            "exp=1",
            "exp>1",
            "nbf<1",
            "exp <1",
            "path=/a",
            "path^/a",
            "path^^=/a",
            "time<2030",
            "max_bytes=1",
            "idem_scope^=a",
            "topic<a",
        ] {
            let parsed = Condition::parse(caveat.as_bytes());
            assert_eq!(parsed, Err(CaveatError::Unknown), "{caveat:?}");
        }
        for caveat in [
            "op=",
            "op=storage",
            "op=storage.get,",
            "op=,storage.get",
            "op=storage.get, edge.get",
            "op=storage.*",
            "op=.get",
            "op=a.b.c",
            "tenant=",
            "tenant=1",
            "tenant=+102030405060708090a0b0c0d0e0f10",
            "tenant=0102030405060708090a0b0c0d0e0f1g",
            "path^=",
            "path^=a",
            "path^=/a\n",
            "topic=",
            "topic=A",
            "topic=a b",
            "topic^=",
            "exp<",
            "exp<-1",
            "exp<+1",
            "exp<1.5",
            "exp<1 ",
            "exp<18446744073709551616",
            "nbf>",
            "max_bytes<",
            "max_bytes<1k",
            "idem_scope=",
        ] {
            let parsed = Condition::parse(caveat.as_bytes());
            assert!(
                matches!(parsed, Err(CaveatError::Malformed(_))),
                "{caveat:?}: {parsed:?}"
            );
        }
        assert_eq!(Condition::parse(b"path^=/\xff"), Err(CaveatError::Unknown));
    }
}
