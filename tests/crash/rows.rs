//! What stands in the database, for what the service itself does not tell. Looks from outside, as `sqlite3` or `psql` would.

use diesel::connection::SimpleConnection as _;
use diesel::sql_types::BigInt;
use diesel::{Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection};

use super::process::Setup;

/// Attempts that may have been sent and of which nothing was recorded.
pub(crate) const UNDER_WAY: &str = "SELECT count(*) AS number FROM attempt WHERE ended_at IS NULL";
/// Attempts of which no answer was recorded: those, and such as the sender gave up although it may have arrived.
pub(crate) const UNHEARD: &str = "SELECT count(*) AS number FROM attempt WHERE status IS NULL";
/// Deliveries that were claimed without an attempt that says so.
const CLAIMED_UNSEEN: &str = "SELECT count(*) AS number FROM delivery WHERE state = 'open' \
    AND attempts > (SELECT count(*) FROM attempt WHERE delivery_id = delivery.id)";

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

impl Setup {
    /// What a query answers as `number`.
    pub(crate) fn number(&self, query: &str) -> usize {
        let query = diesel::sql_query(query);
        let found: Number = match self.setting("ART33_DATABASE_URL") {
            #[cfg(feature = "postgres")]
            Some(url) => query.get_result(&mut diesel::PgConnection::establish(url).unwrap()).unwrap(),
            _ => {
                let path = self.data().join("art33.db");
                let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
                connection.batch_execute("PRAGMA busy_timeout = 10000").unwrap();
                query.get_result(&mut connection).unwrap()
            }
        };
        found.number.try_into().unwrap()
    }

    /// What a killed process leaves is sound: the ledger fits, and no delivery was taken without its attempt.
    pub(crate) fn is_sound(&self) {
        self.verify();
        assert_eq!(self.number(CLAIMED_UNSEEN), 0, "claim and attempt are one transaction");
    }
}
