//! The one registry of background tasks: named, cancelled together, awaited at shutdown.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Spawns tasks and ends them together.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    cancel: CancellationToken,
    tracker: TaskTracker,
}

impl Tasks {
    /// Cancelled when the program is to end.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.cancel.clone()
    }

    /// Runs a task for as long as the program runs: one that ends by itself or panics is logged and started again.
    pub fn spawn<F, Fut>(&self, name: &'static str, mut make: F)
    where
        F: FnMut(CancellationToken) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let cancel = self.cancel.clone();
        self.tracker.spawn(async move {
            let mut pause = Duration::from_millis(100);
            loop {
                let ended = tokio::spawn(make(cancel.clone())).await;
                if cancel.is_cancelled() {
                    return;
                }
                tracing::error!(task = name, panicked = ended.is_err(), "task ended by itself; starting it again");
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = cancel.cancelled() => return,
                }
                pause = (pause * 2).min(Duration::from_secs(10));
            }
        });
    }

    /// Runs something that ends by itself.
    pub fn spawn_once<Fut>(&self, future: Fut)
    where
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.tracker.spawn(future);
    }

    /// Cancels every task and waits for them, at most until the deadline. False when some had not ended by then.
    pub async fn shutdown(&self, deadline: Duration) -> bool {
        self.cancel.cancel();
        self.tracker.close();
        tokio::time::timeout(deadline, self.tracker.wait()).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn task_that_panics_is_started_again() {
        let tasks = Tasks::default();
        let starts = Arc::new(AtomicU32::new(0));
        let (done, mut wait) = tokio::sync::mpsc::channel(1);
        let counter = Arc::clone(&starts);
        tasks.spawn("flaky", move |cancel| {
            let counter = Arc::clone(&counter);
            let done = done.clone();
            async move {
                assert_ne!(counter.fetch_add(1, Ordering::SeqCst), 0, "first start fails");
                let _ = done.send(()).await;
                cancel.cancelled().await;
            }
        });
        tokio::time::timeout(Duration::from_secs(5), wait.recv()).await.unwrap().unwrap();
        assert!(tasks.shutdown(Duration::from_secs(5)).await);
        assert_eq!(starts.load(Ordering::SeqCst), 2);
    }
}
