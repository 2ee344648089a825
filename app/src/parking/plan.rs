//! How a level is drawn: spots as turned rectangles in centimetres, each with its mark and its name.

use portico_model::parking::lot::Level;
use portico_model::parking::spot::{Outline, SpotStatus};

/// Pixels of a centimetre, so that a thumb hits a bay of 2.5 m.
const SCALE: f64 = 0.17;

/// The narrowest plan, centimetres: a smaller one is drawn in its middle, or its spots would fill the screen.
const NARROWEST: f64 = 2_000.0;

/// The part of the plane that is drawn, centimetres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sheet {
    left: f64,
    pub width: f64,
    pub height: f64,
    own_width: f64,
}

impl Sheet {
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // at most a kilometre
    pub fn of(level: &Level) -> Self {
        let (own_width, height) = (level.width_cm as f64, level.height_cm as f64);
        let width = own_width.max(NARROWEST);
        Self { left: (own_width - width) / 2.0, width, height, own_width }
    }

    #[must_use]
    pub fn view_box(&self) -> String {
        format!("{} 0 {} {}", self.left, self.width, self.height)
    }

    /// The usual width on a screen, pixels.
    #[must_use]
    pub fn pixels(&self) -> f64 {
        self.width * SCALE
    }

    /// Keeps a place on the level.
    #[must_use]
    pub fn clamp(&self, outline: Outline) -> Outline {
        Outline { x: outline.x.clamp(0.0, self.own_width), y: outline.y.clamp(0.0, self.height), ..outline }
    }
}

/// The class that gives a spot the look of its status.
#[must_use]
pub const fn status_class(status: SpotStatus) -> &'static str {
    match status {
        SpotStatus::Available => "park-is-available",
        SpotStatus::Occupied => "park-is-occupied",
        SpotStatus::Reserved => "park-is-reserved",
        SpotStatus::Unknown => "park-is-unknown",
        SpotStatus::Disabled => "park-is-disabled",
    }
}

/// Where a spot stands.
#[must_use]
pub fn place(outline: &Outline) -> String {
    format!("translate({} {}) rotate({})", outline.x, outline.y, outline.angle)
}

/// Its corner, width and length around its middle.
#[must_use]
pub fn corners(outline: &Outline) -> [String; 4] {
    [-outline.width / 2.0, -outline.length / 2.0, outline.width, outline.length].map(|side| format!("{side:.0}"))
}

/// Whether what is written in the spot is turned over, so that nobody must read it upside down.
fn is_turned_over(outline: &Outline) -> bool {
    let angle = outline.angle.rem_euclid(360.0);
    angle > 90.5 && angle < 269.5
}

/// Where the `at`th of `all` marks is drawn, from a grid of 20 by 20: at the head, side by side, always upright.
#[must_use]
pub fn mark(outline: &Outline, at: usize, all: usize) -> String {
    let over = if is_turned_over(outline) { 180.0 } else { 0.0 };
    let side = if all > 1 { 0.38 } else { 0.5 } * outline.width.min(outline.length / 2.0);
    #[allow(clippy::cast_precision_loss)] // at most three
    let x = (at as f64 - (all as f64 - 1.0) / 2.0) * outline.width * 0.92 / all.max(1) as f64;
    let y = -outline.length / 2.0 + outline.length * 0.17;
    let upright = -(outline.angle + over);
    format!("rotate({over}) translate({x:.1} {y:.1}) rotate({upright}) scale({:.3}) translate(-10 -10)", side / 20.0)
}

/// How its name is written: along it, from the foot to the mark, as large as fits. Transform and size of the letters.
#[must_use]
pub fn lettering(outline: &Outline, name: &str) -> (String, String) {
    let over = if is_turned_over(outline) { 180.0 } else { 0.0 };
    let room = outline.length * 0.6;
    #[allow(clippy::cast_precision_loss)] // at most 50 letters
    let letters = name.chars().count().max(1) as f64;
    // Letters of common typefaces are 0.6 as wide as they are high.
    let size = (room / (letters * 0.6)).min(outline.width * 0.34).min(82.0);
    let middle = outline.length * 0.145;
    (format!("rotate({over}) translate(0 {middle:.1}) rotate(-90)"), format!("{size:.0}"))
}

/// As [`lettering`], in the middle: where the head of a spot is drawn instead of its mark.
#[must_use]
pub fn centred(outline: &Outline, name: &str) -> (String, String) {
    let over = if is_turned_over(outline) { 180.0 } else { 0.0 };
    let (_, size) = lettering(outline, name);
    (format!("rotate({over}) rotate(-90)"), size)
}

#[cfg(test)]
mod tests {
    use portico_model::parking::SpotCounts;
    use portico_model::{LotId, ParkingLevelId};

    use super::*;

    fn level(width_cm: i64) -> Level {
        Level {
            id: ParkingLevelId::nil(),
            lot_id: LotId::nil(),
            name: "L1".into(),
            position: 0,
            width_cm,
            height_cm: 3_000,
            clearance_cm: None,
            counts: SpotCounts::default(),
        }
    }

    #[test]
    fn small_level_is_drawn_in_the_middle_and_keeps_its_own_bounds() {
        assert_eq!(Sheet::of(&level(4_000)).view_box(), "0 0 4000 3000");
        let small = Sheet::of(&level(1_000));
        assert_eq!(small.view_box(), "-500 0 2000 3000");
        let outside = Outline { x: 1_500.0, y: -10.0, ..Outline::default() };
        let inside = small.clamp(outside);
        assert_eq!((inside.x, inside.y), (1_000.0, 0.0));
    }

    #[test]
    fn nothing_is_written_upside_down() {
        for (angle, is_over) in
            [(0.0, false), (90.0, false), (180.0, true), (225.0, true), (270.0, false), (-180.0, true)]
        {
            assert_eq!(is_turned_over(&Outline { angle, ..Outline::default() }), is_over, "{angle}");
        }
    }

    #[test]
    fn long_names_are_written_smaller() {
        let size = |name: &str| lettering(&Outline::default(), name).1.parse::<f64>().unwrap();
        assert!(size("A1") > size("PARKING_SPOT_001"));
        assert!(size("PARKING_SPOT_001") * 16.0 * 0.6 <= 310.0);
    }
}
