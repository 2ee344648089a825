//! What was typed into the form of a tariff becomes its rules, or is told what would be right.

use leptos::server_fn::ServerFn as _;
use portico_model::FieldError;
use portico_model::parking::tariff::{Band, TariffRules, TariffSettings, is_currency};

use super::amount::{amount_text, parse_amount};
use super::bands::{BANDS, TypedBand, next_number};
use super::{SaveTariff, TypedTariff, list};
use crate::failure::Failure;
use crate::parking::typed::beside;
use crate::server::{actor, failed, form_done, form_failed, parking};

/// Saves it, or changes the rows of the form.
pub async fn save(act: &str, mut typed: TypedTariff) -> Result<(), Failure> {
    let page = match typed.id.as_str() {
        "" => format!("{}/new", list::PAGE),
        id => format!("{}/{id}", list::PAGE),
    };
    if act == "add" || act.starts_with("drop-") {
        match act.strip_prefix("drop-") {
            Some(number) => typed.bands.retain(|band| band.row != number),
            None => typed.bands.extend(next_number(&typed.bands).map(TypedBand::new)),
        }
        remember(&typed, |values| form_done(SaveTariff::PATH, &page, values));
        return Ok(());
    }
    let refused = |failure: Failure| remember(&typed, |values| form_failed(SaveTariff::PATH, &page, values, failure));
    let settings = settings(&typed).map_err(refused)?;
    let currency = settings.rules.currency.clone();
    let refused = |error| refused(in_the_form(failed(error), &typed, &currency));
    let (parking, actor) = (parking()?, actor()?);
    match typed.id.as_str() {
        "" => parking.create_tariff(&actor, settings).await.map_err(refused)?,
        id => {
            let id = id.parse().map_err(|_| Failure::new(404, "not_found", "There is no such tariff."))?;
            parking.update_tariff(&actor, id, settings).await.map_err(refused)?
        }
    };
    leptos_axum::redirect(list::PAGE);
    Ok(())
}

/// Hands on what was typed, the rows as one text: a cookie is small.
fn remember<T>(typed: &TypedTariff, then: impl FnOnce(&[(&str, &str)]) -> T) -> T {
    let rows = serde_json::to_string(&typed.bands.iter().map(compact).collect::<Vec<_>>()).unwrap_or_default();
    then(&[
        ("name", &typed.name),
        ("currency", &typed.currency),
        ("free_minutes", &typed.free_minutes),
        ("unit_minutes", &typed.unit_minutes),
        ("unit_price", &typed.unit_price),
        ("daily_cap", &typed.daily_cap),
        ("stay_cap", &typed.stay_cap),
        ("rows", &rows),
    ])
}

/// Without its empty fields.
fn compact(band: &TypedBand) -> serde_json::Value {
    let mut value = serde_json::to_value(band).unwrap_or_default();
    if let Some(members) = value.as_object_mut() {
        members.retain(|_, text| text.as_str() != Some(""));
    }
    value
}

#[derive(Default)]
struct Mistakes(Vec<FieldError>);

impl Mistakes {
    fn note<T: Default>(&mut self, field: &str, found: Result<T, String>) -> T {
        found.unwrap_or_else(|message| {
            self.0.push(FieldError::new(field, message));
            T::default()
        })
    }
}

fn minutes(text: &str, empty: Option<i64>) -> Result<i64, String> {
    match (text.trim(), empty) {
        ("", Some(empty)) => Ok(empty),
        (text, _) => text.parse().map_err(|_| "Whole minutes, such as 30.".to_owned()),
    }
}

/// The minute of the day of `22:00`.
fn time_of_day(text: &str) -> Result<i64, String> {
    let wrong = || "A time of day, such as 22:00.".to_owned();
    let (hour, minute) = text.trim().split_once(':').ok_or_else(wrong)?;
    // A browser may add seconds.
    let minute = minute.split(':').next().unwrap_or_default();
    let read = |text: &str, below: i64| text.parse::<i64>().ok().filter(|number| (0..below).contains(number));
    let (hour, minute) = read(hour, 24).zip(read(minute, 60)).ok_or_else(wrong)?;
    Ok(hour * 60 + minute)
}

fn settings(typed: &TypedTariff) -> Result<TariffSettings, Failure> {
    let currency = typed.currency.trim().to_uppercase();
    if !is_currency(&currency) {
        return Err(Failure::field("currency", "Three letters, such as EUR."));
    }
    let mut mistakes = Mistakes::default();
    let cap = |text: &str| match text.trim() {
        "" => Ok(None),
        text => parse_amount(text, &currency).map(Some),
    };
    let rules = TariffRules {
        free_minutes: mistakes.note("free_minutes", minutes(&typed.free_minutes, Some(0))),
        unit_minutes: mistakes.note("unit_minutes", minutes(&typed.unit_minutes, None)),
        unit_price_minor: mistakes.note("unit_price", parse_amount(&typed.unit_price, &currency)),
        daily_cap_minor: mistakes.note("daily_cap", cap(&typed.daily_cap)),
        stay_cap_minor: mistakes.note("stay_cap", cap(&typed.stay_cap)),
        bands: typed.bands.iter().map(|band| self::band(band, &currency, &mut mistakes)).collect(),
        currency,
    };
    if mistakes.0.is_empty() {
        return Ok(TariffSettings { name: typed.name.clone(), rules });
    }
    Err(Failure { fields: mistakes.0, ..Failure::new(400, "invalid_fields", "Some fields are not right yet.") })
}

fn band(typed: &TypedBand, currency: &str, mistakes: &mut Mistakes) -> Band {
    let names = &BANDS[typed.number().min(BANDS.len() - 1)];
    let days = typed.days();
    if days.is_empty() {
        mistakes.0.push(FieldError::new(names.days, "Tick at least one day."));
    }
    Band {
        name: typed.name.trim().to_owned(),
        days,
        from_minute: mistakes.note(names.from, time_of_day(&typed.from)),
        to_minute: mistakes.note(names.to, time_of_day(&typed.to)),
        unit_price_minor: mistakes.note(names.price, parse_amount(&typed.price, currency)),
    }
}

/// The service's fields under the names they have in the form, and its minor units in those of the form.
fn in_the_form(mut failure: Failure, typed: &TypedTariff, currency: &str) -> Failure {
    for error in &mut failure.fields {
        let path = error.field.strip_prefix("rules.").unwrap_or(&error.field);
        let field = match path {
            "unit_price_minor" => "unit_price",
            "daily_cap_minor" => "daily_cap",
            "stay_cap_minor" => "stay_cap",
            path => of_band(path, typed).unwrap_or(path),
        };
        if let Some(bounds) = error.message.strip_suffix(" minor units")
            && let Some((least, most)) = bounds.split_once(" to ")
            && let (Ok(least), Ok(most)) = (least.parse(), most.parse())
        {
            error.message = format!("{} to {} {currency}", amount_text(least, currency), amount_text(most, currency));
        }
        error.field = field.to_owned();
    }
    beside(failure, "name_taken", "name")
}

/// `bands[0].unit_price_minor` of the first row that was sent, whatever its number in the form.
fn of_band(path: &str, typed: &TypedTariff) -> Option<&'static str> {
    let (index, field) = path.strip_prefix("bands[")?.split_once("].")?;
    let row = typed.bands.get(index.parse::<usize>().ok()?)?;
    let names = BANDS.get(row.number())?;
    Some(match field {
        "days" => names.days,
        "from_minute" => names.from,
        "to_minute" => names.to,
        "unit_price_minor" => names.price,
        _ => names.name,
    })
}

#[cfg(test)]
mod tests {
    use portico_model::parking::tariff::Weekday;

    use super::*;

    fn typed() -> TypedTariff {
        let text = |text: &str| text.to_owned();
        let night = TypedBand {
            row: text("4"),
            name: text(" Night "),
            from: text("22:00"),
            to: text("06:00:00"),
            price: text("0,5"),
            friday: text("on"),
            ..TypedBand::default()
        };
        TypedTariff {
            name: text("Day"),
            currency: text("eur"),
            unit_minutes: text("30"),
            unit_price: text("1.50"),
            daily_cap: text("15"),
            bands: vec![night],
            ..TypedTariff::default()
        }
    }

    #[test]
    fn what_is_typed_becomes_rules() {
        let rules = settings(&typed()).unwrap().rules;
        assert_eq!((rules.currency.as_str(), rules.free_minutes, rules.unit_price_minor), ("EUR", 0, 150));
        assert_eq!((rules.daily_cap_minor, rules.stay_cap_minor), (Some(1_500), None));
        let night = &rules.bands[0];
        assert_eq!((night.from_minute, night.to_minute, night.unit_price_minor), (1_320, 360, 50));
        assert_eq!((night.name.as_str(), night.days.as_slice()), ("Night", [Weekday::Friday].as_slice()));
        assert_eq!(rules.validate(), []);
    }

    #[test]
    fn every_mistake_is_told_beside_its_field() {
        let mut wrong = TypedTariff { unit_minutes: "x".into(), unit_price: "1.505".into(), ..typed() };
        wrong.bands[0].to = "25:00".into();
        wrong.bands[0].friday = String::new();
        let failure = settings(&wrong).unwrap_err();
        let fields: Vec<_> = failure.fields.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["unit_minutes", "unit_price", "bands[4][days]", "bands[4][to]"]);
        assert!(fields.iter().all(|field| super::super::bands::FIELDS.contains(field)));
    }

    #[test]
    fn what_the_service_refuses_is_told_beside_its_field() {
        let fields = vec![
            FieldError::new("rules.bands[0].unit_price_minor", "0 to 100000000 minor units"),
            FieldError::new("rules.unit_minutes", "1 to 1440 minutes"),
        ];
        let failure = Failure { fields, ..Failure::new(400, "invalid_fields", "") };
        let failure = in_the_form(failure, &typed(), "EUR");
        assert_eq!(failure.of_field("bands[4][price]").as_deref(), Some("0.00 to 1000000.00 EUR"));
        assert_eq!(failure.of_field("unit_minutes").as_deref(), Some("1 to 1440 minutes"));
    }
}
