//! Spots from a table: CSV or XLSX, one spot a row, with a preview of what would come of it.

use std::collections::{HashMap, HashSet};
use std::io::Cursor;

use calamine::{DataRef, Reader as _, Xlsx};
use portico_devices::Check;
use portico_model::identity::Permission;
use portico_model::parking::lot::{Level, LevelSettings};
use portico_model::parking::spot::{SensorType, Spot, SpotSettings, SpotSize};
use portico_model::{FieldError, LotId, ParkingLevelId};
use portico_platform::audit::Entry;
use portico_platform::csv::unguarded;
use portico_platform::{Actor, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::place::Places;
use super::{MAX_SPOTS, input, store};
use crate::lots::lot_not_found;
use crate::memory::Held;
use crate::{Parking, lots, version};

/// Most rows of a file.
const MAX_ROWS: usize = 10_000;

/// Most columns of a spreadsheet; more than have a meaning.
const MAX_COLUMNS: usize = 100;

/// What the first row may name, in any order; `id` and `level` are needed.
pub(crate) const COLUMNS: [&str; 10] =
    ["id", "level", "zone", "location", "sensor_type", "accessible", "ev", "size", "clearance_cm", "disabled"];

/// What would come, or came, of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"row": 2, "id": "PARK_001", "is_new": true, "errors": []}))]
pub struct ImportRow {
    /// As a spreadsheet numbers it: the first below the head is 2.
    pub row: usize,
    pub id: String,
    /// Else a spot of this id is changed.
    pub is_new: bool,
    /// What is wrong with it.
    pub errors: Vec<FieldError>,
}

/// What would come, or came, of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({
    "rows": [{"row": 2, "id": "PARK_001", "is_new": true, "errors": []}], "created": 1, "changed": 0, "wrong": 0,
    "new_levels": ["L1"], "is_done": false
}))]
pub struct Imported {
    pub rows: Vec<ImportRow>,
    pub created: usize,
    pub changed: usize,
    /// Rows with mistakes. While there are any, nothing is imported.
    pub wrong: usize,
    /// Levels that are made for it.
    pub new_levels: Vec<String>,
    /// False: only looked at.
    pub is_done: bool,
}

impl Parking {
    /// Adds and changes spots of a lot as a file says; with `dry_run` it only tells what would come of it. All or nothing.
    /// Permission: `ManageParking`.
    ///
    /// # Errors
    /// Forbidden, not found; invalid when the file cannot be read, or, unless it is a dry run, when a row is wrong.
    pub async fn import_spots(&self, actor: &Actor, lot: LotId, file: &[u8], dry_run: bool) -> Result<Imported> {
        actor.require(Permission::ManageParking)?;
        let table = read(file)?;
        let (mut tx, version, held) = self.begin_spots(actor.organization).await?;
        held.lot(lot).ok_or_else(lot_not_found)?;
        let plan = plan(&table, &held, lot)?;
        if dry_run {
            return Ok(plan.answer);
        }
        if plan.answer.wrong > 0 {
            let errors = plan.answer.rows.into_iter().flat_map(|row| {
                row.errors
                    .into_iter()
                    .map(move |error| FieldError::new(format!("rows[{}].{}", row.row, error.field), error.message))
            });
            return Err(Error::fields(errors.take(100).collect()));
        }
        version::next_whole(&mut tx, actor.organization).await?;
        for level in &plan.levels {
            lots::store::save_level(&mut tx, actor.organization, level).await?;
        }
        let now = self.0.platform.clock.now();
        for spot in &plan.spots {
            store::save(&mut tx, actor.organization, spot, version, now).await?;
        }
        let details = json!({"created": plan.answer.created, "changed": plan.answer.changed});
        let entry = Entry::success("parking_spots.imported").target("parking_lot", lot).details(details);
        self.commit_and_announce(tx, actor, entry).await?;
        Ok(Imported { is_done: true, ..plan.answer })
    }
}

/// What is to be written.
struct Plan {
    answer: Imported,
    /// New ones, and those whose plan grows.
    levels: Vec<Level>,
    spots: Vec<Spot>,
}

fn plan(table: &[Vec<String>], held: &Held, lot: LotId) -> Result<Plan> {
    let (head, rows) = table.split_first().ok_or_else(|| Error::field("file", "The file is empty."))?;
    let columns = columns(head)?;
    if rows.len() > MAX_ROWS {
        return Err(Error::field("file", format!("At most {MAX_ROWS} spots a file.")));
    }
    let mut levels: Vec<Level> = held.levels.iter().filter(|level| level.lot_id == lot).cloned().collect();
    let known = levels.len();
    let mut places: HashMap<ParkingLevelId, Places> = HashMap::new();
    let mut answer =
        Imported { rows: Vec::new(), created: 0, changed: 0, wrong: 0, new_levels: Vec::new(), is_done: false };
    let (mut spots, mut seen, mut grown) = (Vec::new(), HashSet::new(), HashSet::new());
    for (number, cells) in rows.iter().enumerate().filter(|(_, cells)| cells.iter().any(|cell| !cell.is_empty())) {
        let cell = |name: &str| columns.get(name).and_then(|at| cells.get(*at)).map_or("", String::as_str);
        let before = held.find_spot(cell("id"));
        let read = (|| {
            let settings = settings(&cell)?;
            if before.is_some_and(|spot| spot.lot_id != lot) {
                return Err(Error::field("id", "a spot of another lot has this id"));
            }
            if !seen.insert(settings.id.clone()) {
                return Err(Error::field("id", "stands in the file twice"));
            }
            let name = cell("level");
            let at = match levels.iter().position(|level| level.name == name) {
                Some(at) => at,
                None => {
                    if levels.len() >= lots::MAX_LEVELS {
                        return Err(Error::field("level", "the lot would have too many levels"));
                    }
                    let position = levels.iter().map(|level| level.position).max().unwrap_or(0) + 1;
                    let new = LevelSettings { name: name.to_owned(), position, ..LevelSettings::default() };
                    levels.push(lots::new_level(lot, new)?);
                    levels.len() - 1
                }
            };
            let level = levels.get_mut(at).ok_or_else(|| Error::internal("a level is missing"))?;
            let standing = || held.spots.iter().filter(|spot| spot.level_id == level.id);
            let places = places.entry(level.id).or_insert_with(|| Places::of(level, standing()));
            let spot = match before {
                // The file does not say what it costs.
                Some(spot) => {
                    let settings = SpotSettings { tariff_id: spot.tariff_id, ..settings };
                    input::changed(Spot::clone(spot), settings, level)?
                }
                None => {
                    let (place, height_cm) = places.free(level);
                    if height_cm > level.height_cm {
                        level.height_cm = height_cm;
                        grown.insert(level.id);
                    }
                    input::new_spot(settings, level, place)?
                }
            };
            places.take(spot.outline);
            Ok(spot)
        })();
        let mut row =
            ImportRow { row: number + 2, id: cell("id").to_owned(), is_new: before.is_none(), errors: Vec::new() };
        match read {
            Ok(spot) => {
                *(if row.is_new { &mut answer.created } else { &mut answer.changed }) += 1;
                spots.push(spot);
            }
            Err(error) => {
                answer.wrong += 1;
                row.errors = error.field_errors().to_vec();
            }
        }
        answer.rows.push(row);
    }
    if answer.rows.is_empty() {
        return Err(Error::field("file", "There is no row below the head."));
    }
    if held.spots.len() + answer.created > MAX_SPOTS {
        return Err(Error::conflict("too_many_spots", format!("There may be at most {MAX_SPOTS} spots.")));
    }
    answer.new_levels = levels.iter().skip(known).map(|level| level.name.clone()).collect();
    let is_new = |at: usize| at >= known;
    let levels = levels.into_iter().enumerate().filter(|(at, level)| is_new(*at) || grown.contains(&level.id));
    let levels = levels.map(|(_, level)| level).collect();
    Ok(Plan { answer, levels, spots })
}

/// Where each column is.
fn columns(head: &[String]) -> Result<HashMap<&'static str, usize>> {
    let mut columns = HashMap::new();
    for (at, cell) in head.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
        let name = cell.to_lowercase().replace([' ', '-'], "_");
        let name = name.strip_prefix("is_").unwrap_or(&name);
        let Some(known) = COLUMNS.into_iter().find(|known| *known == name) else {
            let message = format!("There is no column {cell}. The first row may name: {}.", COLUMNS.join(", "));
            return Err(Error::field("file", message));
        };
        if columns.insert(known, at).is_some() {
            return Err(Error::field("file", format!("The column {known} stands there twice.")));
        }
    }
    match ["id", "level"].into_iter().find(|needed| !columns.contains_key(needed)) {
        Some(missing) => Err(Error::field("file", format!("The column {missing} is missing in the first row."))),
        None => Ok(columns),
    }
}

fn settings<'a>(cell: &impl Fn(&str) -> &'a str) -> Result<SpotSettings> {
    let mut check = Check::default();
    let mut yes = |field: &str| match cell(field).to_lowercase().as_str() {
        "" | "no" | "n" | "0" | "false" => false,
        "yes" | "y" | "1" | "true" | "x" => true,
        _ => {
            check.problem(field, "yes or no");
            false
        }
    };
    let (is_accessible, is_ev, is_disabled) = (yes("accessible"), yes("ev"), yes("disabled"));
    let word = |text: &str| text.to_lowercase();
    let sensor_type = match cell("sensor_type") {
        "" => None,
        text => SensorType::parse(&word(text)).or_else(|| {
            check.problem("sensor_type", "ultrasonic, magnetic, camera or infrared");
            None
        }),
    };
    let size = match cell("size") {
        "" => None,
        text => SpotSize::parse(&word(text)).or_else(|| {
            check.problem("size", "motorcycle, compact, standard or large");
            None
        }),
    };
    let clearance_cm = match cell("clearance_cm") {
        "" => None,
        text => text.parse().ok().or_else(|| {
            check.problem("clearance_cm", "a whole number of centimetres");
            None
        }),
    };
    if cell("level").is_empty() {
        check.problem("level", "must not be empty");
    }
    check.done(SpotSettings {
        id: cell("id").to_owned(),
        location: cell("location").to_owned(),
        zone: cell("zone").to_owned(),
        sensor_type,
        is_accessible,
        is_ev,
        size,
        clearance_cm,
        is_disabled,
        ..SpotSettings::default()
    })
}

/// The cells of a file, trimmed; what kind it is, its first bytes tell.
fn read(file: &[u8]) -> Result<Vec<Vec<String>>> {
    // An XLSX file is a ZIP archive.
    if file.starts_with(b"PK\x03\x04") { read_xlsx(file) } else { read_csv(file) }
}

fn read_csv(file: &[u8]) -> Result<Vec<Vec<String>>> {
    let text = std::str::from_utf8(file).map_err(|_| Error::field("file", "This is neither XLSX nor CSV in UTF-8."))?;
    let text = text.trim_start_matches('\u{feff}');
    // Spreadsheets of countries whose numbers have a comma write semicolons.
    let head = text.lines().next().unwrap_or_default();
    let delimiter = if head.matches(';').count() > head.matches(',').count() { b';' } else { b',' };
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(text.as_bytes());
    let mut rows = Vec::new();
    for record in reader.records().take(MAX_ROWS + 2) {
        let record = record.map_err(|error| Error::field("file", format!("The CSV cannot be read: {error}")))?;
        rows.push(record.iter().map(|cell| unguarded(cell.trim()).to_owned()).collect());
    }
    Ok(rows)
}

fn read_xlsx(file: &[u8]) -> Result<Vec<Vec<String>>> {
    let bad = || Error::field("file", "The XLSX file cannot be read.");
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(file)).map_err(|_| bad())?;
    let sheet = book.sheet_names().into_iter().next().ok_or_else(bad)?;
    let mut cells = book.worksheet_cells_reader(&sheet).map_err(|_| bad())?;
    let mut rows: Vec<Vec<String>> = Vec::new();
    // Cell by cell: a whole sheet has room for 17 billion of them.
    while let Some(found) = cells.next_cell().map_err(|_| bad())? {
        let text = match found.get_value() {
            DataRef::Empty => continue,
            // Numbers such as 210 are stored as 210.0.
            DataRef::Float(number) if number.fract() == 0.0 => format!("{number:.0}"),
            other => calamine::Data::from(other.clone()).to_string().trim().to_owned(),
        };
        let (row, column) = found.get_position();
        let (Ok(row), Ok(column)) = (usize::try_from(row), usize::try_from(column)) else { return Err(bad()) };
        if row > MAX_ROWS || column >= MAX_COLUMNS {
            return Err(Error::field("file", format!("At most {MAX_ROWS} spots a file, and {MAX_COLUMNS} columns.")));
        }
        if rows.len() <= row {
            rows.resize_with(row + 1, Vec::new);
        }
        if rows[row].len() <= column {
            rows[row].resize_with(column + 1, String::new);
        }
        rows[row][column] = text;
    }
    // The table may begin further down.
    let head = rows.iter().position(|row| !row.is_empty()).unwrap_or_default();
    Ok(rows.split_off(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked(file: &str) -> Result<Imported> {
        plan(&read(file.as_bytes())?, &Held::default(), LotId::nil()).map(|plan| plan.answer)
    }

    #[test]
    fn each_row_says_what_is_wrong_with_it() {
        let file = "\u{feff}ID;Level;Zone;Is EV;Size;Clearance cm\nP1;L1;A;yes;compact;210\nP 2;L1;;maybe;huge;tall\n\
            ;;;;;\nP1;L2;;;;\nP4;;;;;\n";
        let found = looked(file).unwrap();
        assert_eq!((found.created, found.wrong, found.rows.len()), (1, 3, 4));
        let errors = |at: usize| found.rows[at].errors.iter().map(|error| error.field.as_str()).collect::<Vec<_>>();
        assert_eq!([found.rows[1].row, found.rows[2].row], [3, 5], "as a spreadsheet numbers them");
        assert_eq!(errors(1), ["ev", "size", "clearance_cm"]);
        assert_eq!((errors(2), errors(3)), (vec!["id"], vec!["level"]));
        assert_eq!(found.new_levels, ["L1"]);
    }

    #[test]
    fn file_that_is_no_table_of_spots_is_refused() {
        for (file, text) in [
            ("", "empty"),
            ("id,level", "no row"),
            ("id,floor\nP1,1", "no column floor"),
            ("zone,level\nA,1", "column id is missing"),
            ("id,level,ID\nA,1,B", "twice"),
        ] {
            let error = looked(file).unwrap_err();
            assert!(error.message().contains(text), "{file:?}: {}", error.message());
        }
        assert!(read(b"PK\x03\x04 and then nonsense").is_err());
        let far = |row: u32, column: u16| {
            let mut book = rust_xlsxwriter::Workbook::new();
            let sheet = book.add_worksheet();
            sheet.write_string(0, 0, "id").unwrap().write_string(0, 1, "level").unwrap();
            sheet.write_string(row, column, "far away").unwrap();
            read(&book.save_to_buffer().unwrap())
        };
        for (row, column) in [(1_048_575, 0), (1, 16_383)] {
            assert!(far(row, column).unwrap_err().field_errors()[0].message.contains("At most"), "{row}, {column}");
        }
        assert_eq!(far(3, 1).unwrap(), [vec!["id", "level"], vec![], vec![], vec!["", "far away"]]);
        assert!(read(b"\xff\xfe\x00").is_err());
    }
}
