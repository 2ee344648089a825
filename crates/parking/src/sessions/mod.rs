//! Vehicles that come and leave: by plate or by spot, covered by a reservation or a permit or paid for by the time.

mod arrive;
mod jobs;
mod leave;
pub(crate) mod rest;
pub(crate) mod store;

use std::collections::HashMap;

use jiff::tz::TimeZone;
use portico_model::identity::Permission;
use portico_model::parking::session::{MAX_PLATE_CHARS, ParkingSession, plate_key};
use portico_model::parking::tariff::{Price, TariffRules};
use portico_model::{LotId, OrganizationId, Page, ParkingSessionId, TariffId, Timestamp};
use portico_platform::{Actor, Error, Principal, Result, Tx};

use crate::search::read_cursor;
use crate::{Parking, tariffs};

pub(crate) use jobs::spawn;

/// Most sessions on a page.
pub const MAX_PAGE: i64 = 500;

/// Which sessions to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionQuery {
    pub lot: Option<LotId>,
    /// Those that are there, or those that have left.
    pub open: Option<bool>,
    /// Those that are there for longer than they may, or those that are not.
    pub overstaying: Option<bool>,
    /// Part of the plate, in any way of writing.
    pub plate: Option<String>,
    pub cursor: Option<String>,
    /// 1 to 500; absent: 100.
    pub limit: Option<i64>,
}

pub(crate) fn session_not_found() -> Error {
    Error::not_found("parking_session_not_found", "There is no such session")
}

/// A plate as it is to be kept; empty when none was given.
pub(crate) fn checked_plate(check: &mut portico_devices::Check, plate: &str) -> String {
    let plate = check.text("plate", plate, MAX_PLATE_CHARS);
    if !plate.is_empty() && plate_key(&plate).is_empty() {
        check.problem("plate", "letters and digits");
    }
    plate
}

/// Rules of tariffs that were read already.
type Rules = HashMap<(TariffId, i64), TariffRules>;

impl Parking {
    /// Sessions, the latest first. Permission: `ReadParking`.
    ///
    /// # Errors
    /// Forbidden; a cursor that is none of ours.
    pub async fn parking_sessions(&self, actor: &Actor, query: &SessionQuery) -> Result<Page<ParkingSession>> {
        actor.require(Permission::ReadParking)?;
        let limit = query.limit.unwrap_or(100).clamp(1, MAX_PAGE);
        let now = self.0.platform.clock.now();
        let filter = store::Filter {
            lot: query.lot,
            is_open: query.open,
            overstaying_at: query.overstaying.map(|is| (is, now)),
            plate: query.plate.clone().filter(|plate| !plate_key(plate).is_empty()),
            after: query.cursor.as_deref().map(read_cursor).transpose()?,
            limit: limit + 1,
            ..store::Filter::default()
        };
        let mut tx = self.0.platform.db.read().await?;
        let found = store::list(&mut tx, actor.organization, &filter).await?;
        let mut page =
            Page::cut(found, limit, |last: &ParkingSession| format!("{}-{}", last.entered_at.millis(), last.id));
        let mut rules = Rules::new();
        for one in &mut page.items {
            show(&mut tx, actor.organization, one, now, &mut rules).await?;
        }
        Ok(page)
    }

    /// Permission: `ReadParking`.
    ///
    /// # Errors
    /// Forbidden, not found.
    pub async fn parking_session(&self, actor: &Actor, id: ParkingSessionId) -> Result<ParkingSession> {
        actor.require(Permission::ReadParking)?;
        self.shown_session(actor.organization, id).await
    }

    /// A committed session, as it is now.
    async fn shown_session(&self, organization: OrganizationId, id: ParkingSessionId) -> Result<ParkingSession> {
        let mut tx = self.0.platform.db.read().await?;
        let mut one = store::find(&mut tx, organization, id).await?.ok_or_else(session_not_found)?;
        show(&mut tx, organization, &mut one, self.0.platform.clock.now(), &mut Rules::new()).await?;
        Ok(one)
    }

    /// A device may tell of vehicles when its owner may operate parking; whoever else needs that permission himself.
    async fn may_report(&self, actor: &Actor) -> Result<()> {
        let Principal::Device { id } = actor.principal else { return actor.require(Permission::OperateParking) };
        let mut tx = self.0.platform.db.read().await?;
        let device = self.0.devices.find_in(&mut tx, actor.organization, id).await?;
        let owner = self.0.identity.account(&mut tx, actor.organization, device.owner_id).await?;
        if owner.is_some_and(|owner| owner.is_active && owner.role.may(Permission::OperateParking)) {
            return Ok(());
        }
        Err(Error::forbidden("not_permitted", "The owner of this device may not operate parking."))
    }
}

/// Works out what depends on the moment.
async fn show(
    tx: &mut Tx,
    organization: OrganizationId,
    one: &mut ParkingSession,
    now: Timestamp,
    rules: &mut Rules,
) -> Result<()> {
    one.is_overstaying = one.overstays_at(now);
    if one.left_at.is_none() {
        charge(tx, organization, one, now, rules).await?;
    }
    Ok(())
}

/// What a stay until a moment costs: by the tariff in force when it began, for the time that nothing covers.
async fn charge(
    tx: &mut Tx,
    organization: OrganizationId,
    one: &mut ParkingSession,
    until: Timestamp,
    known: &mut Rules,
) -> Result<()> {
    let Some(named) = one.tariff_id.zip(one.tariff_version) else { return Ok(()) };
    one.price = Price { total_minor: 0, currency: one.currency.clone(), parts: Vec::new() };
    if let Some(from) = one.charged_from(until) {
        let rules = rules_of(tx, organization, named, known).await?;
        let zone = TimeZone::get(&one.time_zone).unwrap_or(TimeZone::UTC);
        one.price = tariffs::price(&rules, from.millis(), until.millis(), &zone);
    }
    one.amount_minor = one.price.total_minor;
    one.due_minor = (one.amount_minor - one.paid_minor).max(0);
    Ok(())
}

async fn rules_of(
    tx: &mut Tx,
    organization: OrganizationId,
    named: (TariffId, i64),
    known: &mut Rules,
) -> Result<TariffRules> {
    if let Some(rules) = known.get(&named) {
        return Ok(rules.clone());
    }
    let rules = tariffs::store::version(tx, organization, named.0, named.1).await?;
    let rules = rules.ok_or_else(|| Error::internal("the tariff of a session is gone"))?;
    known.insert(named, rules.clone());
    Ok(rules)
}
