//! Word from other processes on the same database that there is something to send. Losing one costs only delay.

use super::Store;
use super::connection::AnyConnection;
use super::error::StoreError;

/// The channel on which PostgreSQL passes the word.
#[cfg(feature = "postgres")]
const CHANNEL: &str = "art33_outbox";
/// How often the connection is looked at; it asks the server nothing.
#[cfg(feature = "postgres")]
const LOOK: std::time::Duration = std::time::Duration::from_millis(50);
/// How long to wait after the connection was lost.
#[cfg(feature = "postgres")]
const AGAIN: std::time::Duration = std::time::Duration::from_secs(1);

/// Tells the other processes once the transaction is committed; once for all rows of it. The embedded database has none.
pub(super) fn tell(connection: &mut AnyConnection) -> Result<(), StoreError> {
    match connection {
        AnyConnection::Sqlite(_) => {}
        #[cfg(feature = "postgres")]
        AnyConnection::Postgres(inner) => {
            use diesel::RunQueryDsl as _;
            diesel::sql_query(format!("NOTIFY {CHANNEL}")).execute(inner)?;
        }
    }
    Ok(())
}

impl Store {
    /// Calls `wake` whenever another process has put something into the outbox, until `stopped` says so.
    ///
    /// Answers at once for the embedded database, which no other process shares. Blocks: not for an async thread.
    pub fn listen(&self, wake: &dyn Fn(), stopped: &dyn Fn() -> bool) {
        #[cfg(not(feature = "postgres"))]
        let _ = (wake, stopped);
        #[cfg(feature = "postgres")]
        while self.writer.is_none() && !stopped() {
            if let Err(error) = listen(&self.target, wake, stopped) {
                tracing::warn!(%error, "no word from other processes; looking by ourselves until the connection is back");
                // A process that stops does not wait for a server that is gone.
                let until = std::time::Instant::now() + AGAIN;
                while !stopped() && std::time::Instant::now() < until {
                    std::thread::sleep(LOOK);
                }
            }
        }
    }
}

#[cfg(feature = "postgres")]
fn listen(target: &super::connection::Target, wake: &dyn Fn(), stopped: &dyn Fn() -> bool) -> Result<(), StoreError> {
    use diesel::RunQueryDsl as _;

    let mut connection = super::open(target)?;
    let AnyConnection::Postgres(inner) = &mut connection else { return Ok(()) };
    diesel::sql_query(format!("LISTEN {CHANNEL}")).execute(inner)?;
    while !stopped() {
        let mut told = false;
        for word in inner.notifications_iter() {
            word?;
            told = true;
        }
        if told {
            wake();
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}
