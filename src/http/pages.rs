//! Pages of lists: limit and opaque cursor in, items and the next cursor out. What a cursor holds is the store's business.

use super::extract::Query;
use crate::domain::page::{Cursor, PageRequest};

const DEFAULT: i64 = 50;
const LONGEST: i64 = 500;

impl Query {
    /// Takes `limit` and `cursor`.
    pub(crate) fn page(&mut self) -> PageRequest {
        let limit = self.take("limit", "a whole number from 1 to 500", |text| {
            text.parse().ok().filter(|limit| (1..=LONGEST).contains(limit))
        });
        let after = self.take("cursor", "a cursor that this list answered as `next`", |text| {
            Cursor::is_one(text).then(|| text.to_owned())
        });
        PageRequest { limit: limit.unwrap_or(DEFAULT), after }
    }
}
