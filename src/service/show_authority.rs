//! Who supervises: the authorities that are known, and those that one controller's part of an incident concerns.

use serde::Serialize;
use time::OffsetDateTime;

use super::part::Part;
use super::{Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::authority::{Authority, AuthorityChoice, Jurisdiction};
use crate::domain::content::ShareContent;
use crate::domain::id::{IncidentId, OrganisationId};
use crate::domain::organisation::Sector;
use crate::domain::page::{Page, PageRequest};
use crate::store::{AnyConnection, authorities, notices, organisations};

/// Who supervises one controller's part of an incident.
#[derive(Debug, Clone, Serialize)]
pub struct Supervision {
    /// The controller.
    pub controller: OrganisationId,
    /// What follows from seat, sector and the countries of the affected persons.
    #[serde(flatten)]
    pub jurisdiction: Jurisdiction,
    /// What a person chose instead.
    pub chosen: Option<AuthorityChoice>,
}

impl Supervision {
    /// The id of the authority to file with: the chosen one, else the competent one; none where the data do not tell.
    pub fn authority(&self) -> Option<&str> {
        let competent = self.jurisdiction.competent.as_ref().map(|authority| authority.id.as_str());
        self.chosen.as_ref().map(|choice| choice.authority.as_str()).or(competent)
    }
}

impl Service {
    /// One page of the known authorities, by id; only those of a country or for a sector if given.
    pub fn list_authorities(
        &self,
        country: Option<&str>,
        sector: Option<Sector>,
        page: &PageRequest,
    ) -> Page<Authority> {
        let fits = |authority: &&Authority| {
            country.is_none_or(|country| authority.country == country)
                && sector.is_none_or(|sector| authority.sectors.contains(&sector))
                && page.after.as_deref().is_none_or(|after| authority.id.as_str() > after)
        };
        let one_more = usize::try_from(page.limit).unwrap_or(0).saturating_add(1);
        let found = self.law.authorities.all().iter().filter(fits).take(one_more).cloned().collect();
        Page::cut(found, page.limit, |authority: &Authority| authority.id.clone())
    }

    /// Who supervises one controller's part of an incident; a controller gets its own.
    pub async fn show_authority(
        &self,
        actor: &Actor,
        incident: IncidentId,
        controller: Option<OrganisationId>,
    ) -> Result<Supervision, ServiceError> {
        let (service, actor, now) = (self.clone(), actor.clone(), self.clock.now());
        self.store
            .read(move |connection| {
                let part = Part::meant(connection, &actor, &incident, controller.as_ref())?;
                let newest = part.newest(connection, &actor)?;
                service.supervision(connection, &incident, &part.party, &newest.content, now)
            })
            .await
    }

    /// Who supervises `controller` in an incident that it was told of, whoever asks; none where it was told nothing.
    pub(crate) fn authority_of(
        &self,
        connection: &mut AnyConnection,
        incident: &IncidentId,
        controller: &OrganisationId,
        now: OffsetDateTime,
    ) -> Result<Option<Supervision>, ServiceError> {
        let newest = notices::of_party(connection, controller, incident, controller)?.pop();
        let Some((_, content, ..)) = newest else { return Ok(None) };
        self.supervision(connection, incident, controller, &content, now).map(Some)
    }

    /// The same where the newest notice is at hand.
    pub(super) fn supervision(
        &self,
        connection: &mut AnyConnection,
        incident: &IncidentId,
        controller: &OrganisationId,
        content: &str,
        now: OffsetDateTime,
    ) -> Result<Supervision, ServiceError> {
        let share = ShareContent::from_stored(content)
            .map_err(|_| ServiceError::Internal(format!("notice content of {incident} cannot be read")))?;
        let seat = organisations::seats(connection, &[controller.to_string()])?.remove(controller.as_str());
        let seat = seat.ok_or_else(|| ServiceError::Internal(format!("{controller} is missing")))?;
        let countries = share.figures.countries.as_ref();
        Ok(Supervision {
            controller: controller.clone(),
            // Whom to file with is a question of the day of filing, not of the day of the incident.
            jurisdiction: self.law.authorities.jurisdiction(&seat, countries, now.date()),
            chosen: authorities::chosen(connection, incident, controller)?,
        })
    }
}
