//! `/admin/faults`: what the gateway injects, seen and changed from its own machine.

use super::request::Route;
use super::response;
use crate::faults::{AdminToken, FaultPlan, Faults};
use crate::outcome::Outcome;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Body;
use hyper::header::{HeaderMap, AUTHORIZATION};
use hyper::{Method, Request, Response, StatusCode};
use ron_app_sdk::oap::{ErrorReply, Executed, Reason};
use std::error::Error;
use std::net::IpAddr;

/// The longest plan, in bytes.
const MOST: usize = 64 * 1024;

/// Answers `GET` with the report, arms what `PUT` brings, disarms for `DELETE`.
pub(super) async fn respond<B>(
    faults: &Faults,
    token: &AdminToken,
    peer: IpAddr,
    request: Request<B>,
) -> Response<Full<Bytes>>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let method = request.method().clone();
    let refuse = |reason, detail: &str| {
        let error = ErrorReply::not_executed(reason).with_detail(detail);
        response::outcome(&method, Outcome::error(error, Executed::No))
    };
    if !peer.to_canonical().is_loopback() || !is_authorised(token, request.headers()) {
        return refuse(
            Reason::CapabilityDenied,
            "only from this machine, with Authorization: Bearer and the gateway's admin token",
        );
    }
    if !Route::Faults.allows(&method) {
        return response::method_not_allowed(Route::Faults.methods());
    }
    if method == Method::PUT {
        let Ok(body) = Limited::new(request.into_body(), MOST).collect().await else {
            return refuse(Reason::TooLarge, "a plan has at most 65536 bytes");
        };
        let plan = String::from_utf8(body.to_bytes().into())
            .map_err(|_| "not UTF-8".to_owned())
            .and_then(|text| FaultPlan::from_json(&text).map_err(|error| error.to_string()));
        let armed = plan.and_then(|plan| faults.arm(plan).map_err(|error| error.to_string()));
        if let Err(rule) = armed {
            return refuse(Reason::SchemaViolation, &rule);
        }
    } else if method == Method::DELETE {
        faults.disarm();
    }
    // Nothing in a report has other keys than names.
    let report = serde_json::to_string(&faults.report()).unwrap_or_default();
    response::json(StatusCode::OK, report)
}

fn is_authorised(token: &AdminToken, headers: &HeaderMap) -> bool {
    let sent = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '));
    sent.is_some_and(|(scheme, sent)| {
        scheme.eq_ignore_ascii_case("bearer") && token.is(sent.as_bytes())
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::faults::Fault;
    use crate::metrics::InjectedFaults;

    const HERE: [u8; 4] = [127, 0, 0, 1];

    async fn ask(
        faults: &Faults,
        token: &AdminToken,
        peer: impl Into<IpAddr>,
        (method, authorization, body): (&str, &str, &str),
    ) -> (u16, String) {
        let request = Request::builder()
            .method(method)
            .uri("/admin/faults")
            .header(AUTHORIZATION, authorization)
            .body(Full::new(Bytes::from(body.to_owned())))
            .unwrap();
        let response = respond(faults, token, peer.into(), request).await;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.into()).unwrap())
    }

    #[tokio::test]
    async fn a_plan_is_armed_shown_and_disarmed() {
        let faults = Faults::new(InjectedFaults::default());
        let token = AdminToken::random().unwrap();
        let bearer = format!("Bearer {}", token.expose());
        let plan = r#"{"seed":7,"rules":[{"fault":"reset","probability":0.5}]}"#;
        let (status, shown) = ask(&faults, &token, HERE, ("PUT", &bearer, plan)).await;
        assert_eq!(status, 200, "{shown}");
        assert!(shown.contains(r#""seed":7"#), "{shown}");
        let (_, again) = ask(&faults, &token, HERE, ("GET", &bearer, "")).await;
        assert_eq!(shown, again);
        assert_eq!(faults.report().plan.unwrap().rules[0].fault, Fault::Reset);

        let (status, error) = ask(&faults, &token, HERE, ("PUT", &bearer, "{}")).await;
        assert_eq!(status, 400);
        assert!(error.contains("rules"), "{error}");
        let long = " ".repeat(MOST + 1);
        let (status, _) = ask(&faults, &token, HERE, ("PUT", &bearer, &long)).await;
        assert_eq!(status, 413);
        let (status, _) = ask(&faults, &token, HERE, ("POST", &bearer, plan)).await;
        assert_eq!(status, 405);
        assert!(faults.report().plan.is_some());

        let (status, shown) = ask(&faults, &token, HERE, ("DELETE", &bearer, "")).await;
        assert_eq!(status, 200);
        assert!(shown.contains(r#""plan":null"#), "{shown}");
    }

    #[tokio::test]
    async fn whoever_is_elsewhere_or_has_no_token_is_refused() {
        let faults = Faults::new(InjectedFaults::default());
        let token = AdminToken::random().unwrap();
        let other = AdminToken::random().unwrap();
        let bearer = format!("Bearer {}", token.expose());
        let elsewhere = [10, 0, 0, 1];
        for (peer, authorization, status) in [
            (IpAddr::from(HERE), bearer.clone(), 200),
            ("::1".parse().unwrap(), bearer.clone(), 200),
            ("::ffff:127.0.0.1".parse().unwrap(), bearer.clone(), 200),
            (elsewhere.into(), bearer.clone(), 403),
            ("::ffff:10.0.0.1".parse().unwrap(), bearer, 403),
            (HERE.into(), format!("Bearer {}", other.expose()), 403),
            (HERE.into(), format!("Ron {}", token.expose()), 403),
            (HERE.into(), token.expose().to_owned(), 403),
            (HERE.into(), "Bearer ".to_owned(), 403),
        ] {
            for method in ["GET", "PUT", "DELETE", "POST"] {
                let expected = match (status, method) {
                    (200, "POST") => 405,
                    (200, "PUT") => 400,
                    _ => status,
                };
                let asked = ask(&faults, &token, peer, (method, &authorization, "")).await;
                assert_eq!(asked.0, expected, "{peer} {method} {authorization}");
            }
        }
    }
}
