//! The browsers that get my pushes, and the switch for this one. The switch is `public/push.js`: only a script can ask the
//! browser for permission.

use leptos::prelude::*;
use portico_model::notifications::PushSubscription;

use crate::form::{FormState, PostForm};
use crate::time::Ago;
use crate::ui::{ErrorSummary, Glyph, Icon};

/// The section.
#[component]
pub fn Browsers(
    push_key: String,
    list: Vec<PushSubscription>,
    test: FormState,
    remove: FormState,
    /// The switch has been used.
    changed: Callback<()>,
) -> impl IntoView {
    Effect::new(|_| crate::browser::load_module("/push.js"));
    let known: Vec<String> = list.iter().map(|browser| browser.id.to_string()).collect();
    let any = !list.is_empty();
    view! {
        <section class="card" aria-labelledby="browsers-title">
            <div class="card-head">
                <h2 id="browsers-title">"Pushes"</h2>
                <PostForm form=test class="inline">
                    <input type="hidden" name="channel" value="push" />
                    <button class="button button-small" type="submit" disabled=!any>"Send a test push"</button>
                </PostForm>
            </div>
            <ErrorSummary form=test shown=&[] />
            <ErrorSummary form=remove shown=&[] />
            <noscript>
                <p class="note">"Turning pushes on needs JavaScript: the browser asks for your permission."</p>
            </noscript>
            <portico-push
                class="push-switch"
                data-key=push_key
                data-known=known.join(" ")
                on:change=move |_| changed.run(())
            ></portico-push>
            {if any {
                view! {
                    <ul class="browsers">
                        {list.into_iter().map(|browser| view! { <BrowserEntry browser remove /> }).collect_view()}
                    </ul>
                }
                    .into_any()
            } else {
                view! { <p class="quiet">"No browser of yours gets pushes yet."</p> }.into_any()
            }}
        </section>
    }
}

#[component]
fn BrowserEntry(browser: PushSubscription, remove: FormState) -> impl IntoView {
    let label = format!("Remove {}", browser.name);
    view! {
        <li data-browser=browser.id.to_string()>
            <Icon glyph=Glyph::Bell />
            <span class="browser-name">
                <strong>{browser.name}</strong>
                <span class="sub">
                    {browser.service} ", since " <Ago at=Signal::stored(Some(browser.created_at)) />
                </span>
            </span>
            <PostForm form=remove class="inline">
                <input type="hidden" name="id" value=browser.id.to_string() />
                <button class="button button-small" type="submit" aria-label=label>"Remove"</button>
            </PostForm>
        </li>
    }
}
