//! Weekly schedules and holidays.

use leptos::prelude::*;
use portico_model::access::policies::{Holiday, Schedule};
use portico_model::access::schedule::Hours;

use super::{AddHoliday, CreateSchedule, DeleteHoliday, DeleteSchedule, PoliciesView};
use crate::access::Tick;
use crate::form::{FormState, PostForm};
use crate::ui::{Dialog, ErrorSummary, Glyph, Icon, SubmitButton, TextField};

const DAYS: [&str; 8] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "holidays"];

/// `08:00` to `24:00`.
const TIME_OF_DAY: &str = "[0-2][0-9]:[0-5][0-9]";

/// The forms of these parts, made while the page begins.
#[derive(Clone, Copy)]
pub struct CalendarForms {
    schedule: FormState,
    delete_schedule: FormState,
    holiday: FormState,
    delete_holiday: FormState,
}

impl CalendarForms {
    /// Made while the page begins.
    #[must_use]
    pub fn new() -> Self {
        Self {
            schedule: FormState::of::<CreateSchedule>(),
            delete_schedule: FormState::of::<DeleteSchedule>(),
            holiday: FormState::of::<AddHoliday>(),
            delete_holiday: FormState::of::<DeleteHoliday>(),
        }
    }

    /// How often any of them succeeded.
    #[must_use]
    pub fn successes(&self) -> u32 {
        let all = [self.schedule, self.delete_schedule, self.holiday, self.delete_holiday];
        FormState::successes_of(&all)
    }
}

impl Default for CalendarForms {
    fn default() -> Self {
        Self::new()
    }
}

/// `Mon–Fri 08:00–18:00`; days that do not follow each other stand one by one.
#[must_use]
pub fn hours_text(hours: &Hours) -> String {
    let mut days: Vec<usize> = hours.days.iter().map(|day| usize::from(*day)).filter(|day| *day < 8).collect();
    days.sort_unstable();
    days.dedup();
    let mut parts: Vec<String> = Vec::new();
    let mut rest = days.as_slice();
    while let Some(first) = rest.first() {
        // Holidays are no day of the week.
        let run = rest.iter().enumerate().take_while(|(i, day)| **day == first + i && (**day < 7 || *i == 0)).count();
        let last = first + run - 1;
        parts.push(match run {
            1 => DAYS[*first].to_owned(),
            2 => format!("{}, {}", DAYS[*first], DAYS[last]),
            _ => format!("{}–{}", DAYS[*first], DAYS[last]),
        });
        rest = &rest[run..];
    }
    format!("{} {}–{}", parts.join(", "), hours.from, hours.until)
}

/// Weekly hours.
#[component]
pub fn SchedulesCard(shown: Memo<PoliciesView>, forms: CalendarForms, may_change: bool) -> impl IntoView {
    let schedules = Memo::new(move |_| shown.with(|shown| shown.schedules.clone()));
    let form = forms.schedule;
    let made = Signal::derive(move || form.successes.get() > 0);
    view! {
        <section class="card" aria-labelledby="schedules-title">
            <div class="card-head">
                <h2 id="schedules-title">"Hours"</h2>
                {may_change
                    .then(|| {
                        view! {
                            <Dialog label="New hours" glyph=Glyph::Plus open=form.came_back() done=made>
                                <PostForm form id="create-schedule">
                                    <ErrorSummary form shown=&["name", "from", "until"] />
                                    <TextField
                                        form
                                        name="name"
                                        id="schedule-name"
                                        label="Name of the hours"
                                        required=true
                                        maxlength=100
                                        autocomplete="off"
                                    />
                                    <fieldset class="field">
                                        <legend>"Days"</legend>
                                        {DAYS
                                            .iter()
                                            .enumerate()
                                            .map(|(day, label)| {
                                                view! {
                                                    <Tick name="days[]" value=day.to_string() label=*label checked=day < 5 />
                                                }
                                            })
                                            .collect_view()}
                                    </fieldset>
                                    <TextField form name="from" label="From" required=true value="08:00" pattern=TIME_OF_DAY.to_owned() />
                                    <TextField
                                        form
                                        name="until"
                                        label="Until"
                                        required=true
                                        value="18:00"
                                        pattern=TIME_OF_DAY.to_owned()
                                        help="Before the beginning: into the next day. On holidays only hours with “holidays” count."
                                    />
                                    <SubmitButton label="Make hours" pending=form.pending() />
                                </PostForm>
                            </Dialog>
                        }
                    })}
            </div>
            <ErrorSummary form=forms.delete_schedule shown=&[] />
            {move || {
                let schedules = schedules.get();
                if schedules.is_empty() {
                    view! { <p class="quiet">"No hours yet: policies count at any time."</p> }.into_any()
                } else {
                    view! {
                        <ul class="rows" aria-label="Hours">
                            {schedules
                                .into_iter()
                                .map(|schedule| view! { <ScheduleRow schedule form=forms.delete_schedule may_change /> })
                                .collect_view()}
                        </ul>
                    }
                        .into_any()
                }
            }}
        </section>
    }
}

#[component]
fn ScheduleRow(schedule: Schedule, form: FormState, may_change: bool) -> impl IntoView {
    let hours: Vec<_> = schedule.windows.iter().map(hours_text).collect();
    let hours = if hours.is_empty() { "never".to_owned() } else { hours.join("; ") };
    let used = match schedule.policy_count {
        0 => "in no policy".to_owned(),
        1 => "in 1 policy".to_owned(),
        count => format!("in {count} policies"),
    };
    let label = format!("Remove {}", schedule.name);
    view! {
        <li class="line">
            <span>
                <strong>{schedule.name}</strong>
                <span class="sub">{format!("{hours} · {used}")}</span>
            </span>
            {(may_change && schedule.policy_count == 0)
                .then(|| {
                    view! {
                        <PostForm form class="inline">
                            <input type="hidden" name="id" value=schedule.id.to_string() />
                            <button class="button button-icon" type="submit" title="Remove" aria-label=label>
                                <Icon glyph=Glyph::Cross />
                            </button>
                        </PostForm>
                    }
                })}
        </li>
    }
}

/// Days on which only holiday hours count.
#[component]
pub fn HolidaysCard(shown: Memo<PoliciesView>, forms: CalendarForms, may_change: bool) -> impl IntoView {
    let holidays = Memo::new(move |_| shown.with(|shown| shown.holidays.clone()));
    let form = forms.holiday;
    let made = Signal::derive(move || form.successes.get() > 0);
    view! {
        <section class="card" aria-labelledby="holidays-title">
            <div class="card-head">
                <h2 id="holidays-title">"Holidays"</h2>
                {may_change
                    .then(|| {
                        view! {
                            <Dialog label="Add holiday" glyph=Glyph::Plus open=form.came_back() done=made>
                                <PostForm form id="add-holiday">
                                    <ErrorSummary form shown=&["date", "name"] />
                                    <TextField form name="date" label="Day" kind="date" required=true />
                                    <TextField
                                        form
                                        name="name"
                                        id="holiday-name"
                                        label="Name of the holiday"
                                        required=true
                                        maxlength=100
                                        autocomplete="off"
                                    />
                                    <SubmitButton label="Save holiday" pending=form.pending() />
                                </PostForm>
                            </Dialog>
                        }
                    })}
            </div>
            <ErrorSummary form=forms.delete_holiday shown=&[] />
            {move || {
                let holidays = holidays.get();
                if holidays.is_empty() {
                    view! { <p class="quiet">"No holidays."</p> }.into_any()
                } else {
                    view! {
                        <ul class="rows" aria-label="Holidays">
                            {holidays
                                .into_iter()
                                .map(|holiday| view! { <HolidayRow holiday form=forms.delete_holiday may_change /> })
                                .collect_view()}
                        </ul>
                    }
                        .into_any()
                }
            }}
        </section>
    }
}

#[component]
fn HolidayRow(holiday: Holiday, form: FormState, may_change: bool) -> impl IntoView {
    let label = format!("Remove {}", holiday.name);
    view! {
        <li class="line">
            <span>
                <strong>{holiday.date}</strong>
                <span class="sub">{holiday.name}</span>
            </span>
            {may_change
                .then(|| {
                    view! {
                        <PostForm form class="inline">
                            <input type="hidden" name="id" value=holiday.id.to_string() />
                            <button class="button button-icon" type="submit" title="Remove" aria-label=label>
                                <Icon glyph=Glyph::Cross />
                            </button>
                        </PostForm>
                    }
                })}
        </li>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_read_as_people_say_them() {
        let text =
            |days: &[u8]| hours_text(&Hours { days: days.to_vec(), from: "08:00".into(), until: "18:00".into() });
        assert_eq!(text(&[0, 1, 2, 3, 4]), "Mon–Fri 08:00–18:00");
        assert_eq!(text(&[6, 5]), "Sat, Sun 08:00–18:00");
        assert_eq!(text(&[0, 2, 6, 7]), "Mon, Wed, Sun, holidays 08:00–18:00");
        assert_eq!(text(&[4, 5, 6, 7]), "Fri–Sun, holidays 08:00–18:00");
    }
}
