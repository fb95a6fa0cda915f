//! The report on one incident for one controller: everything read in one view, then mapped onto the document's model.

use std::collections::HashMap;

use time::OffsetDateTime;
use url::Url;

use super::acknowledge::unknown_controller;
use super::part::whose;
use super::report_outcomes::Outcomes;
use super::{Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::content::ShareContent;
use crate::domain::count::Count;
use crate::domain::duty::DutyState;
use crate::domain::duty_record::Duty;
use crate::domain::id::{IncidentId, OrganisationId};
use crate::domain::incident::{Incident, NoticeSummary, Receipt, ReceiptLevel};
use crate::domain::organisation::{Contact, Organisation};
use crate::domain::page::PageRequest;
use crate::domain::vocabulary::Channel;
use crate::report::{self as document, Report};
use crate::store::deliveries::{AttemptView, DeliveryView};
use crate::store::{AnyConnection, agreements, deliveries, duties, incidents, notices, organisations, receipts};

/// The most deliveries of one notice that a report shows.
const DELIVERIES: i64 = 500;

/// A notice with what became of it.
struct Telling {
    summary: NoticeSummary,
    receipts: Vec<Receipt>,
    deliveries: Vec<DeliveryView>,
}

/// Everything that a report is made of.
struct Material {
    zone: String,
    incident: Incident,
    processor: Organisation,
    controller: Organisation,
    agreement: document::Agreement,
    share: ShareContent,
    duties: Vec<Duty>,
    tellings: Vec<Telling>,
}

impl Service {
    /// The report for one controller's share, with times shown in `zone`.
    ///
    /// A controller always gets its own; a processor may leave `controller` out where there is only one.
    pub async fn report(
        &self,
        actor: &Actor,
        id: IncidentId,
        controller: Option<OrganisationId>,
        zone: String,
    ) -> Result<Report, ServiceError> {
        let (service, tenant, now) = (self.clone(), actor.organisation.clone(), self.clock.now());
        self.store
            .read(move |connection| {
                let material = gather(connection, &tenant, &id, controller.as_ref(), zone, now)?;
                let controller = &material.controller.id;
                let outcomes = service.outcomes(connection, &tenant, &id, controller, &material.duties, now)?;
                Ok(map(material, outcomes))
            })
            .await
    }
}

fn gather(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    id: &IncidentId,
    controller: Option<&OrganisationId>,
    zone: String,
    now: OffsetDateTime,
) -> Result<Material, ServiceError> {
    let incident = incidents::find(connection, tenant, id)?.ok_or(ServiceError::NotFound)?;
    let is_processor = incident.processor.id == *tenant;
    let controller = whose(connection, tenant, id, is_processor, controller)?;
    let told = notices::of_party(connection, tenant, id, &controller)?;
    let Some((_, content, agreement, version)) = told.last().cloned() else { return Err(unknown_controller()) };
    let share = ShareContent::from_stored(&content)
        .map_err(|_| ServiceError::Internal(format!("notice content of {id} cannot be read")))?;
    let mut tellings = Vec::with_capacity(told.len());
    for (summary, ..) in told {
        let page = PageRequest { limit: DELIVERIES, after: None };
        let receipts = receipts::of(connection, &[summary.id.as_str()])?;
        // Attempts are evidence of the processor's telling; the controller whom they concern sees them too.
        let processor = &summary.processor.id;
        let deliveries = deliveries::of_notice(connection, processor, &summary.id, &page, now)?.items;
        tellings.push(Telling { summary, receipts, deliveries });
    }
    let organisation = |connection: &mut AnyConnection, id: &OrganisationId| {
        organisations::find(connection, id)?.ok_or_else(|| ServiceError::Internal(format!("{id} is missing")))
    };
    let reference = agreements::reference(connection, &agreement, version)?;
    Ok(Material {
        zone,
        processor: organisation(connection, &incident.processor.id)?,
        controller: organisation(connection, &controller)?,
        agreement: document::Agreement {
            id: agreement,
            reference: reference.unwrap_or_default(),
            version: u32::try_from(version).unwrap_or_default(),
        },
        share,
        duties: duties::of_party(connection, tenant, id, &controller)?,
        tellings,
        incident,
    })
}

fn map(material: Material, outcomes: Outcomes) -> Report {
    let Material { zone, incident, processor, controller, agreement, share, duties, tellings } = material;
    let names: HashMap<String, String> =
        [&processor, &controller].into_iter().map(|one| (one.id.to_string(), one.name.clone())).collect();
    let common = &share.common;
    let figures = &share.figures;
    let occurred = common.occurred.known();
    Report {
        display_zone: zone,
        incident: document::Incident {
            id: incident.summary.id.to_string(),
            version: u32::try_from(incident.summary.version).unwrap_or_default(),
            kind: incident.summary.kind,
            stage: incident.summary.stage,
            title: incident.summary.title,
        },
        processor: party(processor),
        controller: party(controller),
        agreement,
        occurred: document::Occurred {
            from: occurred.map(|occurred| occurred.from),
            until: occurred.and_then(|occurred| occurred.until),
            ongoing: occurred.is_some_and(|occurred| occurred.ongoing),
        },
        detected_at: common.detected_at,
        aware_at: common.aware_at,
        awareness_reason: common.awareness_reason.clone(),
        nature: common.nature.known().map(|nature| document::Nature {
            types: nature.types.iter().map(ToString::to_string).collect(),
            cause: nature.cause.to_string(),
            description: nature.description.clone(),
            how_obtained: nature.how_obtained.known().cloned(),
        }),
        data_categories: codes(figures.data_categories.known()),
        special_categories: codes(figures.special_categories.known()),
        professional_secrecy: common.professional_secrecy,
        subjects: document::Affected {
            categories: codes(figures.subjects.categories.known()),
            count: figures.subjects.count.as_ref().map(count),
        },
        records: document::Affected {
            categories: codes(figures.records.categories.known()),
            count: figures.records.count.as_ref().map(count),
        },
        contact: common.contact.known().map(contact),
        consequences: common.consequences.known().map(|consequences| document::Consequences {
            types: consequences.types.iter().map(ToString::to_string).collect(),
            description: consequences.description.clone(),
        }),
        measures: measures(&share),
        note: figures.note.clone(),
        duties: duties.into_iter().map(|one| duty(one, &names)).collect(),
        notices: tellings.into_iter().map(notice).collect(),
        supervision: outcomes.supervision,
        instructions: outcomes.instructions,
        decisions: outcomes.decisions,
        filings: outcomes.filings,
        open_items: open_items(&share),
    }
}

fn codes<C: ToString>(known: Option<&std::collections::BTreeSet<C>>) -> Vec<String> {
    known.into_iter().flatten().map(ToString::to_string).collect()
}

fn party(organisation: Organisation) -> document::Party {
    document::Party {
        id: organisation.id.to_string(),
        name: organisation.name,
        seat: organisation.region.unwrap_or(organisation.country),
        contacts: organisation.contacts.iter().map(contact).collect(),
    }
}

fn contact(contact: &Contact) -> document::Contact {
    document::Contact {
        role: contact.role.clone(),
        name: contact.name.clone(),
        email: contact.email.clone(),
        phone: contact.phone.clone(),
    }
}

fn count(count: &Count) -> document::Count {
    match count {
        Count::Exact(number) => document::Count::Exact(*number),
        Count::About(number) => document::Count::About(*number),
        Count::Range { min, max } => document::Count::Range { min: *min, max: *max },
        Count::Unknown(unknown) => document::Count::Unknown(unknown.reason.clone()),
    }
}

fn measures(share: &ShareContent) -> document::Measures {
    let list = |measures: &[crate::domain::content::Measure]| {
        let one = |measure: &crate::domain::content::Measure| document::Measure {
            description: measure.description.clone(),
            at: measure.at,
        };
        measures.iter().map(one).collect()
    };
    let known = share.common.measures.known();
    document::Measures {
        taken: known.map(|measures| list(&measures.taken)).unwrap_or_default(),
        proposed: known.map(|measures| list(&measures.proposed)).unwrap_or_default(),
    }
}

fn open_items(share: &ShareContent) -> Vec<document::OpenItem> {
    let item = |item: crate::domain::content::OpenItem| document::OpenItem {
        member: item.member.to_string(),
        reason: item.unknown.reason,
        expected_by: item.unknown.expected_by,
        legal_basis: item.member.legal_basis().to_owned(),
    };
    share.open_items().into_iter().map(item).collect()
}

fn duty(duty: Duty, names: &HashMap<String, String>) -> document::Duty {
    let due = duty.state.due().copied();
    let (met_at, late) = match duty.state {
        DutyState::Met { met_at, late, .. } => (Some(met_at), late),
        _ => (None, None),
    };
    document::Duty {
        id: duty.id.to_string(),
        obligation: document::Demand { code: duty.obligation.code.clone(), title: duty.obligation.title.clone() },
        about: duty.about.clone(),
        debtor: if duty.debtor == duty.processor { "processor" } else { "controller" }.to_owned(),
        recipient: duty.obligation.recipient.to_string(),
        recipient_name: names.get(&duty.recipient).cloned(),
        state: duty.state.as_str().to_owned(),
        start_at: due.map(|due| due.start_at),
        alarm_at: due.map(|due| due.alarm_at),
        legal_due_at: due.and_then(|due| due.legal_due_at),
        // "Without undue delay" has no hours that a rule could count.
        counting_rule: duty.terms.span.length().map(|_| duty.terms.rule.as_str().to_owned()),
        legal_basis: duty.legal_basis,
        met_at,
        late,
        closing: duty.state.closing().map(|closing| document::Closing {
            at: closing.at,
            by: closing.by.clone(),
            reason: closing.reason.clone(),
        }),
        remark: None,
    }
}

fn notice(telling: Telling) -> document::Notice {
    let Telling { summary, receipts, deliveries } = telling;
    let at = |level| receipts.iter().find(|receipt| receipt.level == level).map(|receipt| receipt.at);
    let acknowledged = receipts.iter().find(|receipt| receipt.level == ReceiptLevel::Acknowledged);
    let mut attempts: Vec<_> = deliveries
        .iter()
        .flat_map(|delivery| delivery.attempts.iter().map(move |one| attempt(delivery.channel, one)))
        .collect();
    attempts.sort_by_key(|attempt| attempt.at);
    document::Notice {
        id: summary.id.to_string(),
        sequence: u32::try_from(summary.sequence).unwrap_or_default(),
        kind: summary.kind.strip_prefix("notice.").unwrap_or(&summary.kind).to_owned(),
        content_sha256: summary.content_sha256,
        sent_at: attempts.first().map(|attempt| attempt.at),
        delivered_at: summary.delivered_at,
        accessed_at: at(ReceiptLevel::Accessed),
        acknowledgement: acknowledged.and_then(|receipt| {
            let by = receipt.by.clone()?;
            Some(document::Acknowledgement { at: receipt.at, name: by.name, role: by.role })
        }),
        attempts,
    }
}

fn attempt(channel: Channel, attempt: &AttemptView) -> document::Attempt {
    let host = |url: Url| url.host_str().map(str::to_owned);
    let target = match channel {
        Channel::Email => attempt.url.strip_prefix("mailto:").map(str::to_owned),
        _ => Url::parse(&attempt.url).ok().and_then(host),
    };
    let reply = attempt.mail.as_ref().and_then(|mail| mail.reply_code).map(|code| format!("SMTP {code}"));
    document::Attempt {
        at: attempt.started_at,
        channel: channel.to_string(),
        target: target.unwrap_or_default(),
        // An attempt without an end was cut off: it may have been sent.
        outcome: attempt.outcome.clone().unwrap_or_else(|| "unfinished".to_owned()),
        failure: attempt.kind.clone(),
        status: attempt.status.map(|status| format!("HTTP {status}")).or(reply),
    }
}
