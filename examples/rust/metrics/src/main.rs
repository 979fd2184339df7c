//! A service that stores and fetches something every now and then, and answers `/metrics` for Prometheus.
//!
//! Its first argument is where it listens, `127.0.0.1:9464` without one:
//!
//!   ron-gateway dev --listen 127.0.0.1:0 -- metrics 127.0.0.1:9464
//!   curl http://127.0.0.1:9464/metrics
#![allow(clippy::print_stdout, clippy::print_stderr)] // it is a program for people

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use ron_app_sdk::{Capability, Metrics, RonAppSdk, SdkConfig};
use std::convert::Infallible;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("metrics: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:9464")).await?;
    println!("http://{}/metrics", listener.local_addr()?);

    // The counters are the service's own: further clients could count into them too.
    let metrics = Metrics::new();
    let sdk = RonAppSdk::with_metrics(SdkConfig::from_env()?, &metrics).await?;
    let capability = Capability::from_env()?;
    tokio::select! {
        worked = work(&sdk, &capability) => worked,
        served = serve(listener, &metrics) => served,
    }
}

/// What the service is there for.
async fn work(sdk: &RonAppSdk, capability: &Capability) -> Result<(), Box<dyn Error>> {
    let calls = sdk.with(capability);
    for round in 0u64.. {
        // A failure is a number at /metrics; this service goes on.
        match calls.storage_put(format!("round {round}")).await {
            Ok(address) => drop(calls.storage_get(address).await),
            Err(error) => eprintln!("metrics: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

async fn serve(listener: TcpListener, metrics: &Metrics) -> Result<(), Box<dyn Error>> {
    loop {
        let (stream, _) = listener.accept().await?;
        let metrics = metrics.clone();
        let service = service_fn(move |request| {
            let response = answer(&request, &metrics);
            async { Ok::<_, Infallible>(response) }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

fn answer(request: &Request<Incoming>, metrics: &Metrics) -> Response<Full<Bytes>> {
    let (status, content_type, text) = match request.uri().path() {
        "/metrics" => (StatusCode::OK, Metrics::CONTENT_TYPE, metrics.prometheus()),
        _ => (
            StatusCode::NOT_FOUND,
            "text/plain",
            "see /metrics\n".to_owned(),
        ),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    if let Ok(value) = content_type.parse() {
        response.headers_mut().insert(CONTENT_TYPE, value);
    }
    response
}
