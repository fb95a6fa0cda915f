//! What a report says of the time after the notice: who supervises, what was instructed, decided and filed.

use std::collections::HashMap;

use time::OffsetDateTime;

use super::show_authority::Supervision;
use super::{Service, ServiceError};
use crate::domain::authority_filing::AuthorityFiling;
use crate::domain::catalogue::Titles;
use crate::domain::decision::Decision;
use crate::domain::duty_record::Duty;
use crate::domain::id::{IncidentId, OrganisationId};
use crate::domain::instruction::Instruction;
use crate::domain::page::PageRequest;
use crate::report as document;
use crate::store::{AnyConnection, authority_filings, decisions, instructions};

/// The most decisions and filings that a report shows.
const MOST: i64 = 500;

/// What happened after one controller was told, ready for a report.
pub(super) struct Outcomes {
    pub(super) supervision: Option<document::Supervision>,
    pub(super) instructions: Vec<document::Instruction>,
    pub(super) decisions: Vec<document::Decision>,
    pub(super) filings: Vec<document::Filing>,
}

impl Service {
    /// Reads what `controller` instructed, decided and filed in an incident, within the sight of `tenant`.
    pub(super) fn outcomes(
        &self,
        connection: &mut AnyConnection,
        tenant: &OrganisationId,
        incident: &IncidentId,
        controller: &OrganisationId,
        duties: &[Duty],
        now: OffsetDateTime,
    ) -> Result<Outcomes, ServiceError> {
        let page = PageRequest { limit: MOST, after: None };
        let supervision = self.authority_of(connection, incident, controller, now)?;
        let given = instructions::of_party(connection, incident, controller)?;
        let decided = decisions::list(connection, tenant, incident, Some(controller), &page)?.items;
        let filed = authority_filings::list(connection, tenant, incident, Some(controller), &page)?.items;
        let titles: HashMap<&str, &Titles> =
            duties.iter().map(|duty| (duty.id.as_str(), &duty.obligation.title)).collect();
        Ok(Outcomes {
            supervision: supervision.map(|found| self.supervised(found)),
            instructions: given.into_iter().map(instruction).collect(),
            decisions: decided.into_iter().map(decision).collect(),
            filings: filed.into_iter().map(|one| self.filed(one, &titles)).collect(),
        })
    }

    fn supervised(&self, found: Supervision) -> document::Supervision {
        let competent = found.jurisdiction.competent;
        document::Supervision {
            competent: competent.map(|one| document::Authority { id: one.id, name: one.name }),
            chosen: found.chosen.map(|choice| document::ChosenAuthority {
                authority: self.named(choice.authority),
                by: choice.by,
                reason: choice.reason,
            }),
        }
    }

    /// An authority by its id; one that has left the data since keeps its id for a name.
    fn named(&self, id: String) -> document::Authority {
        let name = self.law.authorities.find(&id).map_or_else(|| id.clone(), |found| found.name.clone());
        document::Authority { id, name }
    }

    fn filed(&self, filing: AuthorityFiling, titles: &HashMap<&str, &Titles>) -> document::Filing {
        let title = titles.get(filing.duty.as_str()).map(|title| (*title).clone());
        let code = filing.obligation;
        document::Filing {
            id: filing.id.to_string(),
            obligation: document::Demand {
                title: title.unwrap_or_else(|| Titles { en: code.clone(), de: code.clone() }),
                code,
            },
            stage: filing.stage.to_string(),
            authority: filing.authority.map(|id| self.named(id)),
            filed_at: filing.filed_at,
            by: filing.by,
            reference: filing.reference,
            late: filing.late,
            delay_reason: filing.delay_reason,
            is_supplement: filing.supplements.is_some(),
            instruction: filing.instruction.map(|id| id.to_string()),
            answer: filing.answer.map(|answer| document::Answer {
                at: answer.answered_at,
                reference: answer.reference,
                text: answer.text,
            }),
        }
    }
}

fn instruction(instruction: Instruction) -> document::Instruction {
    document::Instruction {
        id: instruction.id.to_string(),
        kind: instruction.kind.to_string(),
        form: instruction.form.to_string(),
        given_at: instruction.given_at,
        state: instruction.state.as_str().to_owned(),
        objection: instruction.state.objection().map(|objection| objection.reason.clone()),
        scope: instruction.scope,
        given_by: instruction.given_by,
    }
}

fn decision(decision: Decision) -> document::Decision {
    document::Decision {
        id: decision.id.to_string(),
        decided_at: decision.content.decided_at,
        by: decision.content.by,
        notify_authority: decision.content.notify_authority,
        notify_persons: decision.content.notify_persons.to_string(),
        reason: decision.content.reason,
    }
}
