//! What people say about people, checked once at the edge.

use portico_devices::Check;
use portico_model::access::people::{PersonGroupInput, PersonInput};
use portico_platform::{Error, Result};

fn optional(check: &mut Check, field: &str, text: Option<String>, longest: usize) -> Option<String> {
    text.map(|text| one_line(check, field, &text, longest)).filter(|text| !text.is_empty())
}

/// A text without line breaks.
pub fn one_line(check: &mut Check, field: &str, text: &str, longest: usize) -> String {
    let text = check.text(field, text, longest);
    if text.contains(['\n', '\t']) {
        check.problem(field, "one line");
    }
    text
}

/// A name of at most 100 characters.
pub fn name(check: &mut Check, text: &str) -> String {
    if text.trim().is_empty() {
        check.problem("name", "must not be empty");
    }
    one_line(check, "name", text, 100)
}

/// The checked form of a person.
pub fn person(person: PersonInput) -> Result<PersonInput> {
    let mut check = Check::default();
    let checked = PersonInput {
        name: name(&mut check, &person.name),
        employee_id: optional(&mut check, "employee_id", person.employee_id, 50),
        email: optional(&mut check, "email", person.email, 254),
        ..person
    };
    if checked.email.as_ref().is_some_and(|email| !is_address(email)) {
        check.problem("email", "an address such as ann@example.com");
    }
    check.done(checked)
}

fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    !local.is_empty() && !domain.is_empty() && !text.contains(char::is_whitespace)
}

/// The checked form of a group of people.
pub fn group(group: &PersonGroupInput) -> Result<PersonGroupInput> {
    let mut check = Check::default();
    let checked = PersonGroupInput {
        name: name(&mut check, &group.name),
        description: check.text("description", &group.description, 500),
    };
    check.done(checked)
}

/// What to search for; nothing for blanks.
pub fn search(text: Option<&str>) -> Result<Option<String>> {
    let Some(text) = text else { return Ok(None) };
    let mut check = Check::default();
    let text = one_line(&mut check, "search", text, 100);
    check.done(Some(text).filter(|text| !text.is_empty()))
}

/// A period whose end comes after its beginning.
pub fn period(from: Option<portico_model::Timestamp>, until: Option<portico_model::Timestamp>) -> Result<()> {
    match (from, until) {
        (Some(from), Some(until)) if until <= from => Err(Error::field("valid_until", "must be later than valid_from")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_is_checked_and_empty_ones_go_away() {
        let ann = PersonInput {
            name: " Ann ".into(),
            employee_id: Some("  ".into()),
            email: Some("ann@example.com".into()),
            ..PersonInput::default()
        };
        let checked = person(ann.clone()).unwrap();
        assert_eq!((checked.name.as_str(), checked.employee_id), ("Ann", None));
        let table = [
            (PersonInput { name: "a\u{0}b".into(), ..ann.clone() }, "name"),
            (PersonInput { name: "a\nb".into(), ..ann.clone() }, "name"),
            (PersonInput { email: Some("nobody".into()), ..ann.clone() }, "email"),
            (PersonInput { employee_id: Some("x".repeat(51)), ..ann }, "employee_id"),
        ];
        for (wrong, field) in table {
            assert_eq!(person(wrong).unwrap_err().field_errors()[0].field, field);
        }
    }
}
