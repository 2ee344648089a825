//! `/notifications/webhooks`: other systems that are told. For administrators.

use leptos::prelude::*;
use leptos_meta::Title;
use portico_model::alarms::Severity;
use portico_model::notifications::{Webhook, WebhookWithSecret};

use super::{CreateWebhook, ListWebhooks, Tabs, webhook_page};
use crate::form::{FormState, PostForm};
use crate::load::{load, read};
use crate::ui::{
    Badge, Choice, CopyButton, Dialog, EmptyState, ErrorSummary, Glyph, Icon, ProblemView, SelectField, SubmitButton,
    TextField, Tone,
};

const FIELDS: &[&str] = &["name", "url", "kinds", "min_severity"];

/// The page.
#[component]
pub fn WebhooksPage() -> impl IntoView {
    let create = FormState::of::<CreateWebhook>();
    let list = load(|| Some(ListWebhooks {}));
    Effect::new(move |before: Option<u32>| {
        let made = create.successes.get();
        if before.is_some_and(|before| before != made) {
            list.refetch();
        }
        made
    });
    let created = Signal::derive(move || create.successes.get() > 0);
    view! {
        <Title text="Webhooks" />
        <div class="page-head">
            <h1>"Notifications"</h1>
            <div class="page-actions">
                <Dialog
                    label="Add webhook"
                    glyph=Glyph::Plus
                    class="button button-primary"
                    open=create.came_back()
                    done=created
                >
                    <PostForm form=create id="create-webhook">
                        <ErrorSummary form=create shown=FIELDS />
                        <WebhookFields form=create />
                        <SubmitButton label="Add webhook" pending=create.pending() />
                    </PostForm>
                </Dialog>
            </div>
        </div>
        <Tabs />
        <SecretOnce form=create />
        <Transition fallback=|| view! { <p class="loading" role="status">"Loading webhooks"</p> }>
            {move || {
                list.get()
                    .map(|answer| match read::<Vec<Webhook>>(answer) {
                        Ok(list) if list.is_empty() => {
                            view! {
                                <EmptyState
                                    glyph=Glyph::Link
                                    title="No other system is told yet"
                                    text="A webhook is an address that gets a signed message whenever something happens, such as an alarm. Add one to join Portico to a service desk or a chat."
                                />
                            }
                                .into_any()
                        }
                        Ok(list) => view! { <WebhookTable list /> }.into_any(),
                        Err(failure) => view! { <ProblemView failure /> }.into_any(),
                    })
            }}
        </Transition>
    }
}

/// The fields of a webhook, empty or as they are.
#[component]
pub fn WebhookFields(form: FormState, #[prop(optional)] webhook: Option<Webhook>) -> impl IntoView {
    let (name, url, kinds, severity) = webhook.map_or_else(
        || (String::new(), String::new(), String::new(), Severity::Info),
        |webhook| (webhook.name, webhook.url, webhook.kinds.join(", "), webhook.min_severity),
    );
    view! {
        <TextField form name="name" label="Name" required=true maxlength=80 value=name help="Such as “Service desk”." />
        <TextField
            form
            name="url"
            label="Address"
            kind="url"
            required=true
            value=url
            placeholder="https://desk.example.org/portico"
            autocomplete="off"
        />
        <TextField
            form
            name="kinds"
            label="Only these kinds"
            value=kinds
            help="Such as alarm.raised, alarm.cleared; “alarm.” means all of alarms. Empty: everything."
        />
        <SelectField
            form
            name="min_severity"
            label="How grave"
            value=severity.as_str()
            choices=vec![
                Choice { value: "info", label: "Everything" },
                Choice { value: "warning", label: "Warnings and critical" },
                Choice { value: "critical", label: "Critical only" },
            ]
        />
    }
}

/// The secret that the form made, shown this once.
#[component]
pub fn SecretOnce(form: FormState) -> impl IntoView {
    let posted = StoredValue::new(form.outcome("name").zip(form.outcome("secret")));
    let made = move || {
        let answer = form.answer::<WebhookWithSecret>().map(|made| (made.webhook.name, made.secret));
        answer.or_else(|| posted.get_value())
    };
    move || {
        made()
            .map(|(name, secret)| {
                view! {
                    <section class="card key-once" aria-labelledby="secret-title">
                        <h2 id="secret-title">
                            <Icon glyph=Glyph::Key />
                            {format!("The secret of {name}")}
                        </h2>
                        <p class="note note-attention">
                            "Keep it now: it cannot be shown again. The other system needs it to check the header Portico-Signature (docs/webhooks.md tells how)."
                        </p>
                        <dl class="facts facts-key">
                            <dt>"Secret"</dt>
                            <dd>
                                <code data-testid="webhook-secret">{secret.clone()}</code>
                                <CopyButton text=Signal::stored(secret.clone()) what="secret" />
                            </dd>
                        </dl>
                    </section>
                }
            })
    }
}

#[component]
fn WebhookTable(list: Vec<Webhook>) -> impl IntoView {
    view! {
        <div class="table-wrap">
            <table class="table table-webhooks">
                <caption class="hidden">"Webhooks"</caption>
                <thead>
                    <tr>
                        <th scope="col">"State"</th>
                        <th scope="col">"Webhook"</th>
                        <th scope="col">"Told of"</th>
                    </tr>
                </thead>
                <tbody>{list.into_iter().map(|webhook| view! { <WebhookRow webhook /> }).collect_view()}</tbody>
            </table>
        </div>
    }
}

/// What a webhook is told of, in words.
#[must_use]
pub fn told_of(webhook: &Webhook) -> String {
    let kinds = if webhook.kinds.is_empty() { "everything".to_owned() } else { webhook.kinds.join(", ") };
    match webhook.min_severity {
        Severity::Info => kinds,
        Severity::Warning => format!("{kinds}, from warnings on"),
        Severity::Critical => format!("{kinds}, critical only"),
    }
}

/// Whether it is in use.
#[component]
pub fn WebhookState(active: bool) -> impl IntoView {
    if active {
        view! { <Badge tone=Tone::Ok glyph=Glyph::Check word="Active" /> }
    } else {
        view! { <Badge tone=Tone::Neutral glyph=Glyph::Pause word="Paused" /> }
    }
}

#[component]
fn WebhookRow(webhook: Webhook) -> impl IntoView {
    let told = told_of(&webhook);
    view! {
        <tr class="row">
            <td class="cell-state">
                <WebhookState active=webhook.is_active />
            </td>
            <th scope="row" class="cell-name">
                <a class="row-link" href=webhook_page(webhook.id)>
                    {webhook.name}
                </a>
                <span class="sub">{webhook.url}</span>
            </th>
            <td class="cell-told">{told}</td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_webhook_is_told_of_reads_as_a_phrase() {
        let webhook = |kinds: &[&str], min_severity| Webhook {
            id: "0193a0000000700080000000000000ab".parse().unwrap(),
            name: String::new(),
            url: String::new(),
            kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
            min_severity,
            is_active: true,
            created_at: portico_model::Timestamp::default(),
            updated_at: portico_model::Timestamp::default(),
            previous_secret_until: None,
        };
        assert_eq!(told_of(&webhook(&[], Severity::Info)), "everything");
        assert_eq!(
            told_of(&webhook(&["alarm.raised", "alarm.cleared"], Severity::Warning)),
            "alarm.raised, alarm.cleared, from warnings on"
        );
    }
}
