//! Thousands of agreements at once: every row gets its result, and the number of statements does not grow with the rows.

use std::collections::HashMap;

use serde_json::json;
use time::OffsetDateTime;

use super::agreement_checks::{Known, enter_as_processor};
use super::record::{Deed, digest};
use super::{Answer, Idempotency, Service, ServiceError};
use crate::crypto::sha256_hex;
use crate::domain::actor::Actor;
use crate::domain::agreement::{Imported, NewAgreement, RowOutcome, RowResult};
use crate::domain::fault::Faults;
use crate::domain::id::AgreementId;
use crate::store::{AnyConnection, agreements, ledger};

/// Up to how many ids of agreements the ledger entry of an import names.
const NAMED: usize = 100;

/// One row as it was read.
pub type ImportRow = Result<NewAgreement, Faults>;

impl Service {
    /// Creates an agreement for every good row; with `atomic`, only if all rows are good.
    pub async fn import_agreements(
        &self,
        actor: Actor,
        rows: Vec<ImportRow>,
        atomic: bool,
        idempotency: Option<Idempotency>,
    ) -> Result<Answer, ServiceError> {
        let (service, now) = (self.clone(), self.clock.now());
        let work = move |connection: &mut AnyConnection| {
            service.once(connection, &actor, idempotency.as_ref(), now, |connection| {
                service.import(connection, &actor, &rows, atomic, now)
            })
        };
        self.store.write_large(work).await
    }

    fn import(
        &self,
        connection: &mut AnyConnection,
        actor: &Actor,
        rows: &[ImportRow],
        atomic: bool,
        now: OffsetDateTime,
    ) -> Result<Answer, ServiceError> {
        enter_as_processor(connection, actor)?;
        let processor = &actor.organisation;
        let known = Known::about(connection, processor, rows.iter().flatten())?;
        let mut references = HashMap::new();
        let mut created = Vec::with_capacity(rows.len());
        let mut results = Vec::with_capacity(rows.len());
        for (index, row) in rows.iter().enumerate() {
            let number = index + 1;
            let judged = row.as_ref().map_err(Clone::clone).and_then(|new| {
                let mut faults = known.faults(processor, new);
                if let Some(earlier) = references.get(new.content.reference.as_str()) {
                    faults.add("/reference", "duplicate", format!("Row {earlier} has this reference too."));
                }
                faults.finish(Some(new))
            });
            let outcome = match judged {
                Ok(new) => {
                    let agreement: AgreementId = self.id(now);
                    references.insert(new.content.reference.as_str(), number);
                    created.push((agreement.clone(), new));
                    RowOutcome::Created { agreement }
                }
                Err(faults) => RowOutcome::Refused { errors: faults.capped() },
            };
            results.push(RowResult { row: number, outcome });
        }
        let refused = rows.len() - created.len();
        if atomic && refused > 0 {
            results.retain(|result| matches!(result.outcome, RowOutcome::Refused { .. }));
            return Err(ServiceError::RowsRefused { rows: rows.len(), results });
        }
        if !created.is_empty() {
            agreements::insert(connection, processor, &created, now)?;
            let controllers = created.iter().map(|(_, new)| &new.controller);
            self.keep_mailboxes(connection, (actor, processor), controllers, now)?;
        }
        record(connection, actor, &created, refused, now)?;
        Answer::of(&Imported { created: created.len(), refused, results })
    }
}

/// One entry for the whole import; its digest covers each agreement's id and content.
fn record(
    connection: &mut AnyConnection,
    actor: &Actor,
    created: &[(AgreementId, &NewAgreement)],
    refused: usize,
    now: OffsetDateTime,
) -> Result<(), ServiceError> {
    let mut lines = String::new();
    for (id, new) in created {
        lines.extend([id.as_str(), " ", &digest(&new.content)?, "\n"]);
    }
    let mut facts = json!({
        "created": created.len(), "refused": refused, "agreements_sha256": sha256_hex(lines.as_bytes()),
    });
    if created.len() <= NAMED {
        facts["agreements"] = created.iter().map(|(id, _)| id.as_str()).collect();
    }
    let processor = &actor.organisation;
    let deed = Deed { actor, owner: processor, at: now };
    let entry = deed.entry("agreements.imported", processor.as_str(), None, facts);
    Ok(ledger::append(connection, &[entry])?)
}
