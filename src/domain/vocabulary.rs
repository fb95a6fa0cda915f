//! The fixed code lists of the contract, each one enum. A code, once published, is never renamed. Knows no document.

/// Makes an enum whose variants have a stable text code.
macro_rules! code_list {
    ($(#[$meta:meta])* $name:ident { $($variant:ident $code:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $(#[doc = concat!("Code `", $code, "`.")] $variant,)+
        }

        impl $name {
            /// Every code with its value, in the order of declaration.
            pub const CODES: &'static [(&'static str, Self)] = &[$(($code, Self::$variant)),+];

            /// The stable text code.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)+
                }
            }

            /// The value of a code; `None` if the code is not in the list.
            pub fn from_code(code: &str) -> Option<Self> {
                Self::CODES.iter().find(|(known, _)| *known == code).map(|(_, value)| *value)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}
pub(crate) use code_list;

code_list! {
    /// What kind of event an incident is; an agreement names the kinds that trigger its duty to notify.
    ///
    /// Wider than Art. 4(12) GDPR, because agreements also ask for disruptions, violations and measures of third parties.
    IncidentKind {
        PersonalDataBreach "personal_data_breach",
        SuspectedBreach "suspected_breach",
        Disruption "disruption",
        Irregularity "irregularity",
        ViolationOfLaw "violation_of_law",
        ViolationOfContract "violation_of_contract",
        ViolationOfInstruction "violation_of_instruction",
        SubprocessorBreach "subprocessor_breach",
        AuthorityInspection "authority_inspection",
        SeizureOrInsolvency "seizure_or_insolvency",
        ContactChange "contact_change",
        UnlawfulInstruction "unlawful_instruction",
        SubprocessorChange "subprocessor_change",
        CertificateLoss "certificate_loss",
    }
}

code_list! {
    /// How far a filing is: `initial` may declare members unknown (Art. 33(4) GDPR), `complete` may not.
    Stage {
        Initial "initial",
        Complete "complete",
    }
}

code_list! {
    /// Which protection goal was breached.
    NatureType {
        Confidentiality "confidentiality",
        Integrity "integrity",
        Availability "availability",
    }
}

code_list! {
    /// How the incident came about.
    Cause {
        MisdirectedPost "misdirected_post",
        MisdirectedEmail "misdirected_email",
        OpenRecipientList "open_recipient_list",
        WrongAttachment "wrong_attachment",
        OralDisclosure "oral_disclosure",
        UnintendedPublication "unintended_publication",
        Misconfiguration "misconfiguration",
        SoftwareBug "software_bug",
        LostDevice "lost_device",
        StolenDevice "stolen_device",
        LostPaper "lost_paper",
        StolenPaper "stolen_paper",
        ImproperDisposal "improper_disposal",
        Phishing "phishing",
        CredentialStuffing "credential_stuffing",
        BruteForce "brute_force",
        Malware "malware",
        Ransomware "ransomware",
        SqlInjection "sql_injection",
        ExploitOther "exploit_other",
        InsiderCopy "insider_copy",
        InsiderLookup "insider_lookup",
        IdentityFraud "identity_fraud",
        BusinessEmailCompromise "business_email_compromise",
        SupplyChain "supply_chain",
        PowerOrHardwareFailure "power_or_hw_failure",
        DenialOfService "denial_of_service",
        DataEntryError "data_entry_error",
        Other "other",
        Unknown "unknown",
    }
}

code_list! {
    /// A category of personal data.
    DataCategory {
        Identity "identity",
        Contact "contact",
        BirthDate "birth_date",
        IdDocument "id_document",
        TaxOrSocialNumber "tax_or_social_number",
        Credentials "credentials",
        Payment "payment",
        BankAccount "bank_account",
        Income "income",
        Employment "employment",
        Education "education",
        Location "location",
        BehaviourOrUsage "behaviour_or_usage",
        CommunicationContent "communication_content",
        CommunicationMetadata "communication_metadata",
        ImagesOrVideo "images_or_video",
        Audio "audio",
        Contract "contract",
        TechnicalIds "technical_ids",
        ProfileOrScoring "profile_or_scoring",
        Other "other",
    }
}

code_list! {
    /// A special category of personal data, Art. 9(1) GDPR.
    SpecialCategory {
        RacialEthnic "racial_ethnic",
        Political "political",
        ReligiousPhilosophical "religious_philosophical",
        TradeUnion "trade_union",
        Genetic "genetic",
        BiometricId "biometric_id",
        Health "health",
        SexLifeOrientation "sex_life_orientation",
    }
}

code_list! {
    /// A category of data subjects.
    SubjectCategory {
        Employees "employees",
        Applicants "applicants",
        Apprentices "apprentices",
        Customers "customers",
        Prospects "prospects",
        Users "users",
        Patients "patients",
        Students "students",
        Children "children",
        Members "members",
        Suppliers "suppliers",
        PublicOfficials "public_officials",
        Citizens "citizens",
        Residents "residents",
        ThirdParties "third_parties",
        Other "other",
    }
}

code_list! {
    /// A likely consequence for the data subjects, Art. 33(3)(c) and recital 85 GDPR.
    ConsequenceType {
        LossOfControl "loss_of_control",
        LimitationOfRights "limitation_of_rights",
        Discrimination "discrimination",
        IdentityTheft "identity_theft",
        Fraud "fraud",
        FinancialLoss "financial_loss",
        ReversalOfPseudonymisation "reversal_of_pseudonymisation",
        Reputation "reputation",
        LossOfProfessionalSecrecy "loss_of_professional_secrecy",
        PhysicalHarm "physical_harm",
        Psychological "psychological",
        Blackmail "blackmail",
        OtherEconomicSocial "other_economic_social",
    }
}

code_list! {
    /// A part of the content of a notice that an agreement can demand.
    ContentMember {
        Nature "nature",
        DataCategories "data_categories",
        SpecialCategories "special_categories",
        SubjectCategories "subject_categories",
        SubjectCount "subject_count",
        RecordCategories "record_categories",
        RecordCount "record_count",
        Contact "contact",
        Consequences "consequences",
        Measures "measures",
        Time "time",
        Extent "extent",
        HowObtained "how_obtained",
    }
}

impl ContentMember {
    /// What Art. 33(3) GDPR asks of the controller, and so the neutral demand on its processor.
    pub const STATUTORY: &'static [Self] = &[
        Self::Nature,
        Self::DataCategories,
        Self::SubjectCategories,
        Self::SubjectCount,
        Self::RecordCategories,
        Self::RecordCount,
        Self::Contact,
        Self::Consequences,
        Self::Measures,
    ];

    /// The article that the demand rests on; where no letter of Art. 33(3) asks for it, the agreement under Art. 28(3)(f).
    pub fn legal_basis(self) -> &'static str {
        match self {
            Self::Nature
            | Self::DataCategories
            | Self::SpecialCategories
            | Self::SubjectCategories
            | Self::SubjectCount
            | Self::RecordCategories
            | Self::RecordCount => "Art. 33(3)(a) GDPR",
            Self::Contact => "Art. 33(3)(b) GDPR",
            Self::Consequences => "Art. 33(3)(c) GDPR",
            Self::Measures => "Art. 33(3)(d) GDPR",
            Self::Time | Self::Extent | Self::HowObtained => "Art. 28(3)(f) GDPR",
        }
    }

    /// JSON pointer to the member of a filing or a notice that gives it.
    pub fn pointer(self) -> &'static str {
        match self {
            Self::Nature => "/nature",
            Self::DataCategories => "/data_categories",
            Self::SpecialCategories => "/special_categories",
            Self::SubjectCategories => "/subjects/categories",
            Self::SubjectCount | Self::Extent => "/subjects/count",
            Self::RecordCategories => "/records/categories",
            Self::RecordCount => "/records/count",
            Self::Contact => "/contact",
            Self::Consequences => "/consequences",
            Self::Measures => "/measures",
            Self::Time => "/occurred",
            Self::HowObtained => "/nature/how_obtained",
        }
    }
}

code_list! {
    /// What an organisation is to others; one organisation can be both.
    OrganisationRole {
        Processor "processor",
        Controller "controller",
    }
}

code_list! {
    /// The instant from which the time limit of an agreement runs.
    CountedFrom {
        Awareness "awareness",
        Suspicion "suspicion",
    }
}

code_list! {
    /// The form in which a notice has to be given: `text` as in § 126b BGB, `written` as in § 126 BGB, `any` that can be proved.
    Form {
        Any "any",
        Text "text",
        Written "written",
    }
}

code_list! {
    /// The way to an addressee; `manual` is a task for a person, such as a telephone call or a letter.
    Channel {
        Webhook "webhook",
        Email "email",
        Manual "manual",
    }
}

code_list! {
    /// Whether the channels of an agreement open one after the other or all at once.
    DeliveryOrder {
        InOrder "in_order",
        Parallel "parallel",
    }
}

code_list! {
    /// What informs a controller, and so starts its own clocks: delivery or acknowledgement, whichever is earlier, or the
    /// acknowledgement alone.
    InformedBy {
        Earlier "earlier",
        Acknowledgement "acknowledgement",
    }
}

impl InformedBy {
    /// Of the two moments the one that counts as the controller's knowledge, if it has come.
    pub fn counted<T: Ord>(self, delivered_at: Option<T>, acknowledged_at: Option<T>) -> Option<T> {
        match self {
            Self::Earlier => delivered_at.into_iter().chain(acknowledged_at).min(),
            Self::Acknowledgement => acknowledged_at,
        }
    }
}

code_list! {
    /// What the agreement says about filings under Art. 33 and 34 GDPR on the controller's behalf.
    ///
    /// `instruction_required`: a clause demands a prior instruction for such filings. `documented_instructions`: no such
    /// clause, but the general rule that the processor acts only on documented instructions, Art. 28(3)(a) GDPR.
    FilingGate {
        InstructionRequired "instruction_required",
        DocumentedInstructions "documented_instructions",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_values_match_both_ways() {
        for (code, member) in ContentMember::CODES {
            assert_eq!(member.as_str(), *code);
            assert_eq!(ContentMember::from_code(code), Some(*member));
        }
        assert_eq!(Cause::from_code("Misconfiguration"), None);
    }

    #[test]
    fn every_code_is_lower_snake() {
        let lists = [
            IncidentKind::CODES.iter().map(|(code, _)| *code).collect::<Vec<_>>(),
            Cause::CODES.iter().map(|(code, _)| *code).collect(),
            DataCategory::CODES.iter().map(|(code, _)| *code).collect(),
            ConsequenceType::CODES.iter().map(|(code, _)| *code).collect(),
        ];
        for code in lists.concat() {
            assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{code}");
        }
    }
}
