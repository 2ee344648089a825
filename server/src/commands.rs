//! What each command does.

use std::io::Read;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use portico_platform::config::{self, Config, Synchronous};
use portico_platform::{Clock, Platform, logging};

use crate::cli::{Admin, Audit, Cli, Command, ConfigCommand};
use crate::{backup, serve};

/// A page is rendered by calls as deep as its views are nested; unoptimised, that passes the usual 2 MiB. Only what is
/// used of it takes memory.
const WORKER_STACK_BYTES: usize = 16 * 1024 * 1024;

/// Runs the command to its end.
///
/// # Errors
/// What stopped it, for the person at the terminal.
pub fn run(cli: Cli) -> Result<()> {
    if let Command::Config(ConfigCommand::Reference) = cli.command {
        print!("{}", config::reference());
        return Ok(());
    }
    let config = config::load(&cli.settings.sources())?;
    logging::init(&config.log_filter, config.log_format).map_err(anyhow::Error::msg)?;
    // One ring provider for every TLS user in the program; a second call only says that it is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(WORKER_STACK_BYTES).build()?;
    let result = runtime.block_on(dispatch(cli, config));
    // A blocking task that still runs (a password hash) is not worth waiting for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn dispatch(cli: Cli, config: Config) -> Result<()> {
    match cli.command {
        Command::Serve(options) => serve::run(config, options).await,
        Command::Migrate => {
            let platform = open(config).await?;
            platform.db.close().await;
            println!("The database is up to date.");
            Ok(())
        }
        Command::Admin(Admin::Create { username, email, password_stdin }) => {
            create_admin(config, &username, &email, password_stdin).await
        }
        Command::Config(ConfigCommand::Check) => {
            println!("{}", serde_json::to_string_pretty(&config)?);
            eprintln!("The configuration is sound.");
            Ok(())
        }
        Command::Audit(Audit::Verify) => verify_audit(config).await,
        Command::Backup { directory } => backup::backup(config, &directory).await,
        Command::Restore { directory, replace } => backup::restore(&config, &directory, replace),
        Command::Openapi => print_openapi().await,
        Command::Config(ConfigCommand::BrokerToken) => {
            let secrets = portico_platform::secrets::Secrets::load(&config).map_err(described)?;
            println!("{}", crate::mqtt_hooks::token(&secrets));
            Ok(())
        }
        Command::Config(ConfigCommand::Reference) => Ok(()),
    }
}

async fn open(config: Config) -> Result<Platform> {
    Platform::open(config, Clock::system()).await.map_err(described)
}

/// The error with its source, which a client never sees but the person at the terminal should.
pub fn described(error: portico_platform::Error) -> anyhow::Error {
    anyhow::Error::new(error)
}

async fn create_admin(mut config: Config, username: &str, email: &str, password_stdin: bool) -> Result<()> {
    config.database.synchronous = Synchronous::Full;
    let platform = open(config).await?;
    let (password, made_up) = if password_stdin {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("reading the password")?;
        (text.trim_end_matches(['\r', '\n']).to_owned(), false)
    } else {
        (random_password(), true)
    };
    let identity = portico_identity::Identity::new(platform.clone());
    identity.create_admin(username, email, &password).await.map_err(described)?;
    platform.db.close().await;
    println!("Administrator {username} was made.");
    if made_up {
        println!("Password: {password}");
    }
    Ok(())
}

/// 20 characters from an alphabet without look-alikes: about 116 bits.
#[must_use]
pub fn random_password() -> String {
    use rand::Rng;
    const ALPHABET: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let mut rng = rand::rng();
    (0..20).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])).collect()
}

/// The routes are described by the routers, which want services; a database of the moment gives them.
async fn print_openapi() -> Result<()> {
    let dir = std::env::temp_dir().join(format!("portico-openapi-{}", std::process::id()));
    let platform = open(Config { data_dir: dir.clone(), ..Config::default() }).await?;
    println!(
        "{}",
        serde_json::to_string_pretty(&crate::api::document(crate::Domains::new(&platform).map_err(described)?))?
    );
    platform.db.close().await;
    std::fs::remove_dir_all(&dir).context("removing the temporary database")
}

async fn verify_audit(config: Config) -> Result<()> {
    let platform = open(config).await?;
    let results = platform.audit.verify(&platform.db).await.map_err(described)?;
    let mut defects = 0;
    for result in &results {
        match &result.defect {
            None => println!("organisation {}: {} records, sound", result.organization, result.records),
            Some(defect) => {
                defects += 1;
                println!("organisation {}: {} records sound, then: {defect}", result.organization, result.records);
            }
        }
    }
    if defects > 0 {
        bail!("{defects} of {} audit chains are not as they were written", results.len());
    }
    Ok(())
}
