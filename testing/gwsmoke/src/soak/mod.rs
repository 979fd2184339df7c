//! Soak: messages are sent, received and acknowledged for a long time, and the books have to balance.

mod account;
mod body;
mod callers;
mod fates;
mod faults;
mod memory;

pub use account::{Account, Counts, Violation, Violations};

use crate::lock::lock;
use crate::options::SoakOptions;
use crate::progress::{self, Watching};
use crate::report::SoakReport;
use crate::settings::{Settings, Unusable};
use crate::stop::Stop;
use callers::Shared;
use fastrand::Rng;
use faults::Faults;
use ron_app_sdk::Topic;
use serde_json::{json, Value};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout, Instant};

/// Between two looks at the memory and what is wrong.
const LOOK: Duration = Duration::from_millis(250);
const MINUTE: Duration = Duration::from_secs(60);
/// The process is let grow for so long: connections, buffers, books.
const GROWS_FOR: Duration = Duration::from_secs(60);
/// A message can be hidden as often as it can be delivered, 16 times, before it is given up.
const HIDDEN_AT_MOST: u32 = 20;
/// In all: the books take two bits for each.
const MOST_MESSAGES: f64 = 2e8;
/// So short that a report comes soon after Ctrl-C.
const DISARMING: Duration = Duration::from_millis(500);

/// Runs a soak against the gateway of the settings.
///
/// # Errors
/// Where an option cannot be used, or the gateway does not let faults be armed.
pub async fn run(
    options: &SoakOptions,
    settings: &Settings,
    mut stop: Stop,
) -> Result<SoakReport, Unusable> {
    let faults = match options.faults {
        true => Some(Faults::new(settings)?),
        false => None,
    };
    let shared = Arc::new(shared(options, settings).await?);
    if let Some(faults) = &faults {
        faults.arm().await?;
    }
    let beginning = Instant::now();
    let watched = Arc::clone(&shared);
    let watching = progress::watch(options.duration, move || state(&watched.account()));
    let mut memory = memory::Watch::default();
    let mut consumers = JoinSet::new();
    let mut random = Rng::with_seed(options.seed);
    for _ in 0..options.consumers {
        consumers.spawn(callers::consume(Arc::clone(&shared), random.fork()));
    }
    let interrupted = tokio::select! {
        biased;
        () = stop.requested() => true,
        () = callers::send(Arc::clone(&shared), options.rate(), beginning + options.duration) => false,
        () = look(&shared, options, &mut memory, &watching) => false,
    };
    let injected = match &faults {
        Some(faults) => Some(end_of(faults).await),
        None => None,
    };
    let is_drained = !interrupted
        && tokio::select! {
            biased;
            () = stop.requested() => false,
            () = drain(&shared, options.visibility) => true,
        };
    shared.is_over.store(true, Ordering::Relaxed);
    if is_drained {
        let leaving = async { while consumers.join_next().await.is_some() {} };
        if timeout(callers::LEAVING, leaving).await.is_ok() {
            callers::look_for_leaks(&shared);
        }
        shared.account().drained();
    }
    consumers.shutdown().await;
    drop(watching);
    let account = shared.account();
    let errors = lock(&shared.errors).clone();
    Ok(SoakReport {
        mode: "soak",
        rate: options.rate(),
        elapsed_s: beginning.elapsed().as_secs_f64(),
        drained: is_drained,
        counts: account.counts(),
        open: account.open(),
        attempts: shared.attempts.load(Ordering::Relaxed),
        retries: shared.retries.load(Ordering::Relaxed),
        errors,
        injected,
        memory_first: memory.first,
        memory_most: memory.most,
        violations: account.violations().clone(),
    })
}

/// Disarms the faults. Returns how many there were, or why they may still be armed.
async fn end_of(faults: &Faults) -> Value {
    match timeout(DISARMING, faults.disarm()).await {
        Ok(Ok(injected)) => injected,
        Ok(Err(error)) => json!({"not disarmed": error.to_string()}),
        Err(_elapsed) => json!({"not disarmed": "no answer"}),
    }
}

async fn shared(options: &SoakOptions, settings: &Settings) -> Result<Shared, Unusable> {
    let mut settings = settings.clone();
    if !settings.config.idempotency.enabled {
        return Err(Unusable::Option(
            "RON_SDK_IDEMPOTENCY_ENABLED is false: a soak sends under idempotency keys".into(),
        ));
    }
    let messages = options.rate() * options.duration.as_secs_f64();
    if messages > MOST_MESSAGES {
        return Err(Unusable::Option(format!(
            "--rate: with --duration, {messages:.0} messages are above {MOST_MESSAGES}"
        )));
    }
    settings.config.cache.enabled = false;
    let run = Rng::new().u64(..);
    let unusable = |error: ron_app_sdk::TopicError| Unusable::Option(error.to_string());
    let topic = Topic::new(&format!("gwsmoke/soak/{run:016x}")).map_err(unusable)?;
    let longest_receive = settings.config.overall_timeout + Duration::from_secs(1);
    let overdue_after = options.visibility * HIDDEN_AT_MOST + longest_receive;
    Ok(Shared {
        sdk: settings.sdk().await?,
        capability: settings.capability.clone(),
        dead_topic: topic.dead_letters().map_err(unusable)?,
        topic,
        run,
        size: options.size as usize,
        visibility: options.visibility,
        account: Mutex::new(Account::new(longest_receive, overdue_after)),
        errors: Mutex::new(BTreeMap::new()),
        attempts: AtomicU64::new(0),
        retries: AtomicU64::new(0),
        is_ending: AtomicBool::new(false),
        is_over: AtomicBool::new(false),
    })
}

/// Looks at the memory, takes dead letters out, and says what is wrong as soon as it is, until it is dropped.
async fn look(
    shared: &Shared,
    options: &SoakOptions,
    memory: &mut memory::Watch,
    watching: &Watching,
) {
    let beginning = Instant::now();
    let allowed = u64::from(options.max_growth) << 20;
    let grows_for = GROWS_FOR.min(options.duration / 2);
    let mut told = BTreeMap::new();
    let mut minute = beginning;
    loop {
        sleep(LOOK).await;
        if beginning.elapsed() >= grows_for {
            let resident = memory::resident();
            if let Some(growth) = resident.and_then(|now| memory.measure(now, allowed)) {
                let what = format_args!("{growth} bytes more than at the beginning");
                shared.account().violate(Violation::Memory, what);
            }
        }
        for (violation, Violations { examples, .. }) in shared.account().violations() {
            let told = told.entry(*violation).or_insert(0);
            for example in &examples[*told..] {
                watching.say(&format!("VIOLATED  {violation:?}: {example}"));
            }
            *told = examples.len();
        }
        if minute.elapsed() >= MINUTE {
            minute = Instant::now();
            shared.bury().await;
            if !watching.is_drawn() {
                let passed =
                    humantime::format_duration(Duration::from_secs(beginning.elapsed().as_secs()));
                watching.say(&format!("{passed}: {}", state(&shared.account())));
            }
        }
    }
}

/// Lets the consumers go on until everything has come, or nothing has for so long that nothing will: what
/// has not come by then is lost.
async fn drain(shared: &Shared, visibility: Duration) {
    shared.is_ending.store(true, Ordering::Relaxed);
    // Whatever somebody still has comes back within the visibility; the answer may have to be asked for again.
    let patience = visibility * 2 + Duration::from_secs(2);
    let (mut heard, mut before) = (Instant::now(), None);
    while shared.account().open() > 0 && heard.elapsed() < patience {
        sleep(LOOK / 5).await;
        shared.bury().await;
        let counts = Some(shared.account().counts());
        if counts != before {
            (heard, before) = (Instant::now(), counts);
        }
    }
}

/// In a line.
fn state(account: &Account) -> String {
    let counts = account.counts();
    let violations: u64 = account.violations().values().map(|found| found.count).sum();
    format!(
        "{} sent, {} acknowledged, {} on their way, {violations} violations",
        counts.sent,
        counts.acknowledged,
        account.open()
    )
}
