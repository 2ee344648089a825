//! Tariffs: versions, who may change them, and that reservations keep theirs.

use portico_model::identity::Role;
use portico_model::parking::lot::{Lot, LotSettings};
use portico_model::parking::tariff::{Tariff, TariffRules, TariffSettings};
use portico_parking::ReservationChange;

use crate::{World, each};

/// So much for each started hour.
pub fn hourly(price_minor: i64) -> TariffRules {
    TariffRules {
        currency: "EUR".into(),
        free_minutes: 0,
        unit_minutes: 60,
        unit_price_minor: price_minor,
        bands: Vec::new(),
        daily_cap_minor: None,
        stay_cap_minor: None,
    }
}

pub fn named(name: &str, rules: TariffRules) -> TariffSettings {
    TariffSettings { name: name.into(), rules }
}

impl World {
    pub async fn tariff(&self, lot: &Lot, price_minor: i64) -> Tariff {
        let tariff = self.parking.create_tariff(&self.manager, named("Usual", hourly(price_minor))).await.unwrap();
        let settings = LotSettings { name: lot.name.clone(), tariff_id: Some(tariff.id), ..LotSettings::default() };
        self.parking.update_lot(&self.manager, lot.id, settings).await.unwrap();
        tariff
    }
}

#[tokio::test]
async fn reservation_keeps_the_tariff_it_was_made_with() {
    each(|world| async move {
        let (lot, ..) = world.one_spot().await;
        let tariff = world.tariff(&lot, 200).await;
        let driver = world.user("dora", Role::User).await;
        let made = world.parking.reserve(&driver, &world.wish("P1", 24, 2)).await.unwrap();
        assert_eq!((made.amount_minor, made.total_amount, made.tariff_version), (400, 4.0, Some(1)));
        assert_eq!(made.price.parts.iter().map(|part| part.units).sum::<i64>(), 2);

        let dearer = world.parking.update_tariff(&world.manager, tariff.id, named("Usual", hourly(500))).await.unwrap();
        assert_eq!(dearer.version, 2);
        let same = world.parking.update_tariff(&world.manager, tariff.id, named("Day", hourly(500))).await.unwrap();
        assert_eq!((same.version, same.name.as_str()), (2, "Day"), "a name is no price");
        let longer = ReservationChange {
            end_time: Some(made.end_time.plus_secs(3_600).to_iso()),
            ..ReservationChange::default()
        };
        let longer = world.parking.change_reservation(&driver, made.id, &longer).await.unwrap();
        assert_eq!((longer.amount_minor, longer.tariff_version), (600, Some(1)));
        let quote = world.parking.quote(&driver, &world.wish("P1", 48, 2)).await.unwrap();
        assert_eq!((quote.price.total_minor, quote.is_free), (1_000, true));
    })
    .await;
}

#[tokio::test]
async fn tariff_in_use_stays_and_wrong_ones_are_refused() {
    each(|world| async move {
        let (lot, ..) = world.one_spot().await;
        let tariff = world.tariff(&lot, 200).await;
        let in_use = world.parking.delete_tariff(&world.manager, tariff.id).await.unwrap_err();
        assert_eq!(in_use.code(), "tariff_in_use");
        let taken = world.parking.create_tariff(&world.manager, named("Usual", hourly(1))).await.unwrap_err();
        assert_eq!(taken.code(), "name_taken");
        let wrong = TariffRules { unit_minutes: 0, currency: "eur".into(), ..hourly(-1) };
        let wrong = world.parking.create_tariff(&world.manager, named("", wrong)).await.unwrap_err();
        let fields: Vec<_> = wrong.field_errors().iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["name", "rules.currency", "rules.unit_minutes", "rules.unit_price_minor"]);
        let driver = world.user("dora", Role::User).await;
        assert_eq!(world.parking.delete_tariff(&driver, tariff.id).await.unwrap_err().status(), 403);
        let stranger = world.stranger().await;
        assert_eq!(world.parking.delete_tariff(&stranger, tariff.id).await.unwrap_err().status(), 404);
        let theirs = LotSettings { name: "Theirs".into(), tariff_id: Some(tariff.id), ..LotSettings::default() };
        let error = world.parking.create_lot(&stranger, theirs).await.unwrap_err();
        assert_eq!(error.field_errors()[0].field, "tariff_id");

        let free = LotSettings { name: lot.name.clone(), ..LotSettings::default() };
        world.parking.update_lot(&world.manager, lot.id, free).await.unwrap();
        world.parking.delete_tariff(&world.manager, tariff.id).await.unwrap();
        assert!(world.parking.tariffs(&world.manager).await.unwrap().is_empty());
        assert!(world.parking.create_tariff(&world.manager, named("Usual", hourly(1))).await.is_ok());
    })
    .await;
}
