//! Periodic work: enrolments that nobody finished.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::Access;

const LOOK_EVERY: Duration = Duration::from_secs(2);

pub fn spawn(access: &Access) {
    let looked = access.clone();
    // Without a lease: an enrolment that is overdue is ended by one server only.
    access.0.platform.tasks.spawn("enrolment deadlines", move |cancel| look(looked.clone(), cancel));
}

async fn look(access: Access, cancel: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = cancel.cancelled() => return,
        }
        if let Err(error) = access.expire_enrolments().await {
            tracing::warn!(error = %error, "overdue enrolments not looked at; trying again");
        }
    }
}
