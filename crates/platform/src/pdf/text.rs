//! How texts look, how wide they are, and where they are broken into lines.

use krilla::text::Font;
use rustybuzz::{Face, UnicodeBuffer};

use crate::{Error, Result};

/// How a text looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Style {
    pub is_bold: bool,
    pub size: f32,
    /// 0 is black, 255 white.
    pub shade: u8,
}

impl Style {
    pub const TITLE: Self = Self { is_bold: true, size: 22.0, shade: 0 };
    pub const HEADING: Self = Self { is_bold: true, size: 11.0, shade: 0 };
    pub const STRONG: Self = Self { is_bold: true, size: 9.5, shade: 0 };
    pub const BODY: Self = Self { is_bold: false, size: 9.5, shade: 0 };
    /// 6.9:1 against white; WCAG 2.2 asks for 4.5:1.
    pub const QUIET: Self = Self { is_bold: false, size: 8.5, shade: 90 };

    /// Height of a line.
    pub fn line(self) -> f32 {
        self.size * 1.4
    }
}

/// A font, for whoever draws it and for whoever measures it.
pub(super) struct Cut {
    pub font: Font,
    measure: Face<'static>,
}

impl Cut {
    fn load(data: &'static [u8]) -> Result<Self> {
        let broken = || Error::internal("the font of PDF documents cannot be read");
        let font = Font::new(data.into(), 0).ok_or_else(broken)?;
        Ok(Self { font, measure: Face::from_slice(data, 0).ok_or_else(broken)? })
    }
}

pub(super) struct Fonts {
    regular: Cut,
    bold: Cut,
}

impl Fonts {
    pub fn load() -> Result<Self> {
        Ok(Self { regular: Cut::load(dejavu::sans::regular())?, bold: Cut::load(dejavu::sans::bold())? })
    }

    pub fn of(&self, style: Style) -> &Cut {
        if style.is_bold { &self.bold } else { &self.regular }
    }

    /// Points; of the text as it will be drawn, with what the font says of pairs of letters.
    pub fn width(&self, style: Style, text: &str) -> f32 {
        let face = &self.of(style).measure;
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(text);
        buffer.guess_segment_properties();
        let shaped = rustybuzz::shape(face, &[], buffer);
        let advance: i32 = shaped.glyph_positions().iter().map(|glyph| glyph.x_advance).sum();
        advance as f32 * style.size / face.units_per_em() as f32
    }

    /// Lines that are no wider than this, broken at spaces, and within a word only where it fits no line. A no-break space is
    /// none. No text: no line.
    pub fn wrap(&self, style: Style, text: &str, width: f32) -> Vec<String> {
        let mut lines = Vec::new();
        let mut line = String::new();
        // Line ends and tabs have no picture.
        let is_space = |letter: char| letter == ' ' || letter.is_control();
        for word in text.split(is_space).filter(|word| !word.is_empty()) {
            let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
            if self.width(style, &longer) <= width {
                line = longer;
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            if self.width(style, word) <= width {
                line.push_str(word);
                continue;
            }
            for letter in word.chars() {
                line.push(letter);
                if self.width(style, &line) > width && line.chars().count() > 1 {
                    line.pop();
                    lines.push(std::mem::replace(&mut line, letter.to_string()));
                }
            }
        }
        if !line.is_empty() {
            lines.push(line);
        }
        lines
    }
}
