//! One page of a list and the place after it. Knows no encoding of cursors beyond text.

use serde::Serialize;

/// Which page is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// At most so many items.
    pub limit: i64,
    /// The key of the last item seen; `None` from the beginning.
    pub after: Option<String>,
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    /// The items in the order of the list.
    pub items: Vec<T>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Cursor>,
}

/// The key of the last item of a page; letters, digits and `_:.-` only, so that it needs no encoding in a query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Cursor(pub String);

impl Cursor {
    /// Whether a text can be a cursor at all.
    pub fn is_one(text: &str) -> bool {
        text.len() <= 100 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_:.-".contains(&byte))
    }
}

impl<T> Page<T> {
    /// A page out of up to `limit` + 1 items: one more than wanted shows that there are more.
    pub fn cut(mut items: Vec<T>, limit: i64, key: impl Fn(&T) -> String) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|last| Cursor(key(last)));
        Self { items, next }
    }

    /// The same page of something made from each item.
    pub fn map<U>(self, make: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(make).collect(), next: self.next }
    }
}
