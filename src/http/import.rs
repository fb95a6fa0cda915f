//! Imports of agreements over HTTP: NDJSON or CSV, taken apart into rows off the async threads.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::api::Shared;
use super::auth::Caller;
use super::extract::{Query, answered, idempotency, media_type, read};
use super::problem::Problem;
use crate::domain::actor::Scope;
use crate::domain::agreement::{NewAgreement, check_header};
use crate::domain::fault::Faults;
use crate::service::ImportRow;

/// The forms that an import may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// One JSON document per line.
    Ndjson,
    /// A header line and one line per agreement.
    Csv,
}

/// `POST /v1/agreements/import`.
pub(super) async fn import(
    api: Shared,
    caller: Caller,
    request: HttpRequest,
    mut query: Query,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let actor = caller.with(&[Scope::AgreementsWrite])?;
    let atomic = query.take("atomic", "true or false", |text| text.parse().ok());
    query.finish()?;
    let form = match media_type(&request).as_str() {
        "application/x-ndjson" => Form::Ndjson,
        "text/csv" => Form::Csv,
        _ => return Err(Problem::unsupported_media_type("application/x-ndjson or text/csv")),
    };
    let bytes = read(payload.into_inner(), api.limits.import).await?;
    let idempotency = idempotency(&request, &bytes)?;
    let rows = web::block(move || rows(form, &bytes)).await.map_err(|_| Problem::unavailable())?;
    let rows = rows.map_err(|faults| Problem::bad_request(&faults))?;
    let answer = api.service.import_agreements(actor, rows, atomic.unwrap_or(false), idempotency).await?;
    Ok(answered(StatusCode::OK, answer))
}

/// Each row on its own; faults only where the whole cannot be taken apart.
pub(crate) fn rows(form: Form, bytes: &[u8]) -> Result<Vec<ImportRow>, Faults> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(fault("encoding", "The body is not UTF-8."));
    };
    let text = text.trim_start_matches('\u{feff}');
    let rows = match form {
        Form::Ndjson => {
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            lines.map(NewAgreement::parse_ndjson_row).collect()
        }
        Form::Csv => csv_rows(text)?,
    };
    if rows.is_empty() { Err(fault("empty", "The body holds no row.")) } else { Ok(rows) }
}

fn csv_rows(text: &str) -> Result<Vec<ImportRow>, Faults> {
    let malformed = |error: csv::Error| fault("csv", format!("Not CSV: {error}."));
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let header = reader.headers().map_err(malformed)?.clone();
    let columns: Vec<&str> = header.iter().collect();
    check_header(&columns)?;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(malformed)?;
        let cells: Vec<&str> = record.iter().collect();
        rows.push(NewAgreement::parse_csv_row(&columns, &cells));
    }
    Ok(rows)
}

fn fault(code: &'static str, detail: impl Into<String>) -> Faults {
    let mut faults = Faults::default();
    faults.add("", code, detail);
    faults
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::domain::id::OrganisationId;

    fn codes(form: Form, body: &[u8]) -> Vec<(String, &'static str)> {
        let faults = rows(form, body).unwrap_err();
        faults.as_slice().iter().map(|fault| (fault.pointer.clone(), fault.code)).collect()
    }

    #[test]
    fn rows_of_a_table_are_read_with_quotes_byte_order_mark_and_any_line_ends() {
        let controller = OrganisationId::from_bytes([1; 16]);
        let body = format!(
            "\u{feff}controller,reference,products,valid_from,notify_within,triggers\r\n\
             {controller},\"AVV, 1\",a;b,2026-01-01,PT24H,personal_data_breach\r\n\
             \r\n\
             {controller},AVV-2,a,2026-01-01\r\n"
        );
        let read = rows(Form::Csv, body.as_bytes()).unwrap();
        assert_eq!(read.len(), 2);
        let first = &read[0].as_ref().unwrap().content;
        assert_eq!((first.reference.as_str(), first.products.len()), ("AVV, 1", 2));
        assert_eq!(read[1].as_ref().unwrap_err().as_slice()[0].code, "columns");
    }

    #[test]
    fn lines_are_read_one_by_one() {
        let read = rows(Form::Ndjson, b"{\"reference\":\"A\"}\n\nnonsense\n").unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!(read[1].as_ref().unwrap_err().as_slice()[0].code, "json");
    }

    #[test]
    fn what_cannot_be_taken_apart_is_refused_as_a_whole() {
        assert_eq!(codes(Form::Ndjson, b"\n \n"), [(String::new(), "empty")]);
        assert_eq!(codes(Form::Ndjson, b"\xff"), [(String::new(), "encoding")]);
        assert_eq!(codes(Form::Csv, b"controller,reference,products,valid_from,terms\n"), [(String::new(), "empty")]);
        assert_eq!(codes(Form::Csv, b"").first(), Some(&("/controller".to_owned(), "required")));
        let header = b"controller,reference,products,valid_from,terms,colour\nx,y,z,a,b,c\n";
        assert_eq!(codes(Form::Csv, header), [("/colour".to_owned(), "unknown_member")]);
    }
}
