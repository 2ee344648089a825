//! Where spots are drawn: they are moved with the pointer or the keys, and sent together.

use leptos::prelude::*;
use portico_model::SpotId;
use portico_model::parking::lot::Level;
use portico_model::parking::spot::{Outline, Placement, Spot};

use crate::form::{FormState, PostForm};
use crate::parking::plan::{Sheet, centred, corners, place};
use crate::parking::zoom::{PlanBox, Zoom};
use crate::ui::toast::use_toasts;
use crate::ui::{ErrorSummary, SubmitButton};

/// A step of an arrow key, centimetres.
const STEP: f64 = 10.0;
/// With Shift.
const LONG_STEP: f64 = 100.0;
/// A turn, degrees.
const TURN: f64 = 15.0;

/// A spot that may be moved.
#[derive(Clone, Copy)]
struct Piece {
    key: SpotId,
    name: StoredValue<String>,
    /// As it is stored.
    kept: RwSignal<Outline>,
    /// As it is drawn.
    now: RwSignal<Outline>,
}

impl Piece {
    fn is_moved(&self) -> bool {
        self.kept.get() != self.now.get()
    }
}

/// A spot on its way under the pointer.
#[derive(Clone, Copy)]
struct Drag {
    at: usize,
    /// Where the pointer went down, pixels.
    from: (f64, f64),
    outline: Outline,
}

/// Where a spot is after a key; `None`: the key means nothing here.
fn after_key(outline: Outline, key: &str, is_shifted: bool, sheet: &Sheet) -> Option<Outline> {
    let step = if is_shifted { LONG_STEP } else { STEP };
    let moved = match key {
        "ArrowLeft" => Outline { x: outline.x - step, ..outline },
        "ArrowRight" => Outline { x: outline.x + step, ..outline },
        "ArrowUp" => Outline { y: outline.y - step, ..outline },
        "ArrowDown" => Outline { y: outline.y + step, ..outline },
        "r" => Outline { angle: (outline.angle + TURN).rem_euclid(360.0), ..outline },
        "R" => Outline { angle: (outline.angle - TURN).rem_euclid(360.0), ..outline },
        _ => return None,
    };
    Some(sheet.clamp(moved))
}

/// Where a spot is that was dragged so far (pixels, and centimetres of a pixel), on the nearest decimetre.
fn dragged(outline: Outline, by: (f64, f64), scale: f64, sheet: &Sheet) -> Outline {
    let near = |value: f64| (value / STEP).round() * STEP;
    sheet.clamp(Outline { x: near(outline.x + by.0 * scale), y: near(outline.y + by.1 * scale), ..outline })
}

/// Where it is, for readers.
fn words(name: &str, outline: &Outline) -> String {
    let metres = |centimetres: f64| format!("{:.2} m", centimetres / 100.0);
    format!(
        "{name}: {} from the left, {} from the top, turned by {}°",
        metres(outline.x),
        metres(outline.y),
        outline.angle.round()
    )
}

/// The plan on which spots are moved.
#[component]
pub fn Places(form: FormState, level: Level, spots: Memo<Vec<Spot>>) -> impl IntoView {
    let sheet = Sheet::of(&level);
    let pieces: Vec<Piece> = spots.with_untracked(|spots| {
        let piece = |spot: &Spot| Piece {
            key: spot.key,
            name: StoredValue::new(spot.id.clone()),
            kept: RwSignal::new(spot.outline),
            now: RwSignal::new(spot.outline),
        };
        spots.iter().map(piece).collect()
    });
    let pieces = StoredValue::new(pieces);
    // Loaded again: what nobody has moved here goes to where it is now.
    Effect::new(move |before: Option<()>| {
        let spots = spots.get();
        if before.is_none() {
            return;
        }
        pieces.with_value(|pieces| {
            for (piece, spot) in pieces.iter().zip(&spots).filter(|(piece, spot)| piece.key == spot.key) {
                let was_moved = piece.kept.get_untracked() != piece.now.get_untracked();
                piece.kept.set(spot.outline);
                if !was_moved {
                    piece.now.set(spot.outline);
                }
            }
        });
    });
    let moved = Memo::new(move |_| pieces.with_value(|pieces| pieces.iter().filter(|piece| piece.is_moved()).count()));
    let places = Memo::new(move |_| {
        let placement = |piece: &Piece| Placement { key: piece.key, outline: piece.now.get() };
        let moved: Vec<Placement> =
            pieces.with_value(|pieces| pieces.iter().filter(|piece| piece.is_moved()).map(placement).collect());
        serde_json::to_string(&moved).unwrap_or_default()
    });
    let discard = move || {
        pieces.with_value(|pieces| {
            for piece in pieces {
                piece.now.set(piece.kept.get_untracked());
            }
        });
    };
    let toast = use_toasts();
    Effect::new(move |before: Option<u32>| {
        let saved = form.successes.get();
        if before.is_some_and(|before| before != saved) {
            pieces.with_value(|pieces| pieces.iter().for_each(|piece| piece.kept.set(piece.now.get_untracked())));
            toast("Places saved".to_owned());
        }
        saved
    });
    let question = "Spots were moved, and their places are not saved. Leave without saving?";
    Effect::new(move |_| crate::browser::ask_before_leaving(question, move || moved.get_untracked() > 0));
    let chosen = RwSignal::new(None::<usize>);
    let piece_at = move |at: usize| pieces.with_value(|pieces| pieces.get(at).copied());
    let alive = crate::time::use_now();
    let is_alive = Memo::new(move |_| alive.get().is_some());
    let told = Memo::new(move |_| {
        let piece = piece_at(chosen.get()?)?;
        Some(piece.name.with_value(|name| words(name, &piece.now.get())))
    });
    view! {
        <section class="card" aria-labelledby="places-title">
            <div class="card-head">
                <h2 id="places-title">{format!("Plan of {}", level.name)}</h2>
                <div class="actions park-actions">
                    <PostForm form id="place-spots" class="inline">
                        <input type="hidden" name="lot" value=level.lot_id.to_string() />
                        <input type="hidden" name="level" value=level.id.to_string() />
                        <input type="hidden" name="places" value="[]" prop:value=move || places.get() />
                        <span class="quiet" role="status">
                            {move || match moved.get() {
                                0 => String::new(),
                                1 => "1 spot moved".to_owned(),
                                moved => format!("{moved} spots moved"),
                            }}
                        </span>
                        <span class="inline" hidden=move || moved.get() == 0>
                            <button type="button" class="button" on:click=move |_| discard()>"Discard"</button>
                            <SubmitButton label="Save places" pending=form.pending() />
                        </span>
                    </PostForm>
                </div>
            </div>
            <ErrorSummary form shown=&[] />
            <p class="quiet park-keys" id="places-help">
                "Drag a spot, or choose it and use the keys: arrows move it by 10 cm, with Shift by 1 m, R turns it by 15°, with Shift back."
            </p>
            <p class="note" hidden=move || is_alive.get()>
                "Moving spots on the plan needs JavaScript. Without it each spot's place can be changed on its own page."
            </p>
            <Board sheet level pieces chosen />
            <p class="quiet number park-told" aria-live="polite">
                {move || told.get().unwrap_or_else(|| "No spot is chosen.".to_owned())}
                {move || {
                    let piece = piece_at(chosen.get()?)?;
                    let address = piece.name.with_value(|name| format!("/parking/spots/{name}"));
                    Some(view! { " " <a href=address>"Its settings"</a> })
                }}
            </p>
            <div class="button-row park-turns" hidden=move || chosen.get().is_none()>
                {[("Turn left", "R"), ("Turn right", "r")]
                    .map(|(label, key)| {
                        let turn = move |_| {
                            if let Some(piece) = chosen.get_untracked().and_then(piece_at)
                                && let Some(turned) = after_key(piece.now.get_untracked(), key, false, &sheet)
                            {
                                piece.now.set(turned);
                            }
                        };
                        view! { <button type="button" class="button button-small" on:click=turn>{label}</button> }
                    })}
            </div>
        </section>
    }
}

/// Which spot an event is about.
fn spot_of(target: Option<leptos::web_sys::EventTarget>) -> Option<(leptos::web_sys::Element, usize)> {
    use leptos::wasm_bindgen::JsCast;
    let target = target?.dyn_into::<leptos::web_sys::Element>().ok()?;
    let spot = target.closest("[data-at]").ok().flatten()?;
    let at = spot.get_attribute("data-at")?.parse().ok()?;
    Some((spot, at))
}

/// One set of listeners for all spots.
#[component]
fn Board(
    sheet: Sheet,
    level: Level,
    pieces: StoredValue<Vec<Piece>>,
    chosen: RwSignal<Option<usize>>,
) -> impl IntoView {
    let host = NodeRef::<leptos::html::Div>::new();
    let zoom = Zoom::of(&sheet);
    let drag = RwSignal::new(None::<Drag>);
    let piece_at = move |at: usize| pieces.with_value(|pieces| pieces.get(at).copied());
    let point = |event: &leptos::ev::PointerEvent| (f64::from(event.client_x()), f64::from(event.client_y()));
    let on_down = move |event: leptos::ev::PointerEvent| {
        if event.button() != 0 {
            return;
        }
        let Some((spot, at)) = spot_of(event.target()) else { return };
        let Some(piece) = piece_at(at) else { return };
        // Moves come to it from now on, wherever the pointer is.
        let _ = spot.set_pointer_capture(event.pointer_id());
        chosen.set(Some(at));
        drag.set(Some(Drag { at, from: point(&event), outline: piece.now.get_untracked() }));
    };
    let on_move = move |event: leptos::ev::PointerEvent| {
        let Some(Drag { at, from, outline }) = drag.get_untracked() else { return };
        let Some(piece) = piece_at(at) else { return };
        let Some(width) = host.get_untracked().map(|host| host.offset_width()).filter(|width| *width > 0) else {
            return;
        };
        let (x, y) = point(&event);
        let to = dragged(outline, (x - from.0, y - from.1), sheet.width / f64::from(width), &sheet);
        if piece.now.get_untracked() != to && (x, y) != from {
            piece.now.set(to);
        }
    };
    let on_key = move |event: leptos::ev::KeyboardEvent| {
        if event.ctrl_key() || event.meta_key() || event.alt_key() {
            return;
        }
        let Some((_, at)) = spot_of(event.target()) else { return };
        let Some(piece) = piece_at(at) else { return };
        let key = event.key();
        if key == "Enter" || key == " " {
            event.prevent_default();
            chosen.set(Some(at));
        } else if let Some(to) = after_key(piece.now.get_untracked(), &key, event.shift_key(), &sheet) {
            event.prevent_default();
            chosen.set(Some(at));
            piece.now.set(to);
        }
    };
    let all: Vec<(usize, Piece)> = pieces.with_value(|pieces| pieces.iter().copied().enumerate().collect());
    view! {
        <PlanBox zoom label=format!("Spots of {}", level.name) class="park-plan park-plan-edit">
            <div class="park-sheet" node_ref=host>
                <svg
                    viewBox=sheet.view_box()
                    width=move || zoom.width()
                    on:pointerdown=on_down
                    on:pointermove=on_move
                    on:pointerup=move |_| drag.set(None)
                    on:pointercancel=move |_| drag.set(None)
                    on:keydown=on_key
                >
                    <rect
                        class="park-ground"
                        x="0"
                        y="0"
                        width=level.width_cm.to_string()
                        height=level.height_cm.to_string()
                    />
                    {all.into_iter().map(|(at, piece)| view! { <MovableSpot at piece chosen /> }).collect_view()}
                </svg>
            </div>
        </PlanBox>
    }
}

#[component]
fn MovableSpot(at: usize, piece: Piece, chosen: RwSignal<Option<usize>>) -> impl IntoView {
    let Piece { name, now, .. } = piece;
    let is_chosen = Memo::new(move |_| chosen.get() == Some(at));
    let is_moved = Memo::new(move |_| piece.is_moved());
    let class = move || match (is_chosen.get(), is_moved.get()) {
        (true, _) => "park-piece park-piece-chosen",
        (false, true) => "park-piece park-piece-moved",
        (false, false) => "park-piece",
    };
    let shape = Memo::new(move |_| {
        let outline = now.get();
        let (turn, size) = name.with_value(|name| centred(&outline, name));
        (corners(&outline), turn, size)
    });
    let corner = move |side: fn(&[String; 4]) -> &String| move || shape.with(|(corners, ..)| side(corners).clone());
    view! {
        <g
            class=class
            data-at=at.to_string()
            tabindex="0"
            role="button"
            aria-pressed=move || if is_chosen.get() { "true" } else { "false" }
            aria-label=move || name.with_value(|name| words(name, &now.get()))
            aria-describedby="places-help"
            transform=move || place(&now.get())
        >
            <rect
                class="park-bay"
                x=corner(|[x, ..]| x)
                y=corner(|[_, y, ..]| y)
                width=corner(|[_, _, width, _]| width)
                height=corner(|[.., height]| height)
                rx="18"
            />
            <path class="park-head" d=move || now.with(|outline| {
                let (half, top) = (outline.width * 0.14, -outline.length * 0.45);
                format!("M{:.0} {:.0}L0 {:.0}L{:.0} {:.0}", -half, top + half, top, half, top + half)
            }) />
            <text transform=move || shape.with(|(_, turn, _)| turn.clone()) font-size=move || shape.with(|(.., size)| size.clone())>
                {name.get_value()}
            </text>
        </g>
    }
}

#[cfg(test)]
mod tests {
    use portico_model::parking::SpotCounts;
    use portico_model::{LotId, ParkingLevelId};

    use super::*;

    fn sheet() -> Sheet {
        Sheet::of(&Level {
            id: ParkingLevelId::nil(),
            lot_id: LotId::nil(),
            name: "L1".into(),
            position: 0,
            width_cm: 4_000,
            height_cm: 3_000,
            clearance_cm: None,
            counts: SpotCounts::default(),
        })
    }

    fn outline(x: f64, y: f64, angle: f64) -> Outline {
        Outline { x, y, angle, ..Outline::default() }
    }

    #[test]
    fn keys_move_by_a_decimetre_or_a_metre_and_turn_by_a_twenty_fourth() {
        let start = outline(200.0, 300.0, 0.0);
        let after = |key: &str, is_shifted| after_key(start, key, is_shifted, &sheet());
        assert_eq!(after("ArrowRight", false), Some(outline(210.0, 300.0, 0.0)));
        assert_eq!(after("ArrowUp", true), Some(outline(200.0, 200.0, 0.0)));
        assert_eq!(after("r", false), Some(outline(200.0, 300.0, 15.0)));
        assert_eq!(after("R", true), Some(outline(200.0, 300.0, 345.0)), "Shift turns it back");
        assert_eq!(after("Tab", false), None);
    }

    #[test]
    fn nothing_leaves_the_level() {
        let edge = outline(5.0, 2_995.0, 0.0);
        assert_eq!(after_key(edge, "ArrowLeft", true, &sheet()), Some(outline(0.0, 2_995.0, 0.0)));
        assert_eq!(after_key(edge, "ArrowDown", false, &sheet()), Some(outline(5.0, 3_000.0, 0.0)));
    }

    #[test]
    fn dragging_goes_by_the_scale_of_the_plan_to_the_nearest_decimetre() {
        assert_eq!(dragged(outline(200.0, 300.0, 90.0), (10.0, -3.0), 5.1, &sheet()), outline(250.0, 280.0, 90.0));
    }

    #[test]
    fn readers_hear_where_it_is() {
        assert_eq!(
            words("A-001", &outline(1_250.0, 405.0, 90.0)),
            "A-001: 12.50 m from the left, 4.05 m from the top, turned by 90°"
        );
    }
}
