//! Who may go where and when: policies, weekly schedules, holidays, and the tester that explains them.

pub mod rules;

#[allow(unused_imports)] // for doors
pub use rules::{OwnedRule, rules_for};
