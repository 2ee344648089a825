//! `/firmware`: images, roll-outs, publishers' keys.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use portico_model::Page;
use portico_model::firmware::{Firmware, Rollout};
use portico_model::live::Event;

use super::keys::{KeyForms, KeysPanel};
use super::rollout::{RolloutBadge, RolloutBar, counts_text};
use super::upload::UploadPanel;
use super::{FirmwareOverview, Overview, size_text};
use crate::live::{LiveUpdate, follow};
use crate::load::{load, read};
use crate::time::Ago;
use crate::ui::{EmptyState, Glyph, Icon, ProblemView};

/// How many roll-outs are shown.
const SHOWN: usize = 10;

/// The page.
#[component]
pub fn FirmwarePage() -> impl IntoView {
    let query = use_query_map();
    let cursor = Memo::new(move |_| query.with(|query| query.get("cursor").unwrap_or_default()));
    let keys = KeyForms::new();
    let overview = load(move || Some(FirmwareOverview { cursor: cursor.get() }));
    let uploads = RwSignal::new(0_u32);
    Effect::new(move |before: Option<u32>| {
        let changes = keys.add.successes.get() + keys.revoke.successes.get() + uploads.get();
        if before.is_some_and(|before| before != changes) {
            overview.refetch();
        }
        changes
    });
    view! {
        <Title text="Firmware" />
        <div class="page-head">
            <h1>"Firmware"</h1>
        </div>
        <Transition fallback=|| view! { <p class="loading" role="status">"Loading firmware"</p> }>
            {move || {
                overview
                    .get()
                    .map(|answer| match read::<Overview>(answer) {
                        Ok(overview) => {
                            let Overview { images, keys: trusted, rollouts, device_types } = overview;
                            let can_upload = trusted.iter().any(|key| key.revoked_at.is_none());
                            view! {
                                <div class="stack">
                                    <Rollouts rollouts />
                                    <Images images can_upload />
                                </div>
                                <div class="columns">
                                    {can_upload.then(|| view! { <UploadPanel device_types uploads /> })}
                                    <KeysPanel keys=trusted forms=keys />
                                </div>
                            }
                                .into_any()
                        }
                        Err(failure) => view! { <ProblemView failure /> }.into_any(),
                    })
            }}
        </Transition>
    }
}

#[component]
fn Rollouts(rollouts: Vec<Rollout>) -> impl IntoView {
    let rollouts = RwSignal::new(rollouts);
    follow(
        || Some("rollouts".to_owned()),
        move |update| match update {
            LiveUpdate::Snapshot(mut data) => {
                let now = data.get_mut("rollouts").map(serde_json::Value::take);
                if let Some(now) = now.and_then(|now| serde_json::from_value::<Vec<Rollout>>(now).ok()) {
                    rollouts.set(now.into_iter().take(SHOWN).collect());
                }
            }
            LiveUpdate::Event(Event::RolloutChanged { rollout }) => {
                rollouts.update(|rollouts| fold_rollouts(rollouts, rollout));
            }
            LiveUpdate::Event(_) => {}
        },
    );
    view! {
        <section class="card" aria-labelledby="rollouts-title" hidden=move || rollouts.with(Vec::is_empty)>
            <h2 id="rollouts-title">"Roll-outs"</h2>
            <ul class="rollouts">
                <For each=move || rollouts.get() key=|rollout| (rollout.id, rollout.state, counts_text(&rollout.counts)) let:rollout>
                    <li class="rollout">
                        <RolloutBadge state=rollout.state />
                        <a href=format!("/firmware/rollouts/{}", rollout.id)>
                            {format!("{} {}", rollout.device_type, rollout.version)}
                        </a>
                        <RolloutBar counts=rollout.counts />
                        <span class="quiet">{counts_text(&rollout.counts)}</span>
                    </li>
                </For>
            </ul>
        </section>
    }
}

/// Puts a roll-out in its place: the newest first, as many as are shown.
pub fn fold_rollouts(rollouts: &mut Vec<Rollout>, changed: Rollout) {
    match rollouts.iter_mut().find(|rollout| rollout.id == changed.id) {
        Some(rollout) => *rollout = changed,
        None => {
            let at = rollouts.partition_point(|rollout| rollout.id > changed.id);
            rollouts.insert(at, changed);
            rollouts.truncate(SHOWN);
        }
    }
}

#[component]
fn Images(images: Page<Firmware>, can_upload: bool) -> impl IntoView {
    if images.items.is_empty() {
        let text = if can_upload {
            "Upload an image that a trusted publisher has signed, then roll it out to its devices."
        } else {
            "Images are taken in only with the signature of a publisher you trust: add the publisher's key first."
        };
        return view! { <EmptyState glyph=Glyph::Download title="No images yet" text /> }.into_any();
    }
    let next = images.next.as_deref().map(|cursor| format!("/firmware?cursor={}", crate::browser::encode(cursor)));
    view! {
        <section class="card" aria-labelledby="images-title">
            <h2 id="images-title">"Images"</h2>
            <div class="table-wrap">
                <table class="table table-firmware">
                    <caption class="hidden">"Images"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"For"</th>
                            <th scope="col">"Version"</th>
                            <th scope="col">"Size"</th>
                            <th scope="col">"Signed by"</th>
                            <th scope="col">"Uploaded"</th>
                        </tr>
                    </thead>
                    <tbody>
                        {images
                            .items
                            .into_iter()
                            .map(|image| {
                                view! {
                                    <tr>
                                        <td class="cell-type">{image.device_type}</td>
                                        <th scope="row" class="cell-name">
                                            <a href=format!("/firmware/{}", image.id)>{image.version}</a>
                                        </th>
                                        <td class="cell-size">{size_text(image.size_bytes)}</td>
                                        <td class="cell-key">{image.key_name}</td>
                                        <td class="cell-seen">
                                            <Ago at=Signal::stored(Some(image.created_at)) />
                                            {format!(" by {}", image.created_by)}
                                        </td>
                                    </tr>
                                }
                            })
                            .collect_view()}
                    </tbody>
                </table>
            </div>
            {next
                .map(|href| {
                    view! {
                        <nav class="pages" aria-label="Pages">
                            <a class="button" href=href rel="next">
                                "Next page"
                                <Icon glyph=Glyph::Next />
                            </a>
                        </nav>
                    }
                })}
        </section>
    }
    .into_any()
}
