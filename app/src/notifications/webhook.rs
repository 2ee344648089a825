//! `/notifications/webhooks/:id`: a webhook, what went to it lately, and what may be done to it.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use portico_model::notifications::{Delivery, Webhook};
use portico_model::{Page, WebhookId};

use super::messages::MessageTable;
use super::webhooks::{SecretOnce, WebhookFields, WebhookState, told_of};
use super::{
    DeleteWebhook, DiscardMessage, GetWebhook, ListMessages, MESSAGES, RetryMessage, RotateWebhookSecret, TestWebhook,
    UpdateWebhook, WEBHOOKS,
};
use crate::form::{FormState, PostForm};
use crate::load::{load, read};
use crate::time::Ago;
use crate::ui::toast::use_toasts;
use crate::ui::{Choice, Dialog, ErrorSummary, Glyph, ProblemView, SelectField, SubmitButton};

const FIELDS: &[&str] = &["name", "url", "kinds", "min_severity", "active"];

#[derive(Clone, Copy)]
struct Forms {
    update: FormState,
    test: FormState,
    rotate: FormState,
    delete: FormState,
}

/// The page.
#[component]
pub fn WebhookPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").and_then(|id| id.parse::<WebhookId>().ok())));
    let forms = Forms {
        update: FormState::of::<UpdateWebhook>(),
        test: FormState::of::<TestWebhook>(),
        rotate: FormState::of::<RotateWebhookSecret>(),
        delete: FormState::of::<DeleteWebhook>(),
    };
    let (retry, discard) = (FormState::of::<RetryMessage>(), FormState::of::<DiscardMessage>());
    let webhook = load(move || id.get().map(|id| GetWebhook { id }));
    let lately = load(move || {
        let webhook = id.get()?.to_string();
        let (state, channel, cursor) = (String::new(), String::new(), String::new());
        Some(ListMessages { state, channel, webhook, cursor, limit: "10".to_owned() })
    });
    Effect::new(move |before: Option<u32>| {
        let changes = forms.update.successes.get() + forms.rotate.successes.get();
        if before.is_some_and(|before| before != changes) {
            webhook.refetch();
        }
        changes
    });
    let toast = use_toasts();
    Effect::new(move |before: Option<u32>| {
        let sent = forms.test.successes.get();
        let changes = sent + retry.successes.get() + discard.successes.get();
        if before.is_some_and(|before| before != changes) {
            toast("Sent; how it went shows below".to_owned());
            // It takes a moment to arrive.
            set_timeout(move || lately.refetch(), std::time::Duration::from_millis(1_200));
        }
        changes
    });
    view! {
        <Title text="Webhook" />
        <nav class="crumbs" aria-label="Breadcrumb">
            <a href=WEBHOOKS>"Webhooks"</a>
        </nav>
        <Transition fallback=|| view! { <p class="loading" role="status">"Loading the webhook"</p> }>
            {move || {
                webhook
                    .get()
                    .map(|answer| match read::<Webhook>(answer) {
                        Ok(webhook) => view! { <Head webhook forms /> }.into_any(),
                        Err(failure) => view! { <ProblemView failure /> }.into_any(),
                    })
            }}
        </Transition>
        <SecretOnce form=forms.rotate />
        <ErrorSummary form=forms.test shown=&[] />
        <ErrorSummary form=retry shown=&[] />
        <ErrorSummary form=discard shown=&[] />
        <section aria-labelledby="lately-title">
            <h2 id="lately-title">"Sent lately"</h2>
            <Transition>
                {move || {
                    let webhook = id.get()?.to_string();
                    lately
                        .get()
                        .map(|answer| match read::<Page<Delivery>>(answer) {
                            Ok(page) if page.items.is_empty() => {
                                view! { <p class="quiet">"Nothing in the last week. “Send test” tries it."</p> }
                                    .into_any()
                            }
                            Ok(page) => {
                                let all = page.next.is_some();
                                view! {
                                    <MessageTable list=page.items retry discard />
                                    {all
                                        .then(|| {
                                            view! {
                                                <p>
                                                    <a href=format!("{MESSAGES}?state=all&webhook={webhook}")>
                                                        "All messages to this webhook"
                                                    </a>
                                                </p>
                                            }
                                        })}
                                }
                                    .into_any()
                            }
                            // The webhook's own problem says it.
                            Err(_) => ().into_any(),
                        })
                }}
            </Transition>
        </section>
    }
}

#[component]
fn Head(webhook: Webhook, forms: Forms) -> impl IntoView {
    let Forms { update, test, rotate, delete } = forms;
    let id = StoredValue::new(webhook.id.to_string());
    let updated = Signal::derive(move || update.successes.get() > 0);
    let rotated = Signal::derive(move || rotate.successes.get() > 0);
    let (told, url, updated_at, is_active) =
        (told_of(&webhook), webhook.url.clone(), webhook.updated_at, webhook.is_active);
    let fields = webhook.clone();
    let active = if is_active { "yes" } else { "no" };
    view! {
        <div class="page-head">
            <div class="title-line">
                <h1>{webhook.name}</h1>
                <WebhookState active=is_active />
            </div>
            <div class="page-actions">
                <PostForm form=test class="inline" id="test-webhook">
                    <input type="hidden" name="id" value=id.get_value() />
                    <SubmitButton label="Send test" class="button" pending=test.pending() />
                </PostForm>
                <Dialog label="Edit" glyph=Glyph::Edit open=update.came_back() done=updated>
                    <PostForm form=update id="edit-webhook">
                        <ErrorSummary form=update shown=FIELDS />
                        <input type="hidden" name="id" value=id.get_value() />
                        <WebhookFields form=update webhook=fields />
                        <SelectField
                            form=update
                            name="active"
                            label="State"
                            value=active
                            choices=vec![
                                Choice { value: "yes", label: "Active" },
                                Choice { value: "no", label: "Paused: nothing is sent" },
                            ]
                        />
                        <SubmitButton label="Save changes" pending=update.pending() />
                    </PostForm>
                </Dialog>
                <Dialog label="New secret" glyph=Glyph::Key open=rotate.came_back() done=rotated>
                    <PostForm form=rotate id="rotate-secret">
                        <ErrorSummary form=rotate shown=&["overlap_s"] />
                        <input type="hidden" name="id" value=id.get_value() />
                        <p>"Messages are signed with a new secret, which is shown once."</p>
                        <SelectField
                            form=rotate
                            name="overlap_s"
                            label="The present secret"
                            value="86400"
                            choices=vec![
                                Choice { value: "86400", label: "signs beside it for a day" },
                                Choice { value: "604800", label: "signs beside it for a week" },
                                Choice { value: "0", label: "ends at once" },
                            ]
                        />
                        <SubmitButton label="Make new secret" glyph=Glyph::Key pending=rotate.pending() />
                    </PostForm>
                </Dialog>
                <Dialog label="Remove" glyph=Glyph::Trash class="button button-danger" open=delete.came_back()>
                    <PostForm form=delete id="delete-webhook">
                        <ErrorSummary form=delete shown=&[] />
                        <input type="hidden" name="id" value=id.get_value() />
                        <p>
                            "Removes the webhook and what still waits to be sent to it. This cannot be undone; pausing it can."
                        </p>
                        <SubmitButton
                            label="Remove webhook"
                            glyph=Glyph::Trash
                            class="button button-danger"
                            pending=delete.pending()
                        />
                    </PostForm>
                </Dialog>
            </div>
        </div>
        <section class="card">
            <dl class="facts">
                <dt>"Address"</dt>
                <dd>
                    <code>{url}</code>
                </dd>
                <dt>"Told of"</dt>
                <dd>{told}</dd>
                <dt>"Changed"</dt>
                <dd>
                    <Ago at=Signal::stored(Some(updated_at)) />
                </dd>
            </dl>
        </section>
    }
}
