//! Judging, training, and the schedule of both.

use std::time::Duration;

use portico_platform::jobs;

use crate::Access;

/// A request of another server is found after so long; one of this server at once.
const LOOK_EVERY: Duration = Duration::from_secs(30);

const MISSED_EVERY: Duration = Duration::from_secs(60);

/// How often it is looked whose model is a day old.
const SCHEDULE_EVERY: Duration = Duration::from_secs(1_800);

/// After a failure, before the next try.
const PAUSE: Duration = Duration::from_secs(1);

pub fn spawn(access: &Access) {
    let tasks = &access.0.platform.tasks;
    let one = access.clone();
    tasks.spawn("access judging", move |cancel| {
        let access = one.clone();
        async move {
            loop {
                let batch = tokio::select! {
                    batch = access.0.judging.next() => batch,
                    () = cancel.cancelled() => return,
                };
                if let Err(error) = access.judge(&batch).await {
                    tracing::warn!(error = %error, "events not judged; they are looked for later");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    });
    let one = access.clone();
    tasks.spawn("access training", move |cancel| {
        let access = one.clone();
        async move {
            loop {
                tokio::select! {
                    () = access.0.judging.training_wanted() => {}
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                    () = cancel.cancelled() => return,
                }
                if let Err(error) = access.train_waiting().await {
                    tracing::warn!(error = %error, "models not made; trying again");
                }
            }
        }
    });
    let one = access.clone();
    tasks.spawn("access missed judging", move |cancel| {
        let access = one.clone();
        async move {
            let platform = access.0.platform.clone();
            let work = || access.judge_missed();
            jobs::run_every("access missed judging", MISSED_EVERY, platform.db, platform.clock, cancel, work).await;
        }
    });
    let one = access.clone();
    tasks.spawn("access training schedule", move |cancel| {
        let access = one.clone();
        async move {
            let platform = access.0.platform.clone();
            let work = || access.request_due_training();
            jobs::run_every("access training schedule", SCHEDULE_EVERY, platform.db, platform.clock, cancel, work)
                .await;
        }
    });
}
