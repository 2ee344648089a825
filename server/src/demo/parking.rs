//! The demo's car parks: gateways with ultrasonic sensors, made known over the REST interface as a person would do it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use portico_simulator::parking::{LotPlan, Park, ParkingOptions};
use portico_simulator::{Api, ApiError, Credentials};
use tokio_util::sync::CancellationToken;

/// Oftener than real ones, so that one sees soon what happens; the car parks themselves live in real time, so that their
/// past, their present and what is reserved fit together.
const MEASURE_EVERY: Duration = Duration::from_secs(4);
const REPORT_EVERY: Duration = Duration::from_secs(45);

/// Opens both car parks, as full as the hour has them, until `stop`.
pub async fn run(
    url: String,
    mqtt: String,
    credentials: Credentials,
    state_file: PathBuf,
    stop: CancellationToken,
) -> Result<(), ApiError> {
    let api = Arc::new(Api::new(&url, credentials)?);
    let (host, port) = mqtt.rsplit_once(':').unwrap_or((&mqtt, "1883"));
    let lots = vec![LotPlan::main_garage(), LotPlan::visitor_parking()];
    let options = ParkingOptions {
        measure_every: MEASURE_EVERY,
        report_every: REPORT_EVERY,
        state_file: Some(state_file),
        ..ParkingOptions::new(api, host, port.parse().unwrap_or(1883), lots)
    };
    let park = Park::start(options, &stop).await?;
    tracing::info!("the demo's car parks are open");
    tracing::info!("{}", park.wait().await);
    Ok(())
}
