//! Everything that a lawyer may change, read from data once at the start: obligations, regions with their holidays, authorities.

use serde_json::Value;

use super::authority::Authorities;
use super::calendar::Calendar;
use super::catalogue::Catalogue;
use super::fault::Faults;

/// The law as this process knows it. Duties that exist carry their own frozen copy and never look here again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Law {
    /// Who owes what.
    pub catalogue: Catalogue,
    /// Where which days are working days.
    pub calendar: Calendar,
    /// Who supervises whom.
    pub authorities: Authorities,
}

/// One file of the law.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LawFile {
    /// Its name, as messages show it.
    pub name: String,
    /// Its content as one document.
    pub content: Value,
}

/// The three files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LawFiles {
    /// `obligations.toml`.
    pub obligations: LawFile,
    /// `regions.toml`.
    pub regions: LawFile,
    /// `authorities.toml`.
    pub authorities: LawFile,
}

/// What is wrong with the files; each message names the file, the row and the field.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the law files do not make sense:\n{}", .0.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n"))]
pub struct InvalidLaw(pub Vec<String>);

impl Law {
    /// Reads and checks all three files; answers everything that is wrong at once.
    pub fn parse(files: &LawFiles) -> Result<Self, InvalidLaw> {
        let mut wrong = Vec::new();
        let catalogue = files.obligations.read(Catalogue::parse, &mut wrong);
        let calendar = files.regions.read(Calendar::parse, &mut wrong);
        let authorities = files.authorities.read(Authorities::parse, &mut wrong);
        match (catalogue, calendar, authorities) {
            (Some(catalogue), Some(calendar), Some(authorities)) => Ok(Self { catalogue, calendar, authorities }),
            _ => Err(InvalidLaw(wrong)),
        }
    }
}

impl Catalogue {
    /// Reads one file of obligations, such as one to compare with.
    pub fn from_file(file: &LawFile) -> Result<Self, InvalidLaw> {
        let mut wrong = Vec::new();
        file.read(Self::parse, &mut wrong).ok_or(InvalidLaw(wrong))
    }
}

impl LawFile {
    fn read<T>(&self, parse: impl Fn(&Value) -> Result<T, Faults>, wrong: &mut Vec<String>) -> Option<T> {
        let faults = match parse(&self.content) {
            Ok(read) => return Some(read),
            Err(faults) => faults,
        };
        wrong.extend(faults.as_slice().iter().map(|fault| {
            let detail = capitalised(&fault.detail);
            format!("{}: {}{detail}", self.name, self.place(&fault.pointer))
        }));
        None
    }

    /// A JSON pointer in words: the row by its code, or by its number where it has none of its own; then the field.
    fn place(&self, pointer: &str) -> String {
        let parts: Vec<String> =
            pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect();
        let Some((table, rest)) = parts.split_first() else { return String::new() };
        let (row, field) = match (self.content.get(table), rest) {
            (Some(Value::Array(rows)), [index, field @ ..]) => match index.parse::<usize>() {
                Ok(index) => (Some(named(rows, index)), field),
                Err(_) => (None, parts.as_slice()),
            },
            (Some(Value::Object(_)), field) => (Some(format!("row `{table}`")), field),
            _ => (None, parts.as_slice()),
        };
        let field = Some(field).filter(|field| !field.is_empty()).map(|field| format!("field `{}`", written(field)));
        let words: Vec<_> = row.into_iter().chain(field).collect();
        format!("{}: ", words.join(", "))
    }
}

/// A field as it would be looked for: members joined by dots, items counted from 1.
fn written(field: &[String]) -> String {
    let part = |(place, part): (usize, &String)| match part.parse::<usize>() {
        Ok(index) => format!("[{}]", index + 1),
        Err(_) if place == 0 => part.clone(),
        Err(_) => format!(".{part}"),
    };
    field.iter().enumerate().map(part).collect()
}

/// Names a row by what identifies it, and by its number, from 1, where that is missing or not unique.
fn named(rows: &[Value], index: usize) -> String {
    let name = |row: &Value| {
        let names = ["code", "id", "name"].map(|member| row.get(member).and_then(Value::as_str).map(str::to_owned));
        names.into_iter().flatten().next()
    };
    let own = rows.get(index).and_then(name);
    let alike = rows.iter().filter(|row| own.is_some() && name(row) == own).count();
    match own {
        Some(own) if alike == 1 => format!("row `{own}`"),
        Some(own) => format!("row {} (`{own}`)", index + 1),
        None => format!("row {}", index + 1),
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
