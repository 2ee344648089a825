//! What parking costs.

mod price;
pub(crate) mod rest;
pub(crate) mod store;

use portico_devices::Check;
use portico_model::TariffId;
use portico_model::identity::Permission;
use portico_model::parking::tariff::{Tariff, TariffSettings};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Result, Tx};
use serde_json::json;

use crate::{Parking, version};

pub(crate) use price::price;

/// Most tariffs of an organisation.
const MAX_TARIFFS: usize = 200;

pub(crate) fn tariff_not_found() -> Error {
    Error::not_found("tariff_not_found", "There is no such tariff")
}

fn checked(settings: TariffSettings) -> Result<TariffSettings> {
    let mut check = Check::default();
    let name = check.required("name", &settings.name, 100);
    for (field, message) in settings.rules.validate() {
        check.problem(&format!("rules.{field}"), message);
    }
    check.done(TariffSettings { name, rules: settings.rules })
}

impl Parking {
    /// Tariffs by name. Permission: `UseParking`.
    ///
    /// # Errors
    /// Forbidden.
    pub async fn tariffs(&self, actor: &Actor) -> Result<Vec<Tariff>> {
        actor.require(Permission::UseParking)?;
        let mut tx = self.0.platform.db.read().await?;
        store::list(&mut tx, actor.organization).await
    }

    /// Permission: `UseParking`.
    ///
    /// # Errors
    /// Forbidden, not found.
    pub async fn tariff(&self, actor: &Actor, id: TariffId) -> Result<Tariff> {
        self.tariffs(actor).await?.into_iter().find(|tariff| tariff.id == id).ok_or_else(tariff_not_found)
    }

    /// Permission: `ManageParking`.
    ///
    /// # Errors
    /// Forbidden, invalid fields; conflict when the name is in use or there are too many.
    pub async fn create_tariff(&self, actor: &Actor, settings: TariffSettings) -> Result<Tariff> {
        actor.require(Permission::ManageParking)?;
        let TariffSettings { name, rules } = checked(settings)?;
        let now = self.0.platform.clock.now();
        let id = TariffId::generate();
        let tariff =
            Tariff { id, name, version: 1, rules, changed_by: actor.label(), created_at: now, updated_at: now };
        let mut tx = self.0.platform.db.begin().await?;
        version::lock(&mut tx, actor.organization).await?;
        if store::list(&mut tx, actor.organization).await?.len() >= MAX_TARIFFS {
            return Err(Error::conflict("too_many_tariffs", format!("There may be at most {MAX_TARIFFS} tariffs.")));
        }
        self.save_tariff(tx, actor, tariff, "parking_tariff.created").await
    }

    /// From now on. Reservations that were made keep the price they were made with. Permission: `ManageParking`.
    ///
    /// # Errors
    /// Forbidden, not found, invalid fields; conflict when the name is in use.
    pub async fn update_tariff(&self, actor: &Actor, id: TariffId, settings: TariffSettings) -> Result<Tariff> {
        actor.require(Permission::ManageParking)?;
        let TariffSettings { name, rules } = checked(settings)?;
        let now = self.0.platform.clock.now();
        let mut tx = self.0.platform.db.begin().await?;
        version::lock(&mut tx, actor.organization).await?;
        let known = store::list(&mut tx, actor.organization).await?;
        let before = known.into_iter().find(|tariff| tariff.id == id).ok_or_else(tariff_not_found)?;
        let version = before.version + i64::from(before.rules != rules);
        let tariff = Tariff { name, rules, version, changed_by: actor.label(), updated_at: now, ..before };
        self.save_tariff(tx, actor, tariff, "parking_tariff.changed").await
    }

    async fn save_tariff(&self, mut tx: Tx, actor: &Actor, tariff: Tariff, action: &'static str) -> Result<Tariff> {
        let known = store::list(&mut tx, actor.organization).await?;
        if known.iter().any(|other| other.name == tariff.name && other.id != tariff.id) {
            return Err(Error::conflict("name_taken", "There is a tariff of this name already."));
        }
        store::save(&mut tx, actor.organization, &tariff).await?;
        let details = json!({"name": tariff.name, "version": tariff.version, "rules": tariff.rules});
        let entry = Entry::success(action).target("parking_tariff", tariff.id).details(details);
        self.commit_and_announce(tx, actor, entry).await?;
        Ok(tariff)
    }

    /// Reservations that were made with it keep their price. Permission: `ManageParking`.
    ///
    /// # Errors
    /// Forbidden, not found; conflict while a lot or a spot has it.
    pub async fn delete_tariff(&self, actor: &Actor, id: TariffId) -> Result<()> {
        actor.require(Permission::ManageParking)?;
        let mut tx = self.0.platform.db.begin().await?;
        version::lock(&mut tx, actor.organization).await?;
        let known = store::list(&mut tx, actor.organization).await?;
        let tariff = known.into_iter().find(|tariff| tariff.id == id).ok_or_else(tariff_not_found)?;
        if store::is_used(&mut tx, actor.organization, id).await? {
            return Err(Error::conflict("tariff_in_use", "A lot or a spot has this tariff: give it another first."));
        }
        store::remove(&mut tx, actor.organization, id, self.0.platform.clock.now()).await?;
        let entry = Entry::success("parking_tariff.deleted").target("parking_tariff", id);
        self.commit_and_announce(tx, actor, entry.details(json!({"name": tariff.name}))).await
    }

    /// That a lot or spot may have it.
    pub(crate) async fn check_tariff(&self, tx: &mut Tx, actor: &Actor, id: Option<TariffId>) -> Result<()> {
        let Some(id) = id else { return Ok(()) };
        match store::current(tx, actor.organization, id).await? {
            Some(_) => Ok(()),
            None => Err(Error::field("tariff_id", "There is no such tariff")),
        }
    }
}
