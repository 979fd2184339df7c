//! HTTP/1.1 and HTTP/2: reqwest, which most applications would use.

use super::callers::InTasks;
use super::{Contender, Task, Work};
use crate::closed_loop::AsyncClient;
use crate::endpoint::capability;
use crate::object::Object;
use crate::windows;
use bytes::Bytes;
use memchr::memmem;
use reqwest::header::{HeaderMap, HeaderValue, AUTHORIZATION};
use reqwest::Url;
use ron_app_sdk::{AddrB3, IdemKey};
use ron_bare::Result;
use std::sync::Arc;
use tokio::runtime::Runtime;

struct Http {
    client: reqwest::Client,
    get: Url,
    put: Url,
    object: Arc<Object>,
    body: Bytes,
    address: String,
    work: Work,
}

/// A client that speaks the protocol of this ALPN name. HTTP/1.1 has a connection for each caller, since one cannot
/// be shared; HTTP/2 has one for all.
pub(super) fn contender(runtime: Runtime, task: &Task, alpn: &[u8]) -> Result<Box<dyn Contender>> {
    let mut tls = (*task.endpoint.tls()?).clone();
    tls.alpn_protocols = vec![alpn.to_vec()];
    let mut headers = HeaderMap::new();
    let token = format!("Ron {}", capability()?.expose_base64url().as_str());
    headers.insert(AUTHORIZATION, HeaderValue::from_str(&token)?);
    let builder = reqwest::Client::builder()
        .use_preconfigured_tls(tls)
        .default_headers(headers)
        .no_proxy()
        .tcp_nodelay(true)
        .http2_initial_stream_window_size(windows::STREAM)
        .http2_initial_connection_window_size(windows::CONNECTION)
        .http2_max_frame_size(windows::FRAME);
    let address = task.object.address.to_string();
    let server = task.endpoint.http.ok_or("the server has no HTTP")?;
    let client = Http {
        client: builder.build()?,
        get: format!("https://{server}/o/{address}").parse()?,
        put: format!("https://{server}/put").parse()?,
        object: Arc::clone(&task.object),
        body: task.object.body.clone().into(),
        address,
        work: task.work,
    };
    Ok(Box::new(InTasks {
        runtime,
        client: Arc::new(client),
        callers: task.callers,
    }))
}

impl AsyncClient for Http {
    async fn call(&self) -> Result<()> {
        let is_right = match self.work {
            Work::Get => {
                let reply = self.client.get(self.get.clone()).send().await?;
                let body = reply.error_for_status()?.bytes().await?;
                AddrB3::of(&body) == self.object.address
            }
            Work::Put => {
                let key = IdemKey::random().map_err(|error| error.to_string())?;
                let request = self.client.post(self.put.clone()).body(self.body.clone());
                let request = request.header("idempotency-key", key.expose());
                let reply = request.send().await?.error_for_status()?;
                let receipt = reply.bytes().await?;
                AddrB3::of(&self.body) == self.object.address
                    && memmem::find(&receipt, self.address.as_bytes()).is_some()
            }
        };
        is_right
            .then_some(())
            .ok_or_else(|| "another object was answered for".into())
    }
}
