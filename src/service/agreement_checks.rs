//! What an agreement says about other things that must be there: the controller, the endpoints, a reference of its own.
//!
//! Everything is looked up for all agreements at once; judging one asks no database.

use std::collections::{BTreeSet, HashMap};

use super::{ServiceError, operator_id};
use crate::domain::actor::Actor;
use crate::domain::agreement::{AgreementContent, NewAgreement};
use crate::domain::fault::Faults;
use crate::domain::id::{AgreementId, OrganisationId, WebhookId};
use crate::domain::vocabulary::OrganisationRole;
use crate::store::{AnyConnection, StoreError, agreements, organisations, webhooks};

/// What was looked up.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Roles of the organisations that the processor may deal with.
    pub(super) roles: HashMap<String, BTreeSet<OrganisationRole>>,
    /// References that the processor has used, and where.
    pub(super) references: HashMap<String, String>,
    /// Whose endpoints there are that the processor may send to.
    pub(super) owners: HashMap<String, String>,
}

/// Lets one writer at a time through per processor, and refuses whoever is none.
pub(super) fn enter_as_processor(connection: &mut AnyConnection, actor: &Actor) -> Result<(), ServiceError> {
    organisations::raise_edition(connection, &actor.organisation)?;
    let own = organisations::find(connection, &actor.organisation)?;
    if own.is_some_and(|own| own.roles.contains(&OrganisationRole::Processor)) {
        return Ok(());
    }
    Err(ServiceError::Forbidden("Your organisation is not a processor; only processors enter agreements."))
}

impl Known {
    /// Looks up what `new` agreements of `processor` refer to.
    pub(super) fn about<'a>(
        connection: &mut AnyConnection,
        processor: &OrganisationId,
        new: impl Iterator<Item = &'a NewAgreement> + Clone,
    ) -> Result<Self, StoreError> {
        let controllers = new.clone().map(|new| new.controller.as_str()).collect();
        Ok(Self {
            roles: organisations::roles_of(connection, processor, &operator_id(), &controllers)?,
            ..Self::about_contents(connection, processor, new.map(|new| &new.content))?
        })
    }

    /// The same for contents whose controllers are known already.
    pub(super) fn about_contents<'a>(
        connection: &mut AnyConnection,
        processor: &OrganisationId,
        contents: impl Iterator<Item = &'a AgreementContent> + Clone,
    ) -> Result<Self, StoreError> {
        let references = contents.clone().map(|content| content.reference.as_str()).collect();
        let endpoints = contents.flat_map(endpoints).map(|(_, id)| id.as_str()).collect();
        Ok(Self {
            roles: HashMap::new(),
            references: agreements::taken_references(connection, processor, &references)?,
            owners: webhooks::owners(connection, processor, &endpoints)?,
        })
    }

    /// Everything that is wrong with a new agreement of `processor`.
    pub(super) fn faults(&self, processor: &OrganisationId, new: &NewAgreement) -> Faults {
        let mut faults = Faults::default();
        match self.roles.get(new.controller.as_str()) {
            None => faults.add("/controller", "unknown_organisation", "There is no such organisation."),
            Some(_) if new.controller == *processor => {
                faults.add("/controller", "own_organisation", "Nobody is the processor of itself.");
            }
            Some(roles) if !roles.contains(&OrganisationRole::Controller) => {
                faults.add("/controller", "not_a_controller", "This organisation is not a controller.");
            }
            Some(_) => {}
        }
        faults.extend_under("", self.content_faults(&new.controller, &new.content, None));
        faults
    }

    /// Everything that is wrong with the content of an agreement with `controller`; `own` is the agreement that it changes.
    pub(super) fn content_faults(
        &self,
        controller: &OrganisationId,
        content: &AgreementContent,
        own: Option<&AgreementId>,
    ) -> Faults {
        let mut faults = Faults::default();
        let taken = self.references.get(&content.reference);
        if taken.is_some_and(|by| own.is_none_or(|own| own.as_str() != by)) {
            faults.add("/reference", "duplicate", "Another of your agreements has this reference.");
        }
        for (index, id) in endpoints(content) {
            if self.owners.get(id.as_str()).is_none_or(|owner| owner != controller.as_str()) {
                let pointer = format!("/terms/addressees/{index}/webhook");
                faults.add(pointer, "unknown_webhook", "The controller has no such endpoint for your notices.");
            }
        }
        faults
    }
}

/// The endpoints that the terms name, each with its place among the addressees.
fn endpoints(content: &AgreementContent) -> impl Iterator<Item = (usize, &WebhookId)> {
    let addressees = content.terms.addressees.iter().enumerate();
    addressees.filter_map(|(index, addressee)| Some((index, addressee.webhook.as_ref()?)))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    const PROCESSOR: [u8; 16] = [1; 16];
    const CONTROLLER: [u8; 16] = [2; 16];

    fn agreement(controller: [u8; 16]) -> NewAgreement {
        let body = json!({
            "controller": OrganisationId::from_bytes(controller), "reference": "AVV-1", "products": ["azubiheft"],
            "valid_from": "2026-01-01",
            "terms": {"notify_within": "PT24H", "triggers": ["personal_data_breach"], "addressees": [
                {"role": "dpo", "channel": "email", "address": "dpo@example.org"},
                {"role": "breach_desk", "channel": "webhook", "webhook": WebhookId::from_bytes([7; 16])}]}});
        NewAgreement::parse(&body).unwrap()
    }

    fn known(role: OrganisationRole) -> Known {
        let organisation = |bytes| OrganisationId::from_bytes(bytes).to_string();
        let roles = [PROCESSOR, CONTROLLER].map(|bytes| (organisation(bytes), BTreeSet::from([role])));
        let owners = [(WebhookId::from_bytes([7; 16]).to_string(), organisation(CONTROLLER))];
        Known { roles: roles.into(), references: HashMap::new(), owners: owners.into() }
    }

    fn pointers(known: &Known, controller: [u8; 16]) -> Vec<(String, &'static str)> {
        let faults = known.faults(&OrganisationId::from_bytes(PROCESSOR), &agreement(controller));
        faults.as_slice().iter().map(|fault| (fault.pointer.clone(), fault.code)).collect()
    }

    #[test]
    fn an_agreement_with_a_known_controller_passes() {
        assert_eq!(pointers(&known(OrganisationRole::Controller), CONTROLLER), []);
    }

    #[test]
    fn every_fault_is_named() {
        let mut known = known(OrganisationRole::Processor);
        known.references.insert("AVV-1".to_owned(), "agr_1".to_owned());
        known.owners.clear();
        let expected = [
            ("/controller", "not_a_controller"),
            ("/reference", "duplicate"),
            ("/terms/addressees/1/webhook", "unknown_webhook"),
        ];
        assert_eq!(pointers(&known, CONTROLLER), expected.map(|(pointer, code)| (pointer.to_owned(), code)));
    }

    #[test]
    fn strangers_and_the_processor_itself_are_no_controllers_and_their_endpoints_do_not_fit() {
        let known = known(OrganisationRole::Controller);
        let codes = |controller| pointers(&known, controller).into_iter().map(|(_, code)| code).collect::<Vec<_>>();
        assert_eq!(codes([9; 16]), ["unknown_organisation", "unknown_webhook"]);
        assert_eq!(codes(PROCESSOR), ["own_organisation", "unknown_webhook"]);
    }

    #[test]
    fn a_change_may_keep_its_reference() {
        let own = AgreementId::from_bytes([3; 16]);
        let mut known = known(OrganisationRole::Controller);
        known.references.insert("AVV-1".to_owned(), own.to_string());
        let new = agreement(CONTROLLER);
        assert!(known.content_faults(&new.controller, &new.content, Some(&own)).is_empty());
        assert!(!known.content_faults(&new.controller, &new.content, None).is_empty());
    }
}
