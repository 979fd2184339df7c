//! Every client on the same work, one short turn after the other, so that what disturbs the machine disturbs all
//! of them alike.

use crate::closed_loop::Slice;
use crate::contenders::{Name, Work};
use crate::object::Payload;
use crate::pipe::{Client, Server, ServerOptions};
use crate::plot;
use crate::process::Memory;
use crate::report::{self, Row};
use crate::statistics::{median, percentile};
use ron_bare::Result;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::thread::available_parallelism;
use std::time::Duration;

/// What is measured, and how.
#[derive(clap::Args)]
pub(crate) struct MatrixOptions {
    /// Rounds in which every client has its turn
    #[arg(long, default_value_t = 30)]
    rounds: usize,
    /// What is called
    #[arg(long, value_delimiter = ',')]
    work: Vec<Work>,
    /// Bytes of the object, or `limit` for as many as one call carries
    #[arg(long, value_delimiter = ',', default_value = "64,4096,65536,limit")]
    payload: Vec<Payload>,
    /// Callers that share a client with one connection
    #[arg(long, value_delimiter = ',', default_value = "1,16,64")]
    callers: Vec<usize>,
    /// Which clients beside the floor
    #[arg(long, value_delimiter = ',')]
    clients: Vec<Name>,
    /// Whether clients and server stay on one core together
    #[arg(long, default_value = "alone")]
    pin: Pin,
    /// Milliseconds of a turn, instead of what suits the work
    #[arg(long)]
    turn_ms: Option<u64>,
    /// Writes the figures there as JSON, and plots of them beside it
    #[arg(long)]
    json: Option<PathBuf>,
    /// Fail where a client's median is more than so many times the floor's
    #[arg(long, value_name = "CLIENT=RATIO", value_delimiter = ',')]
    at_most: Vec<Limit>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Pin {
    /// Always
    Always,
    /// Never
    Never,
    /// Where there is one caller: the scheduler then has nothing to decide, which is the steadiest. With more
    /// callers, client and server are meant to work side by side
    Alone,
}

impl Pin {
    /// The core for work of so many callers: the last one, since the first one has the interrupts.
    fn core(self, callers: usize) -> Result<Option<usize>> {
        let is_pinned = self == Self::Always || (self == Self::Alone && callers == 1);
        let last = available_parallelism()?.get() - 1;
        Ok(is_pinned.then_some(last))
    }
}

#[derive(Clone)]
struct Limit {
    client: Name,
    ratio: f64,
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let limit = text.split_once('=').and_then(|(client, ratio)| {
            Some(Self {
                client: clap::ValueEnum::from_str(client, false).ok()?,
                ratio: ratio.parse().ok()?,
            })
        });
        limit.ok_or_else(|| "a limit is a client, `=` and a number".to_owned())
    }
}

/// Measures what the options name.
pub(crate) fn run(options: &MatrixOptions) -> Result<ExitCode> {
    let works = match &options.work[..] {
        [] => &Work::ALL[..],
        works => works,
    };
    let mut rows = Vec::new();
    for &callers in &options.callers {
        for &work in works {
            for &Payload(payload) in &options.payload {
                let cell = Cell {
                    work,
                    payload,
                    callers,
                    core: options.pin.core(callers)?,
                    names: names(&options.clients, callers),
                };
                let measured = cell.measure(options.rounds, options.turn(payload, callers))?;
                report::print(&measured)?;
                rows.extend(measured);
            }
        }
    }
    if let Some(path) = &options.json {
        report::write(&rows, path)?;
        plot::draw(&rows, path)?;
    }
    let mut is_within = true;
    for limit in &options.at_most {
        is_within &= report::check(&rows, limit.client, limit.ratio)?;
    }
    Ok(if is_within {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The floor, and the clients that can do it.
fn names(wanted: &[Name], callers: usize) -> Vec<Name> {
    let is_wanted =
        |name: &Name| *name == Name::Floor || wanted.is_empty() || wanted.contains(name);
    let all = Name::all().into_iter();
    all.filter(|name| name.serves(callers) && is_wanted(name))
        .collect()
}

impl MatrixOptions {
    /// Long enough for every caller to make a few calls, short enough for the rounds to be many.
    fn turn(&self, payload: usize, callers: usize) -> Duration {
        let bytes = payload * callers;
        let suits = match bytes {
            0..=0x3f_ffff => 25,
            0x40_0000..=0xff_ffff => 60,
            _ => 200,
        };
        Duration::from_millis(self.turn_ms.unwrap_or(suits))
    }
}

/// One kind of work for all clients.
struct Cell {
    work: Work,
    payload: usize,
    callers: usize,
    core: Option<usize>,
    names: Vec<Name>,
}

/// What a client has done so far.
struct Measured {
    name: Name,
    client: Client,
    samples: Vec<u32>,
    /// Of each round.
    medians: Vec<f64>,
    wall: Duration,
    memory: Memory,
}

impl Measured {
    fn take(&mut self, mut slice: Slice) {
        slice.samples.sort_unstable();
        self.medians.push(percentile(&slice.samples, 50.0));
        self.samples.append(&mut slice.samples);
        self.wall += slice.wall;
    }
}

impl Cell {
    fn measure(&self, rounds: usize, turn: Duration) -> Result<Vec<Row>> {
        let server = Server::start(&ServerOptions {
            payload: self.payload,
            core: self.core,
            hold: false,
        })?;
        let mut clients = Vec::new();
        for &name in &self.names {
            clients.push(Measured {
                name,
                client: Client::start(name, &server, self.work, self.callers, self.core)?,
                samples: Vec::new(),
                medians: Vec::new(),
                wall: Duration::ZERO,
                memory: Memory::default(),
            });
        }
        let count = clients.len();
        // The first round warms everything up. Nobody has the same neighbour before him all the time.
        for round in 0..=rounds {
            for index in 0..count {
                let forward = (index + round) % count;
                let index = [forward, count - 1 - forward][round / count % 2];
                let slice = clients[index].client.run(turn)?;
                if round > 0 {
                    clients[index].take(slice);
                }
            }
        }
        for one in &mut clients {
            one.samples.sort_unstable();
            one.memory = one.client.memory()?;
        }
        let (floor, _) = clients.split_first().ok_or("nobody was measured")?;
        Ok(clients.iter().map(|one| self.row(one, floor)).collect())
    }

    fn row(&self, one: &Measured, floor: &Measured) -> Row {
        let percentile_us = |one: &Measured, percent| percentile(&one.samples, percent) / 1e3;
        let pairs = one.medians.iter().zip(&floor.medians);
        let mut ratios: Vec<f64> = pairs.map(|(one, floor)| one / floor).collect();
        Row {
            work: self.work,
            client: one.name,
            clients: self.callers,
            payload: self.payload,
            p50_us: percentile_us(one, 50.0),
            p95_us: percentile_us(one, 95.0),
            p99_us: percentile_us(one, 99.0),
            ops_s: one.samples.len() as f64 / one.wall.as_secs_f64(),
            ratio_p50: median(&mut ratios),
            added_p95_us: percentile_us(one, 95.0) - percentile_us(floor, 95.0),
            rss_kib: one.memory.rss_kib,
            rss_peak_kib: one.memory.peak_kib,
            rounds: one.medians.len(),
            calls: one.samples.len(),
            core: self.core,
        }
    }
}
