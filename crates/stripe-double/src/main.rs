//! A double that runs by itself, for tests that cannot hold one: those in a browser. It prints its address, and ends when
//! its standard input does: with whoever started it.

use std::io::Write as _;

use portico_stripe_double::{Double, Options};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let double = Double::start(Options::default()).await?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", double.url())?;
    out.flush()?;
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await??;
    Ok(())
}
