//! Every operation of the SDK, over real TLS on the loopback interface, against a gateway in a process of its own.
//!
//! A bench is named `operation/client/payload/callers`. One iteration is one call of each of the callers, who make
//! their calls at the same time on the same client. `cold` in the place of their number is a new client and its first
//! call. The payload is the request's or the reply's.
//!
//! `cargo bench -p ron-app-sdk --bench sdk_benches -- storage_get/blocking` runs some of them, and
//! `-- --measurement-time 5` takes more time for each.
use criterion::{BenchmarkId, Criterion, Throughput};
use ron_app_sdk::{blocking, SdkConfig};
use ron_counts::calls::{Operation, World, CLIENTS, OPERATIONS};
use std::cell::LazyCell;
use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

const CALLERS: [usize; 3] = [1, 16, 64];

/// Some three hundred benches are to take a few minutes together.
const WARM_UP: Duration = Duration::from_millis(200);
const MEASUREMENT: Duration = Duration::from_millis(500);
const SAMPLES: usize = 10;
const RESAMPLES: usize = 10_000;

fn main() -> Result<(), Box<dyn Error>> {
    if ron_gateway_process::serve_if_asked()? {
        return Ok(());
    }
    let mut criterion = Criterion::default()
        .without_plots()
        .warm_up_time(WARM_UP)
        .measurement_time(MEASUREMENT)
        .sample_size(SAMPLES)
        .nresamples(RESAMPLES)
        .configure_from_args();
    criterion.bench_function("new", |bencher| {
        bencher.iter(|| blocking::RonAppSdk::new(black_box(SdkConfig::default())));
    });
    // Started by the first bench that runs: a filter may leave none.
    let program = std::env::current_exe()?;
    let world = LazyCell::new(|| World::start(&program));
    for operation in OPERATIONS {
        calls(&mut criterion, operation, &world);
    }
    criterion.final_summary();
    Ok(())
}

fn calls<F>(criterion: &mut Criterion, operation: Operation, world: &LazyCell<World, F>)
where
    F: FnOnce() -> World,
{
    let mut group = criterion.benchmark_group(operation.name());
    for &payload in operation.payloads() {
        for client in CLIENTS {
            let name = format!("{}/{}", client.name(), payload.name());
            let throughput = |callers: usize| match payload.bytes() {
                0 => Throughput::Elements(callers as u64),
                len => Throughput::Bytes((callers * len) as u64),
            };
            for callers in CALLERS {
                group.throughput(throughput(callers));
                group.bench_function(BenchmarkId::new(&name, callers), |bencher| {
                    bencher.iter_custom(|rounds| {
                        world.measure(operation, payload, client, callers, rounds)
                    });
                });
            }
            group.throughput(throughput(1));
            group.bench_function(BenchmarkId::new(&name, "cold"), |bencher| {
                bencher
                    .iter_custom(|rounds| world.measure_cold(operation, payload, client, rounds));
            });
        }
    }
    group.finish();
}
