//! What parking costs: tariffs in words, and the form for their rules.

pub mod amount;
pub mod bands;
pub mod edit;
pub mod list;
#[cfg(feature = "ssr")]
mod typed;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use portico_model::TariffId;
use portico_model::parking::tariff::Tariff;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::load::{Ask, given};

/// A tariff, and who uses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TariffUse {
    pub tariff: Tariff,
    /// Names of the lots that have it.
    pub lots: Vec<String>,
}

/// All tariffs.
#[server(name = ListTariffs, prefix = "/sfn", endpoint = "parking/tariffs", input = GetUrl)]
pub async fn list_tariffs() -> Result<Vec<TariffUse>, Failure> {
    use portico_parking::LotQuery;

    use crate::server::{actor, failed, parking};

    let (parking, actor) = (parking()?, actor()?);
    let lots = parking.lots(&actor, LotQuery::default()).await.map_err(failed)?;
    let using = |id: TariffId| {
        lots.iter().filter(|lot| lot.tariff_id == Some(id)).map(|lot| lot.name.clone()).collect::<Vec<_>>()
    };
    let tariffs = parking.tariffs(&actor).await.map_err(failed)?;
    Ok(tariffs.into_iter().map(|tariff| TariffUse { lots: using(tariff.id), tariff }).collect())
}

impl Ask for ListTariffs {
    fn query(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// One tariff; an empty id asks for none, to make a new one.
#[server(name = GetTariff, prefix = "/sfn", endpoint = "parking/tariff", input = GetUrl)]
pub async fn get_tariff(#[server(default)] id: String) -> Result<Option<Tariff>, Failure> {
    use portico_model::identity::Permission;
    use portico_platform::Error;

    use crate::server::{actor, failed, parking};

    let (parking, actor) = (parking()?, actor()?);
    if id.is_empty() {
        actor.require(Permission::ManageParking).map_err(failed)?;
        return Ok(None);
    }
    let none = |_| failed(Error::not_found("tariff_not_found", "There is no such tariff"));
    let id = id.parse().map_err(none)?;
    parking.tariff(&actor, id).await.map(Some).map_err(failed)
}

impl Ask for GetTariff {
    fn query(&self) -> Vec<(&'static str, String)> {
        given([("id", &self.id)])
    }
}

/// The fields of the form, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TypedTariff {
    /// Empty for a new one.
    pub id: String,
    pub name: String,
    pub currency: String,
    pub free_minutes: String,
    pub unit_minutes: String,
    pub unit_price: String,
    pub daily_cap: String,
    pub stay_cap: String,
    pub bands: Vec<bands::TypedBand>,
}

/// Saves a tariff, and goes to the list. `act` is for browsers without scripts: `add` puts one more band into the form,
/// `drop-N` takes the one with the number N out.
#[server(name = SaveTariff, prefix = "/sfn", endpoint = "parking/save_tariff")]
pub async fn save_tariff(#[server(default)] act: String, #[server(flatten)] typed: TypedTariff) -> Result<(), Failure> {
    typed::save(&act, typed).await
}

/// Removes a tariff.
#[server(name = DeleteTariff, prefix = "/sfn", endpoint = "parking/delete_tariff")]
pub async fn delete_tariff(id: TariffId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_failed, parking};

    let page = format!("{}/{id}", list::PAGE);
    let refused = |error| form_failed(DeleteTariff::PATH, &page, &[], failed(error));
    parking()?.delete_tariff(&actor()?, id).await.map_err(refused)?;
    leptos_axum::redirect(list::PAGE);
    Ok(())
}
