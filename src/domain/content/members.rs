//! Which parts of the content are given, missing or still open. Knows no agreement; it is told what is demanded.

use std::collections::BTreeSet;

use super::{CommonContent, Figures, Known, OpenItem, ShareContent, Unknown};
use crate::domain::{count::Count, vocabulary::ContentMember};

impl CommonContent {
    /// Whether it is given here; `None` where the member is not a common one.
    fn gives(&self, member: ContentMember) -> Option<bool> {
        let nature = self.nature.known();
        Some(match member {
            ContentMember::Nature => nature.is_some(),
            ContentMember::Contact => self.contact.known().is_some(),
            ContentMember::Consequences => self.consequences.known().is_some(),
            ContentMember::Measures => self.measures.known().is_some(),
            ContentMember::Time => self.occurred.known().is_some(),
            ContentMember::HowObtained => nature.is_some_and(|nature| nature.how_obtained.known().is_some()),
            _ => return None,
        })
    }

    fn unknown(&self, member: ContentMember) -> Option<&Unknown> {
        match member {
            ContentMember::Nature => self.nature.unknown(),
            ContentMember::Contact => self.contact.unknown(),
            ContentMember::Consequences => self.consequences.unknown(),
            ContentMember::Measures => self.measures.unknown(),
            ContentMember::Time => self.occurred.unknown(),
            ContentMember::HowObtained => match &self.nature {
                Known::Known(nature) => nature.how_obtained.unknown(),
                unknown => unknown.unknown(),
            },
            _ => None,
        }
    }
}

impl Figures {
    fn gives(&self, member: ContentMember) -> bool {
        let (subjects, records) = (&self.subjects, &self.records);
        match member {
            ContentMember::DataCategories => self.data_categories.known().is_some(),
            ContentMember::SpecialCategories => self.special_categories.known().is_some(),
            ContentMember::SubjectCategories => subjects.categories.known().is_some(),
            ContentMember::SubjectCount => subjects.count.is_some(),
            ContentMember::RecordCategories => records.categories.known().is_some(),
            ContentMember::RecordCount => records.count.is_some(),
            ContentMember::Extent => subjects.count.is_some() || records.count.is_some(),
            _ => false,
        }
    }

    fn unknown(&self, member: ContentMember) -> Option<&Unknown> {
        match member {
            ContentMember::DataCategories => self.data_categories.unknown(),
            ContentMember::SpecialCategories => self.special_categories.unknown(),
            ContentMember::SubjectCategories => self.subjects.categories.unknown(),
            ContentMember::SubjectCount => self.subjects.count.as_ref().and_then(Count::unknown),
            ContentMember::RecordCategories => self.records.categories.unknown(),
            ContentMember::RecordCount => self.records.count.as_ref().and_then(Count::unknown),
            // The extent is said by the numbers, which are open items themselves.
            _ => None,
        }
    }

    /// Whether a number says how far it reaches.
    fn says_extent(&self) -> bool {
        [&self.subjects.count, &self.records.count].into_iter().flatten().any(|count| count.unknown().is_none())
    }

    /// What was declared unknown among the figures.
    pub fn open_items(&self) -> Vec<OpenItem> {
        open_items(|member| self.unknown(member))
    }
}

impl ShareContent {
    /// Everything that was declared unknown and is still owed, Art. 33(4) GDPR; in the order of the vocabulary.
    pub fn open_items(&self) -> Vec<OpenItem> {
        // A nature that is unknown as a whole is one item, not two.
        let within_nature = |member| member == ContentMember::HowObtained && self.common.nature.unknown().is_some();
        open_items(|member| self.unknown(member).filter(|_| !within_nature(member)))
    }

    /// The demanded members that are neither given nor declared unknown.
    pub fn missing(&self, demanded: &BTreeSet<ContentMember>) -> Vec<ContentMember> {
        let gives = |member| self.common.gives(member).unwrap_or_else(|| self.figures.gives(member));
        demanded.iter().copied().filter(|member| !gives(*member) && self.unknown(*member).is_none()).collect()
    }

    /// Whether every demanded member is given, and none is still open.
    pub fn is_complete(&self, demanded: &BTreeSet<ContentMember>) -> bool {
        let open =
            |member| self.unknown(member).is_some() || (member == ContentMember::Extent && !self.figures.says_extent());
        self.missing(demanded).is_empty() && !demanded.iter().copied().any(open)
    }

    fn unknown(&self, member: ContentMember) -> Option<&Unknown> {
        self.common.unknown(member).or_else(|| self.figures.unknown(member))
    }
}

fn open_items<'u>(unknown: impl Fn(ContentMember) -> Option<&'u Unknown>) -> Vec<OpenItem> {
    let item = |member| Some(OpenItem { member, unknown: unknown(member)?.clone() });
    ContentMember::CODES.iter().filter_map(|(_, member)| item(*member)).collect()
}
