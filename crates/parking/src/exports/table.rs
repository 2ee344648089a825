//! Tables as files: CSV that is read while it is sent, or an XLSX workbook.

use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use portico_platform::{Error, Result, csv};
use rust_xlsxwriter::{Format, Workbook};

/// Most cells of a workbook: it is made in memory. CSV has no such limit.
const MAX_CELLS: usize = 500_000;

/// A cell of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    Text(String),
    /// A number as CSV writes it, exactly.
    Number(String),
}

impl Cell {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub fn number(number: impl ToString) -> Self {
        Self::Number(number.to_string())
    }

    /// Empty when there is none.
    pub fn maybe(number: Option<impl ToString>) -> Self {
        number.map_or_else(|| Self::text(""), Self::number)
    }

    pub fn yes(is: bool) -> Self {
        Self::text(if is { "yes" } else { "no" })
    }
}

/// A table that is read some rows at a time.
pub struct Export {
    pub head: &'static [&'static str],
    pub rows: BoxStream<'static, Result<Vec<Vec<Cell>>>>,
}

impl Export {
    /// One that is in memory.
    pub fn of(head: &'static [&'static str], rows: Vec<Vec<Cell>>) -> Self {
        Self { head, rows: stream::iter([Ok(rows)]).boxed() }
    }

    /// The file, read while it is sent.
    pub fn into_csv(self) -> impl Stream<Item = Result<String>> + Send + 'static {
        let head = format!("{}\r\n", self.head.join(","));
        let rows = self.rows.map_ok(|rows| {
            let mut text = String::new();
            for row in &rows {
                let cells: Vec<String> = row.iter().map(csv_cell).collect();
                text.push_str(&cells.join(","));
                text.push_str("\r\n");
            }
            text
        });
        // The layer that compresses asks once more after the end.
        stream::iter([Ok(head)]).chain(rows).fuse()
    }

    /// A workbook with one sheet.
    ///
    /// # Errors
    /// What reading the rows answers; conflict when they are too many.
    pub async fn into_xlsx(mut self) -> Result<Vec<u8>> {
        let mut rows = Vec::new();
        while let Some(more) = self.rows.try_next().await? {
            rows.extend(more);
            if rows.len() * self.head.len() > MAX_CELLS {
                let text =
                    format!("A workbook takes at most {} rows of these: ask for CSV.", MAX_CELLS / self.head.len());
                return Err(Error::conflict("too_many_rows", text));
            }
        }
        let head = self.head;
        // Tens of thousands of rows: too much for a thread that answers others.
        let made = tokio::task::spawn_blocking(move || workbook(head, &rows).map_err(|error| error.to_string()));
        made.await.map_err(Error::internal)?.map_err(Error::internal)
    }
}

fn csv_cell(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => csv::quoted(text),
        Cell::Number(number) => number.clone(),
    }
}

/// Texts are stored as texts: a spreadsheet calculates none of them.
fn workbook(head: &[&str], rows: &[Vec<Cell>]) -> Result<Vec<u8>, rust_xlsxwriter::XlsxError> {
    let mut book = Workbook::new();
    let bold = Format::new().set_bold();
    let sheet = book.add_worksheet();
    for (column, name) in (0_u16..).zip(head) {
        sheet.write_string_with_format(0, column, *name, &bold)?;
    }
    sheet.set_freeze_panes(1, 0)?;
    for (row, cells) in (1_u32..).zip(rows) {
        for (column, cell) in (0_u16..).zip(cells) {
            match cell {
                Cell::Text(text) if text.is_empty() => {}
                Cell::Text(text) => {
                    sheet.write_string(row, column, text.as_str())?;
                }
                Cell::Number(number) => {
                    sheet.write_number(row, column, number.parse::<f64>().unwrap_or_default())?;
                }
            }
        }
    }
    book.save_to_buffer()
}
