use super::*;
use crate::{hpack::Classify, names::Names};

const REQUEST: [(&str, &str); 4] =
    [(":method", "POST"), (":scheme", "http"), (":path", "/a"), (":authority", "b")];

fn collect(section: Section, lane: fn(&Head) -> Lane, fields: &[(&str, &str)]) -> (Head, Verdict) {
    let names = Names::new(&["x-one", "x-two"]);
    let mut head = Head::default();
    let mut collector = Collector::new(&mut head, section, lane, 300);
    for (name, value) in fields {
        let (name, value) = (name.as_bytes(), value.as_bytes());
        collector.field(Field { class: names.classify(name, value), name, value });
    }
    let verdict = collector.finish();
    (head, verdict)
}

fn request(more: &[(&str, &str)]) -> (Head, Verdict) {
    collect(Section::Request, |_| Lane::Whole, &[&REQUEST, more].concat())
}

#[test]
fn fields_have_their_places() {
    let (head, verdict) = request(&[("x-two", "2"), ("user-agent", "x"), ("x-two", "3")]);
    assert_eq!(verdict, Verdict::Fields(Lane::Whole));
    assert_eq!(
        (head.method(), head.scheme(), head.path()),
        (&b"POST"[..], &b"http"[..], &b"/a"[..])
    );
    assert_eq!(head.authority(), Some(&b"b"[..]));
    assert_eq!((head.kept(0), head.kept(1)), (None, Some(&b"2"[..])));
    assert_eq!((head.is_repeated(0), head.is_repeated(1)), (false, true));
    assert_eq!(head.all_kept(0).count(), 0);
    assert_eq!(head.all_kept(1).collect::<Vec<_>>(), [b"2", b"3"]);
    assert_eq!(head.fields().count(), 0);
    assert_eq!(head.metadata_bytes(), 3 * 32 + 2 * 6 + 11);
    assert_eq!(head.list_bytes() - head.metadata_bytes(), 4 * 32 + 40);
}

#[test]
fn a_stream_keeps_every_field() {
    let lane = |head: &Head| {
        assert_eq!(head.path(), b"/a", "the pseudo-header fields are complete");
        Lane::Stream
    };
    let fields = [&REQUEST[..], &[("x-one", "1"), ("user-agent", "x")]].concat();
    let (head, verdict) = collect(Section::Request, lane, &fields);
    assert_eq!(verdict, Verdict::Fields(Lane::Stream));
    let fields: Vec<_> = head.fields().collect();
    assert_eq!(fields, [(&b"x-one"[..], &b"1"[..]), (b"user-agent", b"x")]);
    assert_eq!(head.kept(0), Some(&b"1"[..]));
}

#[test]
fn what_is_too_large_is_counted_to_its_end() {
    let long = "v".repeat(200);
    let (head, verdict) = request(&[("x-one", &long), ("x-two", &long)]);
    assert_eq!(verdict, Verdict::TooLarge);
    assert_eq!(head.list_bytes(), 4 * 32 + 40 + 2 * (32 + 5 + 200));
    assert_eq!(head.path(), b"/a");
}

#[test]
fn malformed_requests_are_known() {
    for (fields, reason) in [
        (&[(":method", "GET")][..], "a pseudo-header field that repeats"),
        (&[("x", ""), (":status", "")], "an unknown pseudo-header field"),
        (&[("connection", "x")], "a field of HTTP/1 connections"),
        (&[("content-length", "x")], "a content-length that is none, or two"),
        (&[("content-length", "+1")], "a content-length that is none, or two"),
        (
            &[("content-length", "1"), ("content-length", "2")],
            "a content-length that is none, or two",
        ),
    ] {
        assert_eq!(request(fields).1, Verdict::Malformed(reason));
    }
    assert_eq!(request(&[("content-length", "7"); 2]).0.content_length(), Some(7));
}

#[test]
fn a_host_agrees_with_the_authority() {
    let with = |authority, host| {
        let fields = [&REQUEST[..3], &[(":authority", authority), ("host", host)]].concat();
        collect(Section::Request, |_| Lane::Whole, &fields).1
    };
    for (authority, host) in [("a:1", "a:1"), ("a", "A:80"), ("Example.test:80", "example.test")] {
        assert_eq!(with(authority, host), Verdict::Fields(Lane::Whole));
    }
    for (authority, host) in [("a", "b"), ("a:1", "a"), ("a", "a:443")] {
        assert_eq!(with(authority, host), Verdict::Malformed("a host that is not the authority"));
    }
    let alone = [&REQUEST[..3], &[("host", "a")]].concat();
    let verdict = collect(Section::Request, |_| Lane::Whole, &alone).1;
    assert_eq!(verdict, Verdict::Fields(Lane::Whole));
}

#[test]
fn requests_without_what_they_need_are_malformed() {
    let whole = |fields: &[(&str, &str)]| collect(Section::Request, |_| Lane::Whole, fields).1;
    let connect = [(":method", "CONNECT"), (":authority", "a")];
    assert_eq!(whole(&connect), Verdict::Fields(Lane::Whole));
    let options = [(":method", "OPTIONS"), (":scheme", "http"), (":path", "*")];
    assert_eq!(whole(&options), Verdict::Fields(Lane::Whole));
    for (fields, reason) in [
        (&REQUEST[1..], "a request without a method"),
        (&[REQUEST[0], REQUEST[2]], "a request without a scheme"),
        (&REQUEST[..2], "a request without a path"),
        (&[connect[0], REQUEST[2]], "CONNECT takes an authority alone"),
        (&[REQUEST[0], REQUEST[1], options[2]], "a path that does not begin with a slash"),
        (&[("x", ""), REQUEST[0]], "a pseudo-header field after others"),
    ] {
        assert_eq!(whole(fields), Verdict::Malformed(reason));
    }
}

#[test]
fn trailers_have_no_pseudo_header_fields() {
    let never = |_: &Head| -> Lane { unreachable!("trailers have no lane") };
    let (head, verdict) = collect(Section::Trailers, never, &[("x-one", "1")]);
    assert_eq!((head.fields().count(), verdict), (1, Verdict::Fields(Lane::Stream)));
    let (_, verdict) = collect(Section::Trailers, never, &REQUEST);
    assert_eq!(verdict, Verdict::Malformed("a pseudo-header field in trailers"));
}
