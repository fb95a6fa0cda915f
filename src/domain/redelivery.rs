//! Which failed deliveries are to be sent again. Sends nothing.

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::endpoint::EndpointId;
use super::fault::Faults;
use super::id::{IncidentId, OrganisationId};
use super::parse::Place;

/// A wish to send again what failed in a span of time and has not arrived since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Redelivery {
    /// Only what failed from then on, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// Only what failed until then, UTC.
    #[serde(with = "time::serde::rfc3339::option")]
    pub until: Option<OffsetDateTime>,
    /// Only to this endpoint.
    pub endpoint: Option<EndpointId>,
    /// Only to this controller.
    pub controller: Option<OrganisationId>,
    /// Only about this incident.
    pub incident: Option<IncidentId>,
    /// Whether it is only counted.
    #[serde(skip)]
    pub dry_run: bool,
}

impl Redelivery {
    /// Reads the body of a request; answers all faults at once.
    pub fn parse(body: &Value) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let read = Place::root(body).object(&mut faults).and_then(|mut object| {
            let since = object.required("since", &mut faults, Place::instant);
            let until = object.optional("until", &mut faults, Place::instant);
            let endpoint = object.optional("endpoint", &mut faults, Place::parsed);
            let controller = object.optional("controller", &mut faults, Place::parsed);
            let incident = object.optional("incident", &mut faults, Place::parsed);
            let dry_run = object.optional("dry_run", &mut faults, Place::boolean);
            if let (Some(since), Some(Some(until))) = (since, until)
                && until < since
            {
                faults.add("/until", "order", "This lies before `since`.");
            }
            object.close(&mut faults);
            Some(Self {
                since: since?,
                until: until?,
                endpoint: endpoint?,
                controller: controller?,
                incident: incident?,
                dry_run: dry_run?.unwrap_or(false),
            })
        });
        faults.finish(read)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_fault_is_named_at_once() {
        let body = json!({"since": "2026-11-22T00:00:00Z", "until": "2026-11-21T00:00:00Z", "endpoint": "x",
                          "controller": 1, "dry_run": "yes", "more": 1});
        let faults = Redelivery::parse(&body).unwrap_err();
        let pointers: Vec<_> = faults.as_slice().iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(pointers, ["/endpoint", "/controller", "/dry_run", "/until", "/more"]);
        assert!(Redelivery::parse(&json!({})).is_err());
    }

    #[test]
    fn it_is_done_unless_only_counting_is_asked_for() {
        let read = Redelivery::parse(&json!({"since": "2026-11-22T01:00:00+01:00"})).unwrap();
        assert!(!read.dry_run && read.until.is_none() && read.endpoint.is_none());
    }
}
