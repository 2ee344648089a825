//! `/notifications/messages`: what could not be delivered, and what is on its way. For administrators.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::Form;
use leptos_router::hooks::use_query_map;
use portico_model::Page;
use portico_model::notifications::{Delivery, DeliveryChannel, DeliveryState};

use super::{DiscardMessage, ListMessages, MESSAGES, RetryMessage, Tabs};
use crate::form::{FormState, PostForm};
use crate::load::{load, read};
use crate::time::{Ago, Moment};
use crate::ui::toast::use_toasts;
use crate::ui::{Badge, Dialog, EmptyState, ErrorSummary, Glyph, Icon, ProblemView, SubmitButton, Tone, address};

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Query {
    state: String,
    channel: String,
    webhook: String,
    cursor: String,
}

impl Query {
    fn address(&self, cursor: &str) -> String {
        let parts = [
            ("state", self.state.as_str()),
            ("channel", self.channel.as_str()),
            ("webhook", self.webhook.as_str()),
            ("cursor", cursor),
        ];
        address(MESSAGES, parts)
    }
}

/// The page.
#[component]
pub fn MessagesPage() -> impl IntoView {
    let map = use_query_map();
    let query = Memo::new(move |_| {
        map.with(|map| Query {
            state: map.get("state").filter(|state| !state.is_empty()).unwrap_or_else(|| "dead".to_owned()),
            channel: map.get("channel").unwrap_or_default(),
            webhook: map.get("webhook").unwrap_or_default(),
            cursor: map.get("cursor").unwrap_or_default(),
        })
    });
    let (retry, discard) = (FormState::of::<RetryMessage>(), FormState::of::<DiscardMessage>());
    let page = load(move || {
        let Query { state, channel, webhook, cursor } = query.get();
        Some(ListMessages { state, channel, webhook, cursor, limit: String::new() })
    });
    let toast = use_toasts();
    Effect::new(move |before: Option<(u32, u32)>| {
        let changes = (retry.successes.get(), discard.successes.get());
        if let Some((retried, discarded)) = before {
            if retried != changes.0 {
                toast("It is being sent again".to_owned());
            }
            if discarded != changes.1 {
                toast("Dropped".to_owned());
            }
            if before != Some(changes) {
                page.refetch();
            }
        }
        changes
    });
    view! {
        <Title text="Messages" />
        <div class="page-head">
            <h1>"Notifications"</h1>
        </div>
        <Tabs />
        <p class="quiet lead">
            "E-mails, pushes and webhooks are tried ten times in about a day. What fails then stays here for a month."
        </p>
        <Form method="GET" action=MESSAGES attr:class="filters">
            <div class="filter">
                <label for="message-state">"State"</label>
                <select id="message-state" name="state">
                    {[("dead", "Failed"), ("queued", "Waiting"), ("delivered", "Delivered"), ("all", "All")]
                        .map(|(value, label)| {
                            view! {
                                <option value=value selected=move || query.with(|query| query.state == value)>
                                    {label}
                                </option>
                            }
                        })}
                </select>
            </div>
            <div class="filter">
                <label for="message-channel">"Channel"</label>
                <select id="message-channel" name="channel">
                    {[("", "Any"), ("mail", "E-mail"), ("push", "Push"), ("webhook", "Webhook")]
                        .map(|(value, label)| {
                            view! {
                                <option value=value selected=move || query.with(|query| query.channel == value)>
                                    {label}
                                </option>
                            }
                        })}
                </select>
            </div>
            <button class="button" type="submit">"Apply"</button>
        </Form>
        <ErrorSummary form=retry shown=&[] />
        <ErrorSummary form=discard shown=&[] />
        <Transition fallback=|| view! { <p class="loading" role="status">"Loading messages"</p> }>
            {move || {
                page.get()
                    .map(|answer| match read::<Page<Delivery>>(answer) {
                        Ok(page) if page.items.is_empty() => {
                            let all_well = query.with_untracked(|query| query.state == "dead" && query.channel.is_empty());
                            let (title, text) = if all_well {
                                ("Everything was delivered", "Nothing waits for your attention here.")
                            } else {
                                ("No message matches", "Delivered messages are kept for a week.")
                            };
                            view! { <EmptyState glyph=Glyph::Check title text /> }.into_any()
                        }
                        Ok(page) => {
                            let next = page.next.map(|cursor| query.with_untracked(|query| query.address(&cursor)));
                            view! {
                                <MessageTable list=page.items retry discard />
                                <nav class="pages" aria-label="Pages">
                                    {next
                                        .map(|href| {
                                            view! {
                                                <a class="button" href=href rel="next">
                                                    "Older messages"
                                                    <Icon glyph=Glyph::Next />
                                                </a>
                                            }
                                        })}
                                </nav>
                            }
                                .into_any()
                        }
                        Err(failure) => view! { <ProblemView failure /> }.into_any(),
                    })
            }}
        </Transition>
    }
}

/// Messages, each with what may be done to it.
#[component]
pub fn MessageTable(list: Vec<Delivery>, retry: FormState, discard: FormState) -> impl IntoView {
    view! {
        <div class="table-wrap">
            <table class="table table-messages">
                <caption class="hidden">"Messages"</caption>
                <thead>
                    <tr>
                        <th scope="col">"State"</th>
                        <th scope="col">"Message"</th>
                        <th scope="col">"Written"</th>
                        <th scope="col">
                            <span class="hidden">"Actions"</span>
                        </th>
                    </tr>
                </thead>
                <tbody>
                    {list.into_iter().map(|message| view! { <MessageRow message retry discard /> }).collect_view()}
                </tbody>
            </table>
        </div>
    }
}

#[component]
fn MessageRow(message: Delivery, retry: FormState, discard: FormState) -> impl IntoView {
    let id = StoredValue::new(message.id.to_string());
    let glyph = match message.channel {
        DeliveryChannel::Mail => Glyph::Mail,
        DeliveryChannel::Push => Glyph::Bell,
        DeliveryChannel::Webhook => Glyph::Link,
    };
    let what = match (message.channel, message.summary.as_str()) {
        (DeliveryChannel::Push, _) => "Push".to_owned(),
        (_, summary) => summary.to_owned(),
    };
    let next = message.next_attempt_at;
    let (state, attempts) = (message.state, message.attempts);
    view! {
        <tr>
            <td class="cell-state">
                {match state {
                    DeliveryState::Queued if attempts == 0 => {
                        view! { <Badge tone=Tone::Neutral glyph=Glyph::Clock word="Waiting" /> }
                    }
                    DeliveryState::Queued => view! { <Badge tone=Tone::Attention glyph=Glyph::Clock word="Retrying" /> },
                    DeliveryState::Delivered => view! { <Badge tone=Tone::Ok glyph=Glyph::Check word="Delivered" /> },
                    DeliveryState::Dead => view! { <Badge tone=Tone::Danger glyph=Glyph::Cross word="Not delivered" /> },
                }}
            </td>
            <th scope="row" class="cell-name">
                <span class="message-what">
                    <Icon glyph />
                    {what}
                </span>
                <span class="sub">{message.destination}</span>
                {(!message.last_error.is_empty())
                    .then(|| {
                        let times = if attempts == 1 { "1 attempt".to_owned() } else { format!("{attempts} attempts") };
                        view! { <span class="sub">{format!("{times}: {}", message.last_error)}</span> }
                    })}
                {next
                    .filter(|_| attempts > 0)
                    .map(|at| {
                        view! {
                            <span class="sub">"Next attempt " <Moment at=Signal::stored(at) /></span>
                        }
                    })}
            </th>
            <td class="cell-seen">
                <Ago at=Signal::stored(Some(message.created_at)) />
            </td>
            <td class="cell-actions">
                {(state == DeliveryState::Dead)
                    .then(|| {
                        view! {
                            <PostForm form=retry class="inline">
                                <input type="hidden" name="id" value=id.get_value() />
                                <button class="button button-small" type="submit">"Send again"</button>
                            </PostForm>
                        }
                    })}
                {(state != DeliveryState::Delivered)
                    .then(|| {
                        view! {
                            <Dialog label="Drop" glyph=Glyph::Trash class="button button-small">
                                <PostForm form=discard>
                                    <input type="hidden" name="id" value=id.get_value() />
                                    <p>"It will not be sent any more. This cannot be undone."</p>
                                    <SubmitButton
                                        label="Drop message"
                                        class="button button-danger"
                                        pending=discard.pending()
                                    />
                                </PostForm>
                            </Dialog>
                        }
                    })}
            </td>
        </tr>
    }
}
