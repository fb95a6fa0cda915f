//! Watching the clocks that time is told by: the machine's, and the database's where that leads. A step is never silent.

use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::record::Deed;
use super::{Service, ServiceError, operator_id};
use crate::clock::Reading;
use crate::domain::actor::Actor;
use crate::store::{AnyConnection, Store, StoreError, ledger};
use crate::telemetry::{self, ClockSource};

/// A larger step is an alarm, since due times are told by these clocks.
const LARGEST_STEP: Duration = Duration::MINUTE;

/// The clocks as they were last looked at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clocks {
    machine: Option<Reading>,
    database: Option<Reading>,
}

impl Service {
    /// Goes on from the newest entry of the ledger: what was written before a restart must not lie in the future.
    pub async fn begin_time(&self) -> Result<(), ServiceError> {
        let newest: Option<OffsetDateTime> = self.store.read::<_, StoreError>(ledger::newest_at).await?;
        let behind = newest.map_or(Duration::ZERO, |newest| self.clock.begin_at(newest));
        if behind > LARGEST_STEP {
            self.record_step(ClockSource::Restart, -behind).await?;
        }
        Ok(())
    }

    /// Looks at the clocks and makes time follow the database's; answers what they show. What a clock was set by since `before`,
    /// if it is more than a minute, is recorded.
    pub async fn watch_clocks(&self, before: Clocks) -> Result<Clocks, ServiceError> {
        let asked = self.clock.reading();
        let theirs = self.store.read::<_, StoreError>(Store::server_time).await?;
        let machine = self.clock.reading();
        let database = theirs.and_then(|theirs| self.clock.follow(theirs, asked, machine));
        let sources =
            [(ClockSource::Machine, Some(machine), before.machine), (ClockSource::Database, database, before.database)];
        for (source, now, before) in sources {
            let step = now.zip(before).map_or(Duration::ZERO, |(now, before)| now.step_since(before));
            if step.abs() > LARGEST_STEP {
                self.record_step(source, step).await?;
            }
        }
        if let (Some(database), None) = (database, before.database) {
            let apart = database.step_since(machine);
            if apart.abs() > LARGEST_STEP {
                let seconds = apart.whole_seconds();
                tracing::error!(
                    apart_s = seconds,
                    "the database's clock and this machine's are apart; the database's counts"
                );
            }
        }
        Ok(Clocks { machine: Some(machine), database })
    }

    async fn record_step(&self, source: ClockSource, step: Duration) -> Result<(), ServiceError> {
        tracing::error!(
            clock.source = source.as_str(),
            step_s = step.whole_seconds(),
            "a clock was set by more than a minute"
        );
        let now = self.clock.now();
        let work = move |connection: &mut AnyConnection| {
            let (owner, actor) = (operator_id(), Actor::service(operator_id()));
            let milliseconds = i64::try_from(step.whole_milliseconds()).unwrap_or(i64::MAX);
            let facts = json!({"source": source.as_str(), "step_ms": milliseconds});
            let deed = Deed { actor: &actor, owner: &owner, at: now };
            let entry = deed.entry("service.clock_stepped", owner.as_str(), None, facts);
            Ok::<_, ServiceError>(ledger::append(connection, &[entry])?)
        };
        self.store.write(work).await?;
        telemetry::clock_stepped(source);
        Ok(())
    }
}
