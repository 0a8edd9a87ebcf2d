//! The resource that every span belongs to: the service, its version and its instance.
//!
//! The SDK's detectors are not used: they decode no percent-encoding, and let the `service.name`
//! of `OTEL_RESOURCE_ATTRIBUTES` win over `OTEL_SERVICE_NAME`.

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use percent_encoding::percent_decode_str;

use super::attributes::{SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION};

/// The service, where the environment names none.
const NAME: &str = "tiny-cache";

/// Builds the resource. What the environment gives wins over what the server knows of itself.
pub(super) fn resource(given: &[(String, String)]) -> Resource {
    let ours = [
        KeyValue::new(SERVICE_NAME, NAME),
        KeyValue::new(SERVICE_VERSION, env!("CARGO_PKG_VERSION")),
        KeyValue::new(SERVICE_INSTANCE_ID, instance()),
    ];
    let given = given.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    // The last of two with the same key wins.
    Resource::builder_empty().with_attributes(ours.into_iter().chain(given)).build()
}

/// A name of this process among the others of the service.
fn instance() -> String {
    let random = ahash::RandomState::new();
    format!("{:016x}{:016x}", random.hash_one(0), random.hash_one(1))
}

/// Reads `key=value,key=value`, keys and values percent-encoded, or returns the first entry that
/// is wrong
/// (<https://opentelemetry.io/docs/specs/otel/resource/sdk/#specifying-resource-information-via-an-environment-variable>).
/// Empty entries are passed over, as in every list of HTTP.
pub(super) fn parse(list: &str) -> Result<Vec<(String, String)>, &str> {
    let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    entries
        .map(|entry| {
            let (key, value) = entry.split_once('=').ok_or(entry)?;
            let key = decoded(key.trim_end()).filter(|key| !key.is_empty());
            Ok((key.ok_or(entry)?, decoded(value.trim_start()).ok_or(entry)?))
        })
        .collect()
}

fn decoded(text: &str) -> Option<String> {
    // The decoder leaves a `%` alone that no two digits follow.
    let is_escape = |after: &str| {
        after.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !text.split('%').skip(1).all(is_escape) {
        return None;
    }
    percent_decode_str(text).decode_utf8().ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_percent_decoded() {
        let read = parse("team=caf%C3%A9%20%2C%3D%25, a%2Fb = c=d ,empty=,").unwrap();
        let read: Vec<_> = read.iter().map(|(key, value)| (&key[..], &value[..])).collect();
        assert_eq!(read, [("team", "café ,=%"), ("a/b", "c=d"), ("empty", "")]);
    }

    #[test]
    fn the_entry_that_is_wrong_is_named() {
        for wrong in ["no-value", "=v", "k=%", "k=%4", "k=%zz", "k=%+1", "k=caf%E9", "%ff=v"] {
            assert_eq!(parse(&format!("good=1,{wrong},more=2")), Err(wrong));
        }
    }
}
