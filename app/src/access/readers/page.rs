//! `/doors/readers`: which readers would decide by themselves if the network failed now, and until when.

use leptos::prelude::*;
use leptos_meta::Title;
use portico_model::access::sync::{ReaderSync, SyncState};
use portico_model::devices::Connection;
use portico_model::live::Event;

use super::ListReaders;
use crate::access::doors::tabs::DoorTabs;
use crate::live::{LiveUpdate, follow, use_live};
use crate::load::{in_place, load, reload_when};
use crate::time::{Ago, Moment};
use crate::ui::{Badge, EmptyState, Glyph, Tone};

/// The page.
#[component]
pub fn ReadersPage() -> impl IntoView {
    let page = load(|| Some(ListReaders {}));
    follow(
        || Some("access_readers".to_owned()),
        move |update| {
            if let LiveUpdate::Event(Event::AccessReadersChanged) = update {
                page.refetch();
            }
        },
    );
    let live = use_live();
    reload_when(page, move || live.returns.get());
    let body = move |shown: Memo<Vec<ReaderSync>>| view! { <Readers shown /> }.into_any();
    view! {
        <Title text="Readers" />
        <DoorTabs />
        <div class="page-head">
            <h1>"Readers without network"</h1>
        </div>
        <p class="lead">
            "Each reader keeps a signed copy of who may come through its door, and decides by it when the network is down. What it decided is told later, and stands in the access log as decided offline."
        </p>
        <Transition fallback=|| {
            view! { <p class="loading" role="status">"Loading readers"</p> }
        }>{in_place(page, |_: &Vec<ReaderSync>| (), body)}</Transition>
    }
}

#[component]
fn Readers(shown: Memo<Vec<ReaderSync>>) -> impl IntoView {
    move || {
        let readers = shown.get();
        if readers.is_empty() {
            return view! {
                <EmptyState
                    glyph=Glyph::Key
                    title="No readers yet"
                    text="A reader belongs to a door: add the door and choose its reader there."
                />
            }
            .into_any();
        }
        view! {
            <div class="table-wrap">
                <table class="table table-readers">
                    <caption class="hidden">"Readers"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Knows"</th>
                            <th scope="col">"Reader"</th>
                            <th scope="col">"Decides until"</th>
                            <th scope="col">"Last told"</th>
                            <th scope="col">"Decided alone"</th>
                        </tr>
                    </thead>
                    <tbody>{readers.into_iter().map(|reader| view! { <ReaderRow reader /> }).collect_view()}</tbody>
                </table>
            </div>
        }
        .into_any()
    }
}

/// What a reader would do without network.
const fn look(state: SyncState) -> (Tone, Glyph, &'static str) {
    match state {
        SyncState::Current => (Tone::Ok, Glyph::Check, "What is in force"),
        SyncState::Behind => (Tone::Attention, Glyph::Clock, "An older state"),
        SyncState::Expired => (Tone::Danger, Glyph::Alert, "Nothing any more"),
        SyncState::Never => (Tone::Unknown, Glyph::Unknown, "Nothing"),
    }
}

#[component]
fn ReaderRow(reader: ReaderSync) -> impl IntoView {
    let (tone, glyph, word) = look(reader.state);
    let side = if reader.leaving { "inside of" } else { "outside of" };
    let connection = match reader.connection {
        Connection::Online => None,
        Connection::Offline => Some(" · offline"),
        _ => Some(" · never connected"),
    };
    let lost = (reader.lost > 0).then(|| format!("{} lost at the reader", reader.lost));
    view! {
        <tr class="row">
            <td class="cell-state">
                <Badge tone glyph word />
            </td>
            <th scope="row" class="cell-name">
                <a class="row-link" href=format!("/devices/{}", reader.reader_id)>{reader.reader_name}</a>
                <span class="sub">{side} " " {reader.door_name} {connection}</span>
            </th>
            <td class="cell-place">
                {match reader.expires_at {
                    Some(at) => view! { <span class="on-phone">"until "</span> <Moment at=Signal::stored(at) /> }.into_any(),
                    None => view! { <span class="quiet">"It keeps the door shut"</span> }.into_any(),
                }}
            </td>
            <td class="cell-seen">
                <Ago at=Signal::stored(reader.synced_at) />
            </td>
            <td class="cell-place">
                {match reader.last_seq {
                    0 => "No own events yet".to_owned(),
                    last => format!("Own events up to no. {last}"),
                }}
                {lost.map(|lost| view! { <span class="sub danger">{lost}</span> })}
            </td>
        </tr>
    }
}
