//! Codes to print: one for the sign of each spot, for who parks without an account.

pub mod page;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use portico_model::LotId;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::load::{Ask, given};

/// A code and what stands beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpotCode {
    /// What is written on the sign.
    pub id: String,
    /// Level and zone.
    pub place: String,
    /// The page that it leads to.
    pub address: String,
    pub svg: String,
}

/// All that the page shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodesView {
    pub lot: LotId,
    pub name: String,
    /// Whether the lot allows it: else the codes lead to nothing yet.
    pub is_walk_up: bool,
    /// Id and name.
    pub levels: Vec<(String, String)>,
    /// The only level, or the only spot, that is shown; else empty.
    pub level: String,
    pub spot: String,
    pub codes: Vec<SpotCode>,
}

/// The codes of a lot, or of one of its levels or spots. Permission: `ManageParking`.
#[server(name = GetSpotCodes, prefix = "/sfn", endpoint = "parking/spot_codes", input = GetUrl)]
pub async fn get_spot_codes(
    lot: LotId,
    #[server(default)] level: String,
    #[server(default)] spot: String,
) -> Result<CodesView, Failure> {
    use portico_model::identity::Permission;
    use portico_parking::SpotQuery;

    use crate::server::{actor, endpoints, failed, parking};

    let (parking, actor) = (parking()?, actor()?);
    actor.require(Permission::ManageParking).map_err(failed)?;
    let shown = parking.lot(&actor, lot).await.map_err(failed)?;
    let levels = parking.levels(&actor, lot).await.map_err(failed)?;
    let query = SpotQuery { lot: Some(lot), level_id: level.parse().ok(), ..SpotQuery::default() };
    let (spots, ..) = parking.spots(&actor, &query).await.map_err(failed)?;
    let root = endpoints().http;
    let code = |one: portico_model::parking::spot::Spot| {
        let zone = if one.zone.is_empty() { String::new() } else { format!(", zone {}", one.zone) };
        let path = crate::parking::walk_up::path_of(&one.key.to_string());
        let address = format!("{}{path}", root.trim_end_matches('/'));
        let svg = crate::parking::qr::svg(&address)?;
        Ok::<_, Failure>(SpotCode { place: format!("{}{zone}", one.level), id: one.id, address, svg })
    };
    let wanted = spots.into_iter().filter(|one| spot.is_empty() || one.id == spot);
    let codes = wanted.map(code).collect::<Result<Vec<_>, _>>()?;
    Ok(CodesView {
        lot,
        name: shown.name,
        is_walk_up: shown.booking.is_walk_up,
        levels: levels.into_iter().map(|level| (level.id.to_string(), level.name)).collect(),
        level,
        spot,
        codes,
    })
}

impl Ask for GetSpotCodes {
    fn query(&self) -> Vec<(&'static str, String)> {
        given([("lot", &self.lot.to_string()), ("level", &self.level), ("spot", &self.spot)])
    }
}
