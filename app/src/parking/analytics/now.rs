//! How full everything is now: all, each lot, and the levels and zones of the lot that is looked at.

use leptos::prelude::*;
use portico_model::parking::analytics::{Fill, PartFill};

use super::{NowView, PAGE};
use crate::time::Moment;
use crate::ui::list::submit_form_of;
use crate::ui::{EmptyState, Filters, Glyph, SelectFilter};

/// Days of the past; without a choice it is 28.
const SPANS: &[(&str, &str)] = &[("", "28 days"), ("7", "7 days"), ("90", "90 days"), ("365", "A year")];

#[derive(Debug, Clone, PartialEq)]
struct Row {
    /// 0 for all, 1 for a lot, 2 for a level, 3 for a zone.
    depth: u8,
    name: String,
    fill: Fill,
}

/// From the whole to its parts.
fn rows(view: &NowView) -> Vec<Row> {
    let occupancy = &view.occupancy;
    let row = |depth, name: &str, fill: &Fill| Row { depth, name: name.to_owned(), fill: fill.clone() };
    let mut rows = Vec::new();
    // Of a single lot it would say the same twice.
    if occupancy.by_lot.len() > 1 {
        rows.push(row(0, "All lots", &occupancy.overall));
    }
    for lot in &occupancy.by_lot {
        rows.push(row(1, &lot.lot, &lot.fill));
        let is_of_lot = |part: &&PartFill| Some(part.lot_id) == view.lot && part.lot_id == lot.lot_id;
        for level in occupancy.by_level.iter().filter(is_of_lot) {
            rows.push(row(2, level.level.as_deref().unwrap_or_default(), &level.fill));
            for zone in occupancy.by_zone.iter().filter(is_of_lot).filter(|zone| zone.level == level.level) {
                let name = format!("Zone {}", zone.zone.as_deref().unwrap_or_default());
                rows.push(row(3, &name, &zone.fill));
            }
        }
    }
    rows
}

/// What is neither occupied nor free.
fn others(fill: &Fill) -> String {
    let parts = [(fill.reserved_spots, "reserved"), (fill.unknown_spots, "unknown")];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
    parts.collect::<Vec<_>>().join(", ")
}

/// What to look at, and how full it is now.
#[component]
pub fn NowBody(shown: Memo<NowView>) -> impl IntoView {
    let lots = Memo::new(move |_| {
        let id_and_name = |part: &PartFill| (part.lot_id.to_string(), part.lot.clone());
        shown.with(|shown| shown.occupancy.by_lot.iter().map(id_and_name).collect::<Vec<_>>())
    });
    let current = Memo::new(move |_| shown.with(|shown| shown.lot.map(|lot| lot.to_string())));
    let is_empty = Memo::new(move |_| lots.with(Vec::is_empty));
    view! {
        <Show
            when=move || !is_empty.get()
            fallback=|| {
                let text = "Here you will see how full each lot is, was and will probably be. Nobody has added a lot yet.";
                view! {
                    <EmptyState glyph=Glyph::Statistics title="No lots yet" text>
                        <a class="button" href="/parking">
                            "To the lots"
                        </a>
                    </EmptyState>
                }
            }
        >
            <Filters action=PAGE>
                <div class="filter">
                    <label for="filter-lot">"Lot"</label>
                    <select id="filter-lot" name="lot" on:change=submit_form_of>
                        {move || {
                            let current = current.get();
                            lots.get()
                                .into_iter()
                                .map(|(id, name)| {
                                    let chosen = current.as_ref() == Some(&id);
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
                <SelectFilter name="days" label="The last" choices=SPANS />
            </Filters>
            <NowCard shown />
        </Show>
    }
}

#[component]
fn NowCard(shown: Memo<NowView>) -> impl IntoView {
    let rows = Memo::new(move |_| shown.with(rows));
    let at = Memo::new(move |_| shown.with(|shown| shown.occupancy.timestamp));
    view! {
        <section class="card" aria-labelledby="now-title">
            <h2 id="now-title">"How full it is now"</h2>
            <table class="bars now">
                <caption class="hidden">"Occupancy now"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Where"</th>
                        <td></td>
                        <th scope="col" class="bar-number">
                            "Full"
                        </th>
                        <th scope="col" class="bar-number">
                            "Occupied"
                        </th>
                        <th scope="col" class="bar-number">
                            "Free"
                        </th>
                    </tr>
                </thead>
                <tbody>{move || rows.get().into_iter().map(|row| view! { <NowRow row /> }).collect_view()}</tbody>
            </table>
            <p class="quiet chart-note">"As of " <Moment at />"; changes by itself."</p>
        </section>
    }
}

#[component]
fn NowRow(row: Row) -> impl IntoView {
    let Row { depth, name, fill } = row;
    let class = match depth {
        0 | 1 => "now-whole",
        2 => "now-level",
        _ => "now-zone",
    };
    let others = others(&fill);
    view! {
        <tr class=class>
            <th scope="row">
                {name} {(!others.is_empty()).then(|| view! { <span class="sub">{others}</span> })}
            </th>
            <td class="bar-cell" aria-hidden="true">
                <svg class="now-bar" viewBox="0 0 100 10" preserveAspectRatio="none" focusable="false">
                    <rect class="now-track" width="100" height="10" />
                    <rect width=format!("{:.1}", fill.occupancy_rate) height="10" />
                </svg>
            </td>
            <td class="bar-number">{format!("{:.0} %", fill.occupancy_rate)}</td>
            <td class="bar-number">{format!("{} of {}", fill.occupied_spots, fill.total_spots)}</td>
            <td class="bar-number">{fill.available_spots}</td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use portico_model::parking::analytics::Occupancy;
    use portico_model::{LotId, Timestamp};

    use super::*;

    fn fill() -> Fill {
        Fill {
            total_spots: 10,
            occupied_spots: 5,
            reserved_spots: 1,
            available_spots: 2,
            unknown_spots: 2,
            occupancy_rate: 50.0,
        }
    }

    fn part(lot: LotId, level: Option<&str>, zone: Option<&str>) -> PartFill {
        let name = |name: &str| name.to_owned();
        PartFill { lot_id: lot, lot: format!("Lot {lot}"), level: level.map(name), zone: zone.map(name), fill: fill() }
    }

    #[test]
    fn parts_stand_under_the_lot_that_is_looked_at() {
        let [one, two]: [LotId; 2] = ["1", "2"].map(|digit| digit.repeat(32).parse().unwrap());
        let mut view = NowView {
            lot: Some(two),
            occupancy: Occupancy {
                overall: fill(),
                by_lot: vec![part(one, None, None), part(two, None, None)],
                by_level: vec![part(one, Some("L1"), None), part(two, Some("L1"), None), part(two, Some("L2"), None)],
                by_zone: vec![part(one, Some("L1"), Some("A")), part(two, Some("L2"), Some("B"))],
                timestamp: Timestamp::default(),
            },
        };
        let shape = |view: &NowView| rows(view).into_iter().map(|row| (row.depth, row.name)).collect::<Vec<_>>();
        let named = |depth, name: &str| (depth, name.to_owned());
        assert_eq!(
            shape(&view),
            [
                named(0, "All lots"),
                named(1, &format!("Lot {one}")),
                named(1, &format!("Lot {two}")),
                named(2, "L1"),
                named(2, "L2"),
                named(3, "Zone B"),
            ]
        );
        view.occupancy.by_lot.truncate(1);
        assert_eq!(shape(&view), [named(1, &format!("Lot {one}"))]);
    }

    #[test]
    fn what_is_not_known_is_told() {
        assert_eq!(others(&fill()), "1 reserved, 2 unknown");
        assert_eq!(others(&Fill { reserved_spots: 0, unknown_spots: 0, ..fill() }), "");
    }
}
