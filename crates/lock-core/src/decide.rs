//! Who gets in. One function, for the server and for a reader without network; the first matching reason is the answer.

use crate::schedule::{LocalTime, Window, is_open};

/// How a door works at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoorMode {
    /// Policies decide.
    Normal,
    /// Nobody gets in, whatever the policies say, but for those a policy lets in during a lockdown. Leaving stays free.
    Lockdown,
    /// Unlocked so that everyone can leave.
    Evacuation,
    /// Unlocked for everyone, as on an open day.
    Unlocked,
}

/// What a credential proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// The person is not deactivated.
    pub is_active: bool,
    /// Bit of the person's level: basic 1, admin 2, guest 4.
    pub level: u8,
    /// The credential counts from this moment (epoch milliseconds).
    pub valid_from_ms: Option<i64>,
    /// The credential no longer counts from this moment.
    pub valid_until_ms: Option<i64>,
    /// How often it may still be used; absent: as often as one likes.
    pub uses_left: Option<u32>,
}

/// One policy that names this holder and this door. Without hours: at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule<'a> {
    pub hours: Option<&'a [Window]>,
    pub valid_from_ms: Option<i64>,
    pub valid_until_ms: Option<i64>,
    /// Levels it lets in, as bits.
    pub levels: u8,
    /// Also during a lockdown.
    pub in_lockdown: bool,
}

/// What anti-passback says of this holder at this door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passback {
    /// The holder is where he should be, or nobody watches.
    Clear,
    /// He is inside already: let in, and marked.
    Soft,
    /// He is inside already: refused.
    Hard,
}

/// Why. The order is that of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The door is unlocked so that everyone can leave.
    Evacuation,
    /// The door is unlocked for everyone.
    Unlocked,
    UnknownCredential,
    InactivePerson,
    CredentialNotYetValid,
    CredentialExpired,
    UsedUp,
    Lockdown,
    /// No policy names this person and this door.
    NoPolicy,
    /// A policy does, but not for the person's level.
    LevelTooLow,
    /// A policy does, but not any more, or not yet.
    PolicyNotValid,
    /// A policy does, but at other hours.
    OutOfHours,
    AntiPassback,
    Granted,
    /// Granted although the holder seems to be inside already.
    GrantedDespitePassback,
}

/// What is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    pub granted: bool,
    pub reason: Reason,
    /// Which of the rules let in, or came closest.
    pub rule: Option<usize>,
}

const fn refused(reason: Reason, rule: Option<usize>) -> Decision {
    Decision { granted: false, reason, rule }
}

const fn granted(reason: Reason, rule: Option<usize>) -> Decision {
    Decision { granted: true, reason, rule }
}

/// Decides. `leaving` is true for a reader on the inside: nobody is kept in by a lockdown.
#[must_use]
pub fn decide<'a>(
    now_ms: i64,
    local: LocalTime,
    mode: DoorMode,
    leaving: bool,
    holder: Option<Holder>,
    rules: impl IntoIterator<Item = Rule<'a>>,
    passback: Passback,
) -> Decision {
    match mode {
        DoorMode::Evacuation => return granted(Reason::Evacuation, None),
        DoorMode::Unlocked => return granted(Reason::Unlocked, None),
        DoorMode::Normal | DoorMode::Lockdown => {}
    }
    let Some(holder) = holder else { return refused(Reason::UnknownCredential, None) };
    if !holder.is_active {
        return refused(Reason::InactivePerson, None);
    }
    if holder.valid_from_ms.is_some_and(|from| now_ms < from) {
        return refused(Reason::CredentialNotYetValid, None);
    }
    if holder.valid_until_ms.is_some_and(|until| now_ms >= until) {
        return refused(Reason::CredentialExpired, None);
    }
    if holder.uses_left == Some(0) {
        return refused(Reason::UsedUp, None);
    }
    let locked_down = mode == DoorMode::Lockdown && !leaving;
    // The rule that comes furthest explains a refusal best.
    let mut closest = (0_u8, refused(Reason::NoPolicy, None));
    for (index, rule) in rules.into_iter().enumerate() {
        let (rank, reason) = if rule.levels & holder.level == 0 {
            (1, Reason::LevelTooLow)
        } else if rule.valid_from_ms.is_some_and(|from| now_ms < from)
            || rule.valid_until_ms.is_some_and(|until| now_ms >= until)
        {
            (2, Reason::PolicyNotValid)
        } else if rule.hours.is_some_and(|hours| !is_open(hours, local)) {
            (3, Reason::OutOfHours)
        } else if locked_down && !rule.in_lockdown {
            (4, Reason::Lockdown)
        } else {
            return match passback {
                Passback::Clear => granted(Reason::Granted, Some(index)),
                Passback::Soft => granted(Reason::GrantedDespitePassback, Some(index)),
                Passback::Hard => refused(Reason::AntiPassback, Some(index)),
            };
        };
        if rank > closest.0 {
            closest = (rank, refused(reason, Some(index)));
        }
    }
    // In a lockdown that is what one is told, whatever else would have refused.
    if locked_down { Decision { reason: Reason::Lockdown, ..closest.1 } } else { closest.1 }
}

/// What a reader does when nobody can decide, neither Portico nor its own table: who leaves is free, and so is everyone at
/// a door that is to be open; for all others it stays shut.
#[must_use]
pub const fn is_free(mode: DoorMode, leaving: bool) -> bool {
    leaving || matches!(mode, DoorMode::Evacuation | DoorMode::Unlocked)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: LocalTime = LocalTime { weekday: 0, minute: 720, holiday: false };
    const ANN: Holder =
        Holder { is_active: true, level: 1, valid_from_ms: None, valid_until_ms: None, uses_left: None };
    const ALWAYS: Rule<'static> =
        Rule { hours: None, valid_from_ms: None, valid_until_ms: None, levels: 7, in_lockdown: false };
    const NIGHT: &[Window] = &[Window { days: 0x7f, from_minute: 0, until_minute: 300 }];

    fn ask(mode: DoorMode, holder: Option<Holder>, rules: &[Rule<'_>], passback: Passback) -> (bool, Reason) {
        let decision = decide(1_000, NOON, mode, false, holder, rules.iter().copied(), passback);
        (decision.granted, decision.reason)
    }

    #[test]
    #[allow(clippy::type_complexity)] // a table
    fn first_matching_reason_is_the_answer() {
        use DoorMode::{Evacuation, Lockdown, Normal, Unlocked};
        let clear = Passback::Clear;
        let night = Rule { hours: Some(NIGHT), ..ALWAYS };
        let over = Rule { valid_until_ms: Some(1_000), ..ALWAYS };
        let soon = Rule { valid_from_ms: Some(1_001), ..ALWAYS };
        let admins = Rule { levels: 2, ..ALWAYS };
        let guard = Rule { in_lockdown: true, ..ALWAYS };
        let inactive = Holder { is_active: false, ..ANN };
        let expired = Holder { valid_until_ms: Some(1_000), ..ANN };
        let early = Holder { valid_from_ms: Some(1_001), ..ANN };
        let used = Holder { uses_left: Some(0), ..ANN };
        let table: &[(DoorMode, Option<Holder>, &[Rule<'_>], Passback, (bool, Reason))] = &[
            (Normal, Some(ANN), &[ALWAYS], clear, (true, Reason::Granted)),
            (Normal, None, &[ALWAYS], clear, (false, Reason::UnknownCredential)),
            (Normal, Some(inactive), &[ALWAYS], clear, (false, Reason::InactivePerson)),
            (Normal, Some(expired), &[ALWAYS], clear, (false, Reason::CredentialExpired)),
            (Normal, Some(early), &[ALWAYS], clear, (false, Reason::CredentialNotYetValid)),
            (Normal, Some(used), &[ALWAYS], clear, (false, Reason::UsedUp)),
            (Normal, Some(ANN), &[], clear, (false, Reason::NoPolicy)),
            (Normal, Some(ANN), &[admins], clear, (false, Reason::LevelTooLow)),
            (Normal, Some(ANN), &[over], clear, (false, Reason::PolicyNotValid)),
            (Normal, Some(ANN), &[soon], clear, (false, Reason::PolicyNotValid)),
            (Normal, Some(ANN), &[night, admins], clear, (false, Reason::OutOfHours)),
            (Normal, Some(ANN), &[night, ALWAYS], clear, (true, Reason::Granted)),
            (Normal, Some(ANN), &[ALWAYS], Passback::Soft, (true, Reason::GrantedDespitePassback)),
            (Normal, Some(ANN), &[ALWAYS], Passback::Hard, (false, Reason::AntiPassback)),
            (Lockdown, Some(ANN), &[ALWAYS], clear, (false, Reason::Lockdown)),
            (Lockdown, Some(ANN), &[night], clear, (false, Reason::Lockdown)),
            (Lockdown, Some(ANN), &[guard], clear, (true, Reason::Granted)),
            (Lockdown, None, &[guard], clear, (false, Reason::UnknownCredential)),
            (Evacuation, None, &[], clear, (true, Reason::Evacuation)),
            (Unlocked, None, &[], clear, (true, Reason::Unlocked)),
        ];
        for (mode, holder, rules, passback, expected) in table {
            assert_eq!(ask(*mode, *holder, rules, *passback), *expected, "{mode:?} {holder:?} {rules:?}");
        }
    }

    #[test]
    fn lockdown_keeps_nobody_in() {
        let leave = decide(0, NOON, DoorMode::Lockdown, true, Some(ANN), [ALWAYS], Passback::Clear);
        assert_eq!((leave.granted, leave.reason), (true, Reason::Granted));
    }

    #[test]
    fn when_nobody_can_decide_only_who_leaves_is_free() {
        use DoorMode::{Evacuation, Lockdown, Normal, Unlocked};
        for (mode, entering) in [(Normal, false), (Lockdown, false), (Evacuation, true), (Unlocked, true)] {
            assert_eq!((is_free(mode, false), is_free(mode, true)), (entering, true), "{mode:?}");
        }
    }

    #[test]
    fn rule_that_comes_furthest_explains_a_refusal() {
        let rules = [Rule { levels: 2, ..ALWAYS }, Rule { hours: Some(NIGHT), ..ALWAYS }];
        let decision = decide(0, NOON, DoorMode::Normal, false, Some(ANN), rules, Passback::Clear);
        assert_eq!(decision, Decision { granted: false, reason: Reason::OutOfHours, rule: Some(1) });
    }

    proptest::proptest! {
        #[test]
        fn nobody_gets_in_without_a_rule_that_holds(level in 0_u8..8, levels in 0_u8..8, minute in 0_u16..1_440, from in 0_u16..1_440, until in 0_u16..=1_440) {
            let window = [Window { days: 0x7f, from_minute: from, until_minute: until }];
            let rule = Rule { hours: Some(&window), levels, ..ALWAYS };
            let local = LocalTime { minute, ..NOON };
            let holder = Holder { level, ..ANN };
            let decision = decide(0, local, DoorMode::Normal, false, Some(holder), [rule], Passback::Clear);
            proptest::prop_assert_eq!(decision.granted, levels & level != 0 && from <= minute && minute < until);
        }
    }
}
