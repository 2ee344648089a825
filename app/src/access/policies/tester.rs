//! "Would this person get in at this door, then, and why?" The question stands in the address, so it works without
//! JavaScript and can be shared.

use leptos::prelude::*;
use leptos_router::components::Form;
use portico_model::access::policies::{AccessAnswer, PolicyOpinion, PolicyVerdict};

use super::{PoliciesView, TestAccess};
use crate::access::Choose;
use crate::load::{load, read};
use crate::ui::list::asked;
use crate::ui::{Badge, Glyph, Tone};

/// The form and its answer.
#[component]
pub fn Tester(shown: Memo<PoliciesView>) -> impl IntoView {
    let [person, door, at, leaving] = ["person", "door", "at", "leaving"].map(asked);
    let is_asked = Memo::new(move |_| person.with(|person| !person.is_empty()) && door.with(|door| !door.is_empty()));
    let doors = Memo::new(move |_| {
        shown.with(|shown| {
            let doors = shown.doors.iter().map(|one| (one.id.clone(), one.name.clone()));
            std::iter::once((String::new(), "Choose a door".to_owned())).chain(doors).collect::<Vec<_>>()
        })
    });
    let people = Memo::new(move |_| shown.with(|shown| shown.people.clone()));
    let policies = Memo::new(move |_| shown.with(|shown| shown.policies.clone()));
    let answer = load(move || {
        is_asked.get().then(|| TestAccess {
            person: person.get(),
            door: door.get(),
            at: at.get(),
            leaving: leaving.with(|leaving| leaving == "true"),
        })
    });
    // Another policy, another answer. Read, not only tracked: a memo that nobody reads hears of nothing.
    Effect::new(move |before: Option<()>| {
        policies.with(|_| ());
        if before.is_some() && is_asked.get_untracked() {
            answer.refetch();
        }
    });
    view! {
        <section class="card" id="tester" aria-labelledby="tester-title">
            <h2 id="tester-title">"Would this person get in, and why?"</h2>
            <Form method="GET" action="/policies" attr:class="filters" attr:id="test-access">
                <div class="filter filter-search">
                    <label for="test-person">"Person"</label>
                    <input
                        id="test-person"
                        name="person"
                        list="people-suggested"
                        autocomplete="off"
                        placeholder="Name, employee ID or number"
                        required
                        value=move || person.get()
                        prop:value=move || person.get()
                    />
                </div>
                {move || {
                    view! { <Choose name="door" label="Door" id="test-door" options=doors.get() chosen=door.get() /> }
                }}
                <div class="filter">
                    <label for="test-at">"At, by the building's clock"</label>
                    <input
                        id="test-at"
                        name="at"
                        type="datetime-local"
                        value=move || at.get()
                        prop:value=move || at.get()
                    />
                </div>
                <button class="button button-primary" type="submit">"Ask"</button>
            </Form>
            <datalist id="people-suggested">
                {move || people.get().into_iter().map(|one| view! { <option value=one></option> }).collect_view()}
            </datalist>
            <Transition fallback=|| view! { <p class="loading" role="status">"Asking"</p> }>
                {move || {
                    let loaded = answer.get()?;
                    is_asked
                        .get()
                        .then(|| match read::<AccessAnswer>(loaded) {
                            Ok(answer) => view! { <Answer answer /> }.into_any(),
                            Err(failure) => {
                                view! {
                                    <p class="note note-danger" role="alert">
                                        {failure.message}
                                    </p>
                                }
                                    .into_any()
                            }
                        })
                }}
            </Transition>
        </section>
    }
}

#[component]
fn Answer(answer: AccessAnswer) -> impl IntoView {
    let AccessAnswer {
        granted, sentence, person_name, door_name, local_time, is_holiday, policies, policy_name, ..
    } = answer;
    let holiday = if is_holiday { " (a holiday)" } else { "" };
    view! {
        <div class="test-answer" role="status">
            <p class="title-line">
                {if granted {
                    view! { <Badge tone=Tone::Ok glyph=Glyph::Check word="Gets in" /> }
                } else {
                    view! { <Badge tone=Tone::Danger glyph=Glyph::Cross word="Does not get in" /> }
                }}
                <strong>{format!("{person_name} at {door_name}, {local_time}{holiday}")}</strong>
            </p>
            <p>
                {sentence}
                {(!policy_name.is_empty()).then(|| format!(" ({policy_name})"))}
            </p>
            {if policies.is_empty() {
                view! { <p class="quiet">"There are no policies."</p> }.into_any()
            } else {
                view! {
                    <div class="table-wrap">
                        <table class="table">
                            <caption class="hidden">"What each policy says"</caption>
                            <thead>
                                <tr>
                                    <th scope="col">"Policy"</th>
                                    <th scope="col">"Says"</th>
                                </tr>
                            </thead>
                            <tbody>{policies.into_iter().map(|one| view! { <Opinion one /> }).collect_view()}</tbody>
                        </table>
                    </div>
                }
                    .into_any()
            }}
        </div>
    }
}

#[component]
fn Opinion(one: PolicyOpinion) -> impl IntoView {
    let (tone, glyph, word) = match one.verdict {
        PolicyVerdict::LetsIn => (Tone::Ok, Glyph::Check, "Yes"),
        PolicyVerdict::OtherPerson | PolicyVerdict::OtherDoor | PolicyVerdict::Inactive => {
            (Tone::Neutral, Glyph::Pause, "Not asked")
        }
        PolicyVerdict::LevelTooLow
        | PolicyVerdict::NotValid
        | PolicyVerdict::OutOfHours
        | PolicyVerdict::NotInLockdown => (Tone::Danger, Glyph::Cross, "No"),
    };
    view! {
        <tr>
            <th scope="row" class="cell-name">{one.policy_name}</th>
            <td>
                <Badge tone glyph word />
                " "
                {one.sentence}
            </td>
        </tr>
    }
}
