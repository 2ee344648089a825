//! A slice of a long list.

use serde::{Deserialize, Serialize};

/// One page of a list; `next` is the opaque cursor of the following page, absent on the last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Of what was found when one more than `limit` was asked for; `cursor` names the last item shown.
    pub fn cut(mut found: Vec<T>, limit: i64, cursor: impl FnOnce(&T) -> String) -> Self {
        let limit = usize::try_from(limit).unwrap_or_default();
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(cursor);
        Self { items: found, next }
    }

    /// The same page of something else.
    pub fn map<U>(self, to: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(to).collect(), next: self.next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_page_with_more_after_it_has_a_cursor() {
        let page = |found: &[i64]| Page::cut(found.to_vec(), 2, i64::to_string);
        assert_eq!(page(&[7, 8, 9]), Page { items: vec![7, 8], next: Some("8".to_owned()) });
        assert_eq!(page(&[7, 8]), Page { items: vec![7, 8], next: None });
        assert_eq!(page(&[]), Page { items: vec![], next: None });
        assert_eq!(page(&[7, 8, 9]).map(|one| -one), Page { items: vec![-7, -8], next: Some("8".to_owned()) });
    }
}
