//! Who shows this card, PIN or finger? The way of every decision at a door.

use portico_lock_core::decide::Holder;
use portico_model::access::{Level, Method};
use portico_model::{CredentialId, DeviceId, OrganizationId, PersonId, Timestamp, UserId};
use portico_platform::secrets::{hex, keyed_hash};
use portico_platform::{Error, Platform, Result, Tx, on_db};

/// Longest text of a card, as in the former system.
pub const MAX_CARD: usize = 50;

/// A person, as far as a decision needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPerson {
    pub id: PersonId,
    pub number: i64,
    pub name: String,
    pub level: Level,
    pub is_active: bool,
}

impl FoundPerson {
    /// As the decision sees the person, without a credential that could run out.
    pub const fn holder(&self) -> Holder {
        Holder {
            is_active: self.is_active,
            level: self.level.bit(),
            valid_from_ms: None,
            valid_until_ms: None,
            uses_left: None,
        }
    }
}

/// Whose credential it is, and whether it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub person: FoundPerson,
    pub credential: CredentialId,
    /// The end of a card's number, or the slot of a finger.
    pub hint: String,
    /// False: blocked.
    pub is_active: bool,
    pub valid_from: Option<Timestamp>,
    pub valid_until: Option<Timestamp>,
}

impl Found {
    /// As the decision sees it. A blocked credential is one that has run out.
    pub fn holder(&self) -> Holder {
        let blocked = (!self.is_active).then_some(i64::MIN);
        Holder {
            valid_from_ms: self.valid_from.filter(|_| self.is_active).map(Timestamp::millis),
            valid_until_ms: blocked.or_else(|| self.valid_until.map(Timestamp::millis)),
            ..self.person.holder()
        }
    }
}

/// What is stored to find a credential by; `None` for what no credential can be.
pub fn lookup_of(platform: &Platform, organization: OrganizationId, method: Method, presented: &str) -> Option<String> {
    match method {
        Method::Rfid => card(presented),
        Method::Fingerprint => {
            let slot: u16 = presented.trim().parse().ok()?;
            (1..=1_000).contains(&slot).then(|| slot.to_string())
        }
        Method::Pin => is_pin(presented).then(|| {
            let key = platform.secrets.derive("access PIN");
            hex(&keyed_hash(&key, &[organization.uuid().as_bytes(), presented.as_bytes()]))
        }),
        Method::Code | Method::Remote | Method::Bluetooth | Method::System | Method::Other => None,
    }
}

/// A card's number in capitals, without separators: `04:52:1a` is `04521A`.
pub fn card(text: &str) -> Option<String> {
    if text.len() > 2 * MAX_CARD {
        return None;
    }
    let card: String = text
        .chars()
        .filter(|character| !matches!(character, ':' | '-' | '.' | ' '))
        .map(|character| character.to_ascii_uppercase())
        .collect();
    let is_card = (1..=MAX_CARD).contains(&card.len()) && card.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_card.then_some(card)
}

/// 4 to 8 digits.
pub fn is_pin(text: &str) -> bool {
    (4..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[derive(sqlx::FromRow)]
struct Row {
    person_id: PersonId,
    number: i64,
    name: String,
    level: String,
    person_is_active: bool,
    id: CredentialId,
    hint: String,
    is_active: bool,
    valid_from: Option<Timestamp>,
    valid_until: Option<Timestamp>,
}

fn level(text: &str) -> Result<Level> {
    Level::parse(text).ok_or_else(|| Error::internal("a person's level in the database is unknown"))
}

/// Whose this is. A finger's slot at this reader goes before one that counts at all readers.
pub async fn find_credential(
    tx: &mut Tx,
    platform: &Platform,
    organization: OrganizationId,
    reader: Option<DeviceId>,
    method: Method,
    presented: &str,
) -> Result<Option<Found>> {
    let Some(lookup) = lookup_of(platform, organization, method, presented) else { return Ok(None) };
    let row: Option<Row> = on_db!(tx, conn => sqlx::query_as(
        "select p.id as person_id, p.number, p.name, p.level, p.is_active as person_is_active, c.id, c.hint, c.is_active,
                c.valid_from, c.valid_until
         from access_credential c join access_person p on p.id = c.person_id
         where c.organization_id = $1 and p.organization_id = $1 and c.kind = $2 and c.lookup = $3
           and (c.reader_id is null or c.reader_id = $4)
         order by case when c.reader_id is null then 1 else 0 end limit 1",
    ).bind(organization).bind(method.as_str()).bind(lookup).bind(reader).fetch_optional(conn).await)?;
    row.map(|row| {
        Ok(Found {
            person: FoundPerson {
                id: row.person_id,
                number: row.number,
                name: row.name,
                level: level(&row.level)?,
                is_active: row.person_is_active,
            },
            credential: row.id,
            hint: row.hint,
            is_active: row.is_active,
            valid_from: row.valid_from,
            valid_until: row.valid_until,
        })
    })
    .transpose()
}

/// A person by id.
pub async fn find_person(tx: &mut Tx, organization: OrganizationId, id: PersonId) -> Result<Option<FoundPerson>> {
    let row: Option<(PersonId, i64, String, String, bool)> = on_db!(tx, conn => sqlx::query_as(
        "select id, number, name, level, is_active from access_person where organization_id = $1 and id = $2",
    ).bind(organization).bind(id).fetch_optional(conn).await)?;
    row.map(|(id, number, name, text, is_active)| Ok(FoundPerson { id, number, name, level: level(&text)?, is_active }))
        .transpose()
}

/// The account that a person signs in with.
pub async fn user_of(tx: &mut Tx, organization: OrganizationId, person: PersonId) -> Result<Option<UserId>> {
    let found: Option<Option<UserId>> = on_db!(tx, conn => sqlx::query_scalar(
        "select user_id from access_person where organization_id = $1 and id = $2",
    ).bind(organization).bind(person).fetch_optional(conn).await)?;
    Ok(found.flatten())
}

/// What one of this person's credentials proves.
pub async fn credential_holder(
    tx: &mut Tx,
    organization: OrganizationId,
    person: &FoundPerson,
    id: CredentialId,
) -> Result<Option<Holder>> {
    let row: Option<(String, bool, Option<Timestamp>, Option<Timestamp>)> = on_db!(tx, conn => sqlx::query_as(
        "select hint, is_active, valid_from, valid_until from access_credential
         where organization_id = $1 and id = $2 and person_id = $3",
    ).bind(organization).bind(id).bind(person.id).fetch_optional(conn).await)?;
    Ok(row.map(|(hint, is_active, valid_from, valid_until)| {
        Found { person: person.clone(), credential: id, hint, is_active, valid_from, valid_until }.holder()
    }))
}

/// Writes down that a person came with this credential (absent: without one, as on a page).
pub async fn used(
    tx: &mut Tx,
    organization: OrganizationId,
    person: PersonId,
    credential: Option<CredentialId>,
    at: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update access_person set last_access_at = $3
         where organization_id = $1 and id = $2 and (last_access_at is null or last_access_at < $3)",
    ).bind(organization).bind(person).bind(at).execute(conn).await.map(drop))?;
    if let Some(credential) = credential {
        on_db!(tx, conn => sqlx::query(
            "update access_credential set last_used_at = $3
             where organization_id = $1 and id = $2 and (last_used_at is null or last_used_at < $3)",
        ).bind(organization).bind(credential).bind(at).execute(conn).await.map(drop))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_are_read_however_they_are_written() {
        for text in ["04:52:1a:2b", "04521A2B", "04-52-1A-2B", " 04 52 1a 2b "] {
            assert_eq!(card(text).as_deref(), Some("04521A2B"), "{text}");
        }
        for wrong in ["", " : ", "04\u{0}52", "Ä1", &"A".repeat(51)] {
            assert_eq!(card(wrong), None, "{wrong}");
        }
        assert!(is_pin("0042") && is_pin("12345678") && !is_pin("123") && !is_pin("123456789") && !is_pin("12a4"));
    }

    #[test]
    fn blocked_credential_has_run_out() {
        let person =
            FoundPerson { id: PersonId::nil(), number: 1, name: "Ann".into(), level: Level::Basic, is_active: true };
        let found = Found {
            person,
            credential: CredentialId::nil(),
            hint: String::new(),
            is_active: false,
            valid_from: Some(Timestamp::from_millis(i64::MAX)),
            valid_until: None,
        };
        let holder = found.holder();
        assert_eq!((holder.valid_from_ms, holder.valid_until_ms), (None, Some(i64::MIN)));
    }
}
