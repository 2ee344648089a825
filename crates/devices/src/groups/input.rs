//! What people say about a group, checked once at the edge.

use portico_model::groups::{Group, GroupChange, NewGroup, is_color};
use portico_platform::{Error, Result};

use crate::input::Check;

/// The checked form of a new group.
pub fn new_group(new: NewGroup) -> Result<NewGroup> {
    let mut check = Check::default();
    let name = check.required("name", &new.name, 100);
    if name.is_empty() {
        return Err(Error::field("name", "must not be empty").with_message("missing_name", "Group name is required"));
    }
    let checked =
        NewGroup { name, description: description(&mut check, new.description), color: color(&mut check, new.color) };
    check.done(checked)
}

/// The group with the change made.
pub fn changed(mut group: Group, change: GroupChange) -> Result<Group> {
    let mut check = Check::default();
    if let Some(name) = change.name {
        group.name = check.required("name", &name, 100);
    }
    if change.description.is_some() {
        group.description = description(&mut check, change.description);
    }
    if change.color.is_some() {
        group.color = color(&mut check, change.color);
    }
    check.done(group)
}

fn description(check: &mut Check, text: Option<String>) -> Option<String> {
    text.map(|text| check.text("description", &text, 1_000)).filter(|text| !text.is_empty())
}

fn color(check: &mut Check, text: Option<String>) -> Option<String> {
    let text = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())?;
    if !is_color(&text) {
        check.problem("color", "a colour such as #FF5733, or its name of at most 7 letters");
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_is_checked_and_empty_ones_go_away() {
        let new = |name: &str, color: &str| NewGroup {
            name: name.into(),
            description: Some("  ".into()),
            color: Some(color.into()),
        };
        let checked = new_group(new(" Hall ", "#FF5733")).unwrap();
        assert_eq!((checked.name.as_str(), checked.description, checked.color), ("Hall", None, Some("#FF5733".into())));
        assert_eq!(new_group(new(" ", "red")).unwrap_err().message(), "Group name is required");
        assert_eq!(new_group(new("x", "url(")).unwrap_err().field_errors()[0].field, "color");
        assert_eq!(new_group(new(&"x".repeat(101), "red")).unwrap_err().field_errors()[0].field, "name");
    }
}
