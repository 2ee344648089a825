//! What parking costs, as people write it down, and what a stay came to. The sum itself needs time zones and is made by
//! the parking crate.

pub mod words;

use serde::{Deserialize, Serialize};

use crate::{TariffId, Timestamp};

/// Minutes of a day on the wall clock, where no change of the hour cuts or stretches it.
pub const DAY_MINUTES: i64 = 1_440;

/// Longest unit: a day.
pub const MAX_UNIT_MINUTES: i64 = DAY_MINUTES;

/// Most free minutes: 31 days. Who parks free for longer has a right to park, not a tariff.
pub const MAX_FREE_MINUTES: i64 = 31 * DAY_MINUTES;

/// Highest price of one unit, in minor units of the currency. With it the longest stay that is priced (366 days in units
/// of a minute) comes to 5.3e13: far from what an `i64`, or a number in JavaScript (2^53), can hold.
pub const MAX_PRICE_MINOR: i64 = 100_000_000;

/// Highest cap, in minor units of the currency: a cap is worth many units.
pub const MAX_CAP_MINOR: i64 = 1_000_000_000;

/// Most bands of a tariff.
pub const MAX_BANDS: usize = 50;

/// Longest name of a band, in characters.
pub const MAX_BAND_NAME_CHARS: usize = 60;

/// A day of the week, on the calendar of the building.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Weekday {
    /// From Monday on, as ISO 8601 counts them.
    pub const ALL: [Self; 7] =
        [Self::Monday, Self::Tuesday, Self::Wednesday, Self::Thursday, Self::Friday, Self::Saturday, Self::Sunday];

    /// The day before: Monday comes after Sunday.
    #[must_use]
    pub const fn yesterday(self) -> Self {
        match self {
            Self::Monday => Self::Sunday,
            Self::Tuesday => Self::Monday,
            Self::Wednesday => Self::Tuesday,
            Self::Thursday => Self::Wednesday,
            Self::Friday => Self::Thursday,
            Self::Saturday => Self::Friday,
            Self::Sunday => Self::Saturday,
        }
    }
}

/// What a stay costs. Time that has passed is counted in units, however clocks are changed meanwhile; the wall clock at the
/// beginning of a unit says what that unit costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "currency": "EUR", "free_minutes": 15, "unit_minutes": 30, "unit_price_minor": 150, "bands": [{"name": "Night",
    "days": ["friday", "saturday"], "from_minute": 1320, "to_minute": 360, "unit_price_minor": 50}],
    "daily_cap_minor": 1500, "stay_cap_minor": null
})))]
pub struct TariffRules {
    /// ISO 4217, upper case.
    pub currency: String,
    /// The first minutes of a stay cost nothing, whatever its length; units begin after them.
    #[serde(default)]
    pub free_minutes: i64,
    /// A started unit is charged whole.
    pub unit_minutes: i64,
    /// When no band says otherwise.
    pub unit_price_minor: i64,
    /// The first that fits the local time at which a unit begins sets its price; at most 50.
    #[serde(default)]
    pub bands: Vec<Band>,
    /// Most for units that begin on one local calendar day.
    #[serde(default)]
    pub daily_cap_minor: Option<i64>,
    /// Most for one stay.
    #[serde(default)]
    pub stay_cap_minor: Option<i64>,
}

/// Hours with a price of their own. `to_minute` at or before `from_minute` goes over midnight into the next day and belongs
/// to the day on which it begins; with both equal a band lasts 24 hours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct Band {
    /// 1 to 60 characters; it stands on the receipt.
    pub name: String,
    /// On which it begins.
    pub days: Vec<Weekday>,
    /// Minute of the local day, 0 to 1439.
    pub from_minute: i64,
    /// Minute of the local day, 0 to 1440; this minute no longer counts.
    pub to_minute: i64,
    pub unit_price_minor: i64,
}

impl Band {
    /// Whether a wall clock that shows this minute of the day, 0 to 1439, is within the band.
    #[must_use]
    pub fn fits(&self, day: Weekday, minute: i64) -> bool {
        let begun_today = self.from_minute <= minute && self.days.contains(&day);
        if self.to_minute > self.from_minute {
            return begun_today && minute < self.to_minute;
        }
        begun_today || (minute < self.to_minute && self.days.contains(&day.yesterday()))
    }
}

impl TariffRules {
    /// The band that sets the price of a unit which begins when the wall clock shows this.
    #[must_use]
    pub fn band_at(&self, day: Weekday, minute: i64) -> Option<&Band> {
        self.bands.iter().find(|band| band.fits(day, minute))
    }

    /// Every mistake: the path of the field, and what would be right. Of more bands than there may be, only the first 50
    /// are looked at.
    #[must_use]
    pub fn validate(&self) -> Vec<(String, String)> {
        let mut mistakes = Mistakes::default();
        mistakes.unless(is_currency(&self.currency), "currency", "three capital letters of ISO 4217, such as EUR");
        mistakes.bounds("free_minutes", self.free_minutes, 0, MAX_FREE_MINUTES, "minutes");
        mistakes.bounds("unit_minutes", self.unit_minutes, 1, MAX_UNIT_MINUTES, "minutes");
        mistakes.bounds("unit_price_minor", self.unit_price_minor, 0, MAX_PRICE_MINOR, "minor units");
        for (field, cap) in [("daily_cap_minor", self.daily_cap_minor), ("stay_cap_minor", self.stay_cap_minor)] {
            if let Some(cap) = cap {
                mistakes.bounds(field, cap, 0, MAX_CAP_MINOR, "minor units");
            }
        }
        mistakes.unless(self.bands.len() <= MAX_BANDS, "bands", "at most 50 bands");
        for (index, band) in self.bands.iter().take(MAX_BANDS).enumerate() {
            mistakes.prefix = format!("bands[{index}].");
            band.check(&mut mistakes);
        }
        mistakes.found
    }
}

impl Band {
    fn check(&self, mistakes: &mut Mistakes) {
        let is_name = (1..=MAX_BAND_NAME_CHARS).contains(&self.name.chars().count())
            && !self.name.trim().is_empty()
            && !self.name.contains(char::is_control);
        mistakes.unless(is_name, "name", "1 to 60 characters, not only spaces");
        let is_twice =
            self.days.iter().enumerate().any(|(index, day)| self.days.iter().take(index).any(|one| one == day));
        mistakes.unless(!self.days.is_empty(), "days", "at least one day, monday to sunday");
        mistakes.unless(!is_twice, "days", "each day once");
        mistakes.bounds("from_minute", self.from_minute, 0, DAY_MINUTES - 1, "minutes after midnight");
        mistakes.bounds("to_minute", self.to_minute, 0, DAY_MINUTES, "minutes after midnight");
        mistakes.bounds("unit_price_minor", self.unit_price_minor, 0, MAX_PRICE_MINOR, "minor units");
    }
}

#[derive(Default)]
struct Mistakes {
    /// Where the fields that are looked at lie.
    prefix: String,
    found: Vec<(String, String)>,
}

impl Mistakes {
    fn unless(&mut self, is_right: bool, field: &str, message: &str) {
        if !is_right {
            self.found.push((format!("{}{field}", self.prefix), message.to_owned()));
        }
    }

    fn bounds(&mut self, field: &str, value: i64, least: i64, most: i64, unit: &str) {
        self.unless((least..=most).contains(&value), field, &format!("{least} to {most} {unit}"));
    }
}

/// A tariff as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct Tariff {
    pub id: TariffId,
    pub name: String,
    /// Grows with every change; a reservation keeps the one it was made with.
    pub version: i64,
    pub rules: TariffRules,
    /// Who made this version.
    pub changed_by: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What people say of a tariff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct TariffSettings {
    /// 1 to 100 characters, unique.
    pub name: String,
    pub rules: TariffRules,
}

/// What a stay came to. The amounts of the parts sum to the total.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "total_minor": 300, "currency": "EUR", "parts": [{"kind": "units", "from": "2026-11-21T08:00:00.000+00:00",
    "until": "2026-11-21T09:00:00.000+00:00", "name": "", "units": 2, "unit_price_minor": 150, "amount_minor": 300}]
})))]
pub struct Price {
    pub total_minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// As on a receipt: free time, units in the order of time, then what caps take off.
    pub parts: Vec<PricePart>,
}

/// A line of a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct PricePart {
    pub kind: PartKind,
    pub from: Timestamp,
    /// Of units the end of the last one, which is paid for and may lie after the end of the stay.
    pub until: Timestamp,
    /// Of the band; empty for the price outside of bands, and for what is no unit.
    pub name: String,
    /// 0 for what is no unit.
    pub units: i64,
    pub unit_price_minor: i64,
    /// Negative for what a cap takes off.
    pub amount_minor: i64,
}

/// What a line of a receipt is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub enum PartKind {
    /// The first minutes of a stay.
    Free,
    /// Units that follow each other, of one band and price.
    Units,
    /// Off the units that begin on one local day.
    DailyCap,
    /// Off the whole stay, after the daily caps.
    StayCap,
}

/// Whether a text has the form of a currency: three capital letters. Which of them are in use changes with the world, so
/// that is not asked.
#[must_use]
pub fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// How many decimal digits the minor unit of a currency has.
///
/// Source: ISO 4217, list one (table A.1, column "minor unit"), as kept by SIX on behalf of ISO,
/// <https://www.six-group.com/en/products-services/financial-information/data-standards.html>, state of January 2026.
/// Payment providers deviate from it for some (Stripe: ISK, MGA, UGX); whoever speaks to one has to ask its list.
#[must_use]
pub fn minor_digits(currency: &str) -> u32 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "UYI" | "VND"
        | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        "CLF" | "UYW" => 4,
        _ => 2,
    }
}

/// An amount for people, `12.50 EUR`: exact, with as many digits as the currency has.
#[must_use]
pub fn format_minor(amount: i64, currency: &str) -> String {
    let digits = minor_digits(currency);
    let sign = if amount < 0 { "-" } else { "" };
    let (whole, rest) = (amount.unsigned_abs() / 10_u64.pow(digits), amount.unsigned_abs() % 10_u64.pow(digits));
    if digits == 0 {
        return format!("{sign}{whole} {currency}");
    }
    format!("{sign}{whole}.{rest:0width$} {currency}", width = digits as usize)
}

#[cfg(test)]
mod tests;
