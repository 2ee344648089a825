//! Permits: rights to park without reserving, for a vehicle or for somebody.

pub(crate) mod rest;
pub(crate) mod store;

use jiff::tz::TimeZone;
use portico_devices::Check;
use portico_model::identity::Permission;
use portico_model::parking::permit::{NewPermit, Permit, PermitState, PermitValidity};
use portico_model::{LotId, OrganizationId, Page, PermitId, Timestamp};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Result, Tx};
use serde_json::json;

use crate::lots::lot_not_found;
use crate::reservations::moment;
use crate::search::{cleaned, read_cursor};
use crate::sessions::checked_plate;
use crate::{Parking, version};

/// Most permits on a page.
pub const MAX_PAGE: i64 = 500;

/// Which permits to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PermitQuery {
    /// Only one's own. Who may not see others' gets his own in any case.
    pub mine: bool,
    /// Those that hold in this lot.
    pub lot: Option<LotId>,
    /// Those that hold or will; or those that have ended or were revoked.
    pub current: Option<bool>,
    /// Part of the holder, the label or the plate.
    pub search: Option<String>,
    pub cursor: Option<String>,
    /// 1 to 500; absent: 100.
    pub limit: Option<i64>,
}

pub(crate) fn permit_not_found() -> Error {
    Error::not_found("permit_not_found", "There is no such permit")
}

/// With its state at this moment.
pub(crate) fn shown(mut permit: Permit, now: Timestamp) -> Permit {
    permit.state = permit.state_at(now);
    permit
}

fn zone_of(permit: &Permit) -> TimeZone {
    TimeZone::get(&permit.time_zone).unwrap_or(TimeZone::UTC)
}

/// Nothing, when the text is blank.
fn moment_in(zone: &TimeZone, field: &str, text: &str) -> Result<Option<Timestamp>> {
    if text.trim().is_empty() { Ok(None) } else { moment(zone, field, text).map(Some) }
}

impl Parking {
    /// Permits, the newest first: all with `ReadParking`, else one's own. Permission: `UseParking`.
    ///
    /// # Errors
    /// Forbidden; a cursor that is none of ours.
    pub async fn permits(&self, actor: &Actor, query: &PermitQuery) -> Result<Page<Permit>> {
        actor.require(Permission::UseParking)?;
        let user = match (actor.user_id(), query.mine || !actor.may(Permission::ReadParking)) {
            (Some(user), true) => Some(user),
            (_, false) => None,
            (None, true) => return Err(Error::forbidden("not_permitted", "Only people have permits of their own.")),
        };
        let limit = query.limit.unwrap_or(100).clamp(1, MAX_PAGE);
        let now = self.0.platform.clock.now();
        let filter = store::Filter {
            user,
            lot: query.lot,
            current_at: (query.current == Some(true)).then_some(now),
            over_at: (query.current == Some(false)).then_some(now),
            search: query.search.as_deref().and_then(cleaned),
            after: query.cursor.as_deref().map(read_cursor).transpose()?,
            limit: limit + 1,
            ..store::Filter::default()
        };
        let mut tx = self.0.platform.db.read().await?;
        let found = store::list(&mut tx, actor.organization, &filter).await?;
        let page = Page::cut(found, limit, |last: &Permit| format!("{}-{}", last.created_at.millis(), last.id));
        Ok(page.map(|permit| shown(permit, now)))
    }

    /// One's own, or with `ReadParking` anybody's. Permission: `UseParking`.
    ///
    /// # Errors
    /// Forbidden, not found.
    pub async fn permit(&self, actor: &Actor, id: PermitId) -> Result<Permit> {
        actor.require(Permission::UseParking)?;
        let mut tx = self.0.platform.db.read().await?;
        let found = store::find(&mut tx, actor.organization, id).await?.ok_or_else(permit_not_found)?;
        let is_own = found.user_id.is_some() && found.user_id == actor.user_id();
        if !is_own && !actor.may(Permission::ReadParking) {
            return Err(permit_not_found());
        }
        Ok(shown(found, self.0.platform.clock.now()))
    }

    /// Lets somebody, or a vehicle, park without reserving. Permission: `ManageParking`.
    ///
    /// # Errors
    /// Forbidden, not found, invalid fields.
    pub async fn create_permit(&self, actor: &Actor, new: &NewPermit) -> Result<Permit> {
        actor.require(Permission::ManageParking)?;
        let (organization, now) = (actor.organization, self.0.platform.clock.now());
        let held = self.held(organization).await?;
        let lot = new.lot_id.map(|id| held.lot(id).ok_or_else(lot_not_found)).transpose()?;
        let mut tx = self.0.platform.db.begin().await?;
        let user = new.user.trim();
        let account = self.0.identity.account_named(&mut tx, organization, user).await?;
        let mut check = Check::default();
        if !user.is_empty() && account.is_none() {
            check.problem("user", "There is no such person");
        }
        let plate = checked_plate(&mut check, &new.plate);
        if plate.is_empty() && user.is_empty() {
            check.problem("plate", "a plate, or whose permit it is");
        }
        let mut holder = check.text("holder", &new.holder, 100);
        if let Some(account) = account.as_ref().filter(|_| holder.is_empty()) {
            holder.clone_from(&account.username);
        }
        let label = check.text("label", &new.label, 100);
        check.done(())?;
        let mut permit = Permit {
            id: PermitId::generate(),
            lot_id: lot.map(|lot| lot.id),
            lot_name: lot.map(|lot| lot.name.clone()),
            time_zone: match lot {
                Some(lot) => lot.time_zone_in_force.clone(),
                None => store::zone_of_organization(&mut tx, organization).await?,
            },
            user_id: account.map(|account| account.id),
            holder,
            plate,
            label,
            valid_from: now,
            valid_until: None,
            revoked_at: None,
            state: PermitState::Valid,
            created_at: now,
            updated_at: now,
        };
        set_validity(&mut permit, &new.valid_from, &new.valid_until)?;
        self.save_permit(tx, actor, permit, "parking_permit.created").await
    }

    /// Other times for a permit that was not revoked. Permission: `ManageParking`.
    ///
    /// # Errors
    /// Forbidden, not found, invalid fields; conflict when it was revoked.
    pub async fn change_permit(&self, actor: &Actor, id: PermitId, validity: &PermitValidity) -> Result<Permit> {
        actor.require(Permission::ManageParking)?;
        let (tx, mut permit) = self.begin_permit(actor.organization, id).await?;
        if permit.revoked_at.is_some() {
            return Err(Error::conflict("permit_revoked", "The permit was revoked: make a new one."));
        }
        set_validity(&mut permit, &validity.valid_from, &validity.valid_until)?;
        self.save_permit(tx, actor, permit, "parking_permit.changed").await
    }

    /// From now on it holds no more; a vehicle that is there by it overstays. Again changes nothing. Permission:
    /// `ManageParking`.
    ///
    /// # Errors
    /// Forbidden, not found.
    pub async fn revoke_permit(&self, actor: &Actor, id: PermitId) -> Result<Permit> {
        actor.require(Permission::ManageParking)?;
        let now = self.0.platform.clock.now();
        let (tx, mut permit) = self.begin_permit(actor.organization, id).await?;
        if permit.revoked_at.is_some() {
            return Ok(shown(permit, now));
        }
        permit.revoked_at = Some(now);
        self.save_permit(tx, actor, permit, "parking_permit.revoked").await
    }

    async fn begin_permit(&self, organization: OrganizationId, id: PermitId) -> Result<(Tx, Permit)> {
        let mut tx = self.0.platform.db.begin().await?;
        version::lock(&mut tx, organization).await?;
        let permit = store::find(&mut tx, organization, id).await?.ok_or_else(permit_not_found)?;
        Ok((tx, permit))
    }

    async fn save_permit(&self, mut tx: Tx, actor: &Actor, mut permit: Permit, action: &'static str) -> Result<Permit> {
        permit.updated_at = self.0.platform.clock.now();
        store::save(&mut tx, actor.organization, &permit).await?;
        // Neither plate nor holder: the trail is kept for longer than they are.
        let details = json!({"lot_id": permit.lot_id, "user_id": permit.user_id, "label": permit.label,
            "valid_from": permit.valid_from, "valid_until": permit.valid_until});
        let entry = Entry::success(action).target("parking_permit", permit.id).details(details);
        self.commit(tx, actor, entry).await?;
        self.announce_sessions(actor.organization);
        let now = self.0.platform.clock.now();
        Ok(shown(permit, now))
    }
}

/// Reads from when until when; an empty beginning is the one that it has.
fn set_validity(permit: &mut Permit, from: &str, until: &str) -> Result<()> {
    let zone = zone_of(permit);
    permit.valid_from = moment_in(&zone, "valid_from", from)?.unwrap_or(permit.valid_from);
    permit.valid_until = moment_in(&zone, "valid_until", until)?;
    if permit.valid_until.is_some_and(|until| until <= permit.valid_from) {
        return Err(Error::field("valid_until", "lies after the beginning"));
    }
    Ok(())
}
