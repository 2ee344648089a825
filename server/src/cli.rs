//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Portico runs a building: devices speak MQTT to it, people use it in the browser.
#[derive(Debug, Parser)]
#[command(
    name = "portico",
    version,
    about = "Portico runs a building: devices speak MQTT to it, people use it in the browser",
    arg_required_else_help = true
)]
pub struct Cli {
    #[command(flatten)]
    pub settings: Settings,
    #[command(subcommand)]
    pub command: Command,
}

/// Settings for every command; each wins over the environment and the file.
#[derive(Debug, Clone, Default, Args)]
pub struct Settings {
    /// Configuration file; without it `portico.toml` in the working directory, if there is one.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address and port for browsers and the REST API.
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    pub http_addr: Option<SocketAddr>,
    /// Address and port of the embedded MQTT broker.
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    pub mqtt_addr: Option<SocketAddr>,
    /// Directory of the embedded database and the instance key.
    #[arg(long, global = true, value_name = "DIRECTORY")]
    pub data_dir: Option<PathBuf>,
    /// Any other setting of docs/configuration.md; may be given several times.
    #[arg(long = "set", global = true, value_name = "KEY=VALUE", value_parser = key_value)]
    pub set: Vec<(String, String)>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server.
    Serve(Serve),
    /// Bring the database up to this version and stop (`serve` does so by itself).
    Migrate,
    /// Accounts of administrators.
    #[command(subcommand)]
    Admin(Admin),
    /// The configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// The audit trail.
    #[command(subcommand)]
    Audit(Audit),
    /// Write a consistent copy of the embedded database and the instance key into a new directory; the server may run.
    Backup { directory: PathBuf },
    /// Put a backup into the data directory; the server must not run.
    Restore {
        directory: PathBuf,
        /// Replace what is in the data directory; it is kept beside, renamed.
        #[arg(long)]
        replace: bool,
    },
    /// Print the OpenAPI document.
    Openapi,
}

#[derive(Debug, Clone, Default, Args)]
pub struct Serve {
    /// Begin with a demo organisation, demo accounts and a virtual building of simulated sensors; loopback only.
    #[arg(long)]
    pub demo: bool,
    /// How many sensors the demo building has.
    #[arg(long, default_value_t = 24, value_name = "N", requires = "demo")]
    pub demo_sensors: usize,
    /// Write {"http":"ADDR","mqtt":"ADDR"} to this file once the server serves.
    #[arg(long, value_name = "PATH")]
    pub ready_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Admin {
    /// Make an administrator; the password is read from standard input, or made up and printed.
    Create {
        username: String,
        email: String,
        /// Read the password from standard input.
        #[arg(long)]
        password_stdin: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check the configuration and print it without its secrets; tells every mistake at once.
    Check,
    /// Print docs/configuration.md.
    Reference,
    /// Print the token with which an external broker asks /internal/mqtt/auth and /internal/mqtt/acl.
    BrokerToken,
}

#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Check every record of every chain; fails when something was edited, deleted, reordered or cut off.
    Verify,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .ok_or_else(|| "KEY=VALUE expected".to_owned())
}

impl Settings {
    /// Where the configuration comes from, for [`portico_platform::config::load`].
    #[must_use]
    pub fn sources(&self) -> portico_platform::config::Sources {
        let mut overrides = self.set.clone();
        let mut add = |key: &str, value: Option<String>| {
            overrides.extend(value.map(|value| (key.to_owned(), value)));
        };
        add("http_addr", self.http_addr.map(|addr| addr.to_string()));
        add("mqtt_addr", self.mqtt_addr.map(|addr| addr.to_string()));
        add("data_dir", self.data_dir.as_ref().map(|dir| dir.display().to_string()));
        portico_platform::config::Sources { file: self.config.clone(), environment: true, overrides }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
