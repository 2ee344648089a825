//! The Content-Security-Policy of a page. Two pages have a wider one than all others, with Stripe's script and frames: those
//! on which people pay by card.
//!
//! What a document may load is settled when it is loaded; moving on inside the app keeps it. So a link to such a page is
//! `rel="external"`, which leptos's router leaves to the browser, and a form that leads there loads it
//! ([`is_loaded_anew`]). Whoever comes there in another way is helped by `public/pay.js`, which loads it again.
//! Whoever leaves it by the menu takes its policy along until the next load; its own links, and the way on to the pass, load
//! anew.

/// Whether a path must be asked for from the server, since its policy is its own: `/reservations/ID/pay` and
/// `/park/pass/TOKEN`.
#[must_use]
pub fn is_loaded_anew(path: &str) -> bool {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let reservation = path.strip_prefix("/reservations/").and_then(|rest| rest.strip_suffix("/pay"));
    let named = reservation.or_else(|| path.strip_prefix("/park/pass/"));
    named.is_some_and(|name| !name.is_empty() && !name.contains('/'))
}

/// What browsers are told. `nonce` is that of leptos's own inline script; `stripe` where Stripe.js is, on the page that may
/// have it.
#[cfg(feature = "ssr")]
#[must_use]
pub fn of_page(nonce: Option<&str>, stripe: Option<&str>) -> String {
    let nonce = nonce.map(|nonce| format!(" 'nonce-{nonce}'")).unwrap_or_default();
    // As https://docs.stripe.com/security/guide#content-security-policy lists them; a stand-in is all in one place.
    let (script, connect, frame) = match stripe {
        None => (String::new(), String::new(), String::new()),
        Some(portico_parking::stripe::SCRIPT_ORIGIN) => (
            " https://js.stripe.com https://*.js.stripe.com".to_owned(),
            " https://api.stripe.com".to_owned(),
            "frame-src https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com; ".to_owned(),
        ),
        Some(origin) => (format!(" {origin}"), format!(" {origin}"), format!("frame-src {origin}; ")),
    };
    format!(
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'{nonce}{script}; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'{connect}; {frame}object-src 'none'; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'"
    )
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn only_pages_to_pay_are_loaded_anew() {
        for path in [
            "/reservations/0199a0000000700080000000000000a6/pay",
            "/reservations/1/pay?redirect_status=failed",
            "/park/pass/5f2b8c",
            "/park/pass/5f2b8c?redirect_status=failed",
        ] {
            assert!(is_loaded_anew(path), "{path}");
        }
        for path in ["/", "/pay", "/reservations", "/reservations/1", "/reservations//pay", "/reservations/1/2/pay"] {
            assert!(!is_loaded_anew(path), "{path}");
        }
        for path in ["/park/0199a0000000700080000000000000a6", "/park/pass/", "/park/pass/1/2"] {
            assert!(!is_loaded_anew(path), "{path}");
        }
        assert!(!is_loaded_anew("/reservations?next=/reservations/1/pay"));
    }

    #[test]
    fn no_page_but_those_to_pay_knows_stripe() {
        assert_eq!(
            of_page(Some("abc"), None),
            "default-src 'self'; script-src 'self' 'wasm-unsafe-eval' 'nonce-abc'; style-src 'self'; img-src 'self' data:; \
             connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        );
        let pays = of_page(None, Some("https://js.stripe.com"));
        for part in [
            "script-src 'self' 'wasm-unsafe-eval' https://js.stripe.com https://*.js.stripe.com;",
            "connect-src 'self' https://api.stripe.com;",
            "frame-src https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com;",
        ] {
            assert!(pays.contains(part), "{part} in {pays}");
        }
        assert!(!pays.contains("unsafe-inline"));
        let stand_in = of_page(None, Some("http://127.0.0.1:4010"));
        assert!(stand_in.contains("frame-src http://127.0.0.1:4010;") && !stand_in.contains("stripe.com"));
    }
}
