//! Periodic work of this domain, each on one server at a time.

use std::time::Duration;

use portico_platform::{Result, jobs};

use crate::Parking;

/// Does `work` every so often, for as long as the program runs.
pub fn periodic<F>(parking: &Parking, name: &'static str, every: Duration, work: fn(Parking) -> F)
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let one = parking.clone();
    parking.0.platform.tasks.spawn(name, move |cancel| {
        let parking = one.clone();
        async move {
            let platform = parking.0.platform.clone();
            jobs::run_every(name, every, platform.db, platform.clock, cancel, || work(parking.clone())).await;
        }
    });
}
