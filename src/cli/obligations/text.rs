//! Catalogues and their differences as text for the terminal. Reads nothing and prints nothing.

use std::fmt::Write as _;

use time::Date;

use crate::domain::catalogue::{
    Binds, Change, Comparison, Conditions, Effect, Expiry, FieldChange, Obligation, RowChange, RowSpan, Selected,
    Status, Threshold,
};
use crate::domain::vocabulary::IncidentKind;

/// No line is longer.
const WIDTH: usize = 100;

/// The rows, by regime.
pub(super) fn list(selected: &Selected<'_>, on: Option<Date>, today: Date) -> String {
    let day = on.map_or_else(String::new, |day| format!(", valid on {day}"));
    let mut text = format!("Catalogue {}: {} obligations{day}\n", selected.version, selected.items.len());
    let mut regime = "";
    for row in &selected.items {
        if row.regime != regime {
            regime = &row.regime;
            let _ = writeln!(text, "\n{}", regime.to_uppercase().replace('_', " "));
        }
        text += &obligation(row, today);
    }
    text
}

fn obligation(row: &Obligation, today: Date) -> String {
    let mark = match row.status {
        Status::Proposal => " [proposal, owed by nobody]",
        Status::Law if row.valid_from > today => " [not yet]",
        Status::Law if row.valid_to.is_some_and(|last| last < today) => " [no longer]",
        Status::Law => "",
    };
    let mut text = format!("  {}{mark}\n", row.code);
    let mut line = |words: &str| text += &wrapped(words, "      ");
    line(&format!("{}: {} → {}", row.title.en, row.debtor, row.recipient.as_str().replace('_', " ")));
    line(&format!("{}; {}", time_limit(row), row.basis));
    line(&when(row));
    let valid_to = row.valid_to.map_or_else(String::new, |last| format!(" to {last}"));
    line(&format!("clock: {} → {}; valid from {}{valid_to}", row.start, row.end, row.valid_from));
    text
}

fn time_limit(row: &Obligation) -> String {
    let span = match &row.span {
        RowSpan::Fixed(span) if span.length().is_none() && span.as_str().starts_with('w') => {
            span.as_str().replace('_', " ")
        }
        RowSpan::Fixed(span) => format!("{span} ({})", row.rule.as_str()),
        RowSpan::Agreement(term) => format!("as the agreement says in {term} ({})", row.rule.as_str()),
        RowSpan::Stated => "by the time stated for the item".to_owned(),
        RowSpan::ReleaseWindow => "within the window that the processor set".to_owned(),
    };
    let mut parts = vec![span];
    parts.extend(row.cap.as_ref().map(|cap| format!("at most {} after {}", cap.span, cap.start)));
    if row.late_needs_reason {
        parts.push("late only with reasons".to_owned());
    }
    if row.announce_before_miss {
        parts.push("a miss is announced before".to_owned());
    }
    if row.on_expiry == Expiry::Lapse {
        parts.push("then it lapses".to_owned());
    }
    parts.join(", ")
}

fn when(row: &Obligation) -> String {
    let trigger = &row.trigger;
    let mut parts = vec![kinds(trigger.kinds.iter())];
    parts.extend(trigger.facts.iter().map(|fact| format!("with {fact}")));
    if !trigger.seats.is_empty() {
        parts.push(format!("seat in {}", trigger.seats.join(", ")));
    }
    if trigger.binds == Binds::Declared {
        parts.push(format!("for those that declare {}", row.regime));
    }
    parts.extend(trigger.agreement.map(|term| format!("where the agreement has {term}")));
    if !trigger.yields_to.is_empty() {
        parts.push(format!("unless {} is owed", trigger.yields_to.join(" or ")));
    }
    match row.threshold {
        Threshold::None => {}
        threshold => parts.push(format!("from threshold {threshold}")),
    }
    parts.join("; ")
}

fn kinds<'k>(kinds: impl Iterator<Item = &'k IncidentKind>) -> String {
    let named: Vec<_> = kinds.map(|kind| kind.as_str()).collect();
    if named.is_empty() || named.len() == IncidentKind::CODES.len() {
        "every incident".to_owned()
    } else {
        named.join(", ")
    }
}

/// What differs.
pub(super) fn comparison(found: &Comparison) -> String {
    let mut text = format!("Catalogue {} against {}\n", found.before, found.after);
    if found.is_empty() {
        return text + "No difference.\n";
    }
    text += "\nRows\n";
    for row in &found.rows {
        text += &row_change(row);
    }
    text += "\nWhat future incidents would owe differently\n";
    if found.effects.is_empty() {
        text += "  Nothing: the rows that differ are not in force, or differ in words only.\n";
    }
    let mut from = None;
    for effect in &found.effects {
        if from != Some((effect.from, effect.until)) {
            from = Some((effect.from, effect.until));
            let until = effect.until.map_or_else(String::new, |last| format!(" until {last}"));
            let _ = writeln!(text, "  From {}{until}:", effect.from);
        }
        text += &self::effect(effect);
    }
    text
}

fn row_change(row: &RowChange) -> String {
    match row.change {
        Change::Added => format!("  + {}\n", row.code),
        Change::Removed => format!("  - {}\n", row.code),
        Change::Changed => format!("  ~ {}\n{}", row.code, changes(&row.fields)),
    }
}

fn effect(effect: &Effect) -> String {
    let terms = |side: fn(&FieldChange) -> Option<&String>| {
        let known = effect.fields.iter().filter(|field| ["span", "rule", "basis"].contains(&field.field.as_str()));
        known.filter_map(side).cloned().collect::<Vec<_>>().join(", ")
    };
    let head = match effect.change {
        Change::Added => format!("    + {}: owed ({})\n", effect.code, terms(|field| field.after.as_ref())),
        Change::Removed => {
            format!("    - {}: not owed any more ({})\n", effect.code, terms(|field| field.before.as_ref()))
        }
        Change::Changed => format!("    ~ {}: owed with other terms\n{}", effect.code, changes(&effect.fields)),
    };
    head + &wrapped(&format!("for {}", conditions(&effect.conditions)), "        ")
}

fn changes(fields: &[FieldChange]) -> String {
    let side = |value: &Option<String>| value.as_deref().unwrap_or("nothing").to_owned();
    fields
        .iter()
        .map(|field| wrapped(&format!("{}: {} → {}", field.field, side(&field.before), side(&field.after)), "        "))
        .collect()
}

fn conditions(conditions: &Conditions) -> String {
    let mut parts = vec![kinds(conditions.kinds.iter())];
    parts.extend(conditions.facts.iter().map(|fact| format!("with {fact}")));
    parts.extend(conditions.without_facts.iter().map(|fact| format!("without {fact}")));
    if !conditions.seats.is_empty() {
        parts.push(format!("seat in {}", conditions.seats.iter().cloned().collect::<Vec<_>>().join(", ")));
    }
    let only = |flag: Option<bool>, yes: &str, no: &str| flag.map(|flag| if flag { yes } else { no }.to_owned());
    parts.extend(only(
        conditions.agreement,
        "where the agreement asks for it",
        "where the agreement does not ask for it",
    ));
    parts.extend(only(conditions.declared, "where the regime is declared", "where no regime is declared"));
    parts.join("; ")
}

/// Lines of at most [`WIDTH`] characters, each behind `indent`.
fn wrapped(words: &str, indent: &str) -> String {
    let mut text = String::new();
    let mut line = indent.to_owned();
    for word in words.split(' ') {
        if line.chars().count() + 1 + word.chars().count() > WIDTH && line.len() > indent.len() {
            text += &(line + "\n");
            line = format!("{indent}  ");
        } else if !line.trim().is_empty() {
            line.push(' ');
        }
        line += word;
    }
    text + &line + "\n"
}
