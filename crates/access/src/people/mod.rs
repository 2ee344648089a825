//! People who come through doors, what they show there, and how cards and fingers are enrolled.

mod account;
mod credential_store;
mod credentials;
mod enrolment;
mod enrolment_rest;
mod enrolment_store;
mod groups;
pub mod input;
pub mod jobs;
pub mod lookup;
pub mod rest;
mod store;

use portico_model::access::Level;
use portico_model::access::people::{Person, PersonDetail, PersonInput};
use portico_model::identity::Permission;
use portico_model::{OrganizationId, PersonGroupId, PersonId};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Result, Tx};
use serde_json::json;

use crate::{Access, version};

pub use lookup::{FoundPerson, credential_holder, find_credential, find_person, used, user_of};

/// Most people of one answer.
pub const MAX_PAGE: i64 = 500;

/// Most people of an organisation.
const MAX_PEOPLE: i64 = 100_000;

/// Which people to list.
#[derive(Debug, Clone, Default)]
pub struct PersonQuery {
    /// Part of the name, employee id, e-mail address or number.
    pub search: Option<String>,
    pub level: Option<Level>,
    pub is_active: Option<bool>,
    pub group: Option<PersonGroupId>,
    /// 1 to 500; absent: 100.
    pub limit: Option<i64>,
    pub offset: Option<i64>,
}

fn not_found() -> Error {
    Error::not_found("person_not_found", "There is no such person.")
}

impl Access {
    /// People by name, and how many there are on all pages. Permission: [`Permission::ReadAccess`].
    ///
    /// # Errors
    /// Forbidden; Invalid for a search that is none.
    pub async fn people(&self, actor: &Actor, query: &PersonQuery) -> Result<(Vec<Person>, i64)> {
        actor.require(Permission::ReadAccess)?;
        let filter = store::Filter {
            search: input::search(query.search.as_deref())?,
            level: query.level,
            is_active: query.is_active,
            group: query.group,
            limit: query.limit.unwrap_or(100).clamp(1, MAX_PAGE),
            offset: query.offset.unwrap_or(0).max(0),
        };
        let mut tx = self.0.platform.db.read().await?;
        let people = store::list(&mut tx, actor.organization, &filter).await?;
        let total = store::count(&mut tx, actor.organization, &filter).await?;
        Ok((people, total))
    }

    /// A person with all that belongs to him. Permission: [`Permission::ReadAccess`].
    ///
    /// # Errors
    /// Forbidden; Not found.
    pub async fn person(&self, actor: &Actor, id: PersonId) -> Result<PersonDetail> {
        actor.require(Permission::ReadAccess)?;
        let mut tx = self.0.platform.db.read().await?;
        let person = store::find(&mut tx, actor.organization, id).await?.ok_or_else(not_found)?;
        Ok(PersonDetail {
            credentials: credential_store::of_person(&mut tx, actor.organization, id).await?,
            groups: store::groups(&mut tx, actor.organization, Some(id)).await?,
            enrolments: enrolment_store::of_person(&mut tx, actor.organization, id)
                .await?
                .into_iter()
                .map(|enrolment| self.seen_now(enrolment))
                .collect(),
            person,
        })
    }

    /// Permission: [`Permission::ManageAccess`].
    ///
    /// # Errors
    /// Forbidden; Invalid; Conflict when the employee id or the account is another's.
    pub async fn create_person(&self, actor: &Actor, new: PersonInput) -> Result<Person> {
        actor.require(Permission::ManageAccess)?;
        let new = input::person(new)?;
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        // First: whoever makes another person at the same time waits here, and takes the next number.
        version::bump(&mut tx, actor.organization).await?;
        let filter = store::Filter::default();
        if store::count(&mut tx, actor.organization, &filter).await? >= MAX_PEOPLE {
            let message = format!("An organisation may have at most {MAX_PEOPLE} people.");
            return Err(Error::conflict("too_many_people", message));
        }
        let id = PersonId::generate();
        self.check_person(&mut tx, actor.organization, id, &new).await?;
        let number = store::next_number(&mut tx, actor.organization).await?;
        store::insert(&mut tx, actor.organization, id, number, &new, platform.clock.now()).await?;
        let entry = Entry::success("person.created").target("person", id).details(json!({"number": number}));
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        let person = store::find(&mut tx, actor.organization, id).await?.ok_or_else(not_found)?;
        tx.commit().await?;
        self.announce_person(actor.organization, id, record);
        Ok(person)
    }

    /// Permission: [`Permission::ManageAccess`].
    ///
    /// # Errors
    /// Forbidden; Not found; Invalid; Conflict when the employee id or the account is another's.
    pub async fn update_person(&self, actor: &Actor, id: PersonId, change: PersonInput) -> Result<Person> {
        actor.require(Permission::ManageAccess)?;
        let change = input::person(change)?;
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        version::bump(&mut tx, actor.organization).await?;
        let before = store::find(&mut tx, actor.organization, id).await?.ok_or_else(not_found)?;
        self.check_person(&mut tx, actor.organization, id, &change).await?;
        store::update(&mut tx, actor.organization, id, before.number, &change, platform.clock.now()).await?;
        let details = json!({
            "level": [before.level, change.level], "is_active": [before.is_active, change.is_active],
        });
        let entry = Entry::success("person.changed").target("person", id).details(details);
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        let person = store::find(&mut tx, actor.organization, id).await?.ok_or_else(not_found)?;
        tx.commit().await?;
        self.announce_person(actor.organization, id, record);
        Ok(person)
    }

    /// With credentials, memberships and the policies for this person alone. The log keeps what happened; with `erase`
    /// under a pseudonym and without the numbers of cards. Permission: [`Permission::ManageAccess`].
    ///
    /// # Errors
    /// Forbidden; Not found.
    pub async fn delete_person(&self, actor: &Actor, id: PersonId, erase: bool) -> Result<()> {
        actor.require(Permission::ManageAccess)?;
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        version::bump(&mut tx, actor.organization).await?;
        let person = store::find(&mut tx, actor.organization, id).await?.ok_or_else(not_found)?;
        if erase {
            let pseudonym = format!("Erased person {}", person.number);
            self.pseudonymise_person(&mut tx, actor.organization, id, &pseudonym).await?;
        }
        store::delete(&mut tx, actor.organization, id).await?;
        let details = json!({"number": person.number, "erased": erase});
        let entry = Entry::success("person.deleted").target("person", id).details(details);
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.announce_person(actor.organization, id, record);
        Ok(())
    }

    async fn check_person(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        id: PersonId,
        person: &PersonInput,
    ) -> Result<()> {
        if let Some(employee) = &person.employee_id
            && store::employee_is_taken(tx, organization, id, employee).await?
        {
            return Err(Error::conflict("employee_id_taken", "Employee ID already exists"));
        }
        if let Some(user) = person.user_id {
            if !store::user_exists(tx, organization, user).await? {
                return Err(Error::field("user_id", "There is no such account."));
            }
            if store::user_is_taken(tx, organization, id, user).await? {
                return Err(Error::conflict("account_taken", "Another person has this account already."));
            }
        }
        Ok(())
    }
}
