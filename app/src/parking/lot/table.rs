//! The spots of a level as a list: the equal of the plan.

use leptos::prelude::*;
use portico_model::Timestamp;

use super::page::Shown;
use crate::parking::{StatusBadge, attributes};
use crate::time::{relative_text, use_now, utc_text};
use crate::ui::Icon;

/// The list.
#[component]
pub fn SpotTable(all: Vec<Shown>) -> impl IntoView {
    // One clock for all rows.
    let now = use_now();
    view! {
        <div class="table-wrap park-list" id="spots" tabindex="-1">
            <table class="table table-spots">
                <caption class="hidden">"Spots of this level"</caption>
                <thead>
                    <tr>
                        <th scope="col">"State"</th>
                        <th scope="col">"Spot"</th>
                        <th scope="col">"Zone"</th>
                        <th scope="col">"Kind"</th>
                        <th scope="col">"Since"</th>
                    </tr>
                </thead>
                <tbody>{all.into_iter().map(|shown| view! { <SpotRow shown now /> }).collect_view()}</tbody>
            </table>
        </div>
    }
}

#[component]
fn SpotRow(shown: Shown, now: Signal<Option<Timestamp>>) -> impl IntoView {
    let Shown { spot, changes, fits } = shown;
    let status = Memo::new(move |_| spot.with(|spot| spot.status));
    let id = Memo::new(move |_| spot.with(|spot| spot.id.clone()));
    let kinds = Memo::new(move |_| spot.with(attributes));
    let since = Memo::new(move |_| spot.with(|spot| spot.last_updated));
    let ago = Memo::new(move |_| match (since.get(), now.get()) {
        (None, _) => String::new(),
        (Some(at), None) => utc_text(at),
        (Some(at), Some(now)) => relative_text(now, at),
    });
    view! {
        <tr
            class="row"
            class:glow-odd=move || changes.get() % 2 == 1
            class:glow-even=move || { changes.get() > 0 && changes.get().is_multiple_of(2) }
            hidden=move || !fits.get()
        >
            <td class="cell-state">
                <StatusBadge status />
            </td>
            <th scope="row" class="cell-name">
                <a class="row-link" href=move || format!("/parking/spots/{}", id.get())>
                    {move || id.get()}
                </a>
            </th>
            <td class="cell-zone">{move || spot.with(|spot| spot.zone.clone())}</td>
            <td class="cell-kind">
                {move || {
                    kinds
                        .get()
                        .into_iter()
                        .map(|(glyph, word)| match glyph {
                            Some(glyph) => view! {
                                <span class="park-kind" title=word>
                                    <Icon glyph />
                                    <span class="hidden">{word}</span>
                                </span>
                            }
                                .into_any(),
                            None => view! { <span class="park-kind">{word}</span> }.into_any(),
                        })
                        .collect_view()
                }}
            </td>
            <td class="cell-seen">
                <time
                    datetime=move || since.get().map(Timestamp::to_iso)
                    title=move || since.get().map(utc_text)
                >
                    {move || ago.get()}
                </time>
            </td>
        </tr>
    }
}
