//! What an HTTP request asks for.

use super::document;
use crate::engine::Action;
use crate::selection::Selection;
use http_range_header::{parse_range_header, EndPosition, RangeUnsatisfiableError, StartPosition};
use hyper::header::{HeaderMap, HeaderValue, AUTHORIZATION, IF_RANGE, RANGE};
use hyper::http::request::Parts;
use hyper::Method;
use ron_app_sdk::oap::{ErrorReply, Reason};
use ron_app_sdk::{Attributes, ByteRange, Capability, IdemKey, IndexKey, Topic, TraceParent};

/// The scheme of the `Authorization` header.
const SCHEME: &str = "Ron";
/// How the header of a message's attribute begins.
const ATTRIBUTE: &str = "ron-attribute-";

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    Health,
    Ready,
    Version,
    Metrics,
    /// What the gateway injects.
    Faults,
    Put,
    /// An address.
    Object(&'a str),
    /// A path without its leading slash, percent-encoded.
    Edge(&'a str),
    /// A topic, percent-encoded, and what is done in it.
    Topic(&'a str, TopicCall),
    /// A name.
    Name(&'a str),
}

/// What is done in a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TopicCall {
    Send,
    Receive,
    Ack,
    Nack,
    Extend,
}

impl<'a> Route<'a> {
    pub(super) fn of(path: &'a str) -> Option<Self> {
        Some(match path {
            "/healthz" => Self::Health,
            "/readyz" => Self::Ready,
            "/version" => Self::Version,
            "/metrics" => Self::Metrics,
            "/admin/faults" => Self::Faults,
            "/put" => Self::Put,
            _ => {
                let (root, rest) = path.strip_prefix('/')?.split_once('/')?;
                match root {
                    "o" => Self::Object(rest),
                    "edge" => Self::Edge(rest),
                    "i" => Self::Name(rest),
                    "m" => Self::in_topic(rest)?,
                    _ => return None,
                }
            }
        })
    }

    /// A topic's slashes are percent-encoded: one that is not ends it.
    fn in_topic(rest: &'a str) -> Option<Self> {
        let (topic, call) = match rest.split_once('/') {
            None => (rest, TopicCall::Send),
            Some((topic, "receive")) => (topic, TopicCall::Receive),
            Some((topic, "ack")) => (topic, TopicCall::Ack),
            Some((topic, "nack")) => (topic, TopicCall::Nack),
            Some((topic, "extend")) => (topic, TopicCall::Extend),
            Some(_) => return None,
        };
        Some(Self::Topic(topic, call))
    }

    /// As the `Allow` header says it.
    pub(super) fn methods(self) -> &'static str {
        match self {
            Self::Put | Self::Topic(..) => "POST",
            Self::Name(_) => "GET, HEAD, PUT",
            Self::Faults => "GET, PUT, DELETE",
            _ => "GET, HEAD",
        }
    }

    pub(super) fn allows(self, method: &Method) -> bool {
        match self {
            Self::Put | Self::Topic(..) => method == Method::POST,
            Self::Name(_) => [Method::GET, Method::HEAD, Method::PUT].contains(method),
            Self::Faults => [Method::GET, Method::PUT, Method::DELETE].contains(method),
            _ => method == Method::GET || method == Method::HEAD,
        }
    }
}

/// The capability in the `Authorization` header; `None` where there is none in our scheme.
pub(super) fn capability(headers: &HeaderMap) -> Result<Option<Capability>, ErrorReply> {
    let Some((scheme, token)) = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
    else {
        return Ok(None);
    };
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return Ok(None);
    }
    let malformed = |_| {
        ErrorReply::not_executed(Reason::CapabilityMalformed)
            .with_detail("Authorization: Ron takes a macaroon as base64url")
    };
    Capability::from_base64url(token)
        .map(Some)
        .map_err(malformed)
}

/// The `Idempotency-Key` header, if there is one.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdemKey>, String> {
    let Some(key) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = key
        .to_str()
        .map_err(|_| "Idempotency-Key: not ASCII".to_owned())?;
    let refuse = |error| format!("Idempotency-Key: {error}");
    IdemKey::new(key).map(Some).map_err(refuse)
}

/// The `traceparent` header, where it is one.
pub(super) fn traceparent(headers: &HeaderMap) -> Option<TraceParent> {
    headers.get("traceparent")?.to_str().ok()?.parse().ok()
}

/// How a request says what it wants beside its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// Not at all.
    Nothing,
    /// As the bytes that it is about.
    Bytes,
    /// As a JSON document.
    Document,
}

impl Route<'_> {
    /// What the body of such a request is.
    pub(super) fn input(self, method: &Method) -> Input {
        match self {
            Self::Put | Self::Topic(_, TopicCall::Send) => Input::Bytes,
            Self::Topic(..) => Input::Document,
            Self::Name(_) if method == Method::PUT => Input::Document,
            _ => Input::Nothing,
        }
    }
}

/// What the request wants; its method is one that its route allows. `document` is empty where its
/// [`Input`] is another one. The error names the rule it breaks.
pub(super) fn action(head: &Parts, document: &[u8]) -> Result<Action, String> {
    let is_head = head.method == Method::HEAD;
    match Route::of(head.uri.path()) {
        Some(Route::Put) => Ok(Action::StoragePut),
        Some(Route::Object(address)) => {
            let address = address
                .parse()
                .map_err(|error| format!("address: {error}"))?;
            Ok(if is_head {
                Action::StorageHead(address)
            } else {
                Action::StorageGet(address, selection(&head.headers))
            })
        }
        Some(Route::Edge(rest)) => {
            let rest = percent_decode(rest).ok_or("path: not percent-encoded UTF-8")?;
            let path = format!("/{rest}");
            Ok(if is_head {
                Action::EdgeHead(path)
            } else {
                Action::EdgeGet(path, selection(&head.headers))
            })
        }
        Some(Route::Topic(topic, call)) => {
            let topic = percent_decode(topic).ok_or("topic: not percent-encoded UTF-8")?;
            let topic = Topic::new(&topic).map_err(|error| format!("topic: {error}"))?;
            match call {
                TopicCall::Send => {
                    let attributes = attributes(&head.headers)?;
                    Ok(Action::MailboxSend { topic, attributes })
                }
                call => document::in_topic(topic, call, document),
            }
        }
        Some(Route::Name(key)) => {
            let key = IndexKey::new(key).map_err(|error| format!("key: {error}"))?;
            if head.method == Method::PUT {
                document::publish(key, document)
            } else {
                Ok(Action::IndexResolve(key))
            }
        }
        _ => Err("not a call".to_owned()),
    }
}

/// A message's attributes, from their headers.
fn attributes(headers: &HeaderMap) -> Result<Attributes, String> {
    let mut attributes = Attributes::default();
    for (header, value) in headers {
        let Some(name) = header.as_str().strip_prefix(ATTRIBUTE) else {
            continue;
        };
        let refuse = |rule: &dyn std::fmt::Display| format!("{ATTRIBUTE}…: {rule}");
        if attributes.get(name).is_some() {
            return Err(refuse(&"an attribute comes twice"));
        }
        let value = std::str::from_utf8(value.as_bytes()).map_err(|_| refuse(&"not UTF-8"))?;
        attributes
            .insert(name, value)
            .map_err(|error| refuse(&error))?;
    }
    Ok(attributes)
}

/// Which bytes the `Range` header selects. As HTTP asks for, a range that cannot be read, and any form
/// that is not supported (several ranges, a condition), selects the whole object.
fn selection(headers: &HeaderMap) -> Selection {
    let range = headers.get(RANGE).map(HeaderValue::to_str);
    let (Some(Ok(text)), false) = (range, headers.contains_key(IF_RANGE)) else {
        return Selection::Whole;
    };
    let ranges = match parse_range_header(text) {
        Ok(ranges) => ranges.ranges,
        // `bytes=-0` is well-formed, and no object satisfies it.
        Err(RangeUnsatisfiableError::ZeroSuffix) => return Selection::Last(0),
        Err(_) => return Selection::Whole,
    };
    match ranges.as_slice() {
        [range] => match (range.start, range.end) {
            (StartPosition::FromLast(count), _) => Selection::Last(count),
            (StartPosition::Index(first), EndPosition::LastByte) => Selection::From(first),
            (StartPosition::Index(first), EndPosition::Index(u64::MAX)) => Selection::From(first),
            (StartPosition::Index(first), EndPosition::Index(last)) => {
                ByteRange::new(first, last).ok().into()
            }
        },
        _ => Selection::Whole,
    }
}

/// Decodes `%xx`; `None` where that is malformed or the result is not UTF-8.
fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte == b'%' {
            let (digits, tail) = rest.split_first_chunk::<2>()?;
            let digit = |byte: u8| char::from(byte).to_digit(16);
            bytes.push((digit(digits[0])? << 4 | digit(digits[1])?) as u8);
            rest = tail;
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_is_no_traceparent_is_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(traceparent(&headers), None);
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        headers.insert("traceparent", text.parse().unwrap());
        assert_eq!(traceparent(&headers).unwrap().as_str(), text);
        headers.insert("traceparent", "00-trace".parse().unwrap());
        assert_eq!(traceparent(&headers), None);
    }
    use ron_app_sdk::Macaroon;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        headers
    }

    #[test]
    fn ranges_are_read_as_http_defines_them() {
        let select = |text| selection(&headers("range", text));
        let range = |first, last| Selection::Range(ByteRange::new(first, last).unwrap());
        assert_eq!(select("bytes=0-9"), range(0, 9));
        assert_eq!(select("bytes=5-"), Selection::From(5));
        assert_eq!(select("bytes=-5"), Selection::Last(5));
        assert_eq!(select("bytes=-0"), Selection::Last(0));
        assert_eq!(select("bytes=1-18446744073709551615"), Selection::From(1));
        for whole in [
            "bytes=9-0",
            "bytes=0-1,4-5",
            "bytes=a-b",
            "lines=1-2",
            "bytes=",
        ] {
            assert_eq!(select(whole), Selection::Whole, "{whole}");
        }
        let mut conditional = headers("range", "bytes=0-9");
        conditional.insert(IF_RANGE, HeaderValue::from_static("\"x\""));
        assert_eq!(selection(&conditional), Selection::Whole);
    }

    #[test]
    fn the_capability_is_taken_from_our_scheme_only() {
        let token = Macaroon::mint(b"key", "here", b"id").encode();
        let text = Capability::from_bytes(token).unwrap().expose_base64url();
        let read = |value: &str| capability(&headers("authorization", value));
        assert!(read(&format!("Ron {}", *text)).unwrap().is_some());
        assert!(read(&format!("ron {}", *text)).unwrap().is_some());
        assert!(read(&format!("Bearer {}", *text)).unwrap().is_none());
        assert!(capability(&HeaderMap::new()).unwrap().is_none());
        let error = read("Ron canary").unwrap_err();
        assert_eq!(error.reason, Reason::CapabilityMalformed);
        assert!(!format!("{error:?}").contains("canary"));
    }

    #[test]
    fn a_topic_is_one_segment_of_the_path() {
        let topic = |path| match Route::of(path) {
            Some(Route::Topic(topic, call)) => Some((topic, call)),
            _ => None,
        };
        assert_eq!(topic("/m/orders"), Some(("orders", TopicCall::Send)));
        assert_eq!(topic("/m/a/ack"), Some(("a", TopicCall::Ack)));
        assert_eq!(topic("/m/a%2Fack"), Some(("a%2Fack", TopicCall::Send)));
        assert_eq!(topic("/m/a%2Fb/extend"), Some(("a%2Fb", TopicCall::Extend)));
        assert_eq!(
            topic("/m/receive/receive"),
            Some(("receive", TopicCall::Receive))
        );
        for nowhere in ["/m", "/m/a/b", "/m/a/ack/", "/m/a/b/ack", "/mm/a", "m/a"] {
            assert_eq!(topic(nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn attributes_are_headers_of_their_own() {
        let mut headers = headers("ron-attribute-currency", "EUR");
        headers.insert("Ron-Attribute-x.y_z-1", "ä".parse().unwrap());
        headers.insert("content-type", "text/plain".parse().unwrap());
        let read = attributes(&headers).unwrap();
        assert_eq!((read.len(), read.get("currency")), (2, Some("EUR")));
        assert_eq!(read.get("x.y_z-1"), Some("ä"));
        headers.append("ron-attribute-currency", "USD".parse().unwrap());
        assert!(attributes(&headers).unwrap_err().contains("twice"));
        for (name, value) in [
            ("ron-attribute-", &b"x"[..]),
            ("ron-attribute-a*", b"x"),
            ("ron-attribute-a", b"\xff"),
            ("ron-attribute-a", b"a\tb"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_bytes(value).unwrap());
            assert!(attributes(&headers).is_err(), "{name} {value:?}");
        }
    }

    #[test]
    fn percent_encoding_is_decoded_strictly() {
        assert_eq!(percent_decode("a%20b%C3%A9/c").as_deref(), Some("a bé/c"));
        for malformed in ["%", "%2", "%zz", "%+1", "%ff"] {
            assert_eq!(percent_decode(malformed), None, "{malformed}");
        }
    }
}
