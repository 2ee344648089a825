//! `/codes`: codes for keypads, and how far each has come on its way to its lock.

use leptos::prelude::*;
use leptos_meta::Title;
use portico_model::access::code::{AccessCode, CodeState};

use super::{CodesView, CreateCode, ListCodes, MadeCode, RetryCode, WithdrawCode};
use crate::access::Choose;
use crate::form::{Confirm, FormState, PostForm};
use crate::live::{LiveUpdate, follow};
use crate::load::{in_place, load, reload_when};
use crate::time::Moment;
use crate::ui::list::{asked, is_restricted};
use crate::ui::{
    Badge, Dialog, EmptyState, ErrorSummary, Filters, Glyph, Pages, SelectFilter, SubmitButton, TextField, Tone,
};

const CODE_FIELDS: &[&str] = &["name", "code", "valid_from", "valid_until", "max_uses"];

#[derive(Clone, Copy)]
struct CodeForms {
    create: FormState,
    withdraw: FormState,
    retry: FormState,
}

/// The page.
#[component]
pub fn CodesPage() -> impl IntoView {
    let forms = CodeForms {
        create: FormState::of::<CreateCode>(),
        withdraw: FormState::of::<WithdrawCode>(),
        retry: FormState::of::<RetryCode>(),
    };
    let [place, show, cursor] = ["place", "show", "cursor"].map(asked);
    let page = load(move || Some(ListCodes { place: place.get(), show: show.get(), cursor: cursor.get() }));
    follow(
        || Some("access_codes".to_owned()),
        move |update| {
            if matches!(update, LiveUpdate::Event(_)) {
                page.refetch();
            }
        },
    );
    crate::groups::detail::refetch_on_return(page);
    reload_when(page, move || FormState::successes_of(&[forms.create, forms.withdraw, forms.retry]));
    let body = move |shown: Memo<CodesView>| view! { <CodesBody shown forms /> }.into_any();
    view! {
        <Title text="Codes" />
        <Transition fallback=|| {
            view! { <p class="loading" role="status">"Loading codes"</p> }
        }>{in_place(page, |_: &CodesView| (), body)}</Transition>
    }
}

#[component]
fn CodesBody(shown: Memo<CodesView>, forms: CodeForms) -> impl IntoView {
    let codes = Memo::new(move |_| shown.with(|shown| shown.codes.clone()));
    let may_make = Memo::new(move |_| shown.with(|shown| !shown.places.is_empty()));
    let restricted = is_restricted(&["place", "show"]);
    let create = forms.create;
    let made = move || {
        create
            .answer::<MadeCode>()
            .or_else(|| Some(MadeCode { name: create.outcome("made")?, digits: create.outcome("digits")? }))
    };
    view! {
        <div class="page-head">
            <h1>"Codes"</h1>
            {move || may_make.get().then(|| view! { <NewCode shown form=create /> })}
        </div>
        <p class="lead">
            "A code opens one door or one lock. A door's code works at once; a lock is told of it, and has it when it says so."
        </p>
        {move || {
            made()
                .map(|made| {
                    view! {
                        <p class="note" role="status">
                            {format!("The code for {} is ", made.name)}
                            <strong class="number">{made.digits}</strong>
                            ". It is shown this once: pass it on now."
                        </p>
                    }
                })
        }}
        <ErrorSummary form=forms.withdraw shown=&[] />
        <ErrorSummary form=forms.retry shown=&[] />
        <Filters action="/codes">
            <SelectFilter name="show" label="Show" choices=&[("", "In use"), ("ended", "Over")] />
        </Filters>
        {move || {
            let page = codes.get();
            if page.items.is_empty() {
                view! { <NoCodes restricted=restricted.get() may_make=may_make.get() /> }.into_any()
            } else {
                view! { <CodeTable page forms /> }.into_any()
            }
        }}
    }
}

#[component]
fn NoCodes(restricted: bool, may_make: bool) -> impl IntoView {
    let text = match (restricted, may_make) {
        (true, _) => "No code is of that kind.",
        (_, true) => "Make the first one: for the plumber, until this evening, twice. It can be withdrawn at any time.",
        _ => "Who owns a lock, or manages access, makes codes.",
    };
    let title = if restricted { "No code matches" } else { "No codes yet" };
    view! {
        <EmptyState glyph=Glyph::Key title text>
            {restricted.then(|| view! { <a class="button" href="/codes">"Show codes in use"</a> })}
        </EmptyState>
    }
}

#[component]
fn NewCode(shown: Memo<CodesView>, form: FormState) -> impl IntoView {
    let made = Signal::derive(move || form.successes.get() > 0);
    let asked_place = asked("place");
    let places = Memo::new(move |_| {
        shown.with(|shown| shown.places.iter().map(|one| (one.id.clone(), one.name.clone())).collect::<Vec<_>>())
    });
    let schedules = Memo::new(move |_| {
        shown.with(|shown| {
            let schedules = shown.schedules.iter().map(|one| (one.id.to_string(), one.name.clone()));
            std::iter::once((String::new(), "At any time".to_owned())).chain(schedules).collect::<Vec<_>>()
        })
    });
    view! {
        <div class="page-actions">
            <Dialog label="New code" glyph=Glyph::Plus class="button button-primary" open=form.came_back() done=made>
                <PostForm form id="create-code">
                    <ErrorSummary form shown=CODE_FIELDS />
                    <TextField
                        form
                        name="name"
                        id="code-name"
                        label="For"
                        required=true
                        maxlength=100
                        autocomplete="off"
                        help="Such as “Plumber”."
                    />
                    {move || {
                        view! {
                            <Choose
                                name="place"
                                label="Opens"
                                id="code-place"
                                options=places.get()
                                chosen=asked_place.get_untracked()
                            />
                        }
                    }}
                    <TextField
                        form
                        name="code"
                        label="Digits"
                        maxlength=8
                        autocomplete="off"
                        help="4 to 8. Empty: six are drawn."
                    />
                    <TextField form name="valid_from" label="Valid from" kind="datetime-local" />
                    <TextField
                        form
                        name="valid_until"
                        label="Valid until"
                        kind="datetime-local"
                        help="By the building's clock. Empty: until it is withdrawn."
                    />
                    <TextField
                        form
                        name="max_uses"
                        label="Times it may be used"
                        autocomplete="off"
                        help="Empty: as often as one likes."
                    />
                    {move || {
                        let options = schedules.get();
                        (options.len() > 1)
                            .then(|| {
                                view! { <Choose name="schedule" label="Hours, at a door" id="code-schedule" options /> }
                            })
                    }}
                    <SubmitButton label="Make code" pending=form.pending() />
                </PostForm>
            </Dialog>
        </div>
    }
}

#[component]
fn CodeTable(page: portico_model::Page<AccessCode>, forms: CodeForms) -> impl IntoView {
    let next = page.next;
    view! {
        <div class="table-wrap">
            <table class="table table-codes">
                <caption class="hidden">"Codes, newest first"</caption>
                <thead>
                    <tr>
                        <th scope="col">"State"</th>
                        <th scope="col">"Code"</th>
                        <th scope="col">"Valid"</th>
                        <th scope="col">"Used"</th>
                        <th scope="col">
                            <span class="hidden">"Actions"</span>
                        </th>
                    </tr>
                </thead>
                <tbody>{page.items.into_iter().map(|code| view! { <CodeRow code forms /> }).collect_view()}</tbody>
            </table>
        </div>
        <Pages next />
    }
}

/// What is known of it, never more: only what the lock said counts as there or gone.
fn state_of(code: &AccessCode) -> (Tone, Glyph, &'static str) {
    match (code.wanted, code.state) {
        _ if code.is_stuck() => (Tone::Danger, Glyph::Alert, if code.wanted { "Not taken" } else { "Not removed" }),
        (true, CodeState::Set) => (Tone::Ok, Glyph::Check, "Set"),
        (true, CodeState::Unset | CodeState::Setting | CodeState::Removing) => {
            (Tone::Attention, Glyph::Clock, "Being set")
        }
        (false, CodeState::Unset) => (Tone::Neutral, Glyph::Cross, "Gone"),
        (false, _) => (Tone::Attention, Glyph::Clock, "Being removed"),
    }
}

#[component]
fn CodeRow(code: AccessCode, forms: CodeForms) -> impl IntoView {
    let (tone, glyph, word) = state_of(&code);
    let is_stuck = code.is_stuck();
    let AccessCode { id, name, door_name, lock_name, person_name, digits, schedule_name, reason, wanted, .. } = code;
    let place = if door_name.is_empty() { lock_name } else { door_name };
    let about = if person_name.is_empty() { place } else { format!("{place} · {person_name}") };
    let used = code.max_uses.map_or_else(|| code.uses.to_string(), |most| format!("{} of {most}", code.uses));
    let removal =
        format!("The code for {name} opens nothing any more. A lock that is away forgets it when it is back.");
    let withdraw = format!("Withdraw the code for {name}");
    let retry = format!("Try again with the code for {name}");
    let is_open = code.valid_from.is_none() && code.valid_until.is_none();
    view! {
        <tr>
            <td class="cell-state">
                <Badge tone glyph word />
            </td>
            <th scope="row" class="cell-name">
                {name} <span class="sub">{about}</span>
                {(!reason.is_empty()).then(|| view! { <span class="sub">{reason}</span> })}
            </th>
            <td class="cell-place">
                {is_open.then_some("until it is withdrawn")}
                {code.valid_from.map(|from| view! { <span class="sub">"from " <Moment at=Signal::stored(from) /></span> })}
                {code.valid_until.map(|until| view! { <span class="sub">"until " <Moment at=Signal::stored(until) /></span> })}
                {(!schedule_name.is_empty()).then(|| view! { <span class="sub">{schedule_name}</span> })}
            </td>
            <td class="cell-place">{used} <span class="sub">{format!("{digits} digits")}</span></td>
            <td class="cell-actions">
                {is_stuck
                    .then(|| {
                        view! {
                            <PostForm form=forms.retry class="inline">
                                <input type="hidden" name="id" value=id.to_string() />
                                <button class="button button-small" type="submit" aria-label=retry>
                                    "Try again"
                                </button>
                            </PostForm>
                        }
                    })}
                {wanted
                    .then(|| {
                        view! {
                            <Confirm form=forms.withdraw id=id.to_string() label="Withdraw" text=removal confirm=withdraw />
                        }
                    })}
            </td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_called_set_only_when_its_lock_has_said_so() {
        let code = |wanted, state, attempts| AccessCode { wanted, state, attempts, ..example() };
        let table = [
            (code(true, CodeState::Unset, 0), "Being set"),
            (code(true, CodeState::Setting, 0), "Being set"),
            (code(true, CodeState::Unset, 5), "Not taken"),
            (code(true, CodeState::Set, 0), "Set"),
            (code(false, CodeState::Set, 0), "Being removed"),
            (code(false, CodeState::Removing, 0), "Being removed"),
            (code(false, CodeState::Set, 5), "Not removed"),
            (code(false, CodeState::Unset, 0), "Gone"),
        ];
        for (code, word) in table {
            assert_eq!(state_of(&code).2, word, "{} {:?}", code.wanted, code.state);
        }
    }

    fn example() -> AccessCode {
        serde_json::from_value(serde_json::json!({
            "id": "0199a0000000700080000000000000b1", "name": "Plumber", "door_id": null, "door_name": "", "lock_id": null,
            "lock_name": "", "person_id": null, "person_name": "", "digits": 6, "schedule_id": null, "schedule_name": "",
            "valid_from": null, "valid_until": null, "max_uses": null, "uses": 0, "wanted": true, "state": "set",
            "attempts": 0, "next_attempt_at": null, "reason": "", "created_by": "",
            "created_at": "2026-11-21T02:00:00.000+00:00", "updated_at": "2026-11-21T02:00:00.000+00:00"
        }))
        .unwrap()
    }
}
