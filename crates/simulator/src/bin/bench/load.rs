//! Load over HTTP whose answers are looked at: on a plan, or as much as the server takes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::http::{Connection, gather, to_f64};
use crate::measure::Latencies;

/// What a load asks; each question has a number, from 0.
pub trait Questions: Clone + Send + Sync + 'static {
    /// The bytes of the request; `due` is when it was to be sent.
    fn request(&self, number: u64, due: Instant) -> Vec<u8>;

    /// The connection that carries it, of so many.
    fn connection(&self, number: u64, connections: usize) -> usize {
        usize::try_from(number).unwrap_or(0) % connections
    }

    /// # Errors
    /// When it is the wrong answer.
    fn check(&self, number: u64, answer: &[u8]) -> Result<()>;
}

/// So many questions a second, evenly spread, however slow the answers are. The latency of each is counted from the
/// moment for which it was planned: what a slow answer makes wait behind it is late too (no coordinated omission), and
/// so is what this program itself sends late.
pub async fn planned(
    addr: &str,
    per_second: u32,
    length: Duration,
    connections: usize,
    questions: impl Questions,
) -> Result<Latencies> {
    let total = u64::from(per_second) * length.as_secs();
    let mut queues = Vec::with_capacity(connections);
    let mut workers = JoinSet::new();
    for _ in 0..connections {
        let mut connection = Connection::open(addr).await?;
        let (queue, mut due_now) = mpsc::unbounded_channel::<(u64, Instant)>();
        queues.push(queue);
        let questions = questions.clone();
        workers.spawn(async move {
            let mut latencies = Latencies::default();
            while let Some((number, due)) = due_now.recv().await {
                let answer = connection.exchange(&questions.request(number, due)).await?;
                latencies.add(due.elapsed());
                questions.check(number, &answer).with_context(|| format!("question {number}"))?;
            }
            anyhow::Ok(latencies)
        });
    }
    let began = Instant::now() + Duration::from_millis(50);
    // The runtime's timer wakes up to a millisecond late; a thread that sleeps wakes within some 60 µs.
    std::thread::spawn(move || {
        for number in 0..total {
            let due = began + Duration::from_secs_f64(to_f64(number) / f64::from(per_second));
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            // Nobody listens any more once a question has failed.
            let _ = queues[questions.connection(number, connections)].send((number, due));
        }
    });
    gather(workers).await
}

/// As many questions as the server answers over so many connections, one at a time on each.
pub async fn unplanned(
    addr: &str,
    length: Duration,
    connections: usize,
    questions: impl Questions,
) -> Result<Latencies> {
    let mut workers = JoinSet::new();
    for worker in 0..connections {
        let mut connection = Connection::open(addr).await?;
        let questions = questions.clone();
        workers.spawn(async move {
            let mut latencies = Latencies::default();
            let end = Instant::now() + length;
            let mut numbers = (worker as u64..).step_by(connections);
            while let Some(number) = numbers.next().filter(|_| Instant::now() < end) {
                let sent = Instant::now();
                let answer = connection.exchange(&questions.request(number, sent)).await?;
                latencies.add(sent.elapsed());
                questions.check(number, &answer).with_context(|| format!("question {number}"))?;
            }
            anyhow::Ok(latencies)
        });
    }
    gather(workers).await
}

/// Sends all requests, over some connections at once; the answers in the order of the requests.
pub async fn all(addr: &str, connections: usize, requests: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>> {
    let requests = Arc::new(requests);
    let mut workers = JoinSet::new();
    for worker in 0..connections {
        let mut connection = Connection::open(addr).await?;
        let requests = requests.clone();
        workers.spawn(async move {
            let mut answers = Vec::new();
            for (index, request) in requests.iter().enumerate().skip(worker).step_by(connections) {
                answers.push((index, connection.exchange(request).await?));
            }
            anyhow::Ok(answers)
        });
    }
    let mut answers = Vec::with_capacity(requests.len());
    while let Some(part) = workers.join_next().await {
        answers.extend(part??);
    }
    answers.sort_unstable_by_key(|(index, _)| *index);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}
