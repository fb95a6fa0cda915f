//! The value types of settings and how they are read from text: secrets, database URLs, durations.
//! Pure functions only; nothing here knows where a text came from.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// What stands in place of a secret wherever it could be shown.
pub(super) const MASK: &str = "********";

/// A value that no log, error or answer shows.
#[derive(Clone)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself, for the one place that needs it.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(MASK)
    }
}

impl<T> fmt::Display for Secret<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(MASK)
    }
}

impl<T> Serialize for Secret<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

/// A database URL of a known scheme; shown without its password.
#[derive(Clone)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// Accepts `sqlite://`, `postgres://` and `postgresql://`.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let known = match scheme {
            "sqlite" => !rest.is_empty(),
            "postgres" | "postgresql" => url::Url::parse(text).is_ok(),
            _ => false,
        };
        known.then(|| Self(text.to_owned()))
    }

    /// The URL with its password, for the store.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// True for the embedded database.
    pub fn is_sqlite(&self) -> bool {
        self.0.starts_with("sqlite:")
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_sqlite() {
            return formatter.write_str(&self.0);
        }
        match url::Url::parse(&self.0) {
            Ok(mut url) => {
                let masked: Vec<(String, String)> =
                    url.query_pairs().map(|(key, value)| mask_pair(&key, &value)).collect();
                if url.password().is_some() && url.set_password(Some(MASK)).is_err() {
                    return formatter.write_str(MASK);
                }
                if !masked.is_empty() {
                    url.query_pairs_mut().clear().extend_pairs(masked);
                }
                write!(formatter, "{url}")
            }
            Err(_) => formatter.write_str(MASK),
        }
    }
}

// libpq also takes passwords as parameters (`password`, `sslpassword`).
fn mask_pair(key: &str, value: &str) -> (String, String) {
    let shown = if key.ends_with("password") { MASK } else { value };
    (key.to_owned(), shown.to_owned())
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Reads an ISO 8601 duration of days, hours, minutes and seconds, such as `P1D`, `PT10S` or `PT0.5S`.
///
/// Years, months and weeks are refused: a time limit in configuration is a number of seconds.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (days, clock) = match text.strip_prefix('P')?.split_once('T') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (text.strip_prefix('P')?, ""),
    };
    if days.is_empty() && clock.is_empty() {
        return None;
    }
    let mut rest = days;
    let mut total = component(&mut rest, 'D', 86_400)?;
    if !rest.is_empty() {
        return None;
    }
    rest = clock;
    for (unit, seconds) in [('H', 3600), ('M', 60)] {
        total = total.checked_add(component(&mut rest, unit, seconds)?)?;
    }
    if !rest.is_empty() {
        total = total.checked_add(seconds(rest.strip_suffix('S')?)?)?;
    }
    Some(total)
}

/// Takes `<digits><unit>` off the front; zero where the unit does not occur.
fn component(rest: &mut &str, unit: char, seconds: u64) -> Option<Duration> {
    let Some((number, behind)) = rest.split_once(unit) else { return Some(Duration::ZERO) };
    *rest = behind;
    whole(number)?.checked_mul(seconds).map(Duration::from_secs)
}

fn seconds(text: &str) -> Option<Duration> {
    let (whole_part, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let nanoseconds = whole(fraction).filter(|_| fraction.len() <= 9)?;
    let scale = 10_u64.pow(9 - u32::try_from(fraction.len()).ok()?);
    Some(Duration::new(whole(whole_part)?, u32::try_from(nanoseconds * scale).ok()?))
}

fn whole(digits: &str) -> Option<u64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, milliseconds) in [
            ("PT10S", 10_000),
            ("PT0.5S", 500),
            ("PT1M30S", 90_000),
            ("P1D", 86_400_000),
            ("P1DT1H", 90_000_000),
            ("PT0S", 0),
        ] {
            assert_eq!(duration(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "P",
            "PT",
            "10",
            "PT10",
            "10S",
            "P1M",
            "P1Y",
            "P1W",
            "PT-1S",
            "PT+1S",
            "PT1.S",
            "PT.5S",
            "PT1S1M",
            "P1DT",
            "PT1H2H",
            "PT0.0000000001S",
            "P999999999999999999D",
            "pt1s",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), format!("{MASK} {MASK}"));
        assert_eq!(serde_json::to_string(&secret).unwrap(), format!("\"{MASK}\""));
        assert_eq!(*secret.expose(), "hunter2");
    }

    #[test]
    fn a_database_url_hides_its_passwords() {
        let text = "postgres://art33:hunter2@db/art33?sslmode=require&sslpassword=hunter2";
        let url = DatabaseUrl::parse(text).unwrap();
        let shown = format!("{url} {url:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("art33:********@db/art33?sslmode=require"), "{shown}");
        assert_eq!(url.expose(), text);
    }

    #[test]
    fn unknown_database_schemes_are_refused() {
        for text in ["mysql://db/art33", "art33.db", "sqlite://", "postgres:", "Sqlite://a", ""] {
            assert!(DatabaseUrl::parse(text).is_none(), "{text}");
        }
        assert!(DatabaseUrl::parse("sqlite://data/art33.db").unwrap().is_sqlite());
    }
}
