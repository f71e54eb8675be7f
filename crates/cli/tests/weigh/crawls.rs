//! A file of a crawl, fetched by its number from a server that behaves as Common Crawl's.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    path::Path,
};

use corpus::MemoryArchive;
use flate2::{Compression, write::GzEncoder};

use crate::{at_home, message};

const ARCHIVE: &str = "crawl-data/CC-MAIN-2024-10/segments/1/warc/a-00001.warc.gz";

fn archive() -> Vec<u8> {
    let prose =
        "the weight and the measure of the house that the town had built for its merchants ".repeat(9);
    let page = |number: u32| {
        format!("<html><body><article><h1>House</h1><p>{number} {prose}</p></article></body></html>")
    };
    let pages = [("https://a.example/", page(1)), ("https://b.example/", page(2))];
    MemoryArchive::of_pages("a.warc.gz", pages.iter().map(|(url, html)| (*url, html.as_str())))
        .bytes()
        .to_vec()
}

/// Answers so many requests, and gives the paths that were asked for.
fn serve(listener: TcpListener, requests: usize) -> Vec<String> {
    let mut list = GzEncoder::new(Vec::new(), Compression::fast());
    list.write_all(format!("{ARCHIVE}.other\n{ARCHIVE}\n").as_bytes()).expect("a loopback and a folder");
    let list = list.finish().expect("a loopback and a folder");
    let mut asked = Vec::new();
    for _ in 0..requests {
        let (mut stream, _) = listener.accept().expect("a loopback and a folder");
        let mut lines = BufReader::new(stream.try_clone().expect("a loopback and a folder"))
            .lines()
            .map(|line| line.expect("a request is text"));
        let path = lines
            .next()
            .expect("a loopback and a folder")
            .split(' ')
            .nth(1)
            .expect("a loopback and a folder")
            .to_owned();
        lines.find(String::is_empty).expect("a loopback and a folder");
        let body = if path.ends_with("/warc.paths.gz") { list.clone() } else { archive() };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), &body].concat()).expect("a loopback and a folder");
        asked.push(path);
    }
    asked
}

fn build(home: &Path, host: &str, path: &str, out: &str) -> std::process::Output {
    at_home(home)
        .args(["data", "build", "--crawl", "CC-MAIN-2024-10", "--path", path, "--out", out, "--json"])
        .env("WEIGH_CRAWL_HOST", host)
        .env("XDG_CACHE_HOME", home.join("cache"))
        .output()
        .expect("a loopback and a folder")
}

#[test]
fn a_file_of_a_crawl_is_built_and_checked_from_its_address() {
    let home = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || serve(listener, 2));
    let built = build(home.path(), &host, "1", "shards");
    assert!(built.status.success(), "{}", message(&built));
    let told: serde_json::Value = serde_json::from_slice(&built.stdout).unwrap();
    assert_eq!(told["manifest"]["documents"], 2);
    let list = "/crawl-data/CC-MAIN-2024-10/warc.paths.gz".to_owned();
    assert_eq!(server.join().unwrap(), [list, format!("/{ARCHIVE}")]);
    // All that follows finds what was fetched.
    let verified = at_home(home.path())
        .args(["data", "verify", "shards", "--source", &format!("{host}/{ARCHIVE}")])
        .env("XDG_CACHE_HOME", home.path().join("cache"))
        .output()
        .unwrap();
    assert!(verified.status.success(), "{}", message(&verified));
    let by_path = build(home.path(), &host, ARCHIVE, "again");
    assert!(by_path.status.success(), "{}", message(&by_path));
    let beyond = build(home.path(), &host, "2", "more");
    assert_eq!(beyond.status.code(), Some(2));
    assert!(message(&beyond).contains("has 2 files, none with number 2"), "{}", message(&beyond));
}
