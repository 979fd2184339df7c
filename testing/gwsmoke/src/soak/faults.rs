//! The faults of a soak, armed and disarmed through the gateway's admin call.

use crate::http::{self, HttpFace};
use crate::settings::{Settings, Unusable};
use hyper::header::{HeaderName, HeaderValue};
use hyper::Method;
use serde_json::Value;
use std::time::Duration;

/// What lets its holder say what the gateway injects.
const ADMIN_TOKEN: &str = "RON_GATEWAY_ADMIN_TOKEN";
const PATH: &str = "/admin/faults";
const LIMIT: Duration = Duration::from_secs(5);
/// Refusals, effects whose answer is lost, late and repeated answers, broken connections.
const PLAN: &str = r#"{"rules":[
    {"fault":"error_before","probability":0.02},
    {"fault":"error_after","probability":0.01},
    {"fault":"drop_reply","probability":0.002},
    {"fault":"reset","probability":0.001},
    {"fault":"duplicate_reply","probability":0.002},
    {"fault":{"late_reply":{"after_ms":300}},"probability":0.005}]}"#;

/// The faults of a gateway.
pub(super) struct Faults {
    face: HttpFace,
    authorization: (HeaderName, HeaderValue),
}

impl Faults {
    /// Those of the settings' gateway, with the token from the environment.
    pub(super) fn new(settings: &Settings) -> Result<Self, Unusable> {
        let token = std::env::var(ADMIN_TOKEN).map_err(|_| {
            Unusable::Option(format!(
                "--faults: {ADMIN_TOKEN} is not set: `ron-gateway dev` sets it for its command"
            ))
        })?;
        Ok(Self {
            face: settings.http()?,
            authorization: http::secret("Bearer", &token)?,
        })
    }

    pub(super) async fn arm(&self) -> Result<(), Unusable> {
        self.ask(Method::PUT, PLAN).await.map(drop)
    }

    /// Returns how many faults there were of each kind, as JSON.
    pub(super) async fn disarm(&self) -> Result<Value, Unusable> {
        let mut report = self.ask(Method::DELETE, "").await?;
        Ok(report["fired"].take())
    }

    async fn ask(&self, method: Method, body: &'static str) -> Result<Value, Unusable> {
        let (name, value) = &self.authorization;
        let request = self.face.request(method, PATH).header(name, value);
        let request = http::with_body(request, body)?;
        let response = self.face.connect().await?.send(request, LIMIT).await?;
        if !response.status.is_success() {
            let refused = format!(
                "--faults: the gateway's {PATH} answered {}",
                response.status
            );
            return Err(Unusable::Option(refused));
        }
        Ok(serde_json::from_slice(&response.body).unwrap_or_default())
    }
}
