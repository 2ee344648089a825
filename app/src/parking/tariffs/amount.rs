//! Amounts as people type them: exact, digit by digit, never over a floating-point number.

use portico_model::parking::tariff::minor_digits;

/// More digits than any bound of a tariff has.
const MOST_DIGITS: usize = 15;

/// `1.50` of 150 in EUR, `150` of 150 in JPY: as the field shows it.
#[must_use]
pub fn amount_text(minor: i64, currency: &str) -> String {
    let digits = minor_digits(currency);
    let scale = 10_u64.pow(digits);
    let sign = if minor < 0 { "-" } else { "" };
    let (whole, rest) = (minor.unsigned_abs() / scale, minor.unsigned_abs() % scale);
    if digits == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{rest:0width$}", width = digits as usize)
    }
}

/// Minor units of an amount in units of the currency; with a comma or a point.
///
/// # Errors
/// What would be right.
pub fn parse_amount(text: &str, currency: &str) -> Result<i64, String> {
    let digits = minor_digits(currency) as usize;
    let example = amount_text(10_i64.pow(minor_digits(currency)) * 3 / 2, currency);
    let wrong = || format!("An amount in {currency}, such as {example}.");
    let text = text.trim().replace(',', ".");
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && rest.is_empty()) || !is_number(whole) || !is_number(rest) {
        return Err(if text.starts_with('-') { "Not less than 0.".to_owned() } else { wrong() });
    }
    if rest.trim_end_matches('0').len() > digits {
        return Err(match digits {
            0 => format!("{currency} has no smaller unit: a whole number."),
            _ => format!("{currency} has {digits} digits after the point, such as {example}."),
        });
    }
    let rest: String = rest.chars().chain(std::iter::repeat('0')).take(digits).collect();
    let all = format!("{whole}{rest}");
    let all = all.trim_start_matches('0');
    if all.len() > MOST_DIGITS {
        return Err("That is too much.".to_owned());
    }
    if all.is_empty() { Ok(0) } else { all.parse().map_err(|_| wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_exactly() {
        for (text, currency, minor) in [
            ("1.50", "EUR", 150),
            ("1,5", "EUR", 150),
            (" 2 ", "EUR", 200),
            (".5", "EUR", 50),
            ("3.", "EUR", 300),
            ("0", "EUR", 0),
            ("1.500", "EUR", 150),
            ("90071992547.41", "EUR", 9_007_199_254_741),
            ("150", "JPY", 150),
            ("1.234", "KWD", 1_234),
        ] {
            assert_eq!(parse_amount(text, currency), Ok(minor), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_told_how_it_would_be_right() {
        let error = |text, currency| parse_amount(text, currency).unwrap_err();
        assert_eq!(error("1.505", "EUR"), "EUR has 2 digits after the point, such as 1.50.");
        assert_eq!(error("1.5", "JPY"), "JPY has no smaller unit: a whole number.");
        assert_eq!(error("-1", "EUR"), "Not less than 0.");
        for text in ["", ".", "1.2.3", "1e3", "one", "1 000", "+1", "٣"] {
            assert_eq!(error(text, "EUR"), "An amount in EUR, such as 1.50.", "{text}");
        }
        assert_eq!(error("9999999999999999999", "EUR"), "That is too much.");
    }

    #[test]
    fn amounts_are_shown_as_they_are_read() {
        for (minor, currency) in [(0, "EUR"), (5, "EUR"), (150, "EUR"), (150, "JPY"), (1_234, "KWD")] {
            assert_eq!(parse_amount(&amount_text(minor, currency), currency), Ok(minor));
        }
        assert_eq!([amount_text(5, "EUR"), amount_text(1_234, "KWD")], ["0.05", "1.234"]);
    }
}
