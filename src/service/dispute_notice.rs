//! The controller's own word that a notice is not meant for it, or is wrong. Stops no clock: what was told has been told.

use super::acknowledge::own_notice;
use super::receipts::proof;
use super::{Service, ServiceError};
use crate::crypto::sha256_hex;
use crate::domain::actor::Actor;
use crate::domain::id::NoticeId;
use crate::domain::ladder::End;
use crate::domain::receipt::{Dispute, Means, Receipt, ReceiptLevel, Stage};
use crate::domain::terms::Ladder;
use crate::store::{AnyConnection, escalations, ledger, mail_evidence, notices};

impl Service {
    /// Records that the controller disputes a notice and answers the counter-signed receipt; a second time answers the same one.
    ///
    /// Nobody is asked for an acknowledgement any more; a person of the processor has to look at it.
    pub async fn dispute_notice(&self, actor: &Actor, id: NoticeId, dispute: Dispute) -> Result<Receipt, ServiceError> {
        let (service, actor, now) = (self.clone(), actor.clone(), self.clock.now());
        let work = move |connection: &mut AnyConnection| {
            let fact = own_notice(connection, &actor, &id, "Only the controller who was told disputes a notice.")?;
            let statement = dispute.statement();
            let stage = Stage::new(ReceiptLevel::Disputed, now).by_means(Means::Token).by_person(dispute.by);
            let stage = stage.proved_by(Some(sha256_hex(statement.as_bytes())));
            let stage = Stage { evidence: Some(statement), ..stage };
            let (receipt, is_new) = service.issue_receipt(connection, &fact, stage)?;
            if is_new {
                notices::mark_disputed(connection, &id, now)?;
                mail_evidence::close_taken(connection, &[id.as_str()])?;
                escalations::end(connection, &id, &[Ladder::Acknowledged], End::Disputed)?;
                ledger::append(connection, &[proof(&fact, &actor, &receipt, &[])])?;
            }
            Ok::<_, ServiceError>(receipt)
        };
        self.store.write(work).await
    }
}
