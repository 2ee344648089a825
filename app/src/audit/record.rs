//! One record of the trail, in a row.

use leptos::prelude::*;
use portico_model::audit::{AuditOutcome, AuditRecord};

use crate::time::Moment;
use crate::ui::{Badge, Glyph, Tone};

/// What the record's target opens, if it has a page.
fn target_page(target: &str) -> Option<String> {
    let pages = [("device:", "/devices/"), ("group:", "/groups/"), ("alarm:", "/alarms/")];
    pages.iter().find_map(|(kind, page)| target.strip_prefix(kind).map(|id| format!("{page}{id}")))
}

/// `device:0192…` is too long for a table: kind and the end of the id, which differs most.
fn short_target(target: &str) -> String {
    match target.split_once(':') {
        Some((kind, id)) if id.len() > 12 => {
            format!("{kind} …{}", id.get(id.len() - 8..).unwrap_or(id))
        }
        Some((kind, id)) => format!("{kind} {id}"),
        None => target.to_owned(),
    }
}

/// A row of the trail.
#[component]
pub(super) fn RecordRow(record: AuditRecord, is_new: bool) -> impl IntoView {
    let (tone, glyph, word) = match record.outcome {
        AuditOutcome::Success => (Tone::Ok, Glyph::Check, "Done"),
        AuditOutcome::Denied => (Tone::Danger, Glyph::Cross, "Refused"),
        AuditOutcome::Failed => (Tone::Attention, Glyph::Alert, "Failed"),
    };
    let details = match &record.details {
        serde_json::Value::Object(map) if !map.is_empty() => {
            map.iter().map(|(name, value)| format!("{name}: {}", plain(value))).collect::<Vec<_>>().join(", ")
        }
        _ => String::new(),
    };
    let target = short_target(&record.target);
    view! {
        <tr class:glow-odd=is_new>
            <td class="cell-state">
                <Badge tone glyph word />
            </td>
            <th scope="row" class="cell-name">
                <code>{record.action}</code>
                {(!details.is_empty()).then(|| view! { <span class="sub">{details}</span> })}
            </th>
            <td class="cell-who">{record.actor}</td>
            <td class="cell-target">
                {match target_page(&record.target) {
                    Some(href) => view! { <a href=href title=record.target.clone()>{target}</a> }.into_any(),
                    None => view! { <span title=record.target.clone()>{target}</span> }.into_any(),
                }}
            </td>
            <td class="cell-from">{record.address}</td>
            <td class="cell-seen">
                <Moment at=record.at />
            </td>
        </tr>
    }
}

/// Texts without quotes; ids by their end.
fn plain(value: &serde_json::Value) -> String {
    match value.as_str() {
        Some(id) if id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            format!("…{}", id.get(24..).unwrap_or(id))
        }
        Some(text) => text.to_owned(),
        None => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_ids_show_their_end() {
        let id = "0192f0c1a2b37c4d8e9fa0b1c2d3e4f5";
        assert_eq!(short_target(&format!("device:{id}")), "device …c2d3e4f5");
        assert_eq!(short_target("setting:signup"), "setting signup");
        assert_eq!(short_target(""), "");
        assert_eq!(target_page("user:1"), None);
        assert_eq!(plain(&serde_json::json!(id)), "…c2d3e4f5");
        assert_eq!(plain(&serde_json::json!(3)), "3");
    }
}
