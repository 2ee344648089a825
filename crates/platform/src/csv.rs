//! Cells of CSV (RFC 4180) that no spreadsheet takes for formulas (OWASP, CSV injection).

/// What a formula begins with in one spreadsheet or another.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// A text with apostrophes before it counts too: so that taking the guard away gives what was there before.
fn is_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(FORMULA)
}

/// A text as a cell: quoted where it must be, with an apostrophe before what could be a formula.
#[must_use]
pub fn quoted(text: &str) -> String {
    let guard = if is_formula(text) { "'" } else { "" };
    if guard.is_empty() && !text.contains([',', '"', '\n', '\r']) {
        return text.to_owned();
    }
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

/// The text of a cell that [`quoted`] wrote, after a reader of CSV has taken the quotes off.
#[must_use]
pub fn unguarded(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|text| is_formula(text)).unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cells_are_quoted_and_never_formulas() {
        assert_eq!(quoted("Ann Archer"), "Ann Archer");
        assert_eq!(quoted("Archer, \"Ann\""), "\"Archer, \"\"Ann\"\"\"");
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "'=1"] {
            assert_eq!(quoted(formula), format!("\"'{formula}\""));
        }
        assert_eq!((unguarded("'=1+1"), unguarded("'tis"), unguarded("=1")), ("=1+1", "'tis", "=1"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(text in "['=+@,\"a\\-\n]{0,8}") {
            let cell = quoted(&text);
            let bare = match cell.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
                Some(inner) => inner.replace("\"\"", "\""),
                None => cell,
            };
            prop_assert_eq!(unguarded(&bare), text);
        }
    }
}
