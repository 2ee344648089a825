//! The page of a lot that is open to the public: whole without scripts and files, in light and dark, for itself or in a
//! frame of another site's page.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::{PublicFill, PublicLot};

/// Colours as in `style/tokens.css`.
const STYLE: &str = "\
:root{color-scheme:light dark;--canvas:oklch(0.982 0.003 255);--surface:oklch(1 0 0);--line:oklch(0.905 0.007 255);\
--text:oklch(0.235 0.018 260);--quiet:oklch(0.475 0.02 258);--accent:oklch(0.5 0.15 262)}\
@media (prefers-color-scheme:dark){:root{--canvas:oklch(0.185 0.012 260);--surface:oklch(0.222 0.014 260);\
--line:oklch(0.305 0.016 260);--text:oklch(0.935 0.006 255);--quiet:oklch(0.735 0.016 256);--accent:oklch(0.765 0.105 258)}}\
*{box-sizing:border-box}\
body{margin:0;padding:24px 16px;background:var(--canvas);color:var(--text);font:16px/1.5 system-ui,sans-serif}\
main{max-width:32rem;margin:0 auto;padding:24px;background:var(--surface);border:1px solid var(--line);border-radius:12px;\
overflow-wrap:anywhere}\
h1{margin:0;font-size:20px;line-height:1.3}\
p{margin:0}a{color:var(--accent)}\
.quiet{color:var(--quiet)}\
.free{margin:16px 0;font-size:20px}\
.free strong{font-size:48px;line-height:1;font-variant-numeric:tabular-nums;margin-right:4px}\
dl{margin:16px 0 0}\
dl div{display:flex;flex-wrap:wrap;gap:0 16px;justify-content:space-between;padding:8px 0;border-top:1px solid var(--line)}\
dt{color:var(--quiet)}dd{margin:0;font-variant-numeric:tabular-nums}\
.small{padding:0}.small main{max-width:none;padding:12px;border:0;border-radius:0}\
.small h1{font-size:16px}.small .free{margin:4px 0;font-size:16px}.small .free strong{font-size:28px}";

/// Puts newer numbers in; a lot that is no longer open is loaded anew, and says so.
const SCRIPT: &str = "\
setInterval(async()=>{if(document.hidden)return;try{const answer=await fetch(location.href);\
if(answer.status===404){location.reload();return}if(!answer.ok)return;\
const page=new DOMParser().parseFromString(await answer.text(),'text/html');\
const fresh=page.querySelector('main'),old=document.querySelector('main');\
if(fresh&&old&&fresh.innerHTML!==old.innerHTML){old.replaceWith(fresh);document.title=page.title}}catch{}},20000)";

/// This style and this script alone; any site may show the page in a frame.
pub static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()).as_slice());
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; img-src 'self'; \
         frame-ancestors *; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
});

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

fn whole(title: &str, main: &str, script: &str, is_small: bool) -> String {
    let class = if is_small { " class=\"small\"" } else { "" };
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{}</title>\
         <link rel=\"icon\" href=\"/icons/icon.svg\"><style>{STYLE}</style></head>\n\
         <body{class}><main>{main}</main>{script}</body></html>\n",
        escaped(title)
    )
}

fn is_known(fill: &PublicFill) -> bool {
    fill.total == 0 || fill.unknown < fill.total
}

/// `3 free of 8`.
fn free_of(fill: &PublicFill) -> String {
    if is_known(fill) {
        format!("{} free of {}", fill.available, fill.total)
    } else {
        format!("not known at the moment, of {}", fill.total)
    }
}

fn fact(name: &str, value: &str) -> String {
    format!("<div><dt>{name}</dt><dd>{value}</dd></div>")
}

/// The page of a lot.
pub fn of_lot(lot: &PublicLot, is_small: bool) -> String {
    let name = escaped(&lot.name);
    let heading = if is_small {
        format!("<h1><a href=\"/p/parking/{}\" target=\"_blank\" rel=\"noopener\">{name}</a></h1>", lot.id)
    } else {
        format!("<h1>{name}</h1><p class=\"quiet\">{}</p>", escaped(&lot.address))
    };
    let free = if is_known(&lot.spots) {
        format!("<strong>{}</strong> free of {}", lot.spots.available, lot.spots.total)
    } else {
        "How many are free is not known at the moment.".to_owned()
    };
    let mut facts = String::new();
    for (kind, fill) in [("Accessible", &lot.accessible), ("With a charger", &lot.ev)] {
        if fill.total > 0 {
            facts.push_str(&fact(kind, &free_of(fill)));
        }
    }
    if is_known(&lot.spots) && lot.spots.unknown > 0 {
        facts.push_str(&fact("Not known at the moment", &lot.spots.unknown.to_string()));
    }
    if !is_small {
        facts.push_str(&fact("Costs", &lot.tariff.as_deref().map_or_else(|| "Nothing".to_owned(), escaped)));
        let when = format!(
            "<time datetime=\"{}\">{}</time> ({})",
            lot.updated_at.to_iso(),
            lot.updated_local,
            escaped(&lot.time_zone)
        );
        facts.push_str(&fact("Last change", &when));
    }
    let facts = if facts.is_empty() { facts } else { format!("<dl>{facts}</dl>") };
    let without = "<noscript><p class=\"quiet\">Load the page again for newer numbers.</p></noscript>";
    let title = format!("{}: {}", lot.name, free_of(&lot.spots));
    let main = format!("{heading}<p class=\"free\">{free}</p>{facts}");
    whole(&title, &main, &format!("{without}<script>{SCRIPT}</script>"), is_small)
}

/// What is shown in its place, whether there is no such lot or it is not open.
pub fn not_found(is_small: bool) -> String {
    let main =
        "<h1>Nothing to see here</h1><p>There is no such car park, or its operator does not show it to the public.</p>";
    whole("Nothing to see here", main, "", is_small)
}

#[cfg(test)]
mod tests {
    use portico_model::{LotId, Timestamp};

    use super::*;

    fn lot() -> PublicLot {
        PublicLot {
            id: LotId::nil(),
            name: "<b>Tom & 'Jerry'</b>".into(),
            address: "\"1\" <script>alert(1)</script>".into(),
            latitude: None,
            longitude: None,
            time_zone: "Europe/Berlin".into(),
            spots: PublicFill { total: 10, available: 3, unknown: 2 },
            accessible: PublicFill { total: 1, available: 0, unknown: 1 },
            ev: PublicFill::default(),
            tariff: Some("Night <1>".into()),
            updated_at: Timestamp::from_millis(0),
            updated_local: "1970-01-01 01:00".into(),
        }
    }

    #[test]
    fn nothing_that_people_type_becomes_markup() {
        for page in [of_lot(&lot(), false), of_lot(&lot(), true)] {
            assert!(page.contains("&lt;b&gt;Tom &amp; &#39;Jerry&#39;&lt;/b&gt;"));
            assert!(!page.contains("<b>") && !page.contains("alert(1)</script>") && !page.contains("<1>"));
            assert_eq!(page.matches("<script>").count(), 1);
        }
    }

    #[test]
    fn what_is_not_known_is_not_called_full() {
        let page = of_lot(&lot(), false);
        assert!(page.contains("<strong>3</strong> free of 10") && page.contains("not known at the moment, of 1"));
        assert!(page.contains("<dt>Not known at the moment</dt><dd>2</dd>") && !page.contains("With a charger"));
        let silent = PublicLot { spots: PublicFill { total: 10, available: 0, unknown: 10 }, ..lot() };
        assert!(!of_lot(&silent, true).contains("<strong>"));
    }
}
