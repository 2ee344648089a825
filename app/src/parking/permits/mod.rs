//! Rights to park without reserving: one's own, and those of all for who may see them.

pub mod page;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
#[cfg(feature = "ssr")]
use portico_model::parking::permit::Permit;
use portico_model::parking::permit::PermitState;
use portico_model::{Page, PermitId};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::load::{Ask, given};
use crate::ui::{Glyph, Tone};

#[cfg(feature = "ssr")]
const PAGE: &str = "/parking/permits";

/// A permit in a list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PermitRow {
    pub id: PermitId,
    pub holder: String,
    pub plate: String,
    pub label: String,
    /// Name of the lot, or that it is for every one.
    pub place: String,
    /// From when until when, by the clock of the lot.
    pub when: String,
    /// As the fields of a form want them; `until` is empty without an end.
    pub from: String,
    pub until: String,
    pub state: PermitState,
}

impl PermitRow {
    /// The plate, or else the holder.
    #[must_use]
    pub fn name(&self) -> String {
        if self.plate.is_empty() { self.holder.clone() } else { self.plate.clone() }
    }
}

/// All that the page shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PermitsView {
    pub found: Page<PermitRow>,
    /// Id and name; to choose from.
    pub lots: Vec<(String, String)>,
}

#[cfg(feature = "ssr")]
fn row(one: Permit) -> PermitRow {
    use portico_parking::Wall;

    let wall = Wall::of(&one.time_zone);
    PermitRow {
        id: one.id,
        place: match one.lot_id {
            None => "Every lot".to_owned(),
            Some(_) => one.lot_name.unwrap_or_else(|| "A lot that is gone".to_owned()),
        },
        when: match one.valid_until {
            Some(until) => wall.span(one.valid_from, until),
            None => format!("From {}", wall.text(one.valid_from)),
        },
        from: wall.input(one.valid_from),
        until: one.valid_until.map(|until| wall.input(until)).unwrap_or_default(),
        state: one.state,
        holder: one.holder,
        plate: one.plate,
        label: one.label,
    }
}

/// Permits: all, or one's own. `show`: empty (those that hold or will), `over` or `all`.
#[server(name = ListPermits, prefix = "/sfn", endpoint = "parking/permits", input = GetUrl)]
pub async fn list_permits(
    #[server(default)] show: String,
    #[server(default)] search: String,
    #[server(default)] lot: String,
    #[server(default)] cursor: String,
) -> Result<PermitsView, Failure> {
    use portico_parking::{LotQuery, PermitQuery};

    use super::typed::given;
    use crate::server::{actor, failed, parking};

    const PAGE_SIZE: i64 = 50;
    let (parking, actor) = (parking()?, actor()?);
    let query = PermitQuery {
        mine: false,
        lot: lot.parse().ok(),
        current: match show.as_str() {
            "over" => Some(false),
            "all" => None,
            _ => Some(true),
        },
        search: given(&search),
        cursor: given(&cursor),
        limit: Some(PAGE_SIZE),
    };
    let found = parking.permits(&actor, &query).await.map_err(failed)?.map(row);
    let lots = parking.lots(&actor, LotQuery::default()).await.map_err(failed)?;
    Ok(PermitsView { found, lots: lots.into_iter().map(|lot| (lot.id.to_string(), lot.name)).collect() })
}

impl Ask for ListPermits {
    fn query(&self) -> Vec<(&'static str, String)> {
        given([("show", &self.show), ("search", &self.search), ("lot", &self.lot), ("cursor", &self.cursor)])
    }
}

/// The fields of the form for a new permit, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TypedPermit {
    pub plate: String,
    pub holder: String,
    pub user: String,
    pub label: String,
    /// Empty: every one.
    pub lot: String,
    pub valid_from: String,
    pub valid_until: String,
}

/// Makes a permit.
#[server(name = CreatePermit, prefix = "/sfn", endpoint = "parking/create_permit")]
pub async fn create_permit(#[server(flatten)] typed: TypedPermit) -> Result<PermitRow, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::parking::permit::NewPermit;

    use super::typed::{chosen, refuse};
    use crate::server::{actor, failed, form_done, parking};

    let refused = |failure| refuse(CreatePermit::PATH, PAGE, &typed, failure);
    let new = NewPermit {
        lot_id: chosen("lot", &typed.lot).map_err(refused)?,
        user: typed.user.clone(),
        holder: typed.holder.clone(),
        plate: typed.plate.clone(),
        label: typed.label.clone(),
        valid_from: typed.valid_from.clone(),
        valid_until: typed.valid_until.clone(),
    };
    let made = parking()?.create_permit(&actor()?, &new).await.map_err(|error| refused(failed(error)))?;
    form_done(CreatePermit::PATH, PAGE, &[]);
    Ok(row(made))
}

/// Other times for a permit.
#[server(name = ChangePermit, prefix = "/sfn", endpoint = "parking/change_permit")]
pub async fn change_permit(
    id: PermitId,
    #[server(default)] valid_from: String,
    #[server(default)] valid_until: String,
) -> Result<PermitRow, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::parking::permit::PermitValidity;

    use crate::server::{actor, failed, form_done, form_failed, parking};

    let text = id.to_string();
    let values = [("id", text.as_str()), ("valid_from", &valid_from), ("valid_until", &valid_until)];
    let refused = |error| form_failed(ChangePermit::PATH, PAGE, &values, failed(error));
    let validity = PermitValidity { valid_from: valid_from.clone(), valid_until: valid_until.clone() };
    let changed = parking()?.change_permit(&actor()?, id, &validity).await.map_err(refused)?;
    form_done(ChangePermit::PATH, PAGE, &[]);
    Ok(row(changed))
}

/// Ends a permit.
#[server(name = RevokePermit, prefix = "/sfn", endpoint = "parking/revoke_permit")]
pub async fn revoke_permit(id: PermitId) -> Result<PermitRow, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, parking};

    let refused = |error| form_failed(RevokePermit::PATH, PAGE, &[], failed(error));
    let revoked = parking()?.revoke_permit(&actor()?, id).await.map_err(refused)?;
    form_done(RevokePermit::PATH, PAGE, &[]);
    Ok(row(revoked))
}

/// Whether it holds: colour, mark and word.
#[must_use]
pub const fn state_look(state: PermitState) -> (Tone, Glyph, &'static str) {
    match state {
        PermitState::Upcoming => (Tone::Neutral, Glyph::Clock, "Begins later"),
        PermitState::Valid => (Tone::Ok, Glyph::Check, "Holds"),
        PermitState::Ended => (Tone::Neutral, Glyph::Clock, "Ended"),
        PermitState::Revoked => (Tone::Neutral, Glyph::Cross, "Revoked"),
    }
}
