//! Tables. A row stays on one page; the names of the columns stand on each.

use super::draw::{Area, Mark};
use super::text::Style;
use super::{Document, INNER, MARGIN, SPACE};

/// Between two columns.
const GAP: f32 = 10.0;

/// Above and below the words of a row.
const PAD: f32 = 3.0;

/// A column.
#[derive(Debug, Clone)]
pub struct Column {
    pub name: &'static str,
    /// Of the width, measured by the sum of all.
    pub share: f32,
    /// Amounts stand at the right edge.
    pub is_amount: bool,
}

/// A row, a text for each column.
#[derive(Debug, Clone)]
pub struct Row {
    pub cells: Vec<String>,
    /// What those above come to: set apart from them.
    pub is_total: bool,
}

/// A table with a title.
#[derive(Debug, Clone)]
pub struct Table {
    pub title: &'static str,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
}

/// Where a column stands.
#[derive(Clone, Copy)]
struct Place {
    x: f32,
    width: f32,
    is_amount: bool,
}

impl Table {
    fn places(&self) -> Vec<Place> {
        let all: f32 = self.columns.iter().map(|column| column.share).sum();
        let mut x = MARGIN;
        let place = |column: &Column| {
            let width = INNER * column.share / all;
            let place = Place { x, width: width - GAP, is_amount: column.is_amount };
            x += width;
            place
        };
        let mut places: Vec<_> = self.columns.iter().map(place).collect();
        if let Some(last) = places.last_mut() {
            last.width += GAP;
        }
        places
    }
}

impl Document {
    /// A table. What is too long for a cell goes on in its next line.
    pub fn table(&mut self, table: &Table) {
        let places = table.places();
        // The title does not stay alone at the end of a page.
        self.make_room(Style::HEADING.line() + 4.0 * (Style::BODY.line() + 2.0 * PAD));
        self.paragraph(Style::HEADING, table.title);
        self.head(table, &places);
        for row in &table.rows {
            let style = if row.is_total { Style::STRONG } else { Style::BODY };
            let wrap = |(text, place): (&String, &Place)| self.fonts.wrap(style, text, place.width);
            let cells: Vec<Vec<String>> = row.cells.iter().zip(&places).map(wrap).collect();
            let lines = cells.iter().map(Vec::len).max().unwrap_or_default();
            let height = lines as f32 * style.line() + 2.0 * PAD;
            if self.make_room(height) {
                self.head(table, &places);
            }
            if row.is_total {
                self.rule();
            }
            self.row(style, &cells, &places);
            self.y += height;
        }
        self.y += SPACE;
    }

    fn head(&mut self, table: &Table, places: &[Place]) {
        let cells: Vec<_> = table.columns.iter().map(|column| vec![column.name.to_owned()]).collect();
        self.row(Style::QUIET, &cells, places);
        self.y += Style::QUIET.line() + 2.0 * PAD;
        self.rule();
    }

    fn row(&mut self, style: Style, cells: &[Vec<String>], places: &[Place]) {
        let top = self.y;
        self.y += PAD;
        for (lines, place) in cells.iter().zip(places) {
            for (index, line) in lines.iter().enumerate() {
                let free = if place.is_amount { place.width - self.fonts.width(style, line) } else { 0.0 };
                let y = self.y + index as f32 * style.line();
                self.mark(Mark::text(place.x + free, y, style, line));
            }
        }
        self.y = top;
    }

    /// A line from margin to margin.
    fn rule(&mut self) {
        self.mark(Mark::Areas(vec![Area { x: MARGIN, y: self.y, width: INNER, height: 0.6 }]));
    }
}
