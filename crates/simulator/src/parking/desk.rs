//! Where drivers reserve: turns a booking of the model into a request to Portico, and sees what others have reserved.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use portico_model::{LotId, Timestamp};
use reqwest::StatusCode;
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::park::Context;
use super::setup;

const PATH: &str = "/api/v1/reservations";

/// How often it looks what others have reserved.
const LOOK_EVERY: Duration = Duration::from_secs(20);
/// Shortest reservation that Portico takes, and how far ahead its beginning must be for the request to come in time.
const SHORTEST_MS: i64 = 15 * 60_000;
const AHEAD_MS: i64 = 30_000;

/// Somebody wants a spot; times of the wall clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub driver: i64,
    pub spot_id: String,
    pub start: Timestamp,
    pub end: Timestamp,
}

impl Order {
    /// As Portico takes it: not in the past, whole minutes, long enough. In a building whose time runs fast, hours are
    /// minutes. `None`: too late.
    fn fitting(self, now: Timestamp) -> Option<Self> {
        let minute = |at: Timestamp| Timestamp::from_millis((at.millis() + 59_999).div_euclid(60_000) * 60_000);
        let (start, end) = (minute(self.start.max(now.plus_millis(AHEAD_MS))), minute(self.end));
        (self.end > now).then(|| Self { end: end.max(start.plus_millis(SHORTEST_MS)), start, ..self })
    }
}

/// Takes orders until `stop`; tells which spots somebody has at the moment.
pub async fn run(
    context: Arc<Context>,
    lot: LotId,
    mut orders: mpsc::Receiver<Order>,
    reserved: watch::Sender<BTreeSet<String>>,
    stop: CancellationToken,
) {
    let mut is_there = true;
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            Some(order) = orders.recv() => if is_there {
                is_there = reserve(&context, order).await;
            },
            _ = look.tick() => match setup::reserved(&context.options.api, lot).await {
                Ok(spots) => drop(reserved.send_replace(spots)),
                Err(error) => tracing::debug!(%error, "simulated drivers do not know what is reserved"),
            },
        }
    }
}

/// `false`: nobody takes reservations here.
async fn reserve(context: &Context, order: Order) -> bool {
    let Some(order) = order.fitting(crate::simulator::now()) else { return true };
    let (email, plate) = (email(order.driver), plate(order.driver));
    let body = json!({ "spot_id": order.spot_id, "start_time": order.start, "end_time": order.end,
                       "user_email": email, "plate": plate });
    match context.options.api.post(PATH, &body).await {
        Ok(_) => {
            context.reserved.fetch_add(1, Ordering::Relaxed);
            true
        }
        Err(error) if matches!(error.status(), Some(StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED)) => {
            tracing::debug!("no reservations yet; simulated drivers come without");
            false
        }
        // Somebody else has the spot: the driver comes nevertheless.
        Err(error) => {
            tracing::debug!(%error, spot = order.spot_id, "not reserved");
            true
        }
    }
}

/// The same driver has the same address and plate; a few hundred take turns.
fn email(driver: i64) -> String {
    format!("driver{:03}@example.invalid", driver.rem_euclid(400))
}

fn plate(driver: i64) -> String {
    let letter =
        |by: i64| char::from(b'A' + u8::try_from((driver.rem_euclid(400) * by + 7).rem_euclid(26)).unwrap_or(0));
    format!("PT-{}{} {:03}", letter(5), letter(11), 100 + driver.rem_euclid(400))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(start_s: i64, end_s: i64) -> Order {
        let at = |seconds: i64| Timestamp::from_millis(1_794_873_600_000).plus_secs(seconds);
        Order { driver: 1, spot_id: "A".to_owned(), start: at(start_s), end: at(end_s) }
    }

    #[test]
    fn orders_are_made_to_fit() {
        let now = order(0, 0).start;
        let fitting = |start_s, end_s| {
            order(start_s, end_s)
                .fitting(now)
                .map(|order| (order.start.millis_since(now) / 1_000, order.end.millis_since(now) / 1_000))
        };
        assert_eq!(fitting(3_600, 7_200), Some((3_600, 7_200)));
        assert_eq!(fitting(90, 100), Some((120, 120 + 900)), "an hour of a fast building");
        assert_eq!(fitting(-600, 3_600), Some((60, 3_600)), "it has begun");
        assert_eq!(fitting(-600, -1), None);
    }

    #[test]
    fn driver_keeps_his_plate() {
        assert_eq!((email(7), plate(7)), (email(407), plate(407)));
        assert_ne!(plate(7), plate(8));
        assert!(plate(20_000_000_399).len() <= 12 && plate(-3).starts_with("PT-"));
    }
}
