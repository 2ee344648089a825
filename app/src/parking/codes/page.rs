//! `/parking/:lot/codes`: a sheet of QR codes to print and to put up at the spots.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use portico_model::LotId;

use super::{CodesView, GetSpotCodes, SpotCode};
use crate::load::{in_place, load};
use crate::ui::list::asked;
use crate::ui::{EmptyState, Glyph, Icon, address};

/// The page.
#[component]
pub fn SpotCodesPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("lot").and_then(|id| id.parse::<LotId>().ok())));
    #[cfg(feature = "ssr")]
    if id.get_untracked().is_none() {
        crate::server::set_status(404);
    }
    let (level, spot) = (asked("level"), asked("spot"));
    let page = load(move || id.get().map(|lot| GetSpotCodes { lot, level: level.get(), spot: spot.get() }));
    let body = move |shown: Memo<CodesView>| view! { <Codes shown /> }.into_any();
    view! {
        <Transition fallback=|| {
            view! { <p class="loading" role="status">"Drawing codes"</p> }
        }>{in_place(page, |view: &CodesView| (view.lot, view.level.clone(), view.spot.clone()), body)}</Transition>
    }
}

#[component]
fn Codes(shown: Memo<CodesView>) -> impl IntoView {
    let CodesView { lot, name, is_walk_up, levels, level, spot, codes } = shown.get_untracked();
    let path = format!("/parking/{lot}/codes");
    let is_part = !level.is_empty() || !spot.is_empty();
    let mut parts = vec![(String::new(), "All".to_owned())];
    parts.extend(levels);
    let choices = parts
        .into_iter()
        .map(|(id, word)| {
            let current = (spot.is_empty() && id == level).then_some("page");
            let href = address(&path, [("level", id.as_str())]);
            view! {
                <a class="button button-small" href=href aria-current=current>
                    {word}
                </a>
            }
        })
        .collect_view();
    let none = codes.is_empty();
    view! {
        <Title text=format!("Codes of {name}") />
        <nav class="crumbs park-crumbs" aria-label="Breadcrumb">
            <a href="/parking">"Parking"</a>
            <a href=format!("/parking/{lot}")>{name.clone()}</a>
        </nav>
        <div class="page-head">
            <h1>{format!("Codes of {name}")}</h1>
            <div class="page-actions">
                <a class="button" href=format!("/parking/{lot}/edit")>
                    <Icon glyph=Glyph::Edit />
                    <span>"Edit lot"</span>
                </a>
            </div>
        </div>
        <div class="codes-help">
            <p class="quiet">
                "Print this page and put each code up at its spot. Who scans one says how long, sees the price and parks, without an account."
            </p>
            {(!is_walk_up)
                .then(|| {
                    view! {
                        <p class="note note-attention">
                            <Icon glyph=Glyph::Alert />
                            <span>
                                "This lot does not allow parking without an account yet: the codes lead to nothing until that is set in its "
                                <a href=format!("/parking/{lot}/edit")>"settings"</a> "."
                            </span>
                        </p>
                    }
                })}
            <nav class="codes-levels" aria-label="Which codes">
                {choices}
            </nav>
        </div>
        {if none {
            let text = if is_part { "Nothing here has a code: choose all." } else { "Each spot of the lot gets a code. Add spots first." };
            view! { <EmptyState glyph=Glyph::Parking title="No spots" text /> }.into_any()
        } else {
            let code = |code: SpotCode| {
                let label = format!("QR code of spot {}", code.id);
                view! {
                    <li class="code">
                        <div class="code-qr" role="img" aria-label=label inner_html=code.svg></div>
                        <p class="code-sign">{code.id}</p>
                        <p class="sub">{code.place}</p>
                        <p class="code-address">{code.address}</p>
                    </li>
                }
            };
            view! { <ul class="codes">{codes.into_iter().map(code).collect_view()}</ul> }.into_any()
        }}
    }
}
