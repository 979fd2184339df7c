//! From an OAP request's head to a call that may be executed.

use crate::engine::{Action, Call, Caller, Engine, LONGEST_CALL};
use crate::metrics::CallLabel;
use ron_app_sdk::oap::{CallContext, ErrorReply, Operation, Plane, Reason, RequestError};
use ron_app_sdk::session::RequestHead;
use std::time::{Duration, Instant};

/// Checks a request that arrived at `now`, before its body is there.
///
/// The capability comes first: whoever has none learns nothing else.
pub(super) fn admit(
    engine: &Engine,
    now: Instant,
    head: &RequestHead,
) -> Result<Call, (CallLabel, ErrorReply)> {
    let mut label = CallLabel {
        plane: match Plane::from_id(head.app_proto_id) {
            Some(Plane::Storage) => "storage",
            Some(Plane::Edge) => "edge",
            Some(Plane::Mailbox) => "mailbox",
            Some(Plane::Index) => "index",
            Some(Plane::Control) | None => "unknown",
        },
        operation: "unknown",
    };
    let caller = engine
        .identify(head.tenant_id, &head.capability)
        .map_err(|error| (label, error))?;
    let (context, operation) = Operation::decode(head.app_proto_id, &head.meta)
        .map_err(|error| (label, refusal(&error)))?;
    label.operation = operation.name();
    admit_operation(now, caller, context, operation).map_err(|error| (label, error))
}

fn admit_operation(
    now: Instant,
    caller: Caller,
    context: CallContext,
    operation: Operation<'_>,
) -> Result<Call, ErrorReply> {
    let unknown = || ErrorReply::not_executed(Reason::UnknownOperation);
    let action = Action::of(operation).ok_or_else(unknown)?;
    action.check_fields()?;
    if context.deadline_ms == 0 {
        return Err(ErrorReply::not_executed(Reason::DeadlineExceeded));
    }
    action.check_path()?;
    caller.may(&action, context.idem.as_ref())?;
    let limit = Duration::from_millis(u64::from(context.deadline_ms)).min(LONGEST_CALL);
    let deadline = now + limit;
    Ok(Call {
        caller,
        action,
        idem: context.idem,
        attempt: context.attempt,
        // One that is none is left out, and is no reason to refuse the call.
        traceparent: context.traceparent.and_then(|text| text.parse().ok()),
        deadline,
    })
}

fn refusal(error: &RequestError) -> ErrorReply {
    let detail = error.to_string();
    match error {
        RequestError::UnknownPlane(_) => {
            ErrorReply::not_executed(Reason::UnknownPlane).with_detail(detail)
        }
        RequestError::UnknownOperation(_) => {
            ErrorReply::not_executed(Reason::UnknownOperation).with_detail(detail)
        }
        RequestError::Schema(_) => schema_violation(&detail),
    }
}

fn schema_violation(detail: &str) -> ErrorReply {
    ErrorReply::not_executed(Reason::SchemaViolation).with_detail(detail)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::GatewayConfig;
    use crate::engine::Backends;
    use crate::selection::Selection;
    use ron_app_sdk::oap::MAX_META;

    fn engine() -> Engine {
        let config = GatewayConfig::default();
        Engine::new(Backends::in_memory(&config).unwrap(), &config)
    }

    fn mint(engine: &Engine, caveats: &[&str]) -> Vec<u8> {
        let token = engine.minter().unwrap().mint("test", caveats).unwrap();
        token.expose().to_vec()
    }

    fn admit_meta(
        engine: &Engine,
        app_proto_id: u16,
        capability: &[u8],
        meta: &str,
    ) -> Result<Call, (CallLabel, ErrorReply)> {
        let head = RequestHead {
            app_proto_id,
            tenant_id: 0,
            capability: capability.to_vec().into(),
            meta: meta.as_bytes().into(),
        };
        admit(engine, Instant::now(), &head)
    }

    #[test]
    fn each_rule_has_its_reason() {
        let engine = engine();
        let token = &mint(&engine, &[])[..];
        let reason = |app_proto_id, capability: &[u8], meta: &str| {
            let refusal = admit_meta(&engine, app_proto_id, capability, meta);
            refusal.unwrap_err().1.reason
        };
        let put = r#"{"op":"put","deadline_ms":1000,"attempt":1}"#;
        assert_eq!(reason(0x0301, b"", put), Reason::CapabilityMissing);
        assert_eq!(reason(0x0301, b"x", put), Reason::CapabilityMalformed);
        assert_eq!(reason(0x0999, b"", put), Reason::CapabilityMissing);
        assert_eq!(reason(0x0999, token, put), Reason::UnknownPlane);
        assert_eq!(reason(0x0401, token, put), Reason::UnknownOperation);
        assert_eq!(reason(0x0301, token, "[]"), Reason::SchemaViolation);
        let late = put.replace("1000", "0");
        assert_eq!(reason(0x0301, token, &late), Reason::DeadlineExceeded);
        let path = r#"{"op":"head","deadline_ms":1000,"attempt":1,"path":"/a/../b"}"#;
        assert_eq!(reason(0x0401, token, path), Reason::SchemaViolation);
        let narrow = mint(&engine, &["op=storage.get"]);
        assert_eq!(reason(0x0301, &narrow, put), Reason::CapabilityDenied);
        // A call that could not be made at all is not one that is denied.
        assert_eq!(reason(0x0301, &narrow, &late), Reason::DeadlineExceeded);
        assert_eq!(reason(0x0401, &narrow, put), Reason::UnknownOperation);
    }

    #[test]
    fn a_good_request_becomes_a_call_with_its_deadline() {
        let engine = engine();
        let token = mint(&engine, &["path^=/a"]);
        let meta = r#"{"op":"get","deadline_ms":60000,"attempt":1,"path":"/a"}"#;
        let call = admit_meta(&engine, 0x0401, &token, meta).unwrap();
        assert_eq!(call.action, Action::EdgeGet("/a".into(), Selection::Whole));
        let left = call.deadline.saturating_duration_since(Instant::now());
        assert!(left > Duration::from_secs(50) && left <= Duration::from_secs(60));
    }

    #[test]
    fn a_refusal_fits_a_meta_whatever_was_sent() {
        let engine = engine();
        let token = mint(&engine, &[]);
        let field = "\\u0001é".repeat(2000);
        let meta = format!(r#"{{"op":"put","deadline_ms":1,"attempt":1,"{field}":1}}"#);
        assert!(meta.len() <= MAX_META);
        let (_, error) = admit_meta(&engine, 0x0301, &token, &meta).unwrap_err();
        assert!(serde_json::to_vec(&error).unwrap().len() < 1024);
    }
}
