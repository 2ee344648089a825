//! `/doors/areas`: groups of doors, and zones with who is inside.

use leptos::prelude::*;
use leptos_meta::Title;
use portico_model::identity::Permission;
use portico_model::live::Event;

use super::groups::GroupsCard;
use super::zones::ZonesCard;
use super::{AreasView, DeleteDoorGroup, DeleteZone, GetAreas, ResetZone, SaveDoorGroup, SaveZone};
use crate::access::doors::tabs::DoorTabs;
use crate::form::FormState;
use crate::live::{LiveUpdate, follow, use_live};
use crate::load::{in_place, load, reload_when};
use crate::viewer::use_viewer;

/// The forms of the page, made while it begins.
#[derive(Clone, Copy)]
pub struct AreaForms {
    pub group: FormState,
    pub delete_group: FormState,
    pub zone: FormState,
    pub delete_zone: FormState,
    pub reset: FormState,
}

/// The page.
#[component]
pub fn AreasPage() -> impl IntoView {
    let forms = AreaForms {
        group: FormState::of::<SaveDoorGroup>(),
        delete_group: FormState::of::<DeleteDoorGroup>(),
        zone: FormState::of::<SaveZone>(),
        delete_zone: FormState::of::<DeleteZone>(),
        reset: FormState::of::<ResetZone>(),
    };
    let page = load(|| Some(GetAreas {}));
    // Who comes through a door changes how many are inside.
    follow(
        || Some("doors".to_owned()),
        move |update| {
            if let LiveUpdate::Event(Event::DoorAreasChanged | Event::DoorChanged { .. } | Event::DoorDeleted { .. }) =
                update
            {
                page.refetch();
            }
        },
    );
    let live = use_live();
    reload_when(page, move || {
        let all = [forms.group, forms.delete_group, forms.zone, forms.delete_zone, forms.reset];
        live.returns.get() + FormState::successes_of(&all)
    });
    let may_change = use_viewer().is_some_and(|viewer| viewer.may(Permission::ManageAccess));
    let body = move |shown: Memo<AreasView>| {
        view! {
            <div class="stack">
                <GroupsCard shown forms may_change />
                <ZonesCard shown forms may_change />
            </div>
        }
        .into_any()
    };
    view! {
        <Title text="Groups and zones" />
        <DoorTabs />
        <div class="page-head">
            <h1>"Groups and zones"</h1>
        </div>
        <Transition fallback=|| {
            view! { <p class="loading" role="status">"Loading groups and zones"</p> }
        }>{in_place(page, |_: &AreasView| (), body)}</Transition>
    }
}
