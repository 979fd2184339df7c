//! The pipe between the harness and its processes.
//!
//! Each contender runs in a process of its own, so that its memory, its allocator's state and its runtimes are its
//! own; the harness lets one of them run at a time. A request is a line on the process's standard input, an answer
//! a line of JSON on its standard output, after which samples follow as little-endian 32-bit numbers.

use crate::closed_loop::Slice;
use crate::contenders::{self, Name, Task, Work};
use crate::endpoint::Endpoint;
use crate::object::Object;
use crate::process::{self, Memory};
use crate::server;
use ron_bare::Result;
use serde::{Deserialize, Serialize};
use std::env::current_exe;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// What the harness asks of a contender's process.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Ask {
    /// A turn of so many nanoseconds.
    Run(u64),
    /// The memory in use.
    Memory,
}

#[derive(Serialize, Deserialize)]
struct SliceHead {
    samples: usize,
    served: Vec<u32>,
    wall_ns: u64,
}

/// How a contender's process is started.
#[derive(Clone, clap::Args)]
pub(crate) struct ClientOptions {
    /// Which client
    pub(crate) name: Name,
    /// The server, as JSON
    #[arg(long)]
    pub(crate) endpoint: String,
    /// What it does
    #[arg(long)]
    pub(crate) work: Work,
    /// How many callers it has
    #[arg(long)]
    pub(crate) callers: usize,
    /// The core that it stays on
    #[arg(long)]
    pub(crate) core: Option<usize>,
}

/// How a server's process is started.
#[derive(Clone, clap::Args)]
pub(crate) struct ServerOptions {
    /// Bytes of the object
    #[arg(long)]
    pub(crate) payload: usize,
    /// The core that it stays on
    #[arg(long)]
    pub(crate) core: Option<usize>,
    /// Hold gets back until told otherwise
    #[arg(long)]
    pub(crate) hold: bool,
}

/// Is a server, until the harness ends it.
pub(crate) fn serve(options: &ServerOptions) -> Result<()> {
    if let Some(core) = options.core {
        process::pin(core)?;
    }
    server::run(options.payload, options.hold)
}

/// Is a contender, until the harness ends it.
pub(crate) fn contend(options: &ClientOptions) -> Result<()> {
    if let Some(core) = options.core {
        process::pin(core)?;
    }
    let endpoint: Endpoint = serde_json::from_str(&options.endpoint)?;
    let task = Task {
        object: Arc::new(Object::of_len(endpoint.payload)),
        endpoint,
        work: options.work,
        callers: options.callers,
    };
    let mut contender = contenders::connect(options.name, &task)?;
    let mut out = io::stdout();
    answer(&mut out, &())?;
    for line in io::stdin().lock().lines() {
        match serde_json::from_str(&line?)? {
            Ask::Run(nanoseconds) => {
                let slice = contender.run(Duration::from_nanos(nanoseconds))?;
                let head = SliceHead {
                    samples: slice.samples.len(),
                    served: slice.served,
                    wall_ns: u64::try_from(slice.wall.as_nanos())?,
                };
                answer(&mut out, &head)?;
                let samples = slice.samples.iter().flat_map(|sample| sample.to_le_bytes());
                out.write_all(&samples.collect::<Vec<u8>>())?;
                out.flush()?;
            }
            Ask::Memory => answer(&mut out, &Memory::now()?)?,
        }
    }
    Ok(())
}

pub(crate) fn answer(out: &mut impl Write, answer: &impl Serialize) -> Result<()> {
    writeln!(out, "{}", serde_json::to_string(answer)?)?;
    Ok(out.flush()?)
}

/// A process of the harness, which ends with this.
pub(crate) struct Process {
    child: Child,
    /// `None` once it has been told to end.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Process {
    pub(crate) fn start(arguments: &[String]) -> Result<Self> {
        let mut child = Command::new(current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("a process has no output")?;
        Ok(Self {
            input: child.stdin.take(),
            output: BufReader::new(output),
            child,
        })
    }

    pub(crate) fn send(&mut self, line: &str) -> Result<()> {
        let input = self.input.as_mut().ok_or("the process was told to end")?;
        Ok(writeln!(input, "{line}")?)
    }

    pub(crate) fn receive(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err("a process ended early; it has said why".into());
        }
        Ok(line)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The end of its input ends it; where it does not read that, it is stopped.
        self.input = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running server.
pub(crate) struct Server {
    process: Process,
    pub(crate) endpoint: Endpoint,
}

impl Server {
    pub(crate) fn start(options: &ServerOptions) -> Result<Self> {
        let mut arguments = vec!["serve".to_owned(), format!("--payload={}", options.payload)];
        arguments.extend(options.core.map(|core| format!("--core={core}")));
        arguments.extend(options.hold.then(|| "--hold".to_owned()));
        let mut process = Process::start(&arguments)?;
        let endpoint = serde_json::from_str(&process.receive()?)?;
        Ok(Self { process, endpoint })
    }

    /// Lets go of the gets that it holds.
    pub(crate) fn release(&mut self) -> Result<()> {
        self.process.send(server::RELEASE)
    }
}

/// A running contender.
pub(crate) struct Client(Process);

impl Client {
    /// Starts one, which has connected and made its first call when this returns.
    pub(crate) fn start(
        name: Name,
        server: &Server,
        work: Work,
        callers: usize,
        core: Option<usize>,
    ) -> Result<Self> {
        let mut arguments = vec![
            "client".to_owned(),
            name.text(),
            format!("--endpoint={}", serde_json::to_string(&server.endpoint)?),
            format!("--work={}", work.name()),
            format!("--callers={callers}"),
        ];
        arguments.extend(core.map(|core| format!("--core={core}")));
        let mut process = Process::start(&arguments)?;
        process.receive()?;
        Ok(Self(process))
    }

    /// Gives it a turn, and waits for the turn's end.
    pub(crate) fn run(&mut self, duration: Duration) -> Result<Slice> {
        let nanoseconds = u64::try_from(duration.as_nanos())?;
        self.0
            .send(&serde_json::to_string(&Ask::Run(nanoseconds))?)?;
        let head: SliceHead = serde_json::from_str(&self.0.receive()?)?;
        let mut bytes = vec![0; 4 * head.samples];
        self.0.output.read_exact(&mut bytes)?;
        let samples = bytes.chunks_exact(4).map(|sample| {
            let mut bytes = [0; 4];
            bytes.copy_from_slice(sample);
            u32::from_le_bytes(bytes)
        });
        Ok(Slice {
            samples: samples.collect(),
            served: head.served,
            wall: Duration::from_nanos(head.wall_ns),
        })
    }

    /// What it has in use.
    pub(crate) fn memory(&mut self) -> Result<Memory> {
        self.0.send(&serde_json::to_string(&Ask::Memory)?)?;
        Ok(serde_json::from_str(&self.0.receive()?)?)
    }
}
