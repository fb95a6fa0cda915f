//! Who plays in the demo and what happens: invented organisations under the terms of five real agreements, one incident.
//!
//! Data only. The texts are German because the agreements are.

use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::DemoError;

/// One controller: who it is, which terms bind, and its share of the incident.
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) region: &'static str,
    /// A terms file.
    pub(super) terms: &'static str,
    persons: u64,
    records: u64,
}

/// The processor that files.
pub(super) const PROCESSOR: &str = "Muster Lernsysteme GmbH";

/// The controllers, each under one of the example agreements.
pub(super) const PARTS: [Part; 5] = [
    Part {
        name: "Maschinenbau Hallfeld AG",
        region: "DE-BW",
        terms: include_str!("../../examples/agreements/ora-azubiheft.toml"),
        persons: 128,
        records: 3_100,
    },
    Part {
        name: "Akademie Nordufer gGmbH",
        region: "DE-HH",
        terms: include_str!("../../examples/agreements/alfaview.toml"),
        persons: 412,
        records: 8_200,
    },
    Part {
        name: "Bäckerei Kornfeld GmbH",
        region: "DE-BY",
        terms: include_str!("../../examples/agreements/arbeitszeiterfassung.toml"),
        persons: 37,
        records: 800,
    },
    Part {
        name: "Auental Werke AG",
        region: "DE-NW",
        terms: include_str!("../../examples/agreements/krankikom.toml"),
        persons: 260,
        records: 4_600,
    },
    Part {
        name: "Handwerkskammer Westtal",
        region: "DE-RP",
        terms: include_str!("../../examples/agreements/resolvio.toml"),
        persons: 350,
        records: 6_900,
    },
];

/// The body that creates the processor.
pub(super) fn processor() -> Value {
    let office = json!({"role": "dpo", "name": "Datenschutzstelle", "email": "datenschutz@lernsysteme.example"});
    json!({"name": PROCESSOR, "roles": ["processor"], "country": "DE", "region": "DE-BW", "contacts": [office]})
}

impl Part {
    /// The body that creates the controller.
    pub(super) fn controller(&self) -> Value {
        json!({"name": self.name, "roles": ["controller"], "country": "DE", "region": self.region})
    }

    /// The body that creates its agreement with the processor, a year old at `now`.
    pub(super) fn agreement(&self, controller: &str, now: OffsetDateTime) -> Result<Value, DemoError> {
        let mut body: Value =
            toml::from_str(self.terms).map_err(|error| DemoError::Story(format!("a terms file: {error}")))?;
        body["controller"] = controller.into();
        body["valid_from"] = (now.date() - Duration::days(365)).to_string().into();
        Ok(body)
    }
}

/// The body of the filing at `now`, for the controllers in the order of [`PARTS`].
///
/// Who fetched what is not known yet and declared so (Art. 33(4) GDPR), which makes the reports provisional.
pub(super) fn filing(controllers: &[String], now: OffsetDateTime) -> Value {
    // Nobody notes seconds.
    let now = now - Duration::seconds(now.second().into()) - Duration::nanoseconds(now.nanosecond().into());
    let at = |before: Duration| (now - before).format(&Rfc3339).unwrap_or_default();
    let share = |(controller, part): (&String, &Part)| {
        json!({
            "controller": controller,
            "subjects": {"count": {"exact": part.persons}}, "records": {"count": {"about": part.records}},
        })
    };
    json!({
        "kind": "personal_data_breach", "stage": "initial", "title": "Offener Freigabelink auf das Berichtsarchiv",
        "detected_at": at(Duration::minutes(70)), "aware_at": at(Duration::minutes(40)),
        "awareness_reason": "Die Auswertung der Zugriffsprotokolle bestätigte fremde Abrufe.",
        "occurred": {"from": at(Duration::hours(31)), "until": at(Duration::minutes(25)), "ongoing": false},
        "nature": {
            "types": ["confidentiality"], "cause": "misconfiguration",
            "description": "Beim Umzug des Berichtsarchivs wurde ein Freigabelink ohne Anmeldung angelegt. \
                Über ihn ließen sich die Berichte der unten genannten Personen lesen und herunterladen.",
            "how_obtained": {
                "unknown": "Wer die Berichte abgerufen hat, wird noch ermittelt.", "expected_by": at(-Duration::days(3)),
            },
        },
        "data_categories": ["identity", "contact", "education"], "special_categories": [], "professional_secrecy": false,
        "subjects": {"categories": ["apprentices", "employees"], "count": {"about": 1_200}},
        "records": {"categories": ["weekly_reports"], "count": {"min": 20_000, "max": 26_000}},
        "contact": {
            "role": "dpo", "name": "Datenschutzstelle", "email": "datenschutz@lernsysteme.example",
            "phone": "+49 711 5550 100",
        },
        "consequences": {
            "types": ["loss_of_control", "reputation"],
            "description": "Namen, dienstliche Kontaktdaten und Leistungsangaben können Dritten bekannt geworden sein.",
        },
        "measures": {
            "taken": [
                {"description": "Freigabelink widerrufen, Archiv auf angemeldete Zugriffe beschränkt.",
                 "at": at(Duration::minutes(25))},
                {"description": "Zugriffsprotokolle gesichert.", "at": at(Duration::minutes(20))},
            ],
            "proposed": [
                {"description": "Betroffene Personen über mögliche Kontaktversuche Dritter unterrichten."},
                {"description": "Freigabelinks künftig nur mit Anmeldung und Ablaufdatum zulassen."},
            ],
        },
        "affected": controllers.iter().zip(&PARTS).map(share).collect::<Vec<_>>(),
    })
}
