//! Two hundred clients whose gateway is in trouble for a while: what becomes of their calls, and that they do
//! not come back all at once.
#![allow(clippy::unwrap_used)]

mod support;

use futures_util::future::join_all;
use ron_app_sdk::{AddrB3, CallReport, ErrorKind, RonAppSdk, SdkConfig, SdkError};
use ron_fault_proxy::FaultProxy;
use ron_gateway::faults::{Fault, FaultKind, FaultPlan, FaultRule};
use std::future::Future;
use std::time::{Duration, Instant};
use support::{block_on, capability, TestGateway};
use tokio::time::{sleep, sleep_until};

const CLIENTS: u64 = 200;
const LIMIT: Duration = Duration::from_secs(5);
const SLACK: Duration = Duration::from_millis(500);
/// From the end of a client's call to the beginning of its next one, on average: from half of it to half as
/// much again, so that what holds up everybody for a moment does not make a choir of them.
const PAUSE: Duration = Duration::from_millis(500);
/// Of an arrival rate.
const WINDOW: Duration = Duration::from_millis(100);
/// Where the machine did not let the clients run for so long, what they do after it comes at once.
const STALL: Duration = Duration::from_millis(60);

/// What became of a call.
struct Ended {
    began: Instant,
    took: Duration,
    outcome: Result<CallReport, SdkError>,
}

impl Ended {
    /// When the attempt that was answered was sent, to a few milliseconds.
    fn arrival(&self) -> Option<Instant> {
        let report = self.outcome.as_ref().ok()?;
        Some(if report.attempts == 1 {
            self.began
        } else {
            self.began + self.took
        })
    }
}

/// One call after the other, from a random moment on, to `end`.
async fn call_again_and_again(
    config: SdkConfig,
    number: u64,
    start: Instant,
    end: Instant,
) -> Vec<Ended> {
    let sdk = RonAppSdk::new(config).await.unwrap();
    let capability = capability();
    let mut random = fastrand::Rng::with_seed(number);
    let mut due = start + PAUSE.mul_f64(random.f64());
    let mut ended = Vec::new();
    while due < end {
        sleep_until(due.into()).await;
        let began = Instant::now();
        let calls = sdk.with(&capability).timeout(LIMIT).with_report();
        let head = calls.storage_head(AddrB3::of(b"x")).await;
        ended.push(Ended {
            began,
            took: began.elapsed(),
            outcome: head.map(|(_, report)| report),
        });
        due = Instant::now() + PAUSE.mul_f64(0.5 + random.f64());
    }
    assert_eq!(sdk.open_calls(), 0);
    ended
}

/// The calls of a crowd, and when its runtime has run.
struct Crowd {
    start: Instant,
    clients: Vec<Vec<Ended>>,
    ticks: Vec<Instant>,
}

impl Crowd {
    /// Makes calls for so long, beside `trouble`.
    fn run(
        gateway: &TestGateway,
        config: &SdkConfig,
        lasts: Duration,
        trouble: impl Future<Output = ()>,
    ) -> Self {
        let sdk = gateway.blocking_sdk();
        sdk.storage_put(capability(), b"x", LIMIT, None).unwrap();
        let start = Instant::now();
        let end = start + lasts;
        let (clients, ticks) = block_on(async {
            let client = |number| {
                let config = config.clone();
                tokio::spawn(call_again_and_again(config, number, start, end))
            };
            let ticks = tokio::spawn(async move {
                let mut ticks = vec![start];
                while *ticks.last().unwrap() < end {
                    sleep(Duration::from_millis(4)).await;
                    ticks.push(Instant::now());
                }
                ticks
            });
            let clients = join_all((0..CLIENTS).map(client));
            let (clients, ticks, ()) = tokio::join!(clients, ticks, trouble);
            let clients = clients.into_iter().map(Result::unwrap).collect();
            (clients, ticks.unwrap())
        });
        let crowd = Self {
            start,
            clients,
            ticks,
        };
        let answered = crowd.ended().filter(|ended| ended.outcome.is_ok()).count() as u64;
        let counted = gateway.gateway.metrics().calls("storage", "head", 200);
        assert!(counted >= answered && counted < answered + CLIENTS);
        crowd
    }

    fn at(&self, seconds: u64) -> Instant {
        self.start + Duration::from_secs(seconds)
    }

    fn ended(&self) -> impl Iterator<Item = &Ended> {
        self.clients.iter().flatten()
    }

    fn has_stalled(&self, from: Instant, to: Instant) -> bool {
        let pairs = self.ticks.windows(2);
        let mut overlapping = pairs.filter(|pair| pair[1] > from && pair[0] < to);
        overlapping.any(|pair| pair[1] - pair[0] > STALL)
    }

    /// No window has three times the arrivals of the mean one. Those in which the crowd could not run say
    /// nothing, nor do those after them.
    fn assert_spread(&self, from: Instant, to: Instant) {
        let arrivals: Vec<Instant> = self.ended().filter_map(Ended::arrival).collect();
        let within = |begin, end| {
            let inside = arrivals.iter().filter(|at| (begin..end).contains(*at));
            inside.count() as f64
        };
        let windows = (to - from).as_millis() / WINDOW.as_millis();
        let mean = within(from, to) / windows as f64;
        let usual = CLIENTS as f64 * WINDOW.as_secs_f64() / PAUSE.as_secs_f64();
        assert!(mean > 0.4 * usual, "{mean} of {usual}");
        let (mut most, mut seen) = (0.0, 0);
        for window in 0..windows as u32 {
            let begin = from + WINDOW * window;
            let end = begin + WINDOW;
            if !self.has_stalled(begin - WINDOW, end) {
                seen += 1;
                most = f64::max(most, within(begin, end));
            }
        }
        assert!(
            seen * 3 > windows,
            "the machine stalls: {seen} of {windows}"
        );
        assert!(most <= 3.0 * mean, "{most} arrivals where {mean} are usual");
    }
}

#[test]
fn a_storm_of_429_ends_calls_in_time_and_no_crowd_comes_after_it() {
    let seconds = Duration::from_secs;
    let gateway = TestGateway::start();
    let faults = gateway.gateway.faults();
    let trouble = async {
        sleep(seconds(1)).await;
        let storm = FaultRule {
            for_ms: Some(2000),
            ..FaultRule::new(Fault::RateLimited {
                retry_after_ms: Some(600),
            })
        };
        faults.arm(FaultPlan::from_iter([storm])).unwrap();
    };
    let crowd = Crowd::run(&gateway, &gateway.config(), seconds(8), trouble);
    assert!(faults.fired(FaultKind::RateLimited) > 2 * CLIENTS);
    let mut waited = 0;
    for ended in crowd.ended() {
        assert!(ended.took < LIMIT + SLACK, "{:?}", ended.took);
        match &ended.outcome {
            Ok(report) => waited += u64::from(report.attempts > 1),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::RateLimited, "{error}");
                assert!(error.gave_up().is_some());
            }
        }
    }
    assert!(waited > CLIENTS / 2, "{waited}");
    crowd.assert_spread(crowd.at(3) + WINDOW, crowd.at(8) - PAUSE * 2);
}

/// Ten seconds without a gateway: connections reset, dials refused.
#[test]
fn an_outage_of_ten_seconds_ends_calls_early_and_no_crowd_comes_after_it() {
    let seconds = Duration::from_secs;
    let gateway = TestGateway::start();
    let proxy = FaultProxy::start_blocking(gateway.gateway.address()).unwrap();
    let config = gateway.trust.config(proxy.address());
    let trouble = async {
        sleep(seconds(2)).await;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                proxy.down().unwrap();
                proxy.kill_connections();
            });
        });
        sleep(seconds(10)).await;
        std::thread::scope(|scope| {
            scope.spawn(|| proxy.up().unwrap());
        });
    };
    let crowd = Crowd::run(&gateway, &config, seconds(20), trouble);
    let counters = proxy.counters();
    assert_eq!((counters.downs, counters.kills), (1, CLIENTS));
    let (mut failed, mut late) = (0, 0);
    for ended in crowd.ended() {
        let Err(error) = &ended.outcome else {
            continue;
        };
        failed += 1;
        assert!(ended.began + ended.took >= crowd.at(2), "{error}");
        assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
        assert!(
            error.gave_up().is_some() && error.attempts() <= 5,
            "{error}"
        );
        assert!(ended.took < LIMIT * 3 / 5 + SLACK, "{:?}", ended.took);
        // A client that has just failed to dial for the sixth time does not dial for up to ten seconds.
        late += u64::from(ended.began >= crowd.at(12) + SLACK);
    }
    assert!(failed > CLIENTS && late < failed / 2, "{late} of {failed}");
    let is_back = |calls: &&Vec<Ended>| calls.last().unwrap().outcome.is_ok();
    let back = crowd.clients.iter().filter(is_back).count() as u64;
    assert!(back > CLIENTS * 9 / 10, "{back}");
    crowd.assert_spread(crowd.at(12) + WINDOW, crowd.at(20) - PAUSE * 2);
}
