//! The parts of the SDK that do no I/O: codec, session, retries, capabilities, hashing.
//!
//! What is done again and again is prepared in `testing/counts`, where its instructions are counted too.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use ron_app_sdk::internals::Retries;
use ron_app_sdk::{AddrB3, MAX_BODY};
use ron_counts::{bytes, Capabilities, ClientCall, Metas, Pair, ReplyFrame};
use std::hint::black_box;
use std::time::{Duration, Instant};

const SIZES: [(&str, usize); 4] = [
    ("64B", 64),
    ("4KiB", 4 * 1024),
    ("64KiB", 64 * 1024),
    ("limit", MAX_BODY),
];

fn main() {
    let mut criterion = Criterion::default()
        .without_plots()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20)
        .nresamples(10_000)
        .configure_from_args();
    codec(&mut criterion.benchmark_group("codec"));
    session(&mut criterion.benchmark_group("session"));
    retry(&mut criterion.benchmark_group("retry"));
    hash(&mut criterion.benchmark_group("hash"));
    let capabilities = Capabilities::new();
    criterion.bench_function("capability/attenuate", |bencher| {
        bencher.iter(|| capabilities.attenuate());
    });
    criterion.final_summary();
}

fn codec(group: &mut BenchmarkGroup<'_, WallTime>) {
    for (name, len) in SIZES {
        let mut frame = ReplyFrame::new(len);
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(format!("encode_frame/{name}"), |bencher| {
            bencher.iter(|| frame.encode());
        });
        group.bench_function(format!("decode_frame/{name}"), |bencher| {
            bencher.iter(|| frame.decode());
        });
    }
    let mut metas = Metas::new();
    group.throughput(Throughput::Elements(1));
    group.bench_function("encode_meta", |bencher| bencher.iter(|| metas.encode()));
    group.bench_function("decode_meta", |bencher| bencher.iter(|| metas.decode()));
}

/// `client` is its share of a call alone; `pair` is the call there and back, the gateway's share included.
fn session(group: &mut BenchmarkGroup<'_, WallTime>) {
    for (name, len) in SIZES {
        group.throughput(Throughput::Bytes(len as u64));
        for (operation, mut client, mut pair) in [
            ("get", ClientCall::get(len), Pair::get(len)),
            ("put", ClientCall::put(len), Pair::put(len)),
        ] {
            group.bench_function(format!("client/{operation}/{name}"), |bencher| {
                bencher.iter(|| client.call());
            });
            group.bench_function(format!("pair/{operation}/{name}"), |bencher| {
                bencher.iter(|| pair.call());
            });
        }
    }
}

fn retry(group: &mut BenchmarkGroup<'_, WallTime>) {
    let (retries, now) = (Retries::new(), Instant::now());
    group.bench_function("success", |bencher| {
        bencher.iter(|| retries.succeed(black_box(now)));
    });
    group.bench_function("one_failure", |bencher| {
        bencher.iter(|| retries.fail_once(black_box(now)));
    });
}

fn hash(group: &mut BenchmarkGroup<'_, WallTime>) {
    for (name, len) in SIZES {
        let bytes = bytes(len);
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| AddrB3::of(black_box(&bytes)));
        });
    }
}
