//! Doors: the list with lockdown, one door with its mode, state and devices, and the bar that says what is out of the
//! ordinary.

pub mod bar;
pub mod detail;
pub mod forms;
pub mod list;
pub mod tabs;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use portico_model::access::DoorMode;
use portico_model::access::door::{Door, DoorCounts, DoorGroup, DoorState, Zone};
use portico_model::{DoorId, Page};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::load::{Ask, given};
use crate::ui::{Glyph, Tone};

/// A device that a door may be bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceChoice {
    pub id: String,
    pub name: String,
    pub kind: String,
}

/// What a form of doors chooses from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoorChoices {
    pub devices: Vec<DeviceChoice>,
    pub groups: Vec<DoorGroup>,
    pub zones: Vec<Zone>,
}

#[cfg(feature = "ssr")]
const MOST_SHOWN: i64 = 100;

#[cfg(feature = "ssr")]
fn given_text(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// A page of doors.
#[server(name = ListDoors, prefix = "/sfn", endpoint = "access/doors", input = GetUrl)]
pub async fn list_doors(
    #[server(default)] search: String,
    #[server(default)] mode: String,
    #[server(default)] cursor: String,
) -> Result<Page<Door>, Failure> {
    use portico_access::doors::DoorQuery;

    use crate::server::{access, actor, failed};

    let query = DoorQuery {
        search: given_text(&search),
        mode: DoorMode::parse(&mode),
        cursor: given_text(&cursor),
        limit: Some(MOST_SHOWN),
        ..DoorQuery::default()
    };
    access()?.doors(&actor()?, query).await.map_err(failed)
}

/// One door.
#[server(name = GetDoor, prefix = "/sfn", endpoint = "access/door", input = GetUrl)]
pub async fn get_door(id: DoorId) -> Result<Door, Failure> {
    use crate::server::{access, actor, failed};

    access()?.door(&actor()?, id).await.map_err(failed)
}

/// How many doors are in which mode.
#[server(name = DoorsNow, prefix = "/sfn", endpoint = "access/doors_now", input = GetUrl)]
pub async fn doors_now() -> Result<DoorCounts, Failure> {
    use crate::server::{access, actor, failed};

    access()?.door_counts(&actor()?).await.map_err(failed)
}

/// Devices and groups for the forms.
#[server(name = ChoicesOfDoors, prefix = "/sfn", endpoint = "access/door_choices", input = GetUrl)]
pub async fn door_choices() -> Result<DoorChoices, Failure> {
    use portico_devices::DeviceQuery;

    use crate::server::{access, actor, devices, failed};

    let actor = actor()?;
    let query = DeviceQuery { limit: Some(200), ..DeviceQuery::default() };
    let devices = devices()?.list(&actor, query).await.map_err(failed)?.items;
    let devices = devices
        .into_iter()
        .map(|device| DeviceChoice { id: device.id.to_string(), name: device.name, kind: device.device_type })
        .collect();
    let access = access()?;
    let groups = access.door_groups(&actor).await.map_err(failed)?;
    let zones = access.zones(&actor).await.map_err(failed)?;
    Ok(DoorChoices { devices, groups, zones })
}

#[cfg(feature = "ssr")]
struct Typed<'a> {
    name: &'a str,
    location: &'a str,
    reader_id: &'a str,
    exit_reader_id: &'a str,
    lock_id: &'a str,
    contact_id: &'a str,
    from_zone_id: &'a str,
    into_zone_id: &'a str,
    passback: &'a str,
    passback_s: &'a str,
    held_after_s: &'a str,
    unlock_s: &'a str,
}

#[cfg(feature = "ssr")]
impl Typed<'_> {
    fn values(&self) -> [(&str, &str); 12] {
        [
            ("name", self.name),
            ("location", self.location),
            ("reader_id", self.reader_id),
            ("exit_reader_id", self.exit_reader_id),
            ("lock_id", self.lock_id),
            ("contact_id", self.contact_id),
            ("from_zone_id", self.from_zone_id),
            ("into_zone_id", self.into_zone_id),
            ("passback", self.passback),
            ("passback_s", self.passback_s),
            ("held_after_s", self.held_after_s),
            ("unlock_s", self.unlock_s),
        ]
    }

    fn settings(&self) -> Result<portico_model::access::door::DoorSettings, Failure> {
        use portico_model::access::door::{DoorSettings, PassbackRule};

        fn chosen<T: std::str::FromStr>(field: &str, text: &str) -> Result<Option<T>, Failure> {
            let text = text.trim();
            let wrong = |_| Failure::field(field, "Choose one of the list.");
            if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(wrong) }
        }
        fn number(field: &str, text: &str) -> Result<Option<i64>, Failure> {
            let text = text.trim();
            let wrong = |_| Failure::field(field, "A whole number of seconds.");
            if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(wrong) }
        }
        Ok(DoorSettings {
            name: self.name.to_owned(),
            location: self.location.to_owned(),
            reader_id: chosen("reader_id", self.reader_id)?,
            exit_reader_id: chosen("exit_reader_id", self.exit_reader_id)?,
            lock_id: chosen("lock_id", self.lock_id)?,
            contact_id: chosen("contact_id", self.contact_id)?,
            into_zone_id: chosen("into_zone_id", self.into_zone_id)?,
            from_zone_id: chosen("from_zone_id", self.from_zone_id)?,
            passback: PassbackRule::parse(self.passback),
            passback_s: number("passback_s", self.passback_s)?,
            held_after_s: number("held_after_s", self.held_after_s)?,
            unlock_s: number("unlock_s", self.unlock_s)?,
        })
    }
}

/// What is in use is shown beside its field.
#[cfg(feature = "ssr")]
fn beside_field(mut failure: Failure) -> Failure {
    let field = match failure.code.as_str() {
        "door_name_taken" => "name",
        "reader_taken" => "reader_id",
        _ => return failure,
    };
    failure.fields.push(portico_model::FieldError::new(field, failure.message.clone()));
    failure
}

/// Adds a door and goes to it.
#[server(name = CreateDoor, prefix = "/sfn", endpoint = "access/create_door")]
pub async fn create_door(
    name: String,
    #[server(default)] location: String,
    #[server(default)] reader_id: String,
    #[server(default)] exit_reader_id: String,
    #[server(default)] lock_id: String,
    #[server(default)] contact_id: String,
    #[server(default)] from_zone_id: String,
    #[server(default)] into_zone_id: String,
    #[server(default)] passback: String,
    #[server(default)] passback_s: String,
    #[server(default)] held_after_s: String,
    #[server(default)] unlock_s: String,
) -> Result<Door, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{access, actor, failed, form_failed};

    let typed = Typed {
        name: &name,
        location: &location,
        reader_id: &reader_id,
        exit_reader_id: &exit_reader_id,
        lock_id: &lock_id,
        contact_id: &contact_id,
        from_zone_id: &from_zone_id,
        into_zone_id: &into_zone_id,
        passback: &passback,
        passback_s: &passback_s,
        held_after_s: &held_after_s,
        unlock_s: &unlock_s,
    };
    let refuse = |failure| form_failed(CreateDoor::PATH, "/doors", &typed.values(), beside_field(failure));
    let settings = typed.settings().map_err(refuse)?;
    let door = access()?.create_door(&actor()?, settings).await.map_err(|error| refuse(failed(error)))?;
    leptos_axum::redirect(&format!("/doors/{}", door.id));
    Ok(door)
}

/// Changes a door.
#[server(name = UpdateDoor, prefix = "/sfn", endpoint = "access/update_door")]
pub async fn update_door(
    id: DoorId,
    name: String,
    #[server(default)] location: String,
    #[server(default)] reader_id: String,
    #[server(default)] exit_reader_id: String,
    #[server(default)] lock_id: String,
    #[server(default)] contact_id: String,
    #[server(default)] from_zone_id: String,
    #[server(default)] into_zone_id: String,
    #[server(default)] passback: String,
    #[server(default)] passback_s: String,
    #[server(default)] held_after_s: String,
    #[server(default)] unlock_s: String,
) -> Result<Door, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{access, actor, failed, form_done, form_failed};

    let page = format!("/doors/{id}");
    let typed = Typed {
        name: &name,
        location: &location,
        reader_id: &reader_id,
        exit_reader_id: &exit_reader_id,
        lock_id: &lock_id,
        contact_id: &contact_id,
        from_zone_id: &from_zone_id,
        into_zone_id: &into_zone_id,
        passback: &passback,
        passback_s: &passback_s,
        held_after_s: &held_after_s,
        unlock_s: &unlock_s,
    };
    let refuse = |failure| form_failed(UpdateDoor::PATH, &page, &typed.values(), beside_field(failure));
    let settings = typed.settings().map_err(refuse)?;
    let door = access()?.update_door(&actor()?, id, settings).await.map_err(|error| refuse(failed(error)))?;
    form_done(UpdateDoor::PATH, &page, &[]);
    Ok(door)
}

/// Removes a door.
#[server(name = DeleteDoor, prefix = "/sfn", endpoint = "access/delete_door")]
pub async fn delete_door(id: DoorId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{access, actor, failed, form_failed};

    let page = format!("/doors/{id}");
    access()?
        .delete_door(&actor()?, id)
        .await
        .map_err(|error| form_failed(DeleteDoor::PATH, &page, &[], failed(error)))?;
    leptos_axum::redirect("/doors");
    Ok(())
}

/// Opens a door once.
#[server(name = OpenDoor, prefix = "/sfn", endpoint = "access/open_door")]
pub async fn open_door(id: DoorId) -> Result<Door, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{access, actor, failed, form_done, form_failed};

    let page = format!("/doors/{id}");
    let door = access()?
        .open_door(&actor()?, id)
        .await
        .map_err(|error| form_failed(OpenDoor::PATH, &page, &[], failed(error)))?;
    form_done(OpenDoor::PATH, &page, &[("opened", "1")]);
    Ok(door)
}

/// Has doors work in another way; how many do. `scope`: `all`, `group:ID` or `door:ID`.
#[server(name = OrderDoorMode, prefix = "/sfn", endpoint = "access/order_mode")]
pub async fn order_door_mode(
    scope: String,
    mode: String,
    #[server(default)] for_s: String,
    #[server(default)] note: String,
) -> Result<usize, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::access::door::{DoorScope, ModeOrder};

    use crate::server::{access, actor, failed, form_done, form_failed};

    let page = scope.strip_prefix("door:").map_or_else(|| "/doors".to_owned(), |id| format!("/doors/{id}"));
    let values = [("scope", scope.as_str()), ("mode", &mode), ("for_s", &for_s), ("note", &note)];
    let refuse = |failure| form_failed(OrderDoorMode::PATH, &page, &values, failure);
    let wrong = |field: &'static str| refuse(Failure::field(field, "Choose one of the list."));
    let parsed = match scope.split_once(':') {
        None if scope == "all" => Some(DoorScope::All),
        Some(("group", id)) => id.parse().ok().map(|group_id| DoorScope::Group { group_id }),
        Some(("door", id)) => id.parse().ok().map(|door_id| DoorScope::Door { door_id }),
        _ => None,
    };
    let order = ModeOrder {
        scope: parsed.ok_or_else(|| wrong("scope"))?,
        mode: DoorMode::parse(&mode).ok_or_else(|| wrong("mode"))?,
        for_s: given_text(&for_s).map(|text| text.parse().map_err(|_| wrong("for_s"))).transpose()?,
        note: note.clone(),
    };
    let doors = access()?.order_mode(&actor()?, order).await.map_err(|error| refuse(failed(error)))?;
    form_done(OrderDoorMode::PATH, &page, &[]);
    Ok(doors.len())
}

/// How a door's state looks: colour, mark and word.
#[must_use]
pub fn state_look(door: &Door) -> (Tone, Glyph, String) {
    match (door.state, door.last_state) {
        _ if door.forced_at.is_some() => (Tone::Danger, Glyph::Alert, "Forced open".to_owned()),
        (DoorState::Open, _) if door.held_at.is_some() => (Tone::Attention, Glyph::Clock, "Open too long".to_owned()),
        (DoorState::Open, _) => (Tone::Attention, Glyph::SignOut, "Open".to_owned()),
        (DoorState::Closed, _) => (Tone::Ok, Glyph::Check, "Closed".to_owned()),
        (DoorState::Unknown, DoorState::Unknown) => (Tone::Unknown, Glyph::Unknown, "Unknown".to_owned()),
        (DoorState::Unknown, last) => (Tone::Unknown, Glyph::Unknown, format!("Unknown, last {}", last.as_str())),
    }
}

/// How a mode looks; normal operation is not shown.
#[must_use]
pub fn mode_look(mode: DoorMode) -> Option<(Tone, Glyph, &'static str)> {
    match mode {
        DoorMode::Normal => None,
        DoorMode::Lockdown => Some((Tone::Danger, Glyph::Shield, "Lockdown")),
        DoorMode::Evacuation => Some((Tone::Attention, Glyph::Alert, "Evacuation")),
        DoorMode::Unlocked => Some((Tone::Attention, Glyph::Key, "Kept unlocked")),
    }
}

impl Ask for ListDoors {
    fn query(&self) -> Vec<(&'static str, String)> {
        given([("search", &self.search), ("mode", &self.mode), ("cursor", &self.cursor)])
    }
}

impl Ask for GetDoor {
    fn query(&self) -> Vec<(&'static str, String)> {
        vec![("id", self.id.to_string())]
    }
}

impl Ask for DoorsNow {
    fn query(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

impl Ask for ChoicesOfDoors {
    fn query(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}
