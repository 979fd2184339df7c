//! Runs the scenarios in every language whose agent it is given, and prints which holds where.

mod agent;
mod protocol;
mod run;
mod rust;
mod scenario;
mod world;

use agent::Agent;
use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs the scenarios of a folder in every language whose agent it is given.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run scenarios and print a table; fails where one does not hold, or could not be run
    Run {
        /// The folder with the scenarios
        #[arg(long, default_value = "testing/conformance/scenarios")]
        scenarios: PathBuf,
        /// A program that makes the calls in its language, with its arguments; may be given several times
        #[arg(long = "agent", required = true)]
        agents: Vec<String>,
        /// Only scenarios whose names have this in them
        #[arg(long, default_value = "")]
        only: String,
    },
    /// Make the calls in Rust
    Agent {
        /// Of which of the two clients
        client: Client,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Client {
    Async,
    Blocking,
}

#[allow(clippy::print_stderr)]
fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run {
            scenarios,
            agents,
            only,
        } => run_all(&scenarios, &agents, &only),
        Command::Agent { client } => match client {
            Client::Async => rust::asynchronous::serve(),
            Client::Blocking => rust::blocking::serve(),
        },
    };
    result.unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    })
}

#[allow(clippy::print_stdout)]
fn run_all(folder: &std::path::Path, commands: &[String], only: &str) -> Result<ExitCode, String> {
    let mut scenarios = scenario::read(folder)?;
    scenarios.retain(|scenario| scenario.name.contains(only));
    let mut agents = Vec::new();
    for command in commands {
        agents.push(Agent::start(command)?);
    }
    let width = scenarios
        .iter()
        .map(|scenario| scenario.name.len())
        .max()
        .unwrap_or(0);
    let languages: Vec<&str> = agents.iter().map(|agent| &*agent.language).collect();
    println!("{:width$}  {}", "", languages.join("  "));
    let mut failures = Vec::new();
    for scenario in &scenarios {
        let mut row = format!("{:width$}", scenario.name);
        for agent in &mut agents {
            let missing = scenario.needs.iter().find(|need| !agent.can(need));
            let cell = match missing {
                // A form that has no such thing, by design: blocking calls cannot be cancelled by id.
                Some(_) => "-",
                None => match run::run(scenario, agent) {
                    Ok(()) => "ok",
                    Err(error) => {
                        failures.push(format!("{} in {}: {error}", scenario.name, agent.language));
                        "FAILED"
                    }
                },
            };
            row += &format!("  {cell:w$}", w = agent.language.len());
        }
        println!("{}", row.trim_end());
    }
    println!(
        "{} scenarios, {} languages, {} failed",
        scenarios.len(),
        agents.len(),
        failures.len()
    );
    for failure in &failures {
        println!("{failure}");
    }
    let is_complete = failures.is_empty() && !scenarios.is_empty();
    Ok(if is_complete {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
