use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};

use super::*;

fn warc(kind: &str, content_type: &str, block: &str) -> Vec<u8> {
    let length = block.len();
    format!(
            "WARC/1.0\r\nWARC-Type: {kind}\r\nwarc-target-uri: <https://x.example/a b>\r\nWARC-Record-ID: <urn:x:1>\r\n\
             WARC-Date: 2026-01-02T03:04:05Z\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{block}\r\n\r\n"
        )
        .into_bytes()
}

fn response(body: &str) -> Vec<u8> {
    let block = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Folded: a\r\n b\r\n\r\n{body}");
    warc("response", "application/http; msgtype=response", &block)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn record(bytes: &[u8]) -> Record {
    let step = step(bytes).unwrap();
    assert_eq!(step.length_bytes, bytes.len() as u64);
    let Content::Record(record) = step.content else { panic!("{:?}", step.content) };
    *record
}

#[test]
fn packed_and_plain_records_are_the_same() {
    let plain = response("<p>hello");
    let read = record(&plain);
    assert_eq!(read, record(&gzip(&plain)));
    assert_eq!((read.kind, read.url.as_str()), (RecordKind::Response, "https://x.example/a b"));
    assert_eq!((read.record_id.as_str(), read.date.as_str()), ("urn:x:1", "2026-01-02T03:04:05Z"));
    assert_eq!(read.payload, b"<p>hello");
    let head = read.http.unwrap();
    assert_eq!((head.status, head.field("x-folded")), (200, "a b"));
    let request = record(&warc("request", "application/http", "GET / HTTP/1.1\r\n\r\n"));
    assert_eq!(
        (request.kind, request.http, &request.payload[..4]),
        (RecordKind::Request, None, &b"GET "[..])
    );
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

/// All steps of an archive, which tile it.
fn steps(bytes: &[u8]) -> Vec<Step> {
    let mut reader = Layout::Records.reader(bytes).digesting();
    let mut steps = Vec::new();
    let mut at = 0;
    while let Some(step) = reader.step().unwrap() {
        assert_eq!(step.offset_bytes, at);
        assert!(step.length_bytes > 0);
        at += step.length_bytes;
        let alone = &bytes[usize::try_from(step.offset_bytes).unwrap()..usize::try_from(at).unwrap()];
        assert_eq!(super::step(alone).unwrap(), Step { offset_bytes: 0, ..step.clone() });
        steps.push(step);
    }
    assert_eq!(at, bytes.len() as u64);
    assert_eq!(reader.take_run_digest(), Some(Digest::of(bytes)));
    steps
}

fn kinds(bytes: &[u8]) -> Vec<&'static str> {
    let kind = |step: &Step| match step.content {
        Content::Record(_) => "record",
        Content::TooLarge { .. } => "too large",
        Content::Malformed { .. } => "malformed",
        Content::Gap { .. } => "gap",
    };
    steps(bytes).iter().map(kind).collect()
}

/// A way to store records.
type Packing = fn(&[u8]) -> Vec<u8>;

const PACKINGS: [Packing; 3] = [|bytes| bytes.to_vec(), gzip, zstd];

#[test]
fn a_step_ends_where_the_next_begins() {
    for pack in PACKINGS {
        let (one, two) = (pack(&response("one")), pack(&response("two")));
        let both = [&one[..], &two].concat();
        let found = steps(&both);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0], step(&one).unwrap());
        assert_eq!(found[1].length_bytes, two.len() as u64);
        assert_eq!(kinds(&both), ["record", "record"]);
        assert_eq!(kinds(&both[1..]), ["gap", "record"]);
        for cut in [1, 20, two.len() / 2] {
            assert_eq!(kinds(&both[..one.len() + cut]), ["record", "gap"], "{cut}");
        }
    }
    assert!(step(b"").is_err());
}

#[test]
fn damage_costs_the_records_that_it_hits() {
    let many: Vec<Vec<u8>> = (0..6).map(|i| response(&format!("{i}").repeat(500))).collect();
    for pack in PACKINGS {
        let mut bytes: Vec<u8> = many.iter().flat_map(|record| pack(record)).collect();
        let third: usize = many[..2].iter().map(|record| pack(record).len()).sum();
        bytes[third] ^= 0xff;
        assert_eq!(kinds(&bytes), ["record", "record", "gap", "record", "record", "record"]);
        // Something strange between two records.
        let strange = [
            &bytes[..third],
            b"\nnothing (of it) is WARC/\nhttp://x 5\n\x1f\x8b\x08\x28\xb5\x2f",
            &bytes[third..],
        ]
        .concat();
        assert_eq!(kinds(&strange), ["record", "record", "gap", "record", "record", "record"]);
    }
    // A block that is longer than it says is passed over up to the next record, a much shorter one swallows some.
    let long = String::from_utf8(response(&"x".repeat(100))).unwrap();
    let lying = |length: &str| long.replace("Content-Length: 161", &format!("Content-Length: {length}"));
    assert_ne!(lying("100"), long);
    let three = |middle: String| [&many[0][..], middle.as_bytes(), &many[1], &many[2]].concat();
    assert_eq!(kinds(&three(lying("100"))), ["record", "record", "gap", "record", "record"]);
    assert_eq!(kinds(&three(lying("99999999999"))), ["record", "gap", "record", "record"]);
    assert_eq!(kinds(&three(lying("200"))), ["record", "record", "gap", "record"]);
    assert_eq!(kinds(&three(lying("-1"))), ["record", "gap", "record", "record"]);
}

#[test]
fn a_long_gap_is_several_steps() {
    let gap =
        b"no record here, and here (neither) nor is there any record to be found behind it\n".repeat(430_000);
    let bytes = [&gap[..], &response("one")].concat();
    assert_eq!(kinds(&bytes), ["gap", "gap", "gap", "record"]);
}

#[test]
fn a_member_of_two_records_is_malformed() {
    let (one, two) = (response("one"), response("two"));
    for pack in [gzip, zstd] {
        let both = pack(&[&one[..], &two].concat());
        let found = step(&both).unwrap();
        let stored = Digest::of(&both);
        assert_eq!(found.content, Content::Malformed { kind: RecordKind::Response, stored });
        assert_eq!(found.digest(), stored);
        assert!(is_member_of_many(&both[..], both.len() as u64).unwrap());
        assert!(!is_member_of_many(&pack(&one)[..], pack(&one).len() as u64).unwrap());
        let cut = pack(&one[..250]);
        assert!(matches!(step(&cut).unwrap().content, Content::Malformed { kind: RecordKind::Response, .. }));
        let nothing = step(&pack(b"nothing")).unwrap().content;
        assert!(matches!(nothing, Content::Malformed { kind: RecordKind::Other, .. }));
        assert_eq!(kinds(&pack(b"")), ["malformed"]);
    }
}

#[test]
fn bombs_and_giants_are_too_large() {
    for pack in [gzip, zstd] {
        let bomb = pack(&response(&"a".repeat(8 << 20)));
        assert!(8 << 20 > bomb.len() as u64 * RATIO_MAX);
        let giant = pack(&response(&"a".repeat(40 << 20)));
        let bytes = [&bomb[..], &giant, &pack(&response("one"))].concat();
        assert_eq!(kinds(&bytes), ["too large", "too large", "record"]);
        assert_eq!(step(&bomb).unwrap().kind(), RecordKind::Response);
        assert_eq!(step(&giant).unwrap().kind(), RecordKind::Response);
    }
    let giant = [&response(&"a".repeat(RECORD_MAX_BYTES + 1))[..], &response("one")].concat();
    assert_eq!(kinds(&giant), ["too large", "record"]);
    // More than anything is followed into: the next record is found all the same.
    let zeros = vec![0; 1 << 20];
    let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
    bomb.write_all(&response("x")).unwrap();
    (0..1100).for_each(|_| bomb.write_all(&zeros).unwrap());
    let bytes = [bomb.finish().unwrap(), gzip(&response("one"))].concat();
    assert_eq!(kinds(&bytes), ["gap", "record"]);
}

#[test]
fn headers_without_end_are_no_records() {
    let endless = format!("WARC/1.0\r\nX: {}", "a".repeat(1 << 20));
    assert_eq!(kinds(endless.as_bytes()), ["gap"]);
    assert_eq!(kinds(&gzip(endless.as_bytes())), ["too large"]);
    assert_eq!(kinds(&gzip(&endless.as_bytes()[..100_000])), ["too large"]);
    assert_eq!(kinds(&gzip(&endless.as_bytes()[..60_000])), ["malformed"]);
    let lines = "WARC/1.0\r\n".to_owned() + &"X: y\r\n".repeat(100_000);
    assert_eq!(kinds(&[lines.as_bytes(), &response("one")].concat()), ["gap", "record"]);
    let http =
        warc("response", "application/http", &format!("HTTP/1.1 200 OK\r\n{}", "X: y\r\n".repeat(30_000)));
    assert_eq!(kinds(&[&http[..], &response("one")].concat()), ["malformed", "record"]);
}

#[test]
fn frames_that_are_passed_over_are_no_records() {
    let frame = [&[0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    let bytes = [&zstd(&response("one"))[..], &frame, &zstd(&response("two"))].concat();
    assert_eq!(kinds(&bytes), ["record", "malformed", "record"]);
}

#[test]
fn what_is_wrong_is_said_by_the_gap_alone() {
    // The length of the first frame's block reaches into the second one, which makes it damaged; alone it is cut.
    let one = zstd(&response(&"0".repeat(50)));
    let (head_bytes, ..) = super::body::frame_head(&one).unwrap();
    for changed in 0..=255 {
        let mut bytes = [&one[..], &zstd(&response("two")), &zstd(&response("three"))].concat();
        bytes[head_bytes + 1] = changed;
        assert_eq!(steps(&bytes).last().unwrap().kind(), RecordKind::Response);
    }
}

#[test]
fn arc_records_are_read() {
    let body = "HTTP/1.0 404 Not Found\r\nContent-Type: text/html\r\n\r\ngone";
    let arc = format!("http://x.example/a b 192.0.2.1 20260102030405 text/html {}\n{body}\n", body.len());
    let read = record(arc.as_bytes());
    assert_eq!((read.kind, read.url.as_str()), (RecordKind::Response, "http://x.example/a b"));
    assert_eq!((read.date.as_str(), read.payload.as_slice()), ("20260102030405", &b"gone"[..]));
    assert_eq!(read.http.unwrap().status, 404);
    assert_eq!(kinds(b"not an archive 5\nhello"), ["gap"]);
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_tiled(
        edits in proptest::collection::vec((0usize..3000, 0u8..=255), 0..6),
        packing in 0usize..3,
        cut in 0usize..3000,
        count in 1usize..5,
    ) {
        let mut bytes: Vec<u8> = (0..count).flat_map(|i| PACKINGS[packing](&response(&format!("{i}").repeat(i * 50)))).collect();
        for (at, value) in edits {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        bytes.truncate(1 + cut % bytes.len());
        // Whoever holds a step's bytes alone finds the same step: `steps` asks for it.
        proptest::prop_assert!(!steps(&bytes).is_empty());
    }

    #[test]
    fn archives_are_read_back(bodies in proptest::collection::vec("[ -~\r\n]{0,300}", 1..6), packing in 0usize..3) {
        let bytes: Vec<u8> = bodies.iter().flat_map(|body| PACKINGS[packing](&response(body))).collect();
        let read = steps(&bytes).into_iter().map(|step| match step.content {
            Content::Record(record) => String::from_utf8(record.payload).unwrap(),
            other => format!("{other:?}"),
        });
        proptest::prop_assert_eq!(read.collect::<Vec<_>>(), bodies);
    }
}
