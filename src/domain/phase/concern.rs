//! Whom a version concerns: the shares before and after, compared controller by controller. Reads no database.

use std::collections::HashMap;

use serde_json::Value;

use super::difference::{Change, differences};
use crate::domain::content::ShareContent;
use crate::domain::filing::{Affected, Filing, Share};
use crate::domain::id::OrganisationId;

/// The shares of one filing by controller.
#[derive(Debug)]
pub struct Shares<'f> {
    filing: &'f Filing,
    listed: HashMap<&'f OrganisationId, (usize, &'f Share)>,
    affected: usize,
}

/// What a version is to one controller that was told.
#[derive(Debug, Clone)]
pub struct Concern {
    /// Its share now.
    pub share: ShareContent,
    /// What differs from its share before; empty where nothing does.
    pub changes: Vec<Change>,
    /// Where it stands in the list of the filing.
    pub position: Option<usize>,
    /// Whether it is affected alone.
    pub alone: bool,
}

impl<'f> Shares<'f> {
    /// The shares of `filing`; `told` is how many were told, where it lists nobody.
    pub fn of(filing: &'f Filing, told: usize) -> Self {
        let (listed, affected) = match &filing.affected {
            Affected::Listed(shares) => {
                let places = shares.iter().enumerate().map(|(place, share)| (&share.controller, (place, share)));
                (places.collect(), shares.len())
            }
            _ => (HashMap::new(), told),
        };
        Self { filing, listed, affected }
    }

    /// The share of one controller and its place in the list.
    pub fn share(&self, controller: &OrganisationId) -> (ShareContent, Option<usize>) {
        let found = self.listed.get(controller);
        (self.filing.share_for(found.map(|(_, share)| *share), self.affected), found.map(|(place, _)| *place))
    }
}

/// What a version is to each of the controllers `told`, in their order.
///
/// Fails only where a content cannot be written as JSON, which no parsed one does.
pub fn concern(old: &Filing, new: &Filing, told: &[OrganisationId]) -> Result<Vec<Concern>, serde_json::Error> {
    let (before, after) = (Shares::of(old, told.len()), Shares::of(new, told.len()));
    // What all see alike is compared once, however many they are.
    let common = differences(&serde_json::to_value(&*old.common)?, &serde_json::to_value(&*new.common)?);
    let one = |controller: &OrganisationId| {
        let ((old, _), (share, position)) = (before.share(controller), after.share(controller));
        let own = if old.figures == share.figures {
            Vec::new()
        } else {
            let values: (Value, Value) = (serde_json::to_value(&old.figures)?, serde_json::to_value(&share.figures)?);
            differences(&values.0, &values.1)
        };
        Ok(Concern { share, changes: [common.as_slice(), &own].concat(), position, alone: after.affected == 1 })
    };
    told.iter().map(one).collect()
}
