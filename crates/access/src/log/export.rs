//! The log as CSV, read page by page while it is sent.

use futures::{Stream, StreamExt as _};
use portico_model::access::AccessEvent;
use portico_model::identity::Permission;
use portico_model::live::Event;
use portico_platform::audit::Entry;
use portico_platform::csv::quoted;
use portico_platform::hub::{Channel, Delivery, Publication};
use portico_platform::{Actor, Result};

use super::EventQuery;
use crate::Access;

/// Events read at a time.
const PAGE: i64 = 500;

const HEAD: &str = "at,kind,door,person,credential,method,result,reason,policy,leaving,decided_offline,untrusted,\
     unusual,false_alarm,score,score_reasons,note,received_at,id,door_id,person_id,reader_id\r\n";

/// Where an export has got to.
struct Export {
    access: Access,
    actor: Actor,
    /// Absent after the last page.
    next: Option<EventQuery>,
    head: &'static str,
}

impl Access {
    /// All events of [`Access::events`], on whichever page. That the log left is recorded.
    ///
    /// # Errors
    /// As [`Access::events`]; what goes wrong after the first page breaks the file off.
    pub async fn events_csv(
        &self,
        actor: &Actor,
        query: EventQuery,
    ) -> Result<impl Stream<Item = Result<String>> + Send + 'static> {
        actor.require(Permission::ReadAccessLog)?;
        let query = EventQuery { cursor: None, limit: Some(PAGE), ..query };
        query.search()?;
        let mut tx = self.0.platform.db.begin().await?;
        let record = self.0.platform.audit.append(&mut tx, actor, Entry::success("access_log.exported")).await?;
        tx.commit().await?;
        self.0.platform.hub.publish(Publication {
            channels: vec![Channel::all(actor.organization, "audit")],
            event: Event::AuditAppended { record },
            delivery: Delivery::Every,
        });
        let export = Export { access: self.clone(), actor: actor.clone(), next: Some(query), head: HEAD };
        // The layer that compresses asks once more after the end.
        Ok(futures::stream::try_unfold(export, Export::step).fuse())
    }
}

impl Export {
    async fn step(mut self) -> Result<Option<(String, Self)>> {
        let Some(query) = self.next.take() else { return Ok(None) };
        let page = self.access.events(&self.actor, &query).await?;
        let mut text = std::mem::take(&mut self.head).to_owned();
        page.items.iter().for_each(|event| append_row(&mut text, event));
        self.next = page.next.map(|cursor| EventQuery { cursor: Some(cursor), ..query });
        Ok(Some((text, self)))
    }
}

fn append_row(csv: &mut String, event: &AccessEvent) {
    let yes = |is: bool| if is { "yes" } else { "" }.to_owned();
    let id = |id: Option<String>| id.unwrap_or_default();
    let cells = [
        event.at.to_iso(),
        event.kind.as_str().to_owned(),
        quoted(&event.door_name),
        quoted(&event.person_name),
        quoted(&event.credential_hint),
        event.method.as_str().to_owned(),
        match event.granted {
            Some(true) => "granted",
            Some(false) => "refused",
            None => "",
        }
        .to_owned(),
        quoted(&event.reason),
        quoted(&event.policy_name),
        yes(event.leaving),
        yes(event.is_offline),
        yes(event.is_untrusted),
        yes(event.is_anomaly),
        yes(event.is_false_alarm),
        event.score.map(|score| format!("{score:.3}")).unwrap_or_default(),
        quoted(&event.score_reasons.join("; ")),
        quoted(&event.note),
        event.received_at.to_iso(),
        event.id.to_string(),
        id(event.door_id.map(|id| id.to_string())),
        id(event.person_id.map(|id| id.to_string())),
        id(event.reader_id.map(|id| id.to_string())),
    ];
    csv.push_str(&cells.join(","));
    csv.push_str("\r\n");
}
