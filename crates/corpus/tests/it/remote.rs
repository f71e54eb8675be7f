//! Archives fetched from a server that behaves, and from ones that don't.

use std::{
    cell::{Cell, RefCell},
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Duration,
};

use corpus::{
    MemoryArchive,
    archive::{self, Content},
    source::{
        crawl::{CrawlId, Files, Place, file_url, list_url, paths},
        remote::{Fetch, FetchError, fetch, fetch_range, trim},
    },
};

/// How the server answers one request for its file.
#[derive(Clone, Copy)]
enum Answer {
    /// As it should: the range asked for if the tag still fits, all of it otherwise.
    Right,
    /// A status alone, with seconds to wait.
    Status(u16, u64),
    /// As it should, but the connection ends after so many bytes.
    Cut(usize),
    /// All of it, whatever was asked for.
    Whole,
    /// Another range than the one asked for.
    OtherRange,
    /// A length that the body does not have.
    TooShort,
    /// Somewhere else: here again.
    Redirect,
    /// The range asked for, whatever the tag, but the connection ends after so many bytes.
    Part(usize),
}

/// What was asked: the range and the tag that it depends on.
type Asked = (Option<String>, Option<String>);

struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves `files`, one per answer, until all answers are given; the tag is the file's digest where there is one.
    fn start(answers: Vec<(Answer, Vec<u8>)>, is_tagged: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let noted = Arc::clone(&asked);
        let thread = std::thread::spawn(move || {
            for (answer, file) in answers {
                let (stream, _) = listener.accept().unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let (mut range, mut tag) = (None, None);
                loop {
                    let mut line = String::new();
                    reader.read_line(&mut line).unwrap();
                    let line = line.trim().to_owned();
                    let Some((name, value)) = line.split_once(": ") else {
                        if line.is_empty() {
                            break;
                        }
                        continue;
                    };
                    match name.to_ascii_lowercase().as_str() {
                        "range" => range = Some(value.to_owned()),
                        "if-range" => tag = Some(value.to_owned()),
                        _ => {}
                    }
                }
                noted.lock().unwrap().push((range.clone(), tag.clone()));
                let mut stream = stream;
                // The other side may have gone by then.
                let _gone = respond(&mut stream, answer, &file, range, tag, is_tagged);
            }
        });
        Self { address, asked, thread: Some(thread) }
    }

    fn url(&self) -> String {
        format!("http://{}/crawl/part.warc.gz", self.address)
    }

    /// What was asked, once all answers are given.
    fn asked(mut self) -> Vec<Asked> {
        self.thread.take().unwrap().join().unwrap();
        self.asked.lock().unwrap().clone()
    }
}

fn respond(
    stream: &mut std::net::TcpStream,
    answer: Answer,
    file: &[u8],
    range: Option<String>,
    tag: Option<String>,
    is_tagged: bool,
) -> std::io::Result<()> {
    let own = format!("\"{}\"", primitives::Digest::of(file));
    let tagged = if is_tagged { format!("ETag: {own}\r\n") } else { String::new() };
    let part = range.as_ref().and_then(|range| {
        let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
        Some((first.parse::<usize>().ok()?, last.parse::<usize>().ok()?))
    });
    let first = range
        .filter(|_| tag.as_ref() == Some(&own))
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let whole =
        format!("HTTP/1.1 200 OK\r\n{tagged}Content-Length: {}\r\nConnection: close\r\n\r\n", file.len());
    let (head, body) = match (answer, first) {
        (Answer::Status(status, seconds), _) => {
            let head = format!(
                "HTTP/1.1 {status} Some\r\nRetry-After: {seconds}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            (head, &file[..0])
        }
        (Answer::Redirect, _) => {
            let head = "HTTP/1.1 302 Found\r\nLocation: /crawl/part.warc.gz\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            (head.to_owned(), &file[..0])
        }
        (Answer::OtherRange, _) => {
            let (last, all) = (file.len() - 1, file.len());
            let head = format!(
                "HTTP/1.1 206 Partial Content\r\n{tagged}Content-Range: bytes 1-{last}/{all}\r\nContent-Length: {last}\r\nConnection: close\r\n\r\n"
            );
            (head, &file[1..])
        }
        (Answer::Part(_), _) => match part.filter(|(first, last)| first <= last && *last < file.len()) {
            Some((first, last)) => {
                let (all, length) = (file.len(), last + 1 - first);
                let head = format!(
                    "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {first}-{last}/{all}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
                );
                (head, &file[first..=last])
            }
            None => {
                let head = "HTTP/1.1 416 Some\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                (head.to_owned(), &file[..0])
            }
        },
        (Answer::TooShort, _) => (whole, &file[..file.len() / 2]),
        (Answer::Right | Answer::Cut(_), Some(first)) if first >= file.len() => {
            let head = format!(
                "HTTP/1.1 416 Some\r\nContent-Range: bytes */{}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                file.len()
            );
            (head, &file[..0])
        }
        (Answer::Right | Answer::Cut(_), Some(first)) => {
            let (last, all, rest) = (file.len() - 1, file.len(), file.len() - first);
            let head = format!(
                "HTTP/1.1 206 Partial Content\r\n{tagged}Content-Range: bytes {first}-{last}/{all}\r\nContent-Length: {rest}\r\nConnection: close\r\n\r\n"
            );
            (head, &file[first..])
        }
        (Answer::Right | Answer::Whole | Answer::Cut(_), _) => (whole, file),
    };
    let body = match answer {
        Answer::Cut(bytes) | Answer::Part(bytes) => &body[..bytes.min(body.len())],
        _ => body,
    };
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)
}

fn file(seed: u8) -> Vec<u8> {
    (0..100_000u32).map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[1] ^ seed).collect()
}

/// What came of it, and the pauses that were asked for.
fn run(url: &str, folder: &Path) -> (Result<PathBuf, FetchError>, Vec<Duration>) {
    let (pauses, last) = (RefCell::new(Vec::new()), Cell::new(0));
    let done = fetch(
        url,
        folder,
        &Fetch {
            bytes_max: 1 << 20,
            attempts: 4,
            wait: &|pause| pauses.borrow_mut().push(pause),
            progress: &|bytes, _| last.set(bytes),
        },
    );
    if let Ok(path) = &done {
        assert!([0, std::fs::metadata(path).unwrap().len()].contains(&last.get()));
    }
    (done, pauses.into_inner())
}

fn check(answers: &[Answer], is_tagged: bool) -> (Vec<u8>, Vec<Duration>, Vec<Asked>) {
    let server = Server::start(answers.iter().map(|answer| (*answer, file(0))).collect(), is_tagged);
    let folder = tempfile::tempdir().unwrap();
    let (path, pauses) = run(&server.url(), folder.path());
    let path = path.unwrap();
    assert_eq!(path.file_name().unwrap(), "part.warc.gz");
    // Fetched once: it is there, and the server, which has no more answers, isn't asked.
    assert_eq!(run(&server.url(), folder.path()).0.unwrap(), path);
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing but the file");
    (std::fs::read(&path).unwrap(), pauses, server.asked())
}

#[test]
fn a_file_is_fetched_once_and_lies_under_its_name() {
    let (bytes, pauses, asked) = check(&[Answer::Right], true);
    assert_eq!((bytes == file(0), pauses.len(), asked), (true, 0, vec![(None, None)]));
    let (bytes, ..) = check(&[Answer::Redirect, Answer::Right], true);
    assert!(bytes == file(0));
}

#[test]
fn a_cut_connection_is_gone_on_with_where_the_server_vouches_for_the_file() {
    let (bytes, pauses, asked) = check(&[Answer::Cut(40_000), Answer::Cut(30_000), Answer::Right], true);
    let tag = Some(format!("\"{}\"", primitives::Digest::of(&file(0))));
    assert!(bytes == file(0));
    assert_eq!(pauses, vec![Duration::from_millis(500); 2]);
    let ranges = [None, Some("bytes=40000-".to_owned()), Some("bytes=70000-".to_owned())];
    let tags = [None, tag.clone(), tag];
    assert_eq!(asked, ranges.into_iter().zip(tags).collect::<Vec<_>>());
    // Without a tag, or where the server sends all of it: from the beginning.
    let (bytes, _, asked) = check(&[Answer::Cut(40_000), Answer::Right], false);
    assert_eq!((bytes == file(0), asked), (true, vec![(None, None); 2]));
    let (bytes, ..) = check(&[Answer::Cut(40_000), Answer::Whole], true);
    assert!(bytes == file(0));
    let (bytes, ..) = check(&[Answer::Cut(40_000), Answer::OtherRange, Answer::Right], true);
    assert!(bytes == file(0));
}

#[test]
fn a_file_that_changes_between_two_attempts_is_fetched_anew() {
    let answers = vec![(Answer::Cut(40_000), file(0)), (Answer::Right, file(1))];
    let server = Server::start(answers, true);
    let folder = tempfile::tempdir().unwrap();
    let path = run(&server.url(), folder.path()).0.unwrap();
    assert!(std::fs::read(path).unwrap() == file(1));
}

#[test]
fn a_busy_server_is_asked_again_after_the_pause_that_it_wants_up_to_a_minute() {
    let busy = [Answer::Status(503, 7), Answer::Status(429, 100_000), Answer::Status(500, 0), Answer::Right];
    let (bytes, pauses, _) = check(&busy, true);
    assert!(bytes == file(0));
    assert_eq!(pauses, [7, 60, 4].map(Duration::from_secs));
}

#[test]
fn what_can_not_be_had_is_told() {
    let fails = |answers: &[Answer], attempts: usize| {
        let server = Server::start(answers.iter().map(|answer| (*answer, file(0))).collect(), false);
        let folder = tempfile::tempdir().unwrap();
        let error = run(&server.url(), folder.path()).0.unwrap_err();
        assert_eq!(server.asked().len(), attempts);
        error
    };
    let refused = fails(&[Answer::Status(404, 0)], 1);
    assert!(matches!(refused, FetchError::Refused { status: 404, .. }), "{refused}");
    let broken = fails(&[Answer::TooShort; 5], 5);
    assert!(matches!(broken, FetchError::Broken { attempts: 4, .. }), "{broken}");
    // The first attempt and five hops.
    let circle = fails(&[Answer::Redirect; 6], 6);
    assert!(matches!(circle, FetchError::Broken { attempts: 1, .. }), "{circle}");
    // Nobody listens there any more.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (gone, pauses) = run(&format!("http://{address}/part.warc.gz"), folder.path());
    assert!(matches!(gone, Err(FetchError::Broken { attempts: 4, .. })), "{gone:?}");
    assert_eq!(pauses, [1, 2, 4].map(Duration::from_secs));
}

#[test]
fn a_file_beyond_the_limit_is_refused_before_it_is_fetched() {
    let server = Server::start(vec![(Answer::Right, vec![7; (1 << 20) + 1])], true);
    let folder = tempfile::tempdir().unwrap();
    let (done, _) = run(&server.url(), folder.path());
    assert!(matches!(done, Err(FetchError::TooLong { found: 1_048_577, max: 1_048_576, .. })), "{done:?}");
}

#[test]
fn an_address_that_names_no_plain_file_or_holds_a_password_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for url in [
        "ftp://example.org/a.warc.gz",
        "file:///a.warc.gz",
        "a.warc.gz",
        "http://example.org/",
        "http://example.org",
        "http://example.org/..",
        "http://example.org/a%2fb.warc.gz",
        "http://name:secret@example.org/a.warc.gz",
        "http://",
    ] {
        let refused = run(url, folder.path()).0.unwrap_err();
        assert!(matches!(refused, FetchError::Address { .. }), "{url}: {refused}");
        assert!(!refused.to_string().contains("secret"), "{refused}");
    }
}

/// A range of the file, fetched from a server that gives these answers, and the pauses.
fn ranged(
    answers: &[Answer],
    first: u64,
    length: u64,
) -> (Result<Vec<u8>, FetchError>, Vec<Duration>, Vec<Asked>) {
    let server = Server::start(answers.iter().map(|answer| (*answer, file(0))).collect(), false);
    let pauses = RefCell::new(Vec::new());
    let how = Fetch {
        bytes_max: 1 << 16,
        attempts: 3,
        wait: &|pause| pauses.borrow_mut().push(pause),
        progress: &|_, _| {},
    };
    let done = fetch_range(&server.url(), first, length, &how);
    (done, pauses.into_inner(), server.asked())
}

#[test]
fn a_run_of_bytes_is_fetched_alone_and_gone_on_with() {
    let all = usize::MAX;
    let (done, pauses, asked) = ranged(&[Answer::Part(all)], 1000, 500);
    assert!(done.unwrap() == file(0)[1000..1500]);
    assert_eq!((pauses.len(), asked), (0, vec![(Some("bytes=1000-1499".to_owned()), None)]));
    let answers = [Answer::Part(200), Answer::Status(503, 3), Answer::Part(100), Answer::Part(all)];
    let (done, pauses, asked) = ranged(&answers, 1000, 500);
    assert!(done.unwrap() == file(0)[1000..1500]);
    assert_eq!(pauses, [500, 3000, 500].map(Duration::from_millis));
    assert_eq!(asked[3].0.as_deref(), Some("bytes=1300-1499"));
}

#[test]
fn other_bytes_than_those_asked_for_are_refused() {
    let range = |done: Result<Vec<u8>, FetchError>| matches!(done, Err(FetchError::Range { .. }));
    assert!(range(ranged(&[Answer::Whole], 1000, 500).0));
    assert!(range(ranged(&[Answer::OtherRange], 1000, 500).0));
    assert!(range(ranged(&[Answer::Part(9)], 99_999, 2).0));
    assert!(range(ranged(&[], 1000, 0).0));
    assert!(range(ranged(&[], u64::MAX, 2).0));
    assert!(matches!(ranged(&[], 0, 1 << 20).0, Err(FetchError::TooLong { .. })));
    assert!(matches!(
        ranged(&[Answer::Status(404, 0)], 0, 9).0,
        Err(FetchError::Refused { status: 404, .. })
    ));
    let broken = ranged(&[Answer::Part(0); 3], 0, 9).0;
    assert!(matches!(broken, Err(FetchError::Broken { attempts: 3, .. })), "{broken:?}");
}

#[test]
fn what_was_fetched_longest_ago_goes_first() {
    let folder = tempfile::tempdir().unwrap();
    let place = |number: u64| folder.path().join(format!("{number}/part.warc.gz"));
    for number in 0..4u64 {
        std::fs::create_dir(folder.path().join(number.to_string())).unwrap();
        std::fs::write(place(number), vec![0; 100]).unwrap();
        let time = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 - number);
        std::fs::File::options().append(true).open(place(number)).unwrap().set_modified(time).unwrap();
    }
    let there = || (0..4).filter(|number| place(*number).exists()).collect::<Vec<_>>();
    trim(folder.path(), &place(0), 400).unwrap();
    assert_eq!(there(), [0, 1, 2, 3]);
    trim(folder.path(), &place(3), 250).unwrap();
    assert_eq!(there(), [0, 3]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "empty folders go, too");
    trim(folder.path(), &place(3), 0).unwrap();
    assert_eq!(there(), [3]);
}

/// From a crawl's id to its list, its first archive and one record of it.
#[test]
fn a_crawl_is_found_by_its_id() {
    let archive = MemoryArchive::of_pages(
        "a.warc.gz",
        [("https://x.example/1", "<p>one"), ("https://x.example/2", "<p>two")],
    );
    let mut list = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    list.write_all(b"crawl-data/CC-MAIN-2024-10/segments/1/warc/a-00000.warc.gz\n").unwrap();
    let first = archive::step(archive.bytes()).unwrap().length_bytes;
    let second = archive.bytes().len() as u64 - first;
    let answers = vec![
        (Answer::Right, list.finish().unwrap()),
        (Answer::Right, archive.bytes().to_vec()),
        (Answer::Part(usize::MAX), archive.bytes().to_vec()),
    ];
    let server = Server::start(answers, true);
    let host = format!("http://{}/", server.address);
    let crawl: CrawlId = "CC-MAIN-2024-10".parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let list = run(&list_url(&host, &crawl, Files::Warc), folder.path()).0.unwrap();
    let listed = paths(&std::fs::read(list).unwrap()).unwrap();
    let fetched = run(&file_url(&host, &listed[0]), folder.path()).0.unwrap();
    assert!(std::fs::read(fetched).unwrap() == archive.bytes());
    let line = format!(
        r#"example,x)/2 20240301000000 {{"filename": "{}", "offset": "{first}", "length": "{second}"}}"#,
        listed[0]
    );
    let place: Place = line.parse().unwrap();
    let how = Fetch { bytes_max: 1 << 20, attempts: 2, wait: &|_| {}, progress: &|_, _| {} };
    let bytes =
        fetch_range(&file_url(&host, &place.path), place.first_byte, place.length_bytes, &how).unwrap();
    let step = archive::step(&bytes).unwrap();
    let Content::Record(record) = &step.content else { panic!("a record") };
    assert_eq!((step.length_bytes, record.url.as_str()), (second, "https://x.example/2"));
}
