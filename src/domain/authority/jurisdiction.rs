//! Who is competent, who leads and who is concerned once persons in several countries are affected, Art. 55, 56 GDPR.

use std::collections::BTreeSet;

use serde::Serialize;
use time::Date;

use super::{Authorities, Authority};
use crate::domain::organisation::Seat;

/// All authorities that an incident of one controller concerns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jurisdiction {
    /// The one to file with; none where the data do not tell, or where there is no one-stop shop.
    pub competent: Option<Authority>,
    /// The lead authority, Art. 56(1) GDPR; none unless the processing is cross-border.
    pub lead: Option<Authority>,
    /// Those of the other states with affected persons, Art. 4(22) GDPR. For a controller outside the EEA, all that have to be told.
    pub concerned: Vec<Authority>,
    /// Whether more than one state of the EEA is touched, Art. 4(23) GDPR.
    pub cross_border: bool,
    /// Why, one sentence each.
    pub basis: Vec<String>,
}

impl Authorities {
    /// Who supervises an incident of the controller at `seat` on the day `on`. `countries` are those of the affected persons (ISO
    /// 3166-1); none where they are not stated.
    pub fn jurisdiction(&self, seat: &Seat, countries: Option<&BTreeSet<String>>, on: Date) -> Jurisdiction {
        let competence = self.competent(seat, on);
        let home = self.establishment(seat).country;
        let none = BTreeSet::new();
        let (inside, outside): (Vec<&str>, Vec<&str>) =
            countries.unwrap_or(&none).iter().map(String::as_str).partition(|country| self.in_eea(country));
        let elsewhere: Vec<&str> = inside.into_iter().filter(|country| *country != home).collect();
        let mut found = Jurisdiction {
            competent: competence.authority.cloned(),
            lead: None,
            concerned: Vec::new(),
            cross_border: false,
            basis: vec![competence.basis],
        };
        if countries.is_none() {
            found.basis.push("The countries of the affected persons are not stated".to_owned());
        }
        if self.in_eea(home) {
            self.led(seat, &elsewhere, on, &mut found);
        } else {
            self.told_everywhere(home, &elsewhere, on, &mut found);
        }
        let beside: Vec<&str> = outside.into_iter().filter(|country| *country != home).collect();
        if !beside.is_empty() {
            let list = beside.join(", ");
            found.basis.push(format!("Outside the EEA the law of each country decides whom to tell there: {list}"));
        }
        found
    }

    /// A controller with an establishment in the EEA: one authority leads.
    fn led(&self, seat: &Seat, elsewhere: &[&str], on: Date, found: &mut Jurisdiction) {
        let list = elsewhere.join(", ");
        // With a main establishment elsewhere there are establishments in two states, whatever the persons' countries are.
        let established_elsewhere = self.in_eea(&seat.country) && self.establishment(seat).country != seat.country;
        found.cross_border = !elsewhere.is_empty() || established_elsewhere;
        if !found.cross_border {
            return;
        }
        if seat.sector.is_public_authority() {
            found.basis.push("Art. 55(2) GDPR: for a public authority there is no lead authority".to_owned());
            return;
        }
        found.lead.clone_from(&found.competent);
        if let Some(lead) = &found.lead {
            found.basis.push(format!("Art. 56(1) GDPR: {} leads, since the processing is cross-border", lead.id));
        }
        if !elsewhere.is_empty() {
            found.basis.push(format!("Art. 4(22)(b) GDPR: persons in {list} are affected"));
        }
        found.concerned = self.contacts(elsewhere, on);
    }

    /// A controller without an establishment in the EEA: every Member State with affected persons has to be told.
    fn told_everywhere(&self, home: &str, affected: &[&str], on: Date, found: &mut Jurisdiction) {
        found.cross_border = affected.len() > 1;
        found.basis.push(format!(
            "Art. 3(2), 55(1) GDPR: from {home}, without an establishment in the EEA, there is no one-stop shop; the authority of \
             each Member State with affected persons is told"
        ));
        if !affected.is_empty() {
            found.basis.push(format!("Persons in {} are affected", affected.join(", ")));
        }
        found.concerned = self.contacts(affected, on);
    }

    fn contacts(&self, countries: &[&str], on: Date) -> Vec<Authority> {
        countries.iter().filter_map(|country| self.contact(country, on)).cloned().collect()
    }
}
