//! Reports for tests: a complete one, a provisional one, and one that is far too long. Invented throughout.

use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::*;
use crate::domain::catalogue::Titles;

/// A moment after everything in the samples.
pub(super) const NOW: OffsetDateTime = datetime!(2026-11-23 08:00 UTC);

fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

fn contact() -> Contact {
    Contact {
        role: "dpo".into(),
        name: "Datenschutzstelle Muster".into(),
        email: Some("datenschutz@lernsysteme.example".into()),
        phone: Some("+49 711 5550100".into()),
    }
}

fn party(id: &str, name: &str, seat: &str) -> Party {
    Party { id: id.into(), name: name.into(), seat: seat.into(), contacts: vec![contact()] }
}

fn demand(code: &str) -> Demand {
    let (en, de) = match code {
        "gdpr_33_1" => ("Notify the supervisory authority", "Meldung an die Aufsichtsbehörde"),
        "gdpr_34" => ("Tell the persons concerned", "Benachrichtigung der betroffenen Personen"),
        _ => ("Tell the controller", "Mitteilung an den Verantwortlichen"),
    };
    Demand { code: code.into(), title: Titles { en: en.into(), de: de.into() } }
}

fn duty(obligation: &str) -> Duty {
    Duty {
        id: "dut_01kajm3p5qf7ztt3q2m8e9v0ab".into(),
        obligation: demand(obligation),
        about: None,
        debtor: "processor".into(),
        recipient: "controller".into(),
        recipient_name: None,
        state: "met".into(),
        start_at: Some(datetime!(2026-11-22 00:10 UTC)),
        alarm_at: Some(datetime!(2026-11-23 00:10 UTC)),
        legal_due_at: Some(datetime!(2026-11-23 00:10 UTC)),
        counting_rule: Some("natural_hours".into()),
        legal_basis: "Art. 33(2) GDPR; AVV-2026-017 § 5(3)".into(),
        met_at: Some(datetime!(2026-11-22 00:21:17 UTC)),
        late: Some(false),
        closing: None,
        remark: None,
    }
}

fn duties() -> Vec<Duty> {
    let undue = Duty {
        alarm_at: Some(datetime!(2026-11-22 12:10 UTC)),
        legal_due_at: None,
        counting_rule: None,
        legal_basis: "Art. 33(2) GDPR".into(),
        ..duty("contract_notice")
    };
    let authority = Duty {
        debtor: "controller".into(),
        recipient: "supervisory_authority".into(),
        recipient_name: Some("LfDI Baden-Württemberg".into()),
        state: "running".into(),
        start_at: Some(datetime!(2026-11-22 00:21:17 UTC)),
        alarm_at: Some(datetime!(2026-11-25 00:21:17 UTC)),
        legal_due_at: Some(datetime!(2026-11-25 01:00 UTC)),
        counting_rule: Some("eu_hours".into()),
        legal_basis: "Art. 33(1) GDPR".into(),
        met_at: None,
        late: None,
        ..duty("gdpr_33_1")
    };
    let persons = Duty {
        debtor: "controller".into(),
        recipient: "data_subjects".into(),
        state: "not_required".into(),
        start_at: None,
        alarm_at: None,
        legal_due_at: None,
        counting_rule: None,
        legal_basis: "Art. 34(1) GDPR".into(),
        met_at: None,
        late: None,
        closing: Some(Closing {
            at: datetime!(2026-11-22 09:05 UTC),
            by: "A. Muster, Datenschutzbeauftragte".into(),
            reason: "Der Link war nur drei Stunden erreichbar, die Abrufe sind zugeordnet.".into(),
        }),
        ..duty("gdpr_34")
    };
    vec![duty("contract_notice"), undue, authority, persons]
}

fn authority() -> Authority {
    Authority { id: "de-sh".into(), name: "Unabhängiges Landeszentrum für Datenschutz Schleswig-Holstein".into() }
}

fn instruction() -> Instruction {
    Instruction {
        id: "ins_01kajm41c2e4wbx5r0s8d6n7yq".into(),
        kind: "file_with_authority".into(),
        scope: "Die Erstmeldung an die Aufsichtsbehörde, ohne Nennung der Personen.".into(),
        form: "text".into(),
        given_by: "A. Muster, Datenschutzbeauftragte".into(),
        given_at: datetime!(2026-11-22 08:40 UTC),
        state: "in_force".into(),
        objection: None,
    }
}

fn decision() -> Decision {
    Decision {
        id: "dec_01kajm41c2e4wbx5r0s8d6n7yq".into(),
        decided_at: datetime!(2026-11-22 09:05 UTC),
        by: "A. Muster, Datenschutzbeauftragte".into(),
        notify_authority: true,
        notify_persons: "exempt_b".into(),
        reason: "Der Link war nur drei Stunden erreichbar, die Abrufe sind zugeordnet.".into(),
    }
}

fn filing() -> Filing {
    Filing {
        id: "fil_01kajm41c2e4wbx5r0s8d6n7yq".into(),
        obligation: demand("gdpr_33_1"),
        stage: "initial".into(),
        authority: Some(authority()),
        filed_at: datetime!(2026-11-22 09:30 UTC),
        by: "B. Beispiel, Meldestelle".into(),
        reference: Some("ULD-2026-4711".into()),
        late: Some(false),
        delay_reason: None,
        is_supplement: false,
        instruction: Some(instruction().id),
        answer: Some(Answer {
            at: datetime!(2026-11-22 15:00 UTC),
            reference: Some("ULD-2026-4711".into()),
            text: "Die Meldung ist eingegangen.".into(),
        }),
    }
}

fn attempt(at: OffsetDateTime, outcome: &str, failure: Option<&str>, status: Option<&str>) -> Attempt {
    Attempt {
        at,
        channel: "webhook".into(),
        target: "meldungen.werkstatt-nord.example".into(),
        outcome: outcome.into(),
        failure: failure.map(Into::into),
        status: status.map(Into::into),
    }
}

fn notice() -> Notice {
    Notice {
        id: "ntc_01kajm41c2e4wbx5r0s8d6n7yq".into(),
        sequence: 1,
        kind: "initial".into(),
        content_sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
        sent_at: Some(datetime!(2026-11-22 00:20:02 UTC)),
        delivered_at: Some(datetime!(2026-11-22 00:21:17 UTC)),
        accessed_at: Some(datetime!(2026-11-22 06:58:40 UTC)),
        acknowledgement: Some(Acknowledgement {
            at: datetime!(2026-11-22 07:02:11 UTC),
            name: "Leitstelle Nord".into(),
            role: "Datenschutzkoordination".into(),
        }),
        attempts: vec![
            attempt(datetime!(2026-11-22 00:20:02 UTC), "transient", Some("status_5xx"), Some("HTTP 503")),
            attempt(datetime!(2026-11-22 00:20:34 UTC), "transient", Some("timeout"), None),
            attempt(datetime!(2026-11-22 00:21:16 UTC), "delivered", None, Some("HTTP 204")),
        ],
    }
}

fn nature() -> Nature {
    Nature {
        types: texts(&["confidentiality"]),
        cause: "misconfiguration".into(),
        description: "Ein Freigabelink auf das Archiv der Ausbildungsnachweise war ohne Anmeldung erreichbar. Nach \
                          den Protokollen wurde er von drei unbekannten Anschlüssen aufgerufen.\nHinweise auf eine \
                          Veröffentlichung liegen nicht vor."
            .into(),
        how_obtained: Some("Durch Aufruf des offenen Links.".into()),
    }
}

/// Everything given, delivered and acknowledged.
pub(super) fn full() -> Report {
    Report {
        display_zone: "Europe/Berlin".into(),
        incident: Incident {
            id: "inc_01kajm3nqge8gsr1w6t4c5b2z9".into(),
            version: 1,
            kind: "personal_data_breach".into(),
            stage: "complete".into(),
            title: "Offener Freigabelink auf das Archiv der Ausbildungsnachweise".into(),
        },
        processor: party("org_01kajm2a7xf1p", "Muster Lernsysteme GmbH", "DE-BW"),
        controller: party("org_01kajm2b3ye2q", "Werkstatt Nord eG", "DE-SH"),
        agreement: Agreement { id: "agr_01kajm2c8zf3r".into(), reference: "AVV-2026-017".into(), version: 3 },
        occurred: Occurred {
            from: Some(datetime!(2026-11-20 17:00 UTC)),
            until: Some(datetime!(2026-11-22 00:15 UTC)),
            ongoing: false,
        },
        detected_at: datetime!(2026-11-21 23:40 UTC),
        aware_at: datetime!(2026-11-22 00:10 UTC),
        awareness_reason: Some("Die Auswertung der Zugriffsprotokolle bestätigte fremde Abrufe.".into()),
        nature: Some(nature()),
        data_categories: texts(&["identity", "contact", "education"]),
        special_categories: texts(&["health"]),
        professional_secrecy: false,
        subjects: Affected { categories: texts(&["apprentices"]), count: Some(Count::Exact(37)) },
        records: Affected {
            categories: texts(&["weekly_reports"]),
            count: Some(Count::Range { min: 20_000, max: 26_000 }),
        },
        contact: Some(contact()),
        consequences: Some(Consequences {
            types: texts(&["loss_of_control", "reputation"]),
            description: Some("Unbefugte könnten Namen und Ausbildungsverlauf zur Kenntnis genommen haben.".into()),
        }),
        measures: Measures {
            taken: vec![
                Measure { description: "Freigabelink widerrufen.".into(), at: Some(datetime!(2026-11-22 00:15 UTC)) },
                Measure {
                    description: "Alle Freigaben mit unbegrenzter Gültigkeit gesperrt.".into(),
                    at: Some(datetime!(2026-11-22 05:30 UTC)),
                },
            ],
            proposed: vec![Measure {
                description: "Freigaben künftig nur mit Anmeldung und Ablaufdatum.".into(),
                at: None,
            }],
        },
        note: Some("Betroffen ist der Ausbildungsjahrgang 2025.".into()),
        duties: duties(),
        notices: vec![notice()],
        supervision: Some(Supervision { competent: Some(authority()), chosen: None }),
        instructions: vec![instruction()],
        decisions: vec![decision()],
        filings: vec![filing()],
        open_items: vec![],
    }
}

/// A first notice with three members declared unknown, nothing delivered yet.
#[expect(clippy::too_many_lines, reason = "one sample, member by member")]
pub(super) fn open() -> Report {
    let item = |member: &str, reason: &str, legal_basis: &str| OpenItem {
        member: member.into(),
        reason: reason.into(),
        expected_by: Some(datetime!(2026-11-24 11:00 UTC)),
        legal_basis: legal_basis.into(),
    };
    let unsent = Notice {
        sent_at: None,
        delivered_at: None,
        accessed_at: None,
        acknowledgement: None,
        attempts: vec![],
        ..notice()
    };
    let late = Duty {
        state: "breached".into(),
        met_at: None,
        late: None,
        remark: Some("The mail relay was down.".into()),
        ..duty("contract_notice")
    };
    let waiting = Duty {
        state: "not_started".into(),
        start_at: None,
        alarm_at: None,
        legal_due_at: None,
        met_at: None,
        late: None,
        debtor: "controller".into(),
        recipient: "supervisory_authority".into(),
        legal_basis: "Art. 33(1) GDPR".into(),
        ..duty("gdpr_33_1")
    };
    let mut report = full();
    report.incident.stage = "initial".into();
    report.incident.title = "Open share link on report archive".into();
    report.occurred = Occurred { from: None, until: None, ongoing: true };
    report.consequences = None;
    report.contact = None;
    report.subjects.count = Some(Count::Unknown("logs are being analysed".into()));
    let item_duty = Duty { about: Some("subject_count".into()), counting_rule: None, ..late.clone() };
    report.duties = vec![late, waiting, item_duty];
    report.notices = vec![unsent];
    report.supervision = Some(Supervision {
        competent: None,
        chosen: Some(ChosenAuthority {
            authority: authority(),
            by: "A. Muster".into(),
            reason: "It has dealt with the same breach before.".into(),
        }),
    });
    report.instructions = vec![];
    report.decisions = vec![];
    report.filings = vec![Filing {
        late: Some(true),
        delay_reason: Some("The logs had to be read first.".into()),
        instruction: None,
        reference: None,
        answer: None,
        ..filing()
    }];
    report.open_items = vec![
        item("subject_count", "Logs are being analysed.", "Art. 33(3)(a) GDPR"),
        item("consequences", "Depends on the analysis of the logs.", "Art. 33(3)(c) GDPR"),
        OpenItem { expected_by: None, ..item("contact", "The desk is being set up.", "Art. 33(3)(b) GDPR") },
    ];
    report
}

/// Several pages of text, words without a break, 200 attempts and text that looks like markup.
pub(super) fn long() -> Report {
    let mut report = full();
    let sentence = "Die Untersuchung der Zugriffsprotokolle der Datenverarbeitungsanlage wird fortgesetzt. ";
    report.incident.title = "x".repeat(200);
    report.controller.name = "Arbeitsgemeinschaft der Ausbildungsbetriebe ".repeat(5);
    if let Some(nature) = report.nature.as_mut() {
        nature.description =
            format!("#panic(\"x\") *bold* _it_ $x$ <a> @b `c` \\ // \n{}\n{}", "W".repeat(400), sentence.repeat(150));
    }
    report.notices[0].attempts = (0..200)
        .map(|minute| {
            let mut attempt = attempt(
                datetime!(2026-11-22 00:20:02 UTC) + Duration::minutes(minute),
                "transient",
                Some("connect"),
                None,
            );
            attempt.target = "an-extremely-long-host-name-without-end.region-central-1.notifications.example".into();
            attempt
        })
        .collect();
    report.duties[0].remark = Some("https://example.org/".to_owned() + &"a0".repeat(150));
    report.measures.taken[0].description = "naïve Ελλάδα Київ 你好 😀 \u{202e}end".into();
    report
}
