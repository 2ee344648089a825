//! Zones.

use leptos::prelude::*;
use portico_model::access::door::{PassbackRule, Zone};

use super::AreasView;
use super::page::AreaForms;
use crate::access::Choose;
use crate::form::{Confirm, FormState, PostForm};
use crate::ui::{Choice, Dialog, ErrorSummary, Glyph, SelectField, SubmitButton, TextField};

/// All of them, each under the one that it lies in, with its depth.
#[must_use]
fn nested(zones: &[Zone]) -> Vec<(usize, Zone)> {
    fn below(zones: &[Zone], parent: Option<portico_model::ZoneId>, depth: usize, found: &mut Vec<(usize, Zone)>) {
        for zone in zones.iter().filter(|zone| zone.parent_id == parent) {
            found.push((depth, zone.clone()));
            if depth < portico_model::access::door::MAX_ZONE_DEPTH {
                below(zones, Some(zone.id), depth + 1, found);
            }
        }
    }
    let mut found = Vec::with_capacity(zones.len());
    below(zones, None, 0, &mut found);
    found
}

const fn rule(passback: PassbackRule) -> &'static str {
    match passback {
        PassbackRule::Off => "no anti-passback",
        PassbackRule::Soft => "coming in twice is marked",
        PassbackRule::Hard => "coming in twice is refused",
    }
}

/// All of them.
#[component]
pub fn ZonesCard(shown: Memo<AreasView>, forms: AreaForms, may_change: bool) -> impl IntoView {
    let form = forms.zone;
    let zones = Memo::new(move |_| shown.with(|shown| shown.zones.clone()));
    let saved = Signal::derive(move || form.successes.get() > 0);
    let is_new = form.came_back_for(None);
    // Only who is inside changes often: it must not close a form.
    let shape = Memo::new(move |_| {
        zones.with(|zones| zones.iter().map(|zone| Zone { people: 0, ..zone.clone() }).collect::<Vec<_>>())
    });
    view! {
        <section class="card" aria-labelledby="zones-title">
            <div class="card-head">
                <h2 id="zones-title">"Zones"</h2>
                {may_change
                    .then(|| {
                        view! {
                            <Dialog label="New zone" glyph=Glyph::Plus open=is_new done=saved>
                                {move || view! { <ZoneForm form zones=shape.get() /> }}
                            </Dialog>
                        }
                    })}
            </div>
            <p class="quiet">
                "A door leads from one zone into another. Whoever came into a zone cannot come in again without having left, if the zone says so."
            </p>
            <ErrorSummary form=forms.delete_zone shown=&[] />
            <ErrorSummary form=forms.reset shown=&[] />
            {move || {
                let all = shape.get();
                if all.is_empty() {
                    return view! { <p class="quiet">"No zones yet."</p> }.into_any();
                }
                view! {
                    <ul class="rows" aria-label="Zones">
                        {nested(&all)
                            .into_iter()
                            .map(|(depth, zone)| {
                                let id = zone.id;
                                let people = Memo::new(move |_| {
                                    zones.with(|zones| zones.iter().find(|zone| zone.id == id).map_or(0, |zone| zone.people))
                                });
                                view! { <ZoneRow depth zone people all=all.clone() forms may_change /> }
                            })
                            .collect_view()}
                    </ul>
                }
                    .into_any()
            }}
        </section>
    }
}

#[component]
fn ZoneForm(form: FormState, zones: Vec<Zone>, #[prop(optional)] zone: Option<Zone>) -> impl IntoView {
    let id = zone.as_ref().map(|zone| zone.id.to_string()).unwrap_or_default();
    let key = if id.is_empty() { "new".to_owned() } else { id.clone() };
    let parents =
        zones.iter().filter(|other| other.id.to_string() != id).map(|other| (other.id.to_string(), other.name.clone()));
    let options = std::iter::once((String::new(), "No other zone".to_owned())).chain(parents).collect::<Vec<_>>();
    let parent = zone.as_ref().and_then(|zone| zone.parent_id).map(|id| id.to_string()).unwrap_or_default();
    let passback = zone.as_ref().map_or(PassbackRule::Off, |zone| zone.passback);
    let reset = zone.as_ref().and_then(|zone| zone.reset_after_s).map(|s| s.to_string()).unwrap_or_default();
    view! {
        <PostForm form>
            <ErrorSummary form shown=&["name", "reset_after_s"] />
            {(!id.is_empty()).then(|| view! { <input type="hidden" name="id" value=id /> })}
            <TextField
                form
                name="name"
                id=format!("zone-name-{key}")
                label="Name"
                required=true
                maxlength=100
                value=zone.map(|zone| zone.name).unwrap_or_default()
                autocomplete="off"
            />
            <Choose name="parent_id" label="Lies in" id=format!("zone-parent-{key}") options chosen=form.value("parent_id", &parent) />
            <SelectField
                form
                name="passback"
                id=format!("zone-passback-{key}")
                label="Who is inside and comes in again"
                choices=vec![
                    Choice { value: "off", label: "may" },
                    Choice { value: "soft", label: "may, and is marked" },
                    Choice { value: "hard", label: "is refused" },
                ]
                value=passback.as_str()
            />
            <TextField
                form
                name="reset_after_s"
                id=format!("zone-reset-{key}")
                label="Counts as outside again after, seconds"
                kind="number"
                min="1"
                max="604800"
                value=reset
                help="Empty: only by leaving."
            />
            <SubmitButton label="Save zone" pending=form.pending() />
        </PostForm>
    }
}

const DEPTHS: [&str; 4] = ["line", "line line-in", "line line-in-2", "line line-in-3"];

#[component]
fn ZoneRow(
    depth: usize,
    zone: Zone,
    people: Memo<i64>,
    all: Vec<Zone>,
    forms: AreaForms,
    may_change: bool,
) -> impl IntoView {
    let form = forms.zone;
    let saved = Signal::derive(move || form.successes.get() > 0);
    let id = zone.id;
    let came_back = form.came_back_for(Some(&id.to_string()));
    let inside = move || match people.get() {
        0 => "nobody inside".to_owned(),
        1 => "1 person inside".to_owned(),
        count => format!("{count} people inside"),
    };
    let about = rule(zone.passback);
    let removal = format!("Removes “{}”. Doors lead into it no longer; zones in it lie in what it lay in.", zone.name);
    let reset = format!("Everyone counts as outside of “{}”, and may come in again.", zone.name);
    let name = zone.name.clone();
    view! {
        <li class=DEPTHS[depth.min(DEPTHS.len() - 1)]>
            <span>
                <strong>{name}</strong>
                <span class="sub">{inside} {format!(" · {about}")}</span>
            </span>
            {may_change
                .then(|| {
                    view! {
                        <span class="line-end">
                            <Confirm
                                form=forms.reset
                                id=id.to_string()
                                label="Empty"
                                glyph=Glyph::SignOut
                                text=reset
                                confirm="Begin anew"
                                class="button button-primary"
                            />
                            <Dialog
                                label="Edit"
                                glyph=Glyph::Edit
                                class="button button-small"
                                open=came_back
                                done=saved
                            >
                                <ZoneForm form zones=all zone />
                            </Dialog>
                            <Confirm form=forms.delete_zone id=id.to_string() label="Remove" text=removal confirm="Remove zone" />
                        </span>
                    }
                })}
        </li>
    }
}

#[cfg(test)]
mod tests {
    use portico_model::ZoneId;

    use super::*;

    #[test]
    fn zones_stand_under_those_they_lie_in() {
        let id = |number: u128| format!("{number:032x}").parse::<ZoneId>().unwrap();
        let zone = |number, parent: Option<u128>| Zone {
            id: id(number),
            parent_id: parent.map(id),
            name: number.to_string(),
            passback: PassbackRule::Off,
            reset_after_s: None,
            people: 0,
            created_at: portico_model::Timestamp::default(),
        };
        let zones = [zone(1, Some(3)), zone(2, None), zone(3, None), zone(4, Some(1))];
        let found: Vec<_> = nested(&zones).into_iter().map(|(depth, zone)| (depth, zone.name)).collect();
        let want = [(0, "2"), (0, "3"), (1, "1"), (2, "4")];
        assert_eq!(found, want.map(|(depth, name)| (depth, name.to_owned())));
    }
}
