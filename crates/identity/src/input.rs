//! Names and addresses as people type them, parsed once into what is stored.

use portico_model::FieldError;
use portico_platform::{Error, Result};

/// The lengths of the former IoT system's contract.
const USERNAME_CHARS: std::ops::RangeInclusive<usize> = 2..=80;
const EMAIL_CHARS: usize = 120;

/// A user name: letters, digits and `. _ -`. It has no `@`, so it can never be another's e-mail address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Username(String);

/// An e-mail address, as far as can be told without writing to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email(String);

impl Username {
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        let text = text.trim();
        let fail = |message: String| Err(FieldError::new("username", message));
        if !USERNAME_CHARS.contains(&text.chars().count()) {
            return fail(format!(
                "The user name needs {} to {} characters.",
                USERNAME_CHARS.start(),
                USERNAME_CHARS.end()
            ));
        }
        if !text.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-')) {
            return fail("The user name can have letters, digits, dots, underscores and hyphens.".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Email {
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        let text = text.trim();
        let fail = |message: &str| Err(FieldError::new("email", message));
        let well_formed = text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && !domain.contains('@')
                && domain.split('.').count() >= 2
                && domain.split('.').all(|label| !label.is_empty())
        });
        if !well_formed || text.chars().any(|c| c.is_whitespace() || c.is_control() || "<>(),;:\"\\[]".contains(c)) {
            return fail("This is not an e-mail address; it looks like name@example.org.");
        }
        if text.chars().count() > EMAIL_CHARS {
            return fail("The e-mail address can have at most 120 characters.");
        }
        Ok(Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How names are compared: without case and surrounding space.
#[must_use]
pub fn name_key(text: &str) -> String {
    text.trim().to_lowercase()
}

/// Both names of an account.
///
/// # Errors
/// Invalid, with what is wrong with each.
pub fn names(username: &str, email: &str) -> Result<(Username, Email)> {
    match (Username::parse(username), Email::parse(email)) {
        (Ok(username), Ok(email)) => Ok((username, email)),
        (username, email) => Err(Error::fields([username.err(), email.err()].into_iter().flatten().collect())),
    }
}

/// Text from a client as it may be stored: printable, one line, not endless.
#[must_use]
pub fn one_line(text: &str, max_chars: usize) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(max_chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_are_letters_digits_and_three_marks() {
        for good in ["u1", "anna", "Anna.Müller-2_x", " anna "] {
            assert!(Username::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "anna@home", "an na", "an\u{202e}na", "a/b", &"x".repeat(81)] {
            assert!(Username::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_have_one_at_sign_and_a_domain() {
        for good in ["a@b.co", "anna+x@mail.example.org", "ä@exämple.org"] {
            assert!(Email::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "anna", "anna@", "@b.co", "a@b", "a@b..co", "a@@b.co", "a b@c.de", "a@b.co\r\nBcc: c@d.ee"] {
            assert!(Email::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn both_names_are_complained_of_at_once() {
        assert_eq!(names("", "").unwrap_err().field_errors().len(), 2);
    }
}
