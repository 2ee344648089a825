//! Cardholders: people who come through doors, with their cards, PINs and fingers.

pub mod credentials;
pub mod detail;
pub mod list;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use portico_model::access::people::{
    Credential, Enrolment, MadeCredential, Person, PersonDetail, PersonGroup, ReaderName,
};
use portico_model::{CredentialId, EnrolmentId, PersonGroupId, PersonId};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::load::{Ask, given};

/// People of a page.
pub const PAGE_SIZE: i64 = 50;

/// A part of the list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeoplePage {
    pub people: Vec<Person>,
    pub total: i64,
    pub offset: i64,
    pub groups: Vec<PersonGroup>,
}

/// A person, and what may be chosen for him.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PersonView {
    pub detail: PersonDetail,
    pub groups: Vec<PersonGroup>,
    /// Only for those who may enrol.
    pub readers: Vec<ReaderName>,
}

/// People by name.
#[server(name = ListPeople, prefix = "/sfn", endpoint = "access/people", input = GetUrl)]
pub async fn list_people(
    #[server(default)] search: String,
    #[server(default)] level: String,
    #[server(default)] active: String,
    #[server(default)] group: String,
    #[server(default)] offset: String,
) -> Result<PeoplePage, Failure> {
    use portico_access::PersonQuery;
    use portico_model::access::Level;

    use crate::server::{access, actor, failed};

    let offset = offset.parse().unwrap_or(0).clamp(0, 1_000_000);
    let query = PersonQuery {
        search: Some(search),
        level: Level::parse(&level),
        is_active: active.parse().ok(),
        group: group.parse().ok(),
        limit: Some(PAGE_SIZE),
        offset: Some(offset),
    };
    let (access, actor) = (access()?, actor()?);
    let (people, total) = access.people(&actor, &query).await.map_err(failed)?;
    let groups = access.person_groups(&actor).await.map_err(failed)?;
    Ok(PeoplePage { people, total, offset, groups })
}

/// One person.
#[server(name = GetPerson, prefix = "/sfn", endpoint = "access/person", input = GetUrl)]
pub async fn get_person(id: PersonId) -> Result<PersonView, Failure> {
    use portico_model::identity::Permission;

    use crate::server::{access, actor, failed};

    let (access, actor) = (access()?, actor()?);
    let detail = access.person(&actor, id).await.map_err(failed)?;
    let groups = access.person_groups(&actor).await.map_err(failed)?;
    let readers = if actor.may(Permission::ManageAccess) {
        access.enrolment_readers(&actor).await.map_err(failed)?
    } else {
        Vec::new()
    };
    Ok(PersonView { detail, groups, readers })
}

#[cfg(feature = "ssr")]
fn given_text(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// What is taken is shown beside its field.
#[cfg(feature = "ssr")]
fn beside_field(mut failure: Failure) -> Failure {
    let field = match failure.code.as_str() {
        "employee_id_taken" => "employee_id",
        "credential_taken" => "value",
        "person_group_name_taken" => "name",
        _ => return failure,
    };
    failure.fields.push(portico_model::FieldError::new(field, failure.message.clone()));
    failure
}

#[cfg(feature = "ssr")]
fn person_input(
    name: &str,
    employee_id: &str,
    email: &str,
    level: &str,
) -> Result<portico_model::access::people::PersonInput, Failure> {
    let level = portico_model::access::Level::parse(level)
        .ok_or_else(|| Failure::field("level", "Choose one of the levels."))?;
    Ok(portico_model::access::people::PersonInput {
        name: name.to_owned(),
        employee_id: given_text(employee_id),
        email: given_text(email),
        level,
        ..Default::default()
    })
}

/// Adds a person and goes there.
#[server(name = CreatePerson, prefix = "/sfn", endpoint = "access/create_person")]
pub async fn create_person(
    name: String,
    #[server(default)] employee_id: String,
    #[server(default)] email: String,
    level: String,
) -> Result<Person, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{access, actor, failed, form_failed};

    let values = [("name", name.as_str()), ("employee_id", &employee_id), ("email", &email), ("level", &level)];
    let refuse = |failure| form_failed(CreatePerson::PATH, "/cardholders", &values, beside_field(failure));
    let input = person_input(&name, &employee_id, &email, &level).map_err(refuse)?;
    let person = access()?.create_person(&actor()?, input).await.map_err(|error| refuse(failed(error)))?;
    leptos_axum::redirect(&format!("/cardholders/{}", person.id));
    Ok(person)
}

/// Changes a person; the account that is linked stays.
#[server(name = UpdatePerson, prefix = "/sfn", endpoint = "access/update_person")]
pub async fn update_person(
    id: PersonId,
    name: String,
    #[server(default)] employee_id: String,
    #[server(default)] email: String,
    level: String,
    #[server(default)] active: bool,
) -> Result<Person, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{access, actor, failed, form_done, form_failed};

    let page = format!("/cardholders/{id}");
    let values = [("name", name.as_str()), ("employee_id", &employee_id), ("email", &email), ("level", &level)];
    let refuse = |failure| form_failed(UpdatePerson::PATH, &page, &values, beside_field(failure));
    let (access, actor) = (access()?, actor()?);
    let before = access.person(&actor, id).await.map_err(|error| refuse(failed(error)))?.person;
    let mut input = person_input(&name, &employee_id, &email, &level).map_err(refuse)?;
    (input.user_id, input.is_active) = (before.user_id, active);
    let person = access.update_person(&actor, id, input).await.map_err(|error| refuse(failed(error)))?;
    form_done(UpdatePerson::PATH, &page, &[]);
    Ok(person)
}

/// Removes a person, perhaps also from the log.
#[server(name = DeletePerson, prefix = "/sfn", endpoint = "access/delete_person")]
pub async fn delete_person(id: PersonId, #[server(default)] erase: bool) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{access, actor, failed, form_failed};

    let page = format!("/cardholders/{id}");
    access()?
        .delete_person(&actor()?, id, erase)
        .await
        .map_err(|error| form_failed(DeletePerson::PATH, &page, &[], failed(error)))?;
    leptos_axum::redirect("/cardholders");
    Ok(())
}

/// Gives a person a card, a PIN or a finger; a PIN is shown this once.
#[server(name = AddCredential, prefix = "/sfn", endpoint = "access/add_credential")]
pub async fn add_credential(
    id: PersonId,
    kind: String,
    #[server(default)] value: String,
    #[server(default)] valid_until: String,
) -> Result<MadeCredential, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::access::people::{CredentialKind, NewCredential};

    use crate::server::{access, actor, failed, form_done, form_failed};

    let page = format!("/cardholders/{id}");
    // The number of a card or a PIN is not left in a cookie.
    let values = [("kind", kind.as_str())];
    let refuse = |failure| form_failed(AddCredential::PATH, &page, &values, beside_field(failure));
    let kind_chosen =
        CredentialKind::parse(&kind).ok_or_else(|| refuse(Failure::field("kind", "Choose what it is.")))?;
    let (access, actor) = (access()?, actor()?);
    let valid_until = match given_text(&valid_until) {
        None => None,
        Some(text) => {
            Some(access.building_moment(&actor, "valid_until", &text).await.map_err(|error| refuse(failed(error)))?)
        }
    };
    let new =
        NewCredential { kind: kind_chosen, value: given_text(&value), reader_id: None, valid_from: None, valid_until };
    let made = access.add_credential(&actor, id, new).await.map_err(|error| refuse(failed(error)))?;
    let shown: Vec<_> = made.pin.iter().map(|pin| ("pin", pin.as_str())).collect();
    form_done(AddCredential::PATH, &page, &shown);
    Ok(made)
}

/// Blocks a credential, or lets it count again.
#[server(name = SetCredential, prefix = "/sfn", endpoint = "access/set_credential")]
pub async fn set_credential(person: PersonId, id: CredentialId, active: bool) -> Result<Credential, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::access::people::CredentialValidity;

    use crate::server::{access, actor, failed, form_done, form_failed};

    let page = format!("/cardholders/{person}");
    let refuse = |failure| form_failed(SetCredential::PATH, &page, &[], failure);
    let (access, actor) = (access()?, actor()?);
    let detail = access.person(&actor, person).await.map_err(|error| refuse(failed(error)))?;
    let before = detail.credentials.iter().find(|credential| credential.id == id);
    let validity = CredentialValidity {
        is_active: active,
        valid_from: before.and_then(|before| before.valid_from),
        valid_until: before.and_then(|before| before.valid_until),
    };
    let credential = access.set_credential(&actor, id, validity).await.map_err(|error| refuse(failed(error)))?;
    form_done(SetCredential::PATH, &page, &[]);
    Ok(credential)
}

/// Takes a credential away.
#[server(name = DeleteCredential, prefix = "/sfn", endpoint = "access/delete_credential")]
pub async fn delete_credential(person: PersonId, id: CredentialId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{access, actor, failed, form_done, form_failed};

    let page = format!("/cardholders/{person}");
    access()?
        .delete_credential(&actor()?, id)
        .await
        .map_err(|error| form_failed(DeleteCredential::PATH, &page, &[], failed(error)))?;
    form_done(DeleteCredential::PATH, &page, &[]);
    Ok(())
}

/// Has a reader take the next card or finger.
#[server(name = StartEnrolment, prefix = "/sfn", endpoint = "access/start_enrolment")]
pub async fn start_enrolment(id: PersonId, reader: String, mode: String) -> Result<Enrolment, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::access::people::{EnrolmentMode, NewEnrolment};

    use crate::server::{access, actor, failed, form_done, form_failed};

    let page = format!("/cardholders/{id}");
    let refuse = |failure| form_failed(StartEnrolment::PATH, &page, &[], failure);
    let mode = EnrolmentMode::parse(&mode).ok_or_else(|| refuse(Failure::field("mode", "Choose what to enrol.")))?;
    let new = NewEnrolment { reader, person_id: id, mode };
    let enrolment = access()?.start_enrolment(&actor()?, &new).await.map_err(|error| refuse(failed(error)))?;
    form_done(StartEnrolment::PATH, &page, &[]);
    Ok(enrolment)
}

/// The reader takes nothing any more.
#[server(name = CancelEnrolment, prefix = "/sfn", endpoint = "access/cancel_enrolment")]
pub async fn cancel_enrolment(person: PersonId, id: EnrolmentId) -> Result<Enrolment, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{access, actor, failed, form_done, form_failed};

    let page = format!("/cardholders/{person}");
    let enrolment = access()?
        .cancel_enrolment(&actor()?, id)
        .await
        .map_err(|error| form_failed(CancelEnrolment::PATH, &page, &[], failed(error)))?;
    form_done(CancelEnrolment::PATH, &page, &[]);
    Ok(enrolment)
}

/// Makes a group of people.
#[server(name = CreatePersonGroup, prefix = "/sfn", endpoint = "access/create_person_group")]
pub async fn create_person_group(name: String) -> Result<PersonGroup, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::access::people::PersonGroupInput;

    use crate::server::{access, actor, failed, form_done, form_failed};

    let input = PersonGroupInput { name: name.clone(), description: String::new() };
    let refuse =
        |failure| form_failed(CreatePersonGroup::PATH, "/cardholders", &[("name", &name)], beside_field(failure));
    let group = access()?.save_person_group(&actor()?, None, &input).await.map_err(|error| refuse(failed(error)))?;
    form_done(CreatePersonGroup::PATH, "/cardholders", &[]);
    Ok(group)
}

/// Puts a person into a group, or takes him out.
#[server(name = SetMembership, prefix = "/sfn", endpoint = "access/set_membership")]
pub async fn set_membership(id: PersonId, group: PersonGroupId, member: bool) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{access, actor, failed, form_done, form_failed};

    let page = format!("/cardholders/{id}");
    access()?
        .set_person_group_member(&actor()?, group, id, member)
        .await
        .map_err(|error| form_failed(SetMembership::PATH, &page, &[], failed(error)))?;
    form_done(SetMembership::PATH, &page, &[]);
    Ok(())
}

impl Ask for ListPeople {
    fn query(&self) -> Vec<(&'static str, String)> {
        given([
            ("search", &self.search),
            ("level", &self.level),
            ("active", &self.active),
            ("group", &self.group),
            ("offset", &self.offset),
        ])
    }
}

impl Ask for GetPerson {
    fn query(&self) -> Vec<(&'static str, String)> {
        vec![("id", self.id.to_string())]
    }
}
