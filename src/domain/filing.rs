//! A filing: what the processor's staff tells about an incident, and whom it affects. Decides no duty and stores nothing.

mod check;

use std::{collections::HashSet, sync::Arc};

use serde_json::Value;
use time::OffsetDateTime;

use super::{
    agreement::product,
    content::{CommonContent, Figures, ShareContent, Unknown},
    count::Count,
    fault::Faults,
    id::OrganisationId,
    origin::Origin,
    parse::{Object, Place},
    vocabulary::{CountedFrom, Stage},
};

/// The body of `POST /v1/incidents`, understood and free of contradictions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filing {
    /// What all affected controllers are told alike.
    pub common: Arc<CommonContent>,
    /// The figures of the whole incident; for the processor's eyes only, unless one controller is affected alone.
    pub total: Figures,
    /// Whom it affects.
    pub affected: Affected,
    /// Whether it is a drill: everything is done but sending, and nothing is owed.
    pub drill: bool,
    /// Why nobody has to be told, where nobody has.
    pub no_duty_reason: Option<String>,
    /// The sub-processor's notice that it came from.
    pub origin: Option<Origin>,
}

/// Whom an incident affects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Affected {
    /// These controllers, each once.
    Listed(Vec<Share>),
    /// Every controller with an agreement on this product.
    Product(String),
    /// Every controller with an agreement.
    All,
}

/// One controller's own part, as filed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The controller.
    pub controller: OrganisationId,
    /// Its own figures, as far as given.
    pub figures: Figures,
}

/// The reason that stands for a number which is known for the whole incident only.
const NOT_BROKEN_DOWN: &str = "not yet broken down per controller";

impl Filing {
    /// Reads the body of `POST /v1/incidents`; answers all faults at once. `now` is the server's time, UTC.
    pub fn parse(body: &Value, now: OffsetDateTime) -> Result<Self, Faults> {
        let (read, faults) = Self::read(body, now);
        faults.finish(read)
    }

    /// Reads as far as can be understood, so that demands of agreements can be checked beside faults in the body.
    ///
    /// With any fault the filing holds placeholders: good for finding more faults, never for storing. None where kind,
    /// stage or the affected controllers cannot be read.
    pub fn read(body: &Value, now: OffsetDateTime) -> (Option<Self>, Faults) {
        let (read, faults) = Self::read_all(body, now);
        (read, faults.capped())
    }

    /// The same with every fault, however many.
    pub(super) fn read_all(body: &Value, now: OffsetDateTime) -> (Option<Self>, Faults) {
        let mut faults = Faults::default();
        let read = Place::root(body).object(&mut faults).and_then(|object| Self::members(object, now, &mut faults));
        (read, faults)
    }

    fn members(mut object: Object<'_>, now: OffsetDateTime, faults: &mut Faults) -> Option<Self> {
        let common = CommonContent::members(&mut object, Some(now), faults);
        let stage = common.as_ref().map_or(Stage::Initial, |common| common.stage);
        let total = Figures::members(&mut object, stage, faults);
        let drill = object.optional("drill", faults, Place::boolean);
        let no_duty_reason = object.optional("no_duty_reason", faults, |place, faults| place.text(2000, faults));
        let may_be_nobody = matches!(no_duty_reason, Some(Some(_)));
        let affected = object.required("affected", faults, |place, faults| {
            let affected = Affected::parse(place, stage, &total, faults)?;
            if affected == Affected::Listed(Vec::new()) && !may_be_nobody {
                let detail = "At least one controller must be affected, or `no_duty_reason` say why none is.";
                faults.add(&place.pointer, "empty", detail);
                return None;
            }
            Some(affected)
        });
        let origin = object.optional("origin", faults, |place, faults| Origin::parse(place, now, faults));
        object.close(faults);
        let filing = Self {
            common: Arc::new(common?),
            total,
            affected: affected?,
            drill: drill.flatten().unwrap_or_default(),
            no_duty_reason: no_duty_reason.flatten(),
            origin: origin.flatten(),
        };
        check::expectations(&filing, now, faults);
        Some(filing)
    }

    /// When the processor was aware: the earliest knowledge counts, be it its own or its sub-processor's notice. UTC.
    pub fn aware_at(&self) -> OffsetDateTime {
        self.start(CountedFrom::Awareness)
    }

    /// The instant from which a limit of an agreement runs, not later than a sub-processor's notice came. UTC.
    pub fn start(&self, counted_from: CountedFrom) -> OffsetDateTime {
        let own = self.common.start(counted_from);
        self.origin.as_ref().map_or(own, |origin| own.min(origin.received_at))
    }

    /// The whole incident, as only the processor sees it.
    pub fn whole(&self) -> ShareContent {
        ShareContent { common: Arc::clone(&self.common), figures: self.total.clone() }
    }

    /// What one of `affected` controllers sees; `listed` is its entry where the filing lists the controllers.
    ///
    /// A listed controller among several gets no number that it was not given. Where nobody is listed, a number of the
    /// whole becomes "not yet broken down" in stage `initial` and stays absent in stage `complete`.
    pub fn share_for(&self, listed: Option<&Share>, affected: usize) -> ShareContent {
        let initial = self.common.stage == Stage::Initial;
        let unstated = |_: &Count| {
            let reason = NOT_BROKEN_DOWN.to_owned();
            (listed.is_none() && initial).then_some(Count::Unknown(Unknown { reason, owner: None, expected_by: None }))
        };
        let none = Figures::default();
        let own = listed.map_or(&none, |share| &share.figures);
        ShareContent { common: Arc::clone(&self.common), figures: own.within(&self.total, affected == 1, unstated) }
    }
}

impl Affected {
    fn parse(place: &Place<'_>, stage: Stage, total: &Figures, faults: &mut Faults) -> Option<Self> {
        match place.value {
            Value::String(text) if text == "all" => Some(Self::All),
            Value::Object(_) => {
                let mut object = place.object(faults)?;
                let product = object.required("product", faults, product);
                object.close(faults);
                product.map(Self::Product)
            }
            Value::Array(_) => Self::listed(place, stage, total, faults).map(Self::Listed),
            _ => {
                faults.add(
                    &place.pointer,
                    "type",
                    "Expected a list of controllers, an object with `product`, or \"all\".",
                );
                None
            }
        }
    }

    fn listed(place: &Place<'_>, stage: Stage, total: &Figures, faults: &mut Faults) -> Option<Vec<Share>> {
        let mut seen = HashSet::new();
        let shares = place.list(faults, |item, faults| {
            let share = Share::parse(item, stage, faults)?;
            if !seen.insert(share.controller.clone()) {
                faults.add(format!("{}/controller", item.pointer), "duplicate", "This controller is listed twice.");
            }
            check::part_of(&share.figures, total, &item.pointer, faults);
            Some(share)
        })?;
        if !shares.is_empty() {
            check::records_add_up(&shares, total, faults);
        }
        Some(shares)
    }
}

impl Share {
    fn parse(place: &Place<'_>, stage: Stage, faults: &mut Faults) -> Option<Self> {
        let mut object = place.object(faults)?;
        let controller = object.required("controller", faults, Place::parsed);
        let figures = Figures::with_note(&mut object, stage, faults);
        object.close(faults);
        Some(Self { controller: controller?, figures })
    }
}

#[cfg(test)]
mod tests;
