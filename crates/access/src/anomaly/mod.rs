//! What is unusual at doors: learned from the organisation's own log in the background, judged after the decision,
//! never in its way.

mod compat;
pub mod insights;
pub mod jobs;
mod judge;
mod marks;
pub mod rest;
mod store;
mod training;

use jiff::tz::TimeZone;
use portico_model::DoorId;
use portico_model::access::anomaly::features::Sighting;

use portico_identity::local_time::Wall;

pub use judge::Judging;

/// An event as habits see it, on the building's clock. A reader without a door stands for one.
fn sighting(zone: &TimeZone, seen: &store::Seen) -> Sighting {
    let wall = Wall::of(zone, seen.at);
    Sighting {
        at: seen.at,
        weekday: wall.weekday(),
        minute: wall.minute(),
        person: seen.person_id,
        door: seen.door_id.or_else(|| seen.reader_id.map(|reader| DoorId::from_uuid(reader.uuid()))),
        method: seen.method(),
        granted: seen.granted == Some(true),
        is_anomaly: seen.is_anomaly,
        is_false_alarm: seen.is_false_alarm,
    }
}
