//! The HTTP face: the same objects, checks and codes for curl, browsers and load balancers.

mod admin;
mod document;
mod request;
mod response;

use crate::engine::{deadline_exceeded, schema_violation, Call};
use crate::faults::{self, ResetSwitch};
use crate::gateway::Shared;
use crate::metrics::CallLabel;
use crate::outcome::Outcome;
use crate::phase::Phase;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use request::{Input, Route, TopicCall};
use ron_app_sdk::oap::{ErrorReply, Executed, Reason, MAX_BODY, MAX_META};
use std::error::Error;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

/// For the execution of one request: HTTP has no header for a deadline.
const DEADLINE: Duration = Duration::from_secs(30);
/// HTTP has no header for the attempt either.
const FIRST_ATTEMPT: u8 = 1;
/// The most that is buffered of a request's head.
const HEAD: usize = 64 * 1024;

/// Who is at the other end, and how to be rid of them.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    pub(crate) reset: ResetSwitch,
}

/// A connection is to be reset instead of a response.
#[derive(Debug, thiserror::Error)]
#[error("the connection is to be reset")]
struct ResetRequested;

/// Serves a connection to its end.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    shared: Arc<Shared>,
    peer: Peer,
) {
    let mut phase = shared.phase.clone();
    let frame = shared.config.limits.frame;
    let peer = Arc::new(peer);
    let service = service_fn(move |request| {
        let (shared, peer) = (Arc::clone(&shared), Arc::clone(&peer));
        async move {
            tokio::select! {
                biased;
                response = respond(&shared, &peer, request) => Ok(response),
                () = peer.reset.requested() => Err(ResetRequested),
            }
        }
    });
    let mut connection = pin!(http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(frame)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(stream), service));
    // How a connection ended is of no interest: each answered request has been counted.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = phase.reached(Phase::Draining) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn respond<B>(shared: &Arc<Shared>, peer: &Peer, request: Request<B>) -> Response<Full<Bytes>>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let method = request.method().clone();
    let no_such_page = || {
        let error = ErrorReply::not_executed(Reason::NotFound).with_detail("no such page");
        response::outcome(&method, Outcome::error(error, Executed::No))
    };
    let Some(route) = Route::of(request.uri().path()) else {
        return no_such_page();
    };
    if route == Route::Faults {
        return match &shared.config.admin_token {
            Some(token) => admin::respond(&shared.faults, token, peer.address, request).await,
            None => no_such_page(),
        };
    }
    if !route.allows(&method) {
        return response::method_not_allowed(route.methods());
    }
    match route {
        Route::Health => response::text(StatusCode::OK, "ok\n"),
        Route::Ready if shared.phase.is_serving() => response::text(StatusCode::OK, "ready\n"),
        Route::Ready => response::text(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        Route::Version => response::version(),
        Route::Metrics if shared.config.expose_metrics => response::metrics(shared.metrics.text()),
        Route::Metrics | Route::Faults => no_such_page(),
        Route::Put | Route::Object(_) | Route::Edge(_) | Route::Topic(..) | Route::Name(_) => {
            let (label, input) = (route.label(&method), route.input(&method));
            let mut outcome = match call(shared, &peer.reset, input, request).await {
                Ok(outcome) | Err(outcome) => outcome,
            };
            shared.metrics.call(label, outcome.code);
            let on_replied = std::mem::take(&mut outcome.on_replied);
            let response = response::outcome(&method, outcome);
            on_replied.replied();
            response
        }
    }
}

impl Route<'_> {
    fn label(&self, method: &Method) -> CallLabel {
        let read = if method == Method::HEAD {
            "head"
        } else {
            "get"
        };
        let (plane, operation) = match self {
            Self::Put => ("storage", "put"),
            Self::Object(_) => ("storage", read),
            Self::Edge(_) => ("edge", read),
            Self::Topic(_, TopicCall::Send) => ("mailbox", "send"),
            Self::Topic(_, TopicCall::Receive) => ("mailbox", "receive"),
            Self::Topic(_, TopicCall::Ack) => ("mailbox", "ack"),
            Self::Topic(_, TopicCall::Nack) => ("mailbox", "nack"),
            Self::Topic(_, TopicCall::Extend) => ("mailbox", "extend"),
            Self::Name(_) if method == Method::PUT => ("index", "publish"),
            Self::Name(_) => ("index", "resolve"),
            _ => ("unknown", "unknown"),
        };
        CallLabel { plane, operation }
    }
}

/// Executes a request; both variants are its outcome.
async fn call<B>(
    shared: &Arc<Shared>,
    reset: &ResetSwitch,
    input: Input,
    request: Request<B>,
) -> Result<Outcome, Outcome>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (head, body) = request.into_parts();
    let token = request::capability(&head.headers).map_err(refused)?;
    let token = token.as_ref().map_or(&[][..], |token| token.expose());
    let caller = shared.engine.identify(0, token).map_err(refused)?;
    let idem = request::idempotency_key(&head.headers).map_err(schema_violation)?;
    let frame = shared.config.limits.frame;
    let (document, body) = match input {
        Input::Document => (read_body(body, MAX_META, frame).await?, None),
        Input::Bytes => (Bytes::new(), Some(body)),
        Input::Nothing if body.is_end_stream() => (Bytes::new(), None),
        Input::Nothing => return Err(schema_violation("this operation has no body")),
    };
    let action = request::action(&head, &document).map_err(schema_violation)?;
    action.check_fields().map_err(refused)?;
    action.check_path().map_err(refused)?;
    caller.may(&action, idem.as_ref()).map_err(refused)?;
    let body = match body {
        Some(body) => read_body(body, MAX_BODY, frame).await?,
        None => Bytes::new(),
    };
    let call = Call {
        caller,
        action,
        idem,
        attempt: FIRST_ATTEMPT,
        traceparent: request::traceparent(&head.headers),
        deadline: Instant::now() + DEADLINE,
    };
    if let Some(log) = &shared.config.call_log {
        log.say(&call);
    }
    let injections = shared.faults.for_http(call.action.label(), call.attempt);
    let answer = if injections.is_empty() {
        shared.engine.execute(call, body, &shared.phase)
    } else {
        faults::execute(shared, reset, call, body, injections)
    };
    Ok(answer.wait().await)
}

fn refused(error: ErrorReply) -> Outcome {
    Outcome::error(error, Executed::No)
}

/// Reads a body of at most `most` bytes, within `limit`.
async fn read_body<B>(body: B, most: usize, limit: Duration) -> Result<Bytes, Outcome>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let too_large = || {
        let error = ErrorReply::not_executed(Reason::TooLarge);
        refused(error.with_detail(format!("this body has at most {most} bytes")))
    };
    if body.size_hint().lower() > most as u64 {
        return Err(too_large());
    }
    let body = pin!(Limited::new(body, most));
    match timeout(limit, body.collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(schema_violation("the body ends too early")),
        Err(_elapsed) => Err(deadline_exceeded(Executed::No)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::GatewayConfig;
    use crate::engine::Backends;
    use crate::phase::phase_channel;
    use hyper::header::AUTHORIZATION;
    use ron_app_sdk::AddrB3;

    fn shared(config: GatewayConfig) -> (tokio::sync::watch::Sender<Phase>, Arc<Shared>) {
        let backends = Backends::in_memory(&config).unwrap();
        let (phase, watch) = phase_channel();
        (phase, Arc::new(Shared::new(config, backends, watch)))
    }

    fn request(
        shared: &Shared,
        method: &str,
        path: &str,
        body: &'static [u8],
    ) -> Request<Full<Bytes>> {
        let minter = shared.engine.minter().unwrap();
        let capability = minter.mint("test", &[]).unwrap();
        Request::builder()
            .method(method)
            .uri(path)
            .header(
                AUTHORIZATION,
                format!("Ron {}", *capability.expose_base64url()),
            )
            .body(Full::new(Bytes::from_static(body)))
            .unwrap()
    }

    fn peer() -> Peer {
        Peer {
            address: IpAddr::from([127, 0, 0, 1]),
            reset: ResetSwitch::default(),
        }
    }

    async fn status(shared: &Arc<Shared>, request: Request<Full<Bytes>>) -> u16 {
        respond(shared, &peer(), request).await.status().as_u16()
    }

    #[tokio::test]
    async fn readiness_ends_with_the_drain_and_health_does_not() {
        let (phase, shared) = shared(GatewayConfig::default());
        assert_eq!(
            status(&shared, request(&shared, "GET", "/readyz", b"")).await,
            200
        );
        phase.send(Phase::Draining).unwrap();
        assert_eq!(
            status(&shared, request(&shared, "GET", "/readyz", b"")).await,
            503
        );
        assert_eq!(
            status(&shared, request(&shared, "GET", "/healthz", b"")).await,
            200
        );
    }

    #[tokio::test]
    async fn metrics_are_shown_only_where_that_was_asked_for() {
        let (_phase, hidden) = shared(GatewayConfig::default());
        assert_eq!(
            status(&hidden, request(&hidden, "GET", "/metrics", b"")).await,
            404
        );
        let (_phase, exposed) = shared(GatewayConfig {
            expose_metrics: true,
            ..GatewayConfig::default()
        });
        let put = request(&exposed, "POST", "/put", b"x");
        assert_eq!(status(&exposed, put).await, 200);
        let metrics = request(&exposed, "GET", "/metrics", b"");
        let response = respond(&exposed, &peer(), metrics).await;
        let text = response.into_body().collect().await.unwrap().to_bytes();
        let text = std::str::from_utf8(&text).unwrap();
        assert!(text.contains(r#"operation="put",code="200"} 1"#), "{text}");
    }

    #[tokio::test]
    async fn routes_and_methods_are_refused_with_their_codes() {
        let (_phase, shared) = shared(GatewayConfig::default());
        let absent = format!("/o/{}", AddrB3::of(b"absent"));
        for (method, path, body, code) in [
            ("GET", "/", &b""[..], 404),
            ("POST", "/healthz", b"", 405),
            ("GET", "/put", b"", 405),
            ("DELETE", &absent, b"", 405),
            ("GET", &absent, b"", 404),
            ("GET", &absent, b"body", 400),
            ("GET", "/o/b3:00", b"", 400),
            ("GET", "/edge/a/%2e%2e/b", b"", 400),
            ("GET", "/edge/%zz", b"", 400),
            ("GET", "/edge/ron/64k", b"", 200),
            ("GET", "/edge/%72on/64k", b"", 200),
        ] {
            let request = request(&shared, method, path, body);
            assert_eq!(status(&shared, request).await, code, "{method} {path}");
        }
    }

    #[tokio::test]
    async fn a_bad_idempotency_key_is_refused_and_a_good_one_is_not() {
        let (_phase, shared) = shared(GatewayConfig::default());
        for (key, code) in [("invoice-1", 200), ("", 400), ("two words", 400)] {
            let mut request = request(&shared, "POST", "/put", b"x");
            request
                .headers_mut()
                .insert("idempotency-key", key.parse().unwrap());
            assert_eq!(status(&shared, request).await, code, "{key:?}");
        }
    }
}
