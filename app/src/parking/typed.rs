//! What people typed into the forms of parking, and what is said when it cannot be.

use std::str::FromStr;

use serde::Serialize;

use crate::failure::Failure;
use crate::server::form_failed;

/// The text, unless it is blank.
pub fn given(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn parsed<T: FromStr>(field: &str, text: &str, message: &str) -> Result<Option<T>, Failure> {
    let text = text.trim();
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(|_| Failure::field(field, message)) }
}

/// A whole number, or nothing.
///
/// # Errors
/// When it is none.
pub fn whole(field: &str, text: &str) -> Result<Option<i64>, Failure> {
    parsed(field, text, "A whole number.")
}

/// A number, or nothing; with a comma or a point.
///
/// # Errors
/// When it is none.
pub fn number(field: &str, text: &str) -> Result<Option<f64>, Failure> {
    match parsed::<f64>(field, &text.replace(',', "."), "A number.")? {
        Some(number) if !number.is_finite() => Err(Failure::field(field, "A number.")),
        number => Ok(number),
    }
}

/// Metres as centimetres, or nothing.
///
/// # Errors
/// When it is no number.
#[allow(clippy::cast_possible_truncation)] // saturates, and what is out of bounds is refused by the service
pub fn metres(field: &str, text: &str) -> Result<Option<i64>, Failure> {
    Ok(number(field, text)?.map(|metres| (metres * 100.0).round() as i64))
}

/// One of a list, or none.
///
/// # Errors
/// When it is not on the list.
pub fn chosen<T: FromStr>(field: &str, text: &str) -> Result<Option<T>, Failure> {
    parsed(field, text, "Choose one of the list.")
}

/// Sends a plain post back to `page` with what was typed: the texts among the members of `typed`.
pub fn refuse(form: &str, page: &str, typed: &impl Serialize, failure: Failure) -> Failure {
    let typed = serde_json::to_value(typed).unwrap_or_default();
    let members = typed.as_object().into_iter().flatten();
    let texts: Vec<(&str, &str)> =
        members.filter_map(|(name, value)| value.as_str().map(|text| (name.as_str(), text))).collect();
    form_failed(form, page, &texts, failure)
}

/// Moves an error to the field in which it was typed.
pub fn moved(mut failure: Failure, from: &str, to: &str, message: Option<&str>) -> Failure {
    for error in failure.fields.iter_mut().filter(|error| error.field == from) {
        to.clone_into(&mut error.field);
        if let Some(message) = message {
            message.clone_into(&mut error.message);
        }
    }
    failure
}

/// Shows what is in use beside its field.
pub fn beside(mut failure: Failure, code: &str, field: &str) -> Failure {
    if failure.code == code {
        failure.fields.push(portico_model::FieldError::new(field, failure.message.clone()));
    }
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        assert_eq!(metres("width_m", " 12,5 ").unwrap(), Some(1_250));
        assert_eq!(metres("width_m", "").unwrap(), None);
        assert_eq!(number("x", "-0.25").unwrap(), Some(-0.25));
        for wrong in ["wide", "inf", "NaN"] {
            assert_eq!(number("x", wrong).unwrap_err().of_field("x").as_deref(), Some("A number."), "{wrong}");
        }
        assert!(whole("first", "1.5").is_err());
    }
}
