//! Codes that lead a phone to a page.

use std::fmt::Write as _;

use fast_qr::QRBuilder;

use crate::failure::Failure;

/// Free around a code, in modules (ISO/IEC 18004, 6.3.8).
const QUIET: usize = 4;

/// The code of an address as a drawing: what is dark side by side in a row is one stroke, so that a sheet of many codes is
/// no large page.
///
/// # Errors
/// When the address is too long for a code.
pub fn svg(address: &str) -> Result<String, Failure> {
    let too_large = |_| Failure::new(500, "internal", "The code of this address could not be drawn.");
    let code = QRBuilder::new(address).build().map_err(too_large)?;
    let mut path = String::new();
    for row in 0..code.size {
        let modules = &code[row];
        let mut column = 0;
        while column < code.size {
            let run = modules[column..].iter().take_while(|module| module.value()).count();
            if run > 0 {
                let _ = write!(path, "M{} {}h{run}v1h-{run}z", column + QUIET, row + QUIET);
            }
            // What follows is light.
            column += run + 1;
        }
    }
    let size = code.size + 2 * QUIET;
    Ok(format!(
        r##"<svg viewBox="0 0 {size} {size}" xmlns="http://www.w3.org/2000/svg" shape-rendering="crispEdges"><rect width="{size}" height="{size}" fill="#ffffff"/><path d="{path}" fill="#000000"/></svg>"##
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dark_modules_side_by_side_are_one_stroke() {
        let drawn = svg("https://example.org/park/0199a0000000700080000000000000a1").unwrap();
        // The upper edge of the first finder pattern.
        assert!(drawn.contains("M4 4h7v1h-7z"), "{drawn}");
        assert!(drawn.len() < 8_000, "{}", drawn.len());
    }
}
