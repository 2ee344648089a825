//! `/reservations`: one's own, what comes first; with `ReadParking` also those of all.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use leptos_meta::Title;
use portico_model::identity::Permission;
use portico_model::live::Event;
#[cfg(feature = "ssr")]
use portico_model::parking::reservation::Reservation;
use portico_model::parking::reservation::ReservationState;
use portico_model::{Page, ReservationId};
use serde::{Deserialize, Serialize};

use super::StateBadge;
use crate::failure::Failure;
use crate::live::use_live;
use crate::load::{Ask, given, in_place, load, reload_when};
use crate::parking::refetch_upon;
use crate::parking::tabs::ParkingTabs;
use crate::ui::list::{address, asked, is_restricted, submit_form_of};
use crate::ui::{EmptyState, Filters, Glyph, Icon, Pages, SelectFilter, TextFilter};
use crate::viewer::viewer_may;

/// A reservation in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationRow {
    pub id: ReservationId,
    pub spot_id: String,
    /// Level and lot.
    pub place: String,
    /// By the clock of the lot.
    pub when: String,
    /// Name or e-mail address of the holder.
    pub who: String,
    pub plate: String,
    pub state: ReservationState,
    pub price: String,
    /// Something is still to be paid.
    pub is_due: bool,
}

/// All that the page shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReservationList {
    /// One's own that still have their spot, the next first.
    pub coming: Vec<ReservationRow>,
    /// One's own that are over, the latest first; or those of all that fit.
    pub rest: Page<ReservationRow>,
    /// Id and name; to choose among all.
    pub lots: Vec<(String, String)>,
}

#[cfg(feature = "ssr")]
fn row(one: Reservation) -> ReservationRow {
    use portico_model::parking::receipt::price_text;
    use portico_parking::Wall;

    let is_due = one.state.has_spot() && one.due_minor() > 0;
    ReservationRow {
        id: one.id,
        place: format!("{}, {}", one.level, one.lot_name),
        when: Wall::of(&one.time_zone).span(one.start_time, one.end_time),
        who: match (one.user_name.is_empty(), one.user_email.is_empty(), one.is_walk_up) {
            (false, ..) => one.user_name,
            (true, false, _) => one.user_email,
            (true, true, is_walk_up) => {
                if is_walk_up {
                    "Without an account".to_owned()
                } else {
                    String::new()
                }
            }
        },
        plate: one.plate,
        state: one.state,
        price: price_text(one.amount_minor, &one.currency),
        is_due,
        spot_id: one.spot_id,
    }
}

/// One's own reservations, or (`show`: `all`) those of all that fit. `state` is a state, `over` or empty (has its spot).
#[server(name = ListReservations, prefix = "/sfn", endpoint = "parking/reservations", input = GetUrl)]
pub async fn list_reservations(
    #[server(default)] show: String,
    #[server(default)] search: String,
    #[server(default)] lot: String,
    #[server(default)] state: String,
    #[server(default)] cursor: String,
) -> Result<ReservationList, Failure> {
    use portico_parking::{LotQuery, ReservationQuery};

    use crate::parking::typed::given;
    use crate::server::{actor, failed, parking};

    const PAGE: i64 = 25;
    /// Nobody has more before him.
    const MOST: i64 = 200;
    let (parking, actor) = (parking()?, actor()?);
    let cursor = given(&cursor);
    let page = |page: Page<Reservation>| Page { items: page.items.into_iter().map(row).collect(), next: page.next };
    if show == "all" && actor.may(Permission::ReadParking) {
        let one = ReservationState::parse(&state);
        let query = ReservationQuery {
            lot: lot.parse().ok(),
            state: one,
            has_spot: if one.is_some() { None } else { Some(state != "over") },
            search: given(&search),
            cursor,
            limit: Some(PAGE),
            ..ReservationQuery::default()
        };
        let rest = page(parking.reservations(&actor, &query).await.map_err(failed)?);
        let lots = parking.lots(&actor, LotQuery::default()).await.map_err(failed)?;
        let lots = lots.into_iter().map(|lot| (lot.id.to_string(), lot.name)).collect();
        return Ok(ReservationList { coming: Vec::new(), rest, lots });
    }
    let mine = ReservationQuery { mine: true, ..ReservationQuery::default() };
    let coming = if cursor.is_none() {
        let query = ReservationQuery { has_spot: Some(true), limit: Some(MOST), ..mine.clone() };
        page(parking.reservations(&actor, &query).await.map_err(failed)?).items
    } else {
        Vec::new()
    };
    let query = ReservationQuery { has_spot: Some(false), cursor, limit: Some(PAGE), ..mine };
    let rest = page(parking.reservations(&actor, &query).await.map_err(failed)?);
    Ok(ReservationList { coming, rest, lots: Vec::new() })
}

impl Ask for ListReservations {
    fn query(&self) -> Vec<(&'static str, String)> {
        given([
            ("show", &self.show),
            ("search", &self.search),
            ("lot", &self.lot),
            ("state", &self.state),
            ("cursor", &self.cursor),
        ])
    }
}

const STATES: &[(&str, &str)] = &[
    ("", "Coming and now"),
    ("over", "Over"),
    ("held", "Waits for payment"),
    ("confirmed", "Confirmed"),
    ("checked_in", "Parked"),
    ("completed", "Completed"),
    ("cancelled", "Cancelled"),
    ("expired", "Not paid in time"),
    ("no_show", "Nobody came"),
];

/// The page.
#[component]
pub fn ReservationsPage() -> impl IntoView {
    let [show, search, lot, state, cursor] = ["show", "search", "lot", "state", "cursor"].map(asked);
    let page = load(move || {
        Some(ListReservations {
            show: show.get(),
            search: search.get(),
            lot: lot.get(),
            state: state.get(),
            cursor: cursor.get(),
        })
    });
    refetch_upon(page, || Some("reservations".to_owned()), |event| matches!(event, Event::ReservationChanged { .. }));
    let live = use_live();
    reload_when(page, move || live.returns.get());
    let sees_all = viewer_may(Permission::ReadParking);
    let is_all = Memo::new(move |_| sees_all && show.with(|show| show == "all"));
    let export = move |kind: &str| {
        let (search, lot, state) = (search.get(), lot.get(), state.get());
        let (state, has_spot) = match state.as_str() {
            "" => ("", "true"),
            "over" => ("", "false"),
            one => (one, ""),
        };
        address(
            &format!("/api/v1/parking/export/reservations.{kind}"),
            [("search", search.as_str()), ("lot_id", &lot), ("state", state), ("has_spot", has_spot)],
        )
    };
    let body = move |shown: Memo<ReservationList>| {
        view! {
            {move || {
                if is_all.get() {
                    view! { <All shown /> }.into_any()
                } else {
                    view! { <Mine shown /> }.into_any()
                }
            }}
        }
        .into_any()
    };
    view! {
        <Title text="Reservations" />
        <ParkingTabs />
        <div class="page-head">
            <h1>"Reservations"</h1>
            <div class="page-actions">
                {move || {
                    is_all
                        .get()
                        .then(|| {
                            [("csv", "CSV"), ("xlsx", "XLSX")]
                                .map(|(kind, word)| {
                                    view! {
                                        <a
                                            class="button"
                                            href=move || export(kind)
                                            rel="external"
                                            download=format!("reservations.{kind}")
                                        >
                                            <Icon glyph=Glyph::Download />
                                            <span>{word}</span>
                                        </a>
                                    }
                                })
                                .collect_view()
                        })
                }}
                <a class="button button-primary" href="/parking/reserve">
                    <Icon glyph=Glyph::Plus />
                    <span>"Reserve"</span>
                </a>
            </div>
        </div>
        {sees_all
            .then(|| {
                view! {
                    <nav class="switch" aria-label="Whose reservations">
                        <a href="/reservations" aria-current=move || (!is_all.get()).then_some("true")>
                            "Mine"
                        </a>
                        <a href="/reservations?show=all" aria-current=move || is_all.get().then_some("true")>
                            "All"
                        </a>
                    </nav>
                }
            })}
        <Transition fallback=|| {
            view! { <p class="loading" role="status">"Loading reservations"</p> }
        }>{in_place(page, |_: &ReservationList| (), body)}</Transition>
    }
}

#[component]
fn Mine(shown: Memo<ReservationList>) -> impl IntoView {
    let coming = Memo::new(move |_| shown.with(|shown| shown.coming.clone()));
    let past = Memo::new(move |_| shown.with(|shown| shown.rest.clone()));
    let is_first = is_restricted(&["cursor"]);
    move || {
        let (coming, past) = (coming.get(), past.get());
        let later = is_first.get();
        if coming.is_empty() && past.items.is_empty() {
            return view! {
                <EmptyState
                    glyph=Glyph::Parking
                    title="No reservations yet"
                    text="Reserve a spot before you set out: it is kept free for you, and its pass opens the gate."
                >
                    <a class="button button-primary" href="/parking/reserve">
                        "Find a spot"
                    </a>
                </EmptyState>
            }
            .into_any();
        }
        let has_past = !past.items.is_empty();
        view! {
            {(!later)
                .then(|| {
                    view! {
                        <section class="reservations" aria-labelledby="coming-title">
                            <h2 id="coming-title">"Coming and now"</h2>
                            {if coming.is_empty() {
                                view! { <p class="quiet">"Nothing at the moment."</p> }.into_any()
                            } else {
                                view! { <Rows rows=coming caption="Coming, the next first" /> }.into_any()
                            }}
                        </section>
                    }
                })}
            {has_past
                .then(|| {
                    view! {
                        <section class="reservations" aria-labelledby="past-title">
                            <h2 id="past-title">"Over"</h2>
                            <Rows rows=past.items caption="Over, the latest first" />
                            <Pages next=past.next />
                        </section>
                    }
                })}
        }
        .into_any()
    }
}

#[component]
fn All(shown: Memo<ReservationList>) -> impl IntoView {
    let lots = Memo::new(move |_| shown.with(|shown| shown.lots.clone()));
    let rest = Memo::new(move |_| shown.with(|shown| shown.rest.clone()));
    let restricted = is_restricted(&["search", "lot", "state"]);
    view! {
        <Filters action="/reservations">
            <input type="hidden" name="show" value="all" />
            <TextFilter name="search" label="Search" kind="search" placeholder="Name, plate or spot" wide=true />
            <LotFilter lots />
            <SelectFilter name="state" label="State" choices=STATES />
        </Filters>
        {move || {
            let page = rest.get();
            if page.items.is_empty() {
                let (title, text) = if restricted.get() {
                    ("No reservation matches", "Look for a part of a name, a number plate or a spot, or in another state.")
                } else {
                    ("No reservations at the moment", "What drivers reserve is listed here, the next first.")
                };
                view! {
                    <EmptyState glyph=Glyph::Parking title text>
                        {restricted
                            .get()
                            .then(|| {
                                view! {
                                    <a class="button" href="/reservations?show=all">
                                        "Show all that are coming"
                                    </a>
                                }
                            })}
                    </EmptyState>
                }
                    .into_any()
            } else {
                view! {
                    <Rows rows=page.items caption="Reservations of all" with_holder=true />
                    <Pages next=page.next />
                }
                    .into_any()
            }
        }}
    }
}

/// Of which lot.
#[component]
pub fn LotFilter(lots: Memo<Vec<(String, String)>>) -> impl IntoView {
    let value = asked("lot");
    view! {
        <div class="filter">
            <label for="filter-lot">"Lot"</label>
            <select id="filter-lot" name="lot" on:change=submit_form_of>
                <option value="">"Any"</option>
                {move || {
                    lots.get()
                        .into_iter()
                        .map(|(id, name)| {
                            let chosen = value.with(|value| *value == id);
                            view! {
                                <option value=id selected=chosen>
                                    {name}
                                </option>
                            }
                        })
                        .collect_view()
                }}
            </select>
        </div>
    }
}

#[component]
fn Rows(
    rows: Vec<ReservationRow>,
    caption: &'static str,
    /// Whose it is, too.
    #[prop(optional)]
    with_holder: bool,
) -> impl IntoView {
    let row = move |row: ReservationRow| {
        let who = [row.who, row.plate].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ");
        view! {
            <tr class="row">
                <td class="cell-state">
                    <StateBadge state=row.state />
                </td>
                <th scope="row" class="cell-name">
                    <a class="row-link" href=format!("/reservations/{}", row.id)>
                        {row.spot_id}
                    </a>
                    <span class="sub">{row.place}</span>
                </th>
                <td class="cell-when number">{row.when}</td>
                {with_holder.then(|| view! { <td class="cell-who">{who}</td> })}
                <td class="cell-price number">
                    {row.price} {row.is_due.then(|| view! { <span class="sub">"to be paid"</span> })}
                </td>
            </tr>
        }
    };
    view! {
        <div class="table-wrap">
            <table class="table table-reservations">
                <caption class="hidden">{caption}</caption>
                <thead>
                    <tr>
                        <th scope="col">"State"</th>
                        <th scope="col">"Spot"</th>
                        <th scope="col">"When, by the clock of the lot"</th>
                        {with_holder.then(|| view! { <th scope="col">"Whose"</th> })}
                        <th scope="col">"Price"</th>
                    </tr>
                </thead>
                <tbody>{rows.into_iter().map(row).collect_view()}</tbody>
            </table>
        </div>
    }
}
