//! An HTTP/1.1 client that costs little: one kept connection, ready-made requests, answers read to their length.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::measure::Latencies;

pub struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
}

/// The bytes of a request.
pub fn request(method: &str, path: &str, host: &str, credential: (&str, &str), body: &str) -> Vec<u8> {
    let (name, value) = credential;
    let content = if body.is_empty() {
        String::new()
    } else {
        format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len())
    };
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\n{name}: {value}\r\nAccept: application/json\r\n{content}\r\n{body}"
    )
    .into_bytes()
}

impl Connection {
    pub async fn open(addr: &str) -> Result<Self> {
        let stream = TcpStream::connect(addr).await.context("connecting to the web server")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, input: Vec::with_capacity(16 * 1024) })
    }

    /// Sends the request and reads the whole answer; the body, when the status is a success.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<Vec<u8>> {
        self.stream.write_all(request).await?;
        self.input.clear();
        let head = loop {
            if let Some(end) = find(&self.input, b"\r\n\r\n") {
                break end + 4;
            }
            self.fill().await?;
        };
        let text = String::from_utf8_lossy(&self.input[..head]).to_ascii_lowercase();
        let status: u16 = text.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0);
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
        match length {
            Some(length) => {
                while self.input.len() < head + length {
                    self.fill().await?;
                }
            }
            None if text.contains("transfer-encoding: chunked") => {
                while !self.input.ends_with(b"0\r\n\r\n") {
                    self.fill().await?;
                }
            }
            None if status == 204 => {}
            None => bail!("an answer without length"),
        }
        let body = self.input[head..].to_vec();
        if !(200..300).contains(&status) {
            bail!("answered {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(body)
    }

    async fn fill(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.input).await? == 0 {
            bail!("the web server closed the connection");
        }
        Ok(())
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// As many requests as the server answers over `connections` for that long, each made by `make`.
pub async fn closed_loop(
    addr: &str,
    connections: usize,
    length: Duration,
    make: impl Fn(usize, u64) -> Vec<u8> + Clone + Send + Sync + 'static,
) -> Result<Latencies> {
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..connections {
        let mut connection = Connection::open(addr).await?;
        let make = make.clone();
        workers.spawn(async move {
            let mut latencies = Latencies::default();
            let end = Instant::now() + length;
            let mut number = 0;
            while Instant::now() < end {
                let request = make(worker, number);
                number += 1;
                let sent = Instant::now();
                connection.exchange(&request).await?;
                latencies.add(sent.elapsed());
            }
            anyhow::Ok(latencies)
        });
    }
    gather(workers).await
}

/// So many requests a second, evenly spread, however slow the answers are: waiting for a free connection counts as
/// latency (no coordinated omission).
pub async fn paced(
    addr: &str,
    per_second: u32,
    connections: usize,
    length: Duration,
    make: impl Fn(u64) -> Vec<u8> + Clone + Send + Sync + 'static,
) -> Result<Latencies> {
    let total = u64::from(per_second) * length.as_secs();
    let next = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let began = Instant::now() + Duration::from_millis(50);
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..connections {
        let mut connection = Connection::open(addr).await?;
        let (make, next) = (make.clone(), next.clone());
        workers.spawn(async move {
            let mut latencies = Latencies::default();
            loop {
                let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                if number >= total {
                    return anyhow::Ok(latencies);
                }
                let due = began + Duration::from_secs_f64(to_f64(number) / f64::from(per_second));
                // The timer wakes up to a millisecond late; that is the load's lateness, not the server's.
                tokio::time::sleep_until(due.into()).await;
                let late_start = Instant::now();
                let counted_from = if late_start - due < Duration::from_millis(2) { late_start } else { due };
                connection.exchange(&make(number)).await?;
                latencies.add(counted_from.elapsed());
            }
        });
    }
    gather(workers).await
}

#[allow(clippy::cast_precision_loss)] // far below 2^53
pub fn to_f64(number: u64) -> f64 {
    number as f64
}

pub async fn gather(mut workers: tokio::task::JoinSet<Result<Latencies>>) -> Result<Latencies> {
    let mut all = Latencies::default();
    while let Some(latencies) = workers.join_next().await {
        all.join(latencies??);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_says_how_long_its_body_is() {
        let text = String::from_utf8(request("POST", "/x", "h", ("X-API-Key", "k"), "{}")).unwrap();
        assert!(text.starts_with("POST /x HTTP/1.1\r\nHost: h\r\nX-API-Key: k\r\n"));
        assert!(text.ends_with("Content-Length: 2\r\n\r\n{}"));
    }
}
