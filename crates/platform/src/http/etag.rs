//! Entity tags: whether who asks has the newest already.

use axum::http::{HeaderMap, header};

/// Whether `If-None-Match` names this tag (RFC 9110, section 13.1.2); weakly compared.
#[must_use]
pub fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let bare = |tag: &str| tag.trim().strip_prefix("W/").unwrap_or(tag.trim()).to_owned();
    let given = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    given.is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == "*" || bare(tag) == bare(etag)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly() {
        let is = |given: &str, etag: &str| {
            is_known(&[(header::IF_NONE_MATCH, given.parse().unwrap())].into_iter().collect(), etag)
        };
        assert!(is("\"a\"", "\"a\"") && is("W/\"a\"", "\"a\"") && is("\"b\", \"a\"", "W/\"a\"") && is("*", "\"a\""));
        assert!(!is("\"ab\"", "\"a\"") && !is("", "\"a\"") && !is_known(&HeaderMap::new(), "\"a\""));
    }
}
