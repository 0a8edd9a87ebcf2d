//! Reads the status of a reply: gRPC's own, or the one that gRPC derives from an HTTP status. An
//! unreadable text never hides the status.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use percent_encoding::percent_decode;
use tonic::Code;

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// A status and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GrpcStatus {
    pub(super) code: Code,
    pub(super) message: String,
}

impl GrpcStatus {
    /// The status in a block of headers, if it has one. An invalid status, or two that differ,
    /// becomes UNKNOWN, as gRPC specifies.
    pub(super) fn read(block: &HeaderMap) -> Option<Self> {
        let mut values = block.get_all(STATUS).iter();
        let first = values.next()?;
        let code = if values.all(|other| other == first) { code(first) } else { None };
        let message = block.get(MESSAGE).map(|text| decoded(text.as_bytes())).unwrap_or_default();
        Some(match code {
            Some(code) => Self { code, message },
            None => Self { code: Code::Unknown, message: unreadable(block, &message) },
        })
    }

    /// "HTTP to gRPC Status Code Mapping" of gRPC's documentation, for replies without a gRPC
    /// status, most of which come from proxies that do not speak gRPC.
    pub(super) fn of_http(status: StatusCode) -> Self {
        let code = match status {
            StatusCode::BAD_REQUEST => Code::Internal,
            StatusCode::UNAUTHORIZED => Code::Unauthenticated,
            StatusCode::FORBIDDEN => Code::PermissionDenied,
            StatusCode::NOT_FOUND => Code::Unimplemented,
            // Not in that table: tiny-cache's server sends it if the metadata is too large.
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Code::ResourceExhausted,
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Code::Unavailable,
            _ => Code::Unknown,
        };
        let message = match status {
            StatusCode::OK => "the reply has no grpc-status".to_owned(),
            status => format!("answered with HTTP status {status}"),
        };
        Self { code, message }
    }
}

/// Exactly 0 to 16 in decimal.
fn code(value: &HeaderValue) -> Option<Code> {
    let number = match *value.as_bytes() {
        [digit @ b'0'..=b'9'] => digit - b'0',
        [b'1', digit @ b'0'..=b'6'] => 10 + digit - b'0',
        _ => return None,
    };
    Some(Code::from(i32::from(number)))
}

/// Decodes percent-encoding. Invalid sequences stay as they are, and bytes that are not UTF-8
/// become the replacement character: the specification forbids dropping the status or the text.
fn decoded(text: &[u8]) -> String {
    percent_decode(text).decode_utf8_lossy().into_owned()
}

/// The text for an invalid status, with the server's text.
fn unreadable(block: &HeaderMap, message: &str) -> String {
    let values: Vec<_> =
        block.get_all(STATUS).iter().map(|value| shown(value.as_bytes())).collect();
    let said = if message.is_empty() { "" } else { ": " };
    format!("unreadable grpc-status `{}`{said}{message}", values.join("`, `"))
}

fn shown(value: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(&value[..value.len().min(32)])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(headers: &[(&'static str, &[u8])]) -> Option<(Code, String)> {
        let mut block = HeaderMap::new();
        for (name, value) in headers {
            block.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        GrpcStatus::read(&block).map(|status| (status.code, status.message))
    }

    #[test]
    fn every_code_of_grpc_is_read() {
        for number in 0..=16 {
            let status = read(&[("grpc-status", number.to_string().as_bytes())]).unwrap();
            assert_eq!(status, (Code::from(number), String::new()));
        }
        assert_eq!(read(&[("grpc-message", b"alone")]), None);
    }

    /// A text of which the last letter was Latin-1 took the code along: UNAVAILABLE became an
    /// unreadable reply, which is not tried again.
    #[test]
    fn a_text_that_is_not_utf8_keeps_its_code() {
        for (text, decoded) in [
            (&b"caf%E9"[..], "caf\u{fffd}"),
            (b"caf%C3%A9", "café"),
            (b"caf\xe9", "caf\u{fffd}"),
            (b"caf\xc3\xa9", "café"),
            (b"100%", "100%"),
            (b"100%2", "100%2"),
            (b"%zz %4", "%zz %4"),
            (b"%ff%fe%41", "\u{fffd}\u{fffd}A"),
            (b"", ""),
        ] {
            let status = read(&[("grpc-status", b"14"), ("grpc-message", text)]).unwrap();
            assert_eq!(status, (Code::Unavailable, decoded.to_owned()));
        }
    }

    #[test]
    fn what_is_no_status_is_unknown() {
        for value in [
            &b""[..],
            b" 14",
            b"14 ",
            b"17",
            b"99",
            b"-1",
            b"+1",
            b"014",
            b"00",
            b"1.0",
            b"OK",
            b"\xff",
        ] {
            let (code, text) = read(&[("grpc-status", value), ("grpc-message", b"why")]).unwrap();
            assert_eq!(code, Code::Unknown, "{value:?}");
            assert!(
                text.starts_with("unreadable grpc-status `") && text.ends_with("`: why"),
                "{text}"
            );
        }
        let (_, text) = read(&[("grpc-status", &[b'9'; 1000])]).unwrap();
        assert_eq!(text, format!("unreadable grpc-status `{}`", "9".repeat(32)));
    }

    #[test]
    fn a_status_that_is_there_twice_counts_where_both_say_the_same() {
        let twice = |a: &[u8], b: &[u8]| read(&[("grpc-status", a), ("grpc-status", b)]).unwrap();
        assert_eq!(twice(b"14", b"14").0, Code::Unavailable);
        assert_eq!(twice(b"0", b"0").0, Code::Ok);
        let (code, text) = twice(b"0", b"14");
        assert_eq!((code, &*text), (Code::Unknown, "unreadable grpc-status `0`, `14`"));
        // Of two texts the first is taken.
        let texts = [("grpc-status", &b"5"[..]), ("grpc-message", b"a"), ("grpc-message", b"b")];
        assert_eq!(read(&texts), Some((Code::NotFound, "a".to_owned())));
    }

    proptest! {
        #[test]
        fn no_status_and_no_text_panics(status: Vec<u8>, text: Vec<u8>) {
            let mut block = HeaderMap::new();
            if let (Ok(status), Ok(text)) =
                (HeaderValue::from_bytes(&status), HeaderValue::from_bytes(&text))
            {
                block.append(STATUS, status);
                block.append(MESSAGE, text);
                prop_assert!(GrpcStatus::read(&block).is_some());
            }
        }
    }
}
