//! What a person wants to be told, and by which channel. Whoever has chosen nothing is told little: what is urgent, and what
//! nobody has taken up.

use serde::{Deserialize, Serialize};

use crate::alarms::Severity;

/// From which severity on a person wants to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub enum Wish {
    Never,
    Critical,
    /// Warnings and what is critical.
    Warning,
    Everything,
}

impl Wish {
    pub const ALL: [Self; 4] = [Self::Never, Self::Critical, Self::Warning, Self::Everything];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Everything => "everything",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|wish| wish.as_str() == text)
    }

    /// Whether something of this severity is told.
    #[must_use]
    pub fn admits(self, severity: Severity) -> bool {
        match self {
            Self::Never => false,
            Self::Critical => severity >= Severity::Critical,
            Self::Warning => severity >= Severity::Warning,
            Self::Everything => true,
        }
    }
}

/// A kind of notification that people can choose about, and what is chosen for them until they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    pub code: &'static str,
    pub title: &'static str,
    pub push: Wish,
    pub mail: Wish,
}

/// What stands for every kind that is not named.
pub const OTHER: &str = "other";

/// All kinds. The last stands for those that are not named.
pub const KINDS: [Kind; 5] = [
    Kind {
        code: "alarm.raised",
        title: "An alarm is raised, or still open",
        push: Wish::Warning,
        mail: Wish::Critical,
    },
    Kind { code: "alarm.escalated", title: "Nobody takes up an alarm", push: Wish::Everything, mail: Wish::Warning },
    Kind { code: "alarm.cleared", title: "An alarm is over", push: Wish::Critical, mail: Wish::Never },
    Kind {
        code: "lock.changed",
        title: "A lock changes as its owner chose",
        push: Wish::Everything,
        mail: Wish::Never,
    },
    Kind { code: OTHER, title: "Anything else", push: Wish::Warning, mail: Wish::Critical },
];

/// What a person wants of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct Preference {
    /// Such as `alarm.raised`; `other` for every kind that is not named.
    #[cfg_attr(feature = "server", schema(example = "alarm.raised"))]
    pub kind: String,
    pub push: Wish,
    pub mail: Wish,
}

/// What a person is told, and what is there to tell him by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct MyPreferences {
    /// One for each kind there is.
    pub preferences: Vec<Preference>,
    /// Where e-mail goes.
    #[cfg_attr(feature = "server", schema(example = "anna@example.org"))]
    pub email: String,
    /// Whether this server can send e-mail at all.
    pub mail_available: bool,
    /// The key that a browser needs to subscribe (`applicationServerKey`).
    #[cfg_attr(
        feature = "server",
        schema(example = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4")
    )]
    pub push_key: String,
}

/// The kind under which people choose about this one.
#[must_use]
pub fn kind_of(code: &str) -> &'static Kind {
    let [.., other] = &KINDS;
    KINDS.iter().find(|kind| kind.code == code).unwrap_or(other)
}

/// What holds for a kind: what the person chose, else what is chosen for everyone.
#[must_use]
pub fn preference_for(chosen: &[Preference], code: &str) -> Preference {
    let kind = kind_of(code);
    let own = chosen.iter().find(|preference| preference.kind == kind.code).cloned();
    own.unwrap_or_else(|| Preference { kind: kind.code.to_owned(), push: kind.push, mail: kind.mail })
}

/// What holds for every kind, in the order of [`KINDS`].
#[must_use]
pub fn all_preferences(chosen: &[Preference]) -> Vec<Preference> {
    KINDS.iter().map(|kind| preference_for(chosen, kind.code)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wish_admits_its_severity_and_what_is_graver() {
        let admitted = |wish: Wish| Severity::ALL.map(|severity| wish.admits(severity));
        assert_eq!(admitted(Wish::Never), [false, false, false]);
        assert_eq!(admitted(Wish::Critical), [false, false, true]);
        assert_eq!(admitted(Wish::Warning), [false, true, true]);
        assert_eq!(admitted(Wish::Everything), [true, true, true]);
        assert!(Wish::ALL.into_iter().all(|wish| Wish::parse(wish.as_str()) == Some(wish)));
    }

    #[test]
    fn own_choice_goes_before_the_default_and_unnamed_kinds_are_other() {
        let chosen = [
            Preference { kind: "alarm.raised".into(), push: Wish::Never, mail: Wish::Everything },
            Preference { kind: OTHER.into(), push: Wish::Everything, mail: Wish::Never },
        ];
        assert_eq!(preference_for(&chosen, "alarm.raised").mail, Wish::Everything);
        assert_eq!(preference_for(&chosen, "firmware.failed").push, Wish::Everything);
        assert_eq!(preference_for(&chosen, "alarm.cleared").push, Wish::Critical, "as for everyone");
        assert_eq!(preference_for(&[], "firmware.failed").kind, OTHER);
        assert_eq!(all_preferences(&chosen).len(), KINDS.len());
    }

    #[test]
    fn by_default_nobody_gets_mail_about_anything_that_is_not_at_least_a_warning() {
        assert!(KINDS.iter().all(|kind| !kind.mail.admits(Severity::Info)));
        assert_eq!(KINDS[KINDS.len() - 1].code, OTHER);
    }
}
