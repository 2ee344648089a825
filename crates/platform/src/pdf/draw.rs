//! From marks on pages to the bytes of a file.

use chrono::{DateTime, Datelike as _, Timelike as _};
use fast_qr::QRCode;
use krilla::action::LinkAction;
use krilla::annotation::{Annotation, LinkAnnotation, Target};
use krilla::color::luma;
use krilla::geom::{Path, PathBuilder, Point, Rect};
use krilla::metadata::{DateTime as PdfTime, Metadata};
use krilla::paint::Fill;
use krilla::surface::Surface;
use krilla::text::TextDirection;
use portico_model::Timestamp;

use super::About;
use super::text::{Fonts, Style};
use crate::{Error, Result};

/// A rectangle; from the top left corner of the page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub x: f32,
    pub y: f32,
    pub width: f32,
    pub height: f32,
}

/// Something on a page.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mark {
    /// A line; `y` is what its letters stand on.
    Text {
        x: f32,
        y: f32,
        style: Style,
        text: String,
    },
    /// Black.
    Areas(Vec<Area>),
    Link {
        area: Area,
        address: String,
        text: String,
    },
}

impl Mark {
    /// A line whose upper edge is at `top`.
    pub fn text(x: f32, top: f32, style: Style, text: &str) -> Self {
        Self::Text { x, y: top + style.size, style, text: text.to_owned() }
    }
}

/// The dark modules of a code, those beside each other in a row as one. The four light modules that must be around it
/// (ISO/IEC 18004) are the paper's.
pub(super) fn modules(code: &QRCode, within: Area) -> Vec<Area> {
    let side = within.width / code.size as f32;
    let mut areas = Vec::new();
    for row in 0..code.size {
        let mut column = 0;
        while column < code.size {
            let begin = column;
            while column < code.size && code[row][column].value() {
                column += 1;
            }
            if column > begin {
                areas.push(Area {
                    x: within.x + begin as f32 * side,
                    y: within.y + row as f32 * side,
                    width: (column - begin) as f32 * side,
                    height: side,
                });
            } else {
                column += 1;
            }
        }
    }
    areas
}

/// # Errors
/// Internal, when krilla refuses what it is given.
pub(super) fn file(about: &About, fonts: &Fonts, pages: &[Vec<Mark>]) -> Result<Vec<u8>> {
    let mut document = krilla::Document::new();
    document.set_metadata(metadata(about));
    for marks in pages {
        // A4, if nothing else is said.
        let mut page = document.start_page();
        let mut surface = page.surface();
        for mark in marks {
            draw(&mut surface, fonts, mark);
        }
        surface.finish();
        for link in marks.iter().filter_map(link) {
            page.add_annotation(link);
        }
        page.finish();
    }
    document.finish().map_err(|error| Error::internal(error.to_string()))
}

fn draw(surface: &mut Surface<'_>, fonts: &Fonts, mark: &Mark) {
    let fill = |shade| Some(Fill { paint: luma::Color::new(shade).into(), ..Fill::default() });
    match mark {
        Mark::Text { x, y, style, text } => {
            surface.set_fill(fill(style.shade));
            let font = fonts.of(*style).font.clone();
            surface.draw_text(Point::from_xy(*x, *y), font, style.size, text, false, TextDirection::Auto);
        }
        Mark::Areas(areas) => {
            surface.set_fill(fill(0));
            if let Some(path) = path(areas) {
                surface.draw_path(&path);
            }
        }
        Mark::Link { .. } => {}
    }
}

/// One path, so that no hair stays between areas that touch.
fn path(areas: &[Area]) -> Option<Path> {
    let mut path = PathBuilder::new();
    for area in areas {
        path.push_rect(rectangle(*area)?);
    }
    path.finish()
}

fn rectangle(area: Area) -> Option<Rect> {
    Rect::from_xywh(area.x, area.y, area.width, area.height)
}

fn link(mark: &Mark) -> Option<Annotation> {
    let Mark::Link { area, address, text } = mark else { return None };
    let target = Target::Action(LinkAction::new(address.clone()).into());
    Some(Annotation::new_link(LinkAnnotation::new(rectangle(*area)?, target), Some(text.clone())))
}

fn metadata(about: &About) -> Metadata {
    let metadata = Metadata::new()
        .title(about.title.clone())
        .authors(vec![about.author.clone()])
        .creator("Portico".to_owned())
        .language(about.language.to_owned());
    match time(about.created_at) {
        Some(time) => metadata.creation_date(time),
        None => metadata,
    }
}

/// In UTC; nothing for years that PDF cannot write.
fn time(at: Timestamp) -> Option<PdfTime> {
    let at = DateTime::from_timestamp_millis(at.millis())?;
    let small = |number: u32| u8::try_from(number).unwrap_or_default();
    let day = PdfTime::new(u16::try_from(at.year()).ok()?).month(small(at.month())).day(small(at.day()));
    let time = day.hour(small(at.hour())).minute(small(at.minute())).second(small(at.second()));
    Some(time.utc_offset_hour(0))
}
