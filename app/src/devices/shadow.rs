//! The shadow of a device: what is wanted of it, what it reports, and what is missing.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use portico_model::DeviceId;
use portico_model::live::Event;
use portico_model::shadow::Shadow;
use serde_json::Value as Json;

use crate::failure::Failure;
use crate::form::{FormState, PostForm};
use crate::live::{LiveUpdate, follow};
use crate::load::{Ask, Loaded, read};
use crate::time::Ago;
use crate::ui::{Badge, Dialog, ErrorSummary, Glyph, ProblemView, SubmitButton, TextAreaField, Tone};

/// A device's shadow.
#[server(name = GetShadow, prefix = "/sfn", endpoint = "devices/shadow", input = GetUrl)]
pub async fn get_shadow(id: DeviceId) -> Result<Shadow, Failure> {
    use crate::server::{actor, devices, failed};

    devices()?.shadow(&actor()?, id).await.map_err(failed)
}

/// Replaces what is wanted; `version` is the one that was on the page.
#[server(name = SetDesired, prefix = "/sfn", endpoint = "devices/set_desired")]
pub async fn set_desired(id: DeviceId, #[server(default)] desired: String, version: i64) -> Result<Shadow, Failure> {
    use leptos::server_fn::ServerFn as _;
    use portico_model::shadow::ShadowChange;

    use crate::server::{actor, devices, failed, form_done, form_failed};

    let page = format!("/devices/{id}");
    let refuse = |failure| form_failed(SetDesired::PATH, &page, &[("desired", &desired)], failure);
    let text = if desired.trim().is_empty() { "{}" } else { desired.trim() };
    let document = serde_json::from_str(text)
        .map_err(|_| refuse(Failure::field("desired", "Give a JSON object, such as {\"interval_s\": 30}.")))?;
    let change = ShadowChange { desired: document, version: Some(version) };
    let shadow = devices()?.replace_desired(&actor()?, id, change).await.map_err(|error| refuse(failed(error)))?;
    form_done(SetDesired::PATH, &page, &[]);
    Ok(shadow)
}

impl Ask for GetShadow {
    fn query(&self) -> Vec<(&'static str, String)> {
        vec![("id", self.id.to_string())]
    }
}

fn is_empty(document: &Json) -> bool {
    document.as_object().is_none_or(serde_json::Map::is_empty)
}

fn pretty(document: &Json) -> String {
    if is_empty(document) { "{}".to_owned() } else { serde_json::to_string_pretty(document).unwrap_or_default() }
}

/// The panel on the device's page.
#[component]
pub fn ShadowPanel(id: DeviceId, shadow: Resource<Loaded>, may_manage: bool, form: FormState) -> impl IntoView {
    view! {
        <section class="card" aria-labelledby="shadow-title">
            <Transition fallback=|| {
                view! {
                    <h2 id="shadow-title">"Wanted and reported"</h2>
                    <p class="loading" role="status">"Loading shadow"</p>
                }
            }>
                {move || {
                    shadow
                        .get()
                        .map(|loaded| match read::<Shadow>(loaded) {
                            Ok(shadow) => view! { <ShadowView id shadow may_manage form /> }.into_any(),
                            Err(failure) => view! { <ProblemView failure /> }.into_any(),
                        })
                }}
            </Transition>
        </section>
    }
}

#[component]
fn ShadowView(id: DeviceId, shadow: Shadow, may_manage: bool, form: FormState) -> impl IntoView {
    let initial = pretty(&shadow.desired);
    let shadow = RwSignal::new(shadow);
    follow(
        move || Some(format!("shadow:{id}")),
        move |update| match update {
            LiveUpdate::Snapshot(mut data) => {
                let now = data.get_mut("shadow").map(Json::take);
                if let Some(now) = now.and_then(|now| serde_json::from_value(now).ok()) {
                    shadow.set(now);
                }
            }
            LiveUpdate::Event(Event::ShadowChanged { shadow: now }) => shadow.set(now),
            LiveUpdate::Event(_) => {}
        },
    );
    Effect::new(move |_| {
        if let Some(changed) = form.answer::<Shadow>() {
            shadow.update(|shadow| {
                if changed.version > shadow.version {
                    *shadow = changed;
                }
            });
        }
    });
    let missing = Memo::new(move |_| shadow.with(|shadow| !is_empty(&shadow.delta)));
    let wanted = Memo::new(move |_| shadow.with(|shadow| shadow.version > 0));
    let text = move |pick: fn(&Shadow) -> &Json| Memo::new(move |_| shadow.with(|shadow| pretty(pick(shadow))));
    let (desired, reported, delta) =
        (text(|shadow| &shadow.desired), text(|shadow| &shadow.reported), text(|shadow| &shadow.delta));
    let desired_at = Memo::new(move |_| shadow.with(|shadow| shadow.desired_at));
    let reported_at = Memo::new(move |_| shadow.with(|shadow| shadow.reported_at));
    view! {
        <div class="card-head">
            <div class="title-line">
            <h2 id="shadow-title">"Wanted and reported"</h2>
            {move || {
                wanted
                    .get()
                    .then(|| {
                        if missing.get() {
                            view! { <Badge tone=Tone::Attention glyph=Glyph::Clock word="Not there yet" /> }
                        } else {
                            view! { <Badge tone=Tone::Ok glyph=Glyph::Check word="As wanted" /> }
                        }
                    })
            }}
            </div>
            {may_manage
                .then(|| {
                    view! {
                        <Dialog
                            label="Change"
                            glyph=Glyph::Edit
                            open=form.came_back()
                            done=Signal::derive(move || form.successes.get() > 0)
                        >
                            <PostForm form id="set-desired">
                                <ErrorSummary form shown=&["desired"] />
                                <input type="hidden" name="id" value=id.to_string() />
                                <input
                                    type="hidden"
                                    name="version"
                                    value=move || shadow.with(|shadow| shadow.version.to_string())
                                />
                                <TextAreaField
                                    form
                                    name="desired"
                                    label="Wanted state"
                                    value=initial
                                    rows=8
                                    help="A JSON object. The device gets all of it, also when it comes back later."
                                />
                                <SubmitButton label="Save wanted state" pending=form.pending() />
                            </PostForm>
                        </Dialog>
                    }
                })}
        </div>
        <div class="shadow">
            <Document title="Wanted" text=desired at=desired_at none="Nothing is wanted of this device." />
            <Document title="Reported" text=reported at=reported_at none="The device has reported nothing." />
            <div hidden=move || !(wanted.get() && missing.get())>
                <h3>"Missing"</h3>
                <pre tabindex="0" aria-label="Missing">
                    <code>{move || delta.get()}</code>
                </pre>
            </div>
        </div>
    }
}

#[component]
fn Document(
    title: &'static str,
    text: Memo<String>,
    at: Memo<Option<portico_model::Timestamp>>,
    none: &'static str,
) -> impl IntoView {
    let absent = Memo::new(move |_| at.with(Option::is_none));
    view! {
        <div>
            <h3>
                {title} " " <span class="quiet" hidden=move || absent.get()>
                    <Ago at />
                </span>
            </h3>
            <p class="quiet" hidden=move || !absent.get()>
                {none}
            </p>
            <pre tabindex="0" aria-label=title hidden=move || absent.get()>
                <code>{move || text.get()}</code>
            </pre>
        </div>
    }
}
