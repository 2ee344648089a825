//! Reading the log, by permission [`Permission::ReadAccessLog`].

use portico_model::access::log::{EventCursor, EventSearch};
use portico_model::access::{AccessEvent, AccessKind, AccessReason, Method};
use portico_model::identity::Permission;
use portico_model::{AccessEventId, DoorId, OrganizationId, Page, PersonId, Timestamp};
use portico_platform::{Actor, Error, Result, Tx};
use serde::Deserialize;

use super::store;
use crate::Access;

/// Most events of a page.
pub const MAX_PAGE: i64 = 500;

/// Longest part of a name, characters.
const MAX_WHO: usize = 100;

/// Most doors that one may choose among.
const MAX_DOORS: i64 = 1_000;

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResultFilter {
    Granted,
    Refused,
}

/// Which events, newest first; absent means any.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct EventQuery {
    /// Id of a person.
    pub person_id: Option<PersonId>,
    /// Part of a person's name.
    #[param(example = "archer", max_length = 100)]
    pub who: Option<String>,
    /// Id of a door.
    pub door_id: Option<DoorId>,
    #[param(inline)]
    pub result: Option<ResultFilter>,
    pub reason: Option<AccessReason>,
    pub method: Option<Method>,
    pub kind: Option<AccessKind>,
    /// `true`: unusual ones, false alarms among them.
    pub anomaly: Option<bool>,
    /// `true`: those that a reader decided without network.
    pub offline: Option<bool>,
    /// At or after (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime, example = "2026-11-21T00:00:00Z")]
    pub from: Option<Timestamp>,
    /// At or before (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime, example = "2026-11-22T00:00:00Z")]
    pub to: Option<Timestamp>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
    /// 1 to 500; absent: 50.
    pub limit: Option<i64>,
}

impl EventQuery {
    /// What a page shows of the log.
    #[must_use]
    pub fn of(search: EventSearch, cursor: Option<String>, limit: i64) -> Self {
        Self {
            person_id: search.person,
            who: Some(search.who),
            door_id: search.door,
            result: search.granted.map(|granted| if granted { ResultFilter::Granted } else { ResultFilter::Refused }),
            reason: search.reason,
            method: search.method,
            kind: search.kind,
            anomaly: search.anomaly,
            offline: search.offline,
            from: search.from,
            to: search.to,
            cursor,
            limit: Some(limit),
        }
    }

    pub(super) fn search(&self) -> Result<EventSearch> {
        let who = self.who.as_deref().unwrap_or_default().trim().to_owned();
        if who.chars().count() > MAX_WHO || who.contains(char::is_control) {
            return Err(Error::field("who", format!("plain text of at most {MAX_WHO} characters")));
        }
        Ok(EventSearch {
            person: self.person_id,
            who,
            door: self.door_id,
            granted: self.result.map(|result| result == ResultFilter::Granted),
            reason: self.reason,
            method: self.method,
            kind: self.kind,
            anomaly: self.anomaly,
            offline: self.offline,
            from: self.from,
            to: self.to,
        })
    }

    fn before(&self) -> Result<Option<EventCursor>> {
        self.cursor
            .as_deref()
            .map(|text| {
                EventCursor::parse(text).ok_or_else(|| Error::invalid("bad_cursor", "The cursor is none of this list."))
            })
            .transpose()
    }
}

impl Access {
    /// Events that match, newest first.
    ///
    /// # Errors
    /// Forbidden; a cursor or a text that cannot be.
    pub async fn events(&self, actor: &Actor, query: &EventQuery) -> Result<Page<AccessEvent>> {
        actor.require(Permission::ReadAccessLog)?;
        let limit = query.limit.unwrap_or(50).clamp(1, MAX_PAGE);
        let (search, before) = (query.search()?, query.before()?);
        let mut tx = self.0.platform.db.read().await?;
        let items = store::list(&mut tx, actor.organization, &search, before, limit + 1).await?;
        Ok(Page::cut(items, limit, |last| EventCursor { at: last.at, id: last.id }.to_text()))
    }

    /// One event with everything that is known of it.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn access_event(&self, actor: &Actor, id: AccessEventId) -> Result<AccessEvent> {
        actor.require(Permission::ReadAccessLog)?;
        let mut tx = self.0.platform.db.read().await?;
        store::find(&mut tx, actor.organization, id)
            .await?
            .ok_or_else(|| Error::not_found("event_not_found", "There is no such event, or you may not see it."))
    }

    /// How the database would find a page of the log; for tests and whoever wonders why it is slow.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn explain_events(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        search: &EventSearch,
    ) -> Result<String> {
        store::explain(tx, organization, search).await
    }

    /// The doors that one may look for in the log: id and name.
    ///
    /// # Errors
    /// Forbidden.
    pub async fn doors_of_log(&self, actor: &Actor) -> Result<Vec<(DoorId, String)>> {
        actor.require(Permission::ReadAccessLog)?;
        let mut tx = self.0.platform.db.read().await?;
        store::doors(&mut tx, actor.organization, MAX_DOORS).await
    }
}
