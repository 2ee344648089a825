//! Who may go where and when: schedules, holidays, policies.
