//! Hours with a price of their own, in the form: rows that come and go.

use leptos::prelude::*;
use portico_model::parking::tariff::{Band, MAX_BANDS, Weekday};
use serde::{Deserialize, Serialize};

use super::amount::amount_text;
use crate::form::FormState;
use crate::ui::{Glyph, Icon, TextField};
use portico_model::parking::tariff::words::{clock, day_word};

/// The names of a row's fields; what is wrong with one is told under its name.
pub struct BandNames {
    pub row: &'static str,
    pub name: &'static str,
    pub days: &'static str,
    pub from: &'static str,
    pub to: &'static str,
    pub price: &'static str,
    day: [&'static str; 7],
}

macro_rules! names {
    ($($number:literal)+) => {
        /// By the number of the row.
        pub const BANDS: [BandNames; MAX_BANDS] = [$(BandNames {
            row: concat!("bands[", $number, "][row]"),
            name: concat!("bands[", $number, "][name]"),
            days: concat!("bands[", $number, "][days]"),
            from: concat!("bands[", $number, "][from]"),
            to: concat!("bands[", $number, "][to]"),
            price: concat!("bands[", $number, "][price]"),
            day: [
                concat!("bands[", $number, "][monday]"),
                concat!("bands[", $number, "][tuesday]"),
                concat!("bands[", $number, "][wednesday]"),
                concat!("bands[", $number, "][thursday]"),
                concat!("bands[", $number, "][friday]"),
                concat!("bands[", $number, "][saturday]"),
                concat!("bands[", $number, "][sunday]"),
            ],
        }),+];

        /// All fields of the form that show their errors themselves.
        pub const FIELDS: &[&str] = &[
            "name", "currency", "free_minutes", "unit_minutes", "unit_price", "daily_cap", "stay_cap",
            $(
                concat!("bands[", $number, "][name]"),
                concat!("bands[", $number, "][days]"),
                concat!("bands[", $number, "][from]"),
                concat!("bands[", $number, "][to]"),
                concat!("bands[", $number, "][price]"),
            )+
        ];
    };
}

names! {
    0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44
    45 46 47 48 49
}

/// A row, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TypedBand {
    /// Its number in the form: rows between may have been taken out.
    pub row: String,
    pub name: String,
    pub from: String,
    pub to: String,
    pub price: String,
    pub monday: String,
    pub tuesday: String,
    pub wednesday: String,
    pub thursday: String,
    pub friday: String,
    pub saturday: String,
    pub sunday: String,
}

impl TypedBand {
    /// As a known band stands in the form.
    #[must_use]
    pub fn of(row: usize, band: &Band, currency: &str) -> Self {
        let mut typed = Self {
            row: row.to_string(),
            name: band.name.clone(),
            from: clock(band.from_minute),
            to: clock(band.to_minute % 1_440),
            price: amount_text(band.unit_price_minor, currency),
            ..Self::default()
        };
        for day in &band.days {
            *typed.day_mut(*day) = "on".to_owned();
        }
        typed
    }

    /// One that was just added: working days.
    #[must_use]
    pub fn new(row: usize) -> Self {
        let on = || "on".to_owned();
        Self {
            row: row.to_string(),
            monday: on(),
            tuesday: on(),
            wednesday: on(),
            thursday: on(),
            friday: on(),
            ..Self::default()
        }
    }

    #[must_use]
    pub fn number(&self) -> usize {
        self.row.parse().unwrap_or_default()
    }

    const fn day_mut(&mut self, day: Weekday) -> &mut String {
        match day {
            Weekday::Monday => &mut self.monday,
            Weekday::Tuesday => &mut self.tuesday,
            Weekday::Wednesday => &mut self.wednesday,
            Weekday::Thursday => &mut self.thursday,
            Weekday::Friday => &mut self.friday,
            Weekday::Saturday => &mut self.saturday,
            Weekday::Sunday => &mut self.sunday,
        }
    }

    /// The days that are ticked.
    #[must_use]
    pub fn days(&self) -> Vec<Weekday> {
        let mut typed = self.clone();
        Weekday::ALL.into_iter().filter(|day| !typed.day_mut(*day).is_empty()).collect()
    }
}

/// The first number that no row has.
#[must_use]
pub fn next_number(rows: &[TypedBand]) -> Option<usize> {
    (0..MAX_BANDS).find(|number| rows.iter().all(|row| row.number() != *number))
}

/// The rows, and a button for one more. Without scripts the buttons send the form, and it comes back changed.
#[component]
pub fn BandRows(form: FormState, first: Vec<TypedBand>) -> impl IntoView {
    let rows = RwSignal::new(first);
    let add = move |event: leptos::ev::MouseEvent| {
        event.prevent_default();
        rows.update(|rows| {
            if let Some(number) = next_number(rows) {
                rows.push(TypedBand::new(number));
            }
        });
    };
    view! {
        <fieldset class="field bands">
            <legend>"Hours with a price of their own"</legend>
            <p class="field-help">
                "The first row that fits the time at which a unit begins sets its price. Until at or before from goes over midnight."
            </p>
            <For each=move || rows.get() key=TypedBand::number let(band)>
                <BandRow form band rows />
            </For>
            <div>
                <button
                    class="button"
                    type="submit"
                    name="act"
                    value="add"
                    formnovalidate=true
                    on:click=add
                    hidden=move || { rows.with(Vec::len) >= MAX_BANDS }
                >
                    <Icon glyph=Glyph::Plus />
                    <span>"Add hours"</span>
                </button>
            </div>
        </fieldset>
    }
}

#[component]
fn BandRow(form: FormState, band: TypedBand, rows: RwSignal<Vec<TypedBand>>) -> impl IntoView {
    let number = band.number().min(MAX_BANDS - 1);
    let names = &BANDS[number];
    let chosen = band.days();
    let error = form.error(names.days);
    let drop = move |event: leptos::ev::MouseEvent| {
        event.prevent_default();
        rows.update(|rows| rows.retain(|row| row.number() != number));
    };
    let id = move |field: &str| format!("band-{number}-{field}");
    view! {
        <fieldset class="band" data-testid="band">
            <legend class="hidden">{format!("Hours {}", number + 1)}</legend>
            <input type="hidden" name=names.row value=number.to_string() />
            <TextField
                form
                name=names.name
                id=id("name")
                label="Name"
                required=true
                maxlength=60
                autocomplete="off"
                placeholder="Night"
                value=band.name
            />
            <TextField form name=names.from id=id("from") label="From" kind="time" required=true value=band.from />
            <TextField form name=names.to id=id("to") label="Until" kind="time" required=true value=band.to />
            <TextField
                form
                name=names.price
                id=id("price")
                label="Price of a unit"
                required=true
                maxlength=20
                autocomplete="off"
                value=band.price
            />
            <fieldset class="field band-days">
                <legend>"Days on which they begin"</legend>
                <div class="band-boxes">
                    {Weekday::ALL
                        .iter()
                        .zip(names.day)
                        .map(|(day, name)| {
                            view! {
                                <label class="check">
                                    <input type="checkbox" name=name value="on" checked=chosen.contains(day) />
                                    <span>{day_word(*day)}</span>
                                </label>
                            }
                        })
                        .collect_view()}
                </div>
                <p class="field-error" aria-live="polite" hidden=move || error.with(Option::is_none)>
                    <Icon glyph=Glyph::Alert />
                    <span>{move || error.get().unwrap_or_default()}</span>
                </p>
            </fieldset>
            <div class="band-drop">
                <button
                    class="button button-small"
                    type="submit"
                    name="act"
                    value=format!("drop-{number}")
                    formnovalidate=true
                    on:click=drop
                    aria-label=format!("Take hours {} out", number + 1)
                >
                    <Icon glyph=Glyph::Trash />
                    <span>"Take out"</span>
                </button>
            </div>
        </fieldset>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn band_stands_in_the_form_as_it_is() {
        let band = Band {
            name: "Night".into(),
            days: vec![Weekday::Friday, Weekday::Sunday],
            from_minute: 1_320,
            to_minute: 1_440,
            unit_price_minor: 50,
        };
        let typed = TypedBand::of(3, &band, "EUR");
        assert_eq!((typed.number(), typed.from.as_str(), typed.to.as_str()), (3, "22:00", "00:00"));
        assert_eq!((typed.price.as_str(), typed.days()), ("0.50", band.days));
    }

    #[test]
    fn rows_that_were_taken_out_leave_their_number() {
        let rows: Vec<_> = [0, 2].map(TypedBand::new).into();
        assert_eq!(next_number(&rows), Some(1));
        let all: Vec<_> = (0..MAX_BANDS).map(TypedBand::new).collect();
        assert_eq!(next_number(&all), None);
        assert_eq!(BANDS[49].name, "bands[49][name]");
    }
}
