//! The authority answers a filing; the answer is recorded once.

use serde_json::{Value, json};

use super::error::refused;
use super::part::{Part, may_write};
use super::record::digest;
use super::{Answer, Idempotency, Service, ServiceError};
use crate::domain::actor::{Actor, Scope};
use crate::domain::authority_filing::{AuthorityAnswer, AuthorityFiling};
use crate::domain::id::FilingId;
use crate::store::authority_filings::{self, Kept};
use crate::store::{AnyConnection, ledger};

impl Service {
    /// Keeps the authority's answer to a filing and answers the filing; a second answer is refused with a conflict.
    pub async fn answer_filing(
        &self,
        actor: Actor,
        id: FilingId,
        body: Value,
        idempotency: Option<Idempotency>,
    ) -> Result<Answer, ServiceError> {
        let (service, now) = (self.clone(), self.clock.now());
        let work = move |connection: &mut AnyConnection| {
            service.once(connection, &actor, idempotency.as_ref(), now, |connection| {
                let kept = authority_filings::find(connection, &actor.organisation, &id)?;
                let Kept { processor, filing } = kept.ok_or(ServiceError::NotFound)?;
                may_answer(&actor, &filing, processor == actor.organisation)?;
                let answer = AuthorityAnswer::parse(&body, now)?;
                if answer.answered_at < filing.filed_at {
                    return Err(refused("/answered_at", "time_order", "Nobody answers what was not filed yet."));
                }
                if !authority_filings::answer(connection, &id, &answer)? {
                    let detail = "The authority's answer to this filing is recorded already.".to_owned();
                    return Err(ServiceError::Conflict { code: "already-answered", detail });
                }
                let part = Part::of(connection, &actor, &filing.incident, filing.party.clone())?;
                let facts = json!({"content_sha256": digest(&answer)?});
                let entry = part.entry(connection, (&actor, now), ("filing.answered", id.as_str()), facts)?;
                ledger::append(connection, &[entry])?;
                Answer::of(&AuthorityFiling { answer: Some(answer), ..filing })
            })
        };
        self.store.write(work).await
    }
}

/// The party itself records the answer; so does the processor for what it filed.
fn may_answer(actor: &Actor, filing: &AuthorityFiling, is_processor: bool) -> Result<(), ServiceError> {
    may_write(actor, is_processor, Scope::DecisionsWrite)?;
    if filing.party != actor.organisation && filing.recorded_by != actor.organisation {
        return Err(ServiceError::Forbidden("The answer goes to whoever filed; the controller records it."));
    }
    Ok(())
}
