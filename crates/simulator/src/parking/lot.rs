//! A lot that is alive: lets the model's time pass, measures with its sensors and passes on what they say.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use portico_model::{LotId, Timestamp};
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::desk::{self, Order};
use super::garage::{Booking, Garage, Happening, Tally};
use super::gateway::{Gateway, SENSORS};
use super::park::Context;
use super::plan::{LotPlan, Mounting};
use super::sensor::{Debounce, SensorFaults, Ultrasonic};
use super::{lot_seed, setup};
use crate::noise;
use crate::simulator::now;

/// How often it looks at its clock.
const TICK: Duration = Duration::from_millis(200);
/// In a building whose time runs very fast, no more measurements are made up for than these.
const AT_ONCE: i64 = 5;

/// How full a lot is, and what happened there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    pub occupied: usize,
    pub capacity: usize,
    pub tally: Tally,
}

/// A sensor as it runs.
struct Sensor {
    ultrasonic: Ultrasonic,
    debounce: Debounce,
    /// Its measurements are counted from 1970 on, each sensor with a moment of its own.
    measured: i64,
    phase_ms: i64,
    said: Option<(bool, Timestamp)>,
    is_broken: bool,
}

pub struct LiveLot {
    context: Arc<Context>,
    plan: LotPlan,
    id: LotId,
    garage: Garage,
    sensors: Vec<Sensor>,
    gateways: Vec<Gateway>,
    tell: watch::Sender<Seen>,
}

impl LiveLot {
    /// As full as the hour has it. `heard`: names of sensors that Portico knows already.
    pub fn new(
        context: Arc<Context>,
        (plan, index): (LotPlan, i64),
        id: LotId,
        gateways: Vec<Gateway>,
        heard: &BTreeSet<String>,
        tell: watch::Sender<Seen>,
    ) -> Self {
        let seed = lot_seed(context.options.seed, index);
        let garage = Garage::at(&plan, seed, context.local_now());
        let interval_ms = context.measure_ms();
        let sensor = |(spot, plan): (usize, &super::plan::SpotPlan)| {
            let own = noise::mix(seed, 600, i64::try_from(spot).unwrap_or(0));
            Sensor {
                ultrasonic: Ultrasonic { seed: own },
                debounce: Debounce::settled(garage.car(spot).is_some()),
                measured: 0,
                phase_ms: (noise::mix(own, 601, 0) % interval_ms.unsigned_abs()).cast_signed(),
                said: None,
                is_broken: plan.mounting == Mounting::Broken && heard.contains(&plan.sensor_id),
            }
        };
        let sensors = garage.spots().iter().enumerate().map(sensor).collect();
        Self { context, plan, id, garage, sensors, gateways, tell }
    }

    /// Lives until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let (orders, orders_out) = mpsc::channel(64);
        let (reserved_in, mut reserved) = watch::channel(BTreeSet::new());
        let desk = tokio::spawn(desk::run(Arc::clone(&self.context), self.id, orders_out, reserved_in, stop.clone()));
        let placing = {
            let (context, plan, stop) = (Arc::clone(&self.context), self.plan.clone(), stop.clone());
            tokio::spawn(async move {
                let placed = tokio::select! {
                    placed = setup::place(&context.options.api, &plan) => placed,
                    () = stop.cancelled() => return,
                };
                if let Err(error) = placed {
                    tracing::warn!(%error, lot = plan.name, "simulated sensors have no spots");
                }
            })
        };
        for booking in self.garage.bookings().collect::<Vec<_>>() {
            self.order(&orders, booking);
        }
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = tick.tick() => self.pass(&orders),
                Ok(()) = reserved.changed() => {
                    let reserved = reserved.borrow_and_update();
                    let spots = self.garage.spots().iter().enumerate();
                    let kept = spots.filter(|(_, spot)| reserved.contains(&spot.id)).map(|(index, _)| index).collect();
                    drop(reserved);
                    self.garage.keep_free(kept);
                }
            }
        }
        let _ = tokio::join!(desk, placing);
        for gateway in self.gateways {
            gateway.wait().await;
        }
    }

    fn pass(&mut self, orders: &mpsc::Sender<Order>) {
        let here = self.context.local_now();
        for happened in self.garage.advance(here) {
            if let Happening::Booked { booking, .. } = happened {
                self.order(orders, booking);
            }
        }
        let now = now();
        for spot in 0..self.sensors.len() {
            self.measure(spot, here, now);
        }
        let (occupied, capacity) = (self.garage.occupied(), self.garage.spots().len());
        self.tell.send_replace(Seen { occupied, capacity, tally: self.garage.tally() });
    }

    fn measure(&mut self, spot: usize, here: Timestamp, now: Timestamp) {
        let car = self.garage.car(spot);
        let (options, interval_ms) = (&self.context.options, self.context.measure_ms());
        let sensor = &mut self.sensors[spot];
        let newest = (here.millis() - sensor.phase_ms).div_euclid(interval_ms);
        let first = (sensor.measured + 1).max(newest - AT_ONCE);
        let mut says = None;
        for number in first..=newest {
            let distance_cm = sensor.ultrasonic.distance_cm(number, car, &options.faults);
            says = sensor.debounce.take(distance_cm).map(|occupied| (occupied, distance_cm)).or(says);
            sensor.measured = number;
        }
        if sensor.said.is_none() && says.is_none() {
            // Whatever it measures first: it has been there for long.
            let settled = car.is_some();
            sensor.debounce = Debounce::settled(settled);
            says = Some((settled, sensor.ultrasonic.distance_cm(newest, car, &SensorFaults::NONE)));
        }
        let Some((occupied, distance_cm)) = says else { return };
        let has_news = sensor.said.is_none_or(|(said, at)| {
            said != occupied || now.millis_since(at) >= i64::try_from(options.report_every.as_millis()).unwrap_or(0)
        });
        if !has_news || sensor.is_broken || sensor.ultrasonic.is_silent(now, &options.faults) {
            return;
        }
        sensor.said = Some((occupied, now));
        let plan = &self.garage.spots()[spot];
        // Its first words are its last.
        sensor.is_broken = plan.mounting == Mounting::Broken;
        let location = format!("{}, {}", self.plan.name, plan.id);
        let event = json!({
            "type": "spot", "sensor_id": plan.sensor_id, "timestamp": now.millis(), "occupied": occupied,
            "distance_cm": distance_cm, "battery_level": sensor.ultrasonic.battery_percent(now),
            "signal_strength": sensor.ultrasonic.rssi_dbm(now), "firmware_version": "1.0.0", "location": location,
        });
        if let Some(gateway) = self.gateways.get(spot / SENSORS) {
            gateway.tell(event);
        }
    }

    fn order(&self, orders: &mpsc::Sender<Order>, booking: Booking) {
        let order = Order {
            driver: booking.id,
            spot_id: self.garage.spots()[booking.spot].id.clone(),
            start: self.context.wall_time(Timestamp::from_millis(booking.start_ms)),
            end: self.context.wall_time(Timestamp::from_millis(booking.end_ms)),
        };
        // Too many at once: the others come without.
        let _ = orders.try_send(order);
    }
}
