//! The `portico` program: command line, configuration, exit code.

use std::process::ExitCode;

use clap::Parser;
use portico_server::cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match portico_server::commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("portico: {error:#}");
            ExitCode::FAILURE
        }
    }
}
