//! Lots with their levels, and one level with its spots, live.

pub mod page;
pub mod table;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use portico_model::LotId;
use portico_model::parking::lot::{Level, Lot};
use portico_model::parking::spot::Spot;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::load::Ask;

/// A lot as the overview shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LotWithLevels {
    pub lot: Lot,
    pub levels: Vec<Level>,
}

/// A lot and one of its levels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LotView {
    pub lot: Lot,
    pub levels: Vec<Level>,
    /// The one that is shown; absent when there are none.
    pub level: Option<Level>,
    /// Those of the level.
    pub spots: Vec<Spot>,
}

/// All lots.
#[server(name = ListLots, prefix = "/sfn", endpoint = "parking/lots", input = GetUrl)]
pub async fn list_lots() -> Result<Vec<LotWithLevels>, Failure> {
    use portico_parking::LotQuery;

    use crate::server::{actor, failed, parking};

    let (parking, actor) = (parking()?, actor()?);
    let mut shown = Vec::new();
    for lot in parking.lots(&actor, LotQuery::default()).await.map_err(failed)? {
        let levels = parking.levels(&actor, lot.id).await.map_err(failed)?;
        shown.push(LotWithLevels { lot, levels });
    }
    Ok(shown)
}

/// A lot with the spots of a level, by default the first.
#[server(name = GetLot, prefix = "/sfn", endpoint = "parking/lot", input = GetUrl)]
pub async fn get_lot(lot: LotId, #[server(default)] level: String) -> Result<LotView, Failure> {
    look_at(lot, &level).await
}

#[cfg(feature = "ssr")]
pub(super) async fn look_at(lot: LotId, level: &str) -> Result<LotView, Failure> {
    use portico_model::ParkingLevelId;
    use portico_parking::SpotQuery;

    use crate::server::{actor, failed, parking};

    let (parking, actor) = (parking()?, actor()?);
    let lot = parking.lot(&actor, lot).await.map_err(failed)?;
    let levels = parking.levels(&actor, lot.id).await.map_err(failed)?;
    let asked = level.parse::<ParkingLevelId>().ok();
    let level = levels.iter().find(|level| Some(level.id) == asked).or_else(|| levels.first()).cloned();
    let spots = match &level {
        Some(level) => {
            let query = SpotQuery { level_id: Some(level.id), ..SpotQuery::default() };
            parking.spots(&actor, &query).await.map_err(failed)?.0
        }
        None => Vec::new(),
    };
    Ok(LotView { lot, levels, level, spots })
}

impl Ask for ListLots {
    fn query(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

impl Ask for GetLot {
    fn query(&self) -> Vec<(&'static str, String)> {
        vec![("lot", self.lot.to_string()), ("level", self.level.clone())]
    }
}
