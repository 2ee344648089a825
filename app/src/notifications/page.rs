//! `/notifications`: what I am told, by which channel, and in which browsers.

use leptos::prelude::*;
use leptos_meta::Title;
use portico_model::notifications::preference::kind_of;
use portico_model::notifications::{MyPreferences, Preference, PushSubscription, Wish};

use super::browsers::Browsers;
use super::{GetPreferences, ListBrowsers, RemoveBrowser, SendTest, SetPreferences, Tabs};
use crate::form::{FormState, PostForm};
use crate::load::{load, read};
use crate::ui::toast::use_toasts;
use crate::ui::{ErrorSummary, Glyph, Icon, ProblemView, SubmitButton};

/// The page.
#[component]
pub fn NotificationsPage() -> impl IntoView {
    let choose = FormState::of::<SetPreferences>();
    let test = FormState::of::<SendTest>();
    let remove = FormState::of::<RemoveBrowser>();
    let mine = load(|| Some(GetPreferences {}));
    let browsers = load(|| Some(ListBrowsers {}));
    Effect::new(move |before: Option<u32>| {
        let removed = remove.successes.get();
        if before.is_some_and(|before| before != removed) {
            browsers.refetch();
        }
        removed
    });
    let toast = use_toasts();
    Effect::new(move |_| {
        if choose.successes.get() > 0 {
            toast("Saved: what you are told".to_owned());
        }
    });
    Effect::new(move |_| {
        if test.successes.get() > 0 {
            toast("The test is on its way".to_owned());
        }
    });
    let saved = choose.outcome("done").is_some();
    let tested = test.outcome("done").is_some();
    view! {
        <Title text="Notifications" />
        <div class="page-head">
            <h1>"Notifications"</h1>
        </div>
        <Tabs />
        <p class="note" role="status" hidden=!saved>"Saved: what you are told."</p>
        <p class="note" role="status" hidden=!tested>"The test is on its way."</p>
        <Transition fallback=|| view! { <p class="loading" role="status">"Loading your browsers"</p> }>
            {move || {
                let (mine, list) = mine.get().zip(browsers.get())?;
                let answer = read::<MyPreferences>(mine)
                    .and_then(|mine| read::<Vec<PushSubscription>>(list).map(|list| (mine.push_key, list)));
                Some(
                    match answer {
                        Ok((push_key, list)) => {
                            let changed = Callback::new(move |()| browsers.refetch());
                            view! { <Browsers push_key list test remove changed /> }.into_any()
                        }
                        Err(failure) => view! { <ProblemView failure /> }.into_any(),
                    },
                )
            }}
        </Transition>
        // Beside the other, not in it: a new list of browsers leaves what is being chosen alone.
        <Transition>
            {move || {
                read::<MyPreferences>(mine.get()?).ok().map(|mine| view! { <Choices mine choose test /> })
            }}
        </Transition>
    }
}

/// The table of kinds and channels.
#[component]
fn Choices(mine: MyPreferences, choose: FormState, test: FormState) -> impl IntoView {
    let MyPreferences { preferences, email, mail_available, .. } = mine;
    view! {
        <section class="card" aria-labelledby="choices-title">
            <div class="card-head">
                <h2 id="choices-title">"What you are told"</h2>
                <PostForm form=test class="inline">
                    <input type="hidden" name="channel" value="mail" />
                    <button class="button button-small" type="submit" disabled=!mail_available>
                        "Send a test mail"
                    </button>
                </PostForm>
            </div>
            <p class="quiet">
                {if mail_available {
                    format!("E-mail goes to {email}.")
                } else {
                    "This server has no mail server to send by: only pushes arrive.".to_owned()
                }}
            </p>
            <PostForm form=choose id="preferences">
                <ErrorSummary form=choose shown=&[] />
                <div class="table-wrap table-choices">
                    <table class="table">
                        <caption class="hidden">"What you are told, by which channel"</caption>
                        <thead>
                            <tr>
                                <th scope="col">"When"</th>
                                <th scope="col">"Push"</th>
                                <th scope="col">"E-mail"</th>
                            </tr>
                        </thead>
                        <tbody>
                            {preferences
                                .into_iter()
                                .enumerate()
                                .map(|(at, preference)| view! { <ChoiceRow at preference /> })
                                .collect_view()}
                        </tbody>
                    </table>
                </div>
                <div class="actions">
                    <SubmitButton label="Save" pending=choose.pending() />
                </div>
            </PostForm>
        </section>
    }
}

#[component]
fn ChoiceRow(at: usize, preference: Preference) -> impl IntoView {
    let title = kind_of(&preference.kind).title;
    view! {
        <tr>
            <th scope="row" class="cell-name">
                {title} <input type="hidden" name=format!("preferences[{at}][kind]") value=preference.kind />
            </th>
            <td>
                <WishSelect
                    name=format!("preferences[{at}][push]")
                    label=format!("{title}: push")
                    channel="Push"
                    chosen=preference.push
                />
            </td>
            <td>
                <WishSelect
                    name=format!("preferences[{at}][mail]")
                    label=format!("{title}: e-mail")
                    channel="E-mail"
                    chosen=preference.mail
                />
            </td>
        </tr>
    }
}

#[component]
fn WishSelect(name: String, label: String, channel: &'static str, chosen: Wish) -> impl IntoView {
    let word = |wish| match wish {
        Wish::Never => "Never",
        Wish::Critical => "Critical only",
        Wish::Warning => "Warnings too",
        Wish::Everything => "Always",
    };
    view! {
        <label class="choice">
            <span class="choice-channel" aria-hidden="true">
                <Icon glyph=if channel == "Push" { Glyph::Bell } else { Glyph::Mail } />
                {channel}
            </span>
            <select name=name aria-label=label>
                {Wish::ALL
                    .map(|wish| {
                        view! {
                            <option value=wish.as_str() selected=wish == chosen>
                                {word(wish)}
                            </option>
                        }
                    })}
            </select>
        </label>
    }
}
