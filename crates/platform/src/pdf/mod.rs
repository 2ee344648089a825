//! Documents for people as PDF: A4 pages with a title, facts, tables and a code to scan. What does not fit goes on on the
//! next page. The same content, made at the same time, gives the same bytes.
//!
//! The font is DejaVu Sans (its licence: `dejavu-fonts-ttf-2.37/LICENSE` in the crate `dejavu`): Latin, Greek, Cyrillic, Arabic,
//! Hebrew and more; it has no Chinese, Japanese or Korean, of which an empty box is printed.

mod draw;
mod table;
mod text;

#[cfg(test)]
mod tests;

use fast_qr::QRBuilder;
use portico_model::Timestamp;

use self::draw::{Area, Mark};
use self::text::{Fonts, Style};
use crate::{Error, Result};

pub use table::{Column, Row, Table};

/// A4 as PDF counts, in points of 1/72 inch (ISO 216: 210 × 297 mm).
const WIDTH: f32 = 595.0;
const HEIGHT: f32 = 842.0;

/// Left, right and above; points, as all lengths here.
const MARGIN: f32 = 56.0;

/// Between the margins.
const INNER: f32 = WIDTH - 2.0 * MARGIN;

/// Nothing but the footer stands below.
const BOTTOM: f32 = HEIGHT - 72.0;

/// Where the footer begins.
const FOOTER: f32 = HEIGHT - 48.0;

/// Width of the labels of facts, with the gap after them.
const LABELS: f32 = 130.0;

/// After a group of things that belong together.
const SPACE: f32 = 14.0;

/// Side of the code. A usual address takes 45 modules a side, which are 0.75 mm wide then.
const CODE: f32 = 96.0;

/// What a reader of the file is told of it.
#[derive(Debug, Clone)]
pub struct About {
    pub title: String,
    /// The organisation.
    pub author: String,
    /// As BCP 47 writes it, such as `en`.
    pub language: &'static str,
    /// Said to be the time at which it was made.
    pub created_at: Timestamp,
}

/// A document that is being written, from the top to the bottom.
pub struct Document {
    about: About,
    fonts: Fonts,
    /// Never empty.
    pages: Vec<Vec<Mark>>,
    /// How far from the top of the last page the next thing stands.
    y: f32,
}

impl Document {
    /// # Errors
    /// Internal, when the fonts cannot be read.
    pub fn new(about: About) -> Result<Self> {
        Ok(Self { about, fonts: Fonts::load()?, pages: vec![Vec::new()], y: MARGIN })
    }

    /// The title, and above it in small who says this.
    pub fn title(&mut self, above: &str, title: &str) {
        self.paragraph(Style::QUIET, above);
        self.paragraph(Style::TITLE, title);
        self.y += SPACE;
    }

    /// A paragraph.
    pub fn text(&mut self, text: &str) {
        self.paragraph(Style::BODY, text);
        self.y += SPACE;
    }

    /// Labels with their values. Each stays on one page.
    pub fn facts(&mut self, facts: &[(&str, String)]) {
        for (label, value) in facts {
            let labels = self.fonts.wrap(Style::QUIET, label, LABELS - 10.0);
            let values = self.fonts.wrap(Style::BODY, value, INNER - LABELS);
            let lines = labels.len().max(values.len());
            let height = lines as f32 * Style::BODY.line() + 3.0;
            self.make_room(height);
            self.write(MARGIN, Style::QUIET, &labels);
            self.write(MARGIN + LABELS, Style::BODY, &values);
            self.y += height;
        }
        self.y += SPACE;
    }

    /// A code to scan that leads to an address, with a word on it beside it; in a viewer it is a link.
    ///
    /// # Errors
    /// Internal, when the address is too long for a code.
    pub fn code(&mut self, address: &str, text: &str) -> Result<()> {
        let code = QRBuilder::new(address).build().map_err(|error| Error::internal(error.to_string()))?;
        self.make_room(CODE);
        let top = self.y;
        let area = Area { x: MARGIN, y: top, width: CODE, height: CODE };
        self.mark(Mark::Areas(draw::modules(&code, area)));
        self.mark(Mark::Link { area, address: address.to_owned(), text: text.to_owned() });
        let (beside, width) = (MARGIN + CODE + SPACE, INNER - CODE - SPACE);
        for (style, text) in [(Style::BODY, text), (Style::QUIET, address)] {
            let lines = self.fonts.wrap(style, text, width);
            self.write(beside, style, &lines);
            self.y += lines.len() as f32 * style.line() + 3.0;
        }
        self.y = self.y.max(top + CODE) + SPACE;
        Ok(())
    }

    /// The file. `footer` stands below each page, beside its number.
    ///
    /// # Errors
    /// Internal, when the file cannot be written.
    pub fn finish(mut self, footer: &str) -> Result<Vec<u8>> {
        let count = self.pages.len();
        let footer = self.fonts.wrap(Style::QUIET, footer, INNER - 90.0).into_iter().next().unwrap_or_default();
        for (index, page) in self.pages.iter_mut().enumerate() {
            let number = format!("Page {} of {count}", index + 1);
            let x = WIDTH - MARGIN - self.fonts.width(Style::QUIET, &number);
            page.push(Mark::text(MARGIN, FOOTER, Style::QUIET, &footer));
            page.push(Mark::text(x, FOOTER, Style::QUIET, &number));
        }
        draw::file(&self.about, &self.fonts, &self.pages)
    }

    fn paragraph(&mut self, style: Style, text: &str) {
        for line in self.fonts.wrap(style, text, INNER) {
            self.make_room(style.line());
            self.write(MARGIN, style, &[line]);
            self.y += style.line();
        }
    }

    /// From here on down; the place stays where it is.
    fn write(&mut self, x: f32, style: Style, lines: &[String]) {
        for (index, line) in lines.iter().enumerate() {
            self.mark(Mark::text(x, self.y + index as f32 * style.line(), style, line));
        }
    }

    /// Goes to the next page when there is not as much room left on this one; says whether it did.
    fn make_room(&mut self, height: f32) -> bool {
        let is_full = self.y + height > BOTTOM && self.y > MARGIN;
        if is_full {
            self.pages.push(Vec::new());
            self.y = MARGIN;
        }
        is_full
    }

    fn mark(&mut self, mark: Mark) {
        if let Some(page) = self.pages.last_mut() {
            page.push(mark);
        }
    }
}
