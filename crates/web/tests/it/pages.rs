//! The pages over a town of 256 miners.

use std::io::Read as _;

use http::{Method, Request, StatusCode, header};
use primitives::Digest;
use store::{EventNumber, Store as _};
use web::{
    CONTENT_SECURITY_POLICY,
    house::EPOCHS_KEPT,
    record::{self, Record},
};

use crate::town::{HOSTILE_NAMES, Place, Town};

/// Bytes that the leaderboard of a whole subnet may take on its way.
const BOARD_MAX_BYTES: usize = 40 * 1024;
/// Bytes of our own script.
const SCRIPT_MAX_BYTES: usize = 12 * 1024;

/// One address of each page.
pub(crate) fn addresses(place: &Place) -> Vec<String> {
    let town = &place.town;
    let submission = submission_of_attacker(place);
    vec![
        "/".into(),
        "/leaderboard".into(),
        "/leaderboard?sort=earned&dir=asc&q=steady&role=all&honest=yes".into(),
        format!("/miners/{}", town.miner(0)),
        format!("/miners/{}", town.attacker()),
        format!("/miners/{}", town.validators()[0]),
        format!("/miners/{}", town.owner()),
        "/validators".into(),
        "/epochs".into(),
        format!("/epochs/{}", town.round),
        format!("/submissions/{submission}"),
        "/tasks".into(),
        "/mechanisms/dataset".into(),
        "/docs/api".into(),
    ]
}

/// The newest one.
pub(crate) fn submission_of_attacker(place: &Place) -> Digest {
    let attacker = place.town.attacker();
    let (mut after, mut newest) = (EventNumber::START, None);
    loop {
        let page = place.store.read(record::LOG, after, 1_000).unwrap();
        let Some(last) = page.last() else { return newest.expect("an attacker brings something") };
        after = last.number;
        for event in page {
            if let Record::Examined { miner, submission, .. } = event.body.read().unwrap()
                && miner == attacker
            {
                newest = Some(submission);
            }
        }
    }
}

async fn town_hall() -> Place {
    Place::open(Town::new(7, 256), 4).await
}

#[tokio::test]
async fn every_page_is_whole_and_loads_nothing_from_elsewhere() {
    let place = town_hall().await;
    for address in addresses(&place) {
        let answer = place.get(&address).await;
        assert_eq!(answer.status, StatusCode::OK, "{address}");
        assert_eq!(answer.header(header::CONTENT_SECURITY_POLICY), CONTENT_SECURITY_POLICY);
        assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        assert_eq!(answer.header(header::REFERRER_POLICY), "no-referrer");
        let page = answer.text();
        assert!(page.ends_with("</html>"), "{address}");
        assert_eq!(page.matches("<h1").count(), 1, "{address}");
        for never in [" style=", "<style", " onclick", "javascript:"] {
            assert!(!page.contains(never), "{address} has {never}");
        }
        for file in page.split("src=\"").skip(1) {
            assert!(file.starts_with("/assets/"), "{address} loads {}", &file[..40]);
        }
        for link in page.split("href=\"").skip(1) {
            assert!(link.starts_with(['/', '#']), "{address} links to {}", &link[..40]);
        }
    }
}

#[tokio::test]
async fn every_link_of_every_page_leads_somewhere() {
    // So long that the first rounds and epochs are not kept any more.
    let place = Place::open(Town::new(2, 12), EPOCHS_KEPT as u64 + 2).await;
    let mut checked = std::collections::BTreeSet::new();
    for address in addresses(&place) {
        let page = place.get(&address).await.text();
        for link in page.split("href=\"/").skip(1) {
            let link = format!("/{}", link.split('"').next().unwrap().replace("&amp;", "&"));
            if checked.insert(link.clone()) {
                assert_eq!(place.get(&link).await.status, StatusCode::OK, "{address} links to {link}");
            }
        }
    }
    assert!(checked.len() > 50);
}

#[tokio::test]
async fn the_leaderboard_of_a_whole_subnet_is_small() {
    let place = Place::open(Town::new(7, 256), 20).await;
    for coding in ["gzip", "br"] {
        let answer = place.ask("/leaderboard", &[("accept-encoding", coding)]).await;
        assert_eq!(answer.header(header::CONTENT_ENCODING), coding);
        println!("256 rows in {coding}: {} bytes", answer.body.len());
        assert!(answer.body.len() <= BOARD_MAX_BYTES, "{coding}: {} bytes", answer.body.len());
        let mut page = String::new();
        match coding {
            "gzip" => _ = flate2::read::GzDecoder::new(&*answer.body).read_to_string(&mut page).unwrap(),
            _ => {
                _ = brotli_decompressor::Decompressor::new(&*answer.body, 4096)
                    .read_to_string(&mut page)
                    .unwrap()
            }
        }
        assert_eq!(page.matches("<tr id=").count(), 256);
    }
}

#[test]
fn the_script_is_small() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/house.js");
    let bytes = std::fs::read(script).unwrap().len();
    println!("script: {bytes} bytes");
    assert!(bytes <= SCRIPT_MAX_BYTES, "{bytes} bytes");
}

#[tokio::test]
async fn a_hostile_name_stays_a_name() {
    let place = town_hall().await;
    let page = place.ask("/leaderboard", &[("accept", "text/html")]).await.text();
    assert!(page.contains("<bdi>&lt;img src=x onerror=alert(1)&gt;</bdi>"));
    assert!(!page.contains("<img src=x"));
    assert!(!page.contains("<script>alert"));
    assert!(page.contains("<bdi>invoicefdp.exe</bdi>"));
    assert!(page.contains(&format!("<bdi>{}…</bdi>", "x".repeat(63))));
    for address in addresses(&place) {
        let page = place.get(&address).await.text();
        for steering in ['\u{202e}', '\u{200b}', '\u{0}', '\u{1b}', '\u{7}'] {
            assert!(!page.contains(steering), "{address} has {steering:?}");
        }
        assert!(!page.contains("<b>"), "{address}");
    }
    let csv = place.get("/leaderboard.csv").await.text();
    assert!(csv.contains(",\"'=HYPERLINK(\"\"http://evil.example\"\",\"\"click\"\")\","), "{csv}");
    assert!(csv.contains(",'@SUM(1+1)*cmd|' /C calc'!A0,"));
    assert!(HOSTILE_NAMES.len() > 4);
}

#[tokio::test]
async fn the_address_says_what_is_shown() {
    let place = town_hall().await;
    let first = |page: &str| {
        let row = page.split("<tbody").nth(1).unwrap().split("<tr id=\"").nth(1).unwrap();
        row.split('"').next().unwrap().to_owned()
    };
    let by_score = place.get("/leaderboard").await.text();
    let by_uid = place.get("/leaderboard?sort=uid").await.text();
    let by_uid_down = place.get("/leaderboard?sort=uid&dir=desc").await.text();
    assert_eq!((first(&by_uid), first(&by_uid_down)), ("n4".into(), "n259".into()));
    assert_ne!(first(&by_score), "n259");
    assert!(by_uid_down.contains("<th scope=\"col\" class=\"num\" aria-sort=\"descending\">"));
    let attackers = place.get("/leaderboard?honest=no").await.text();
    assert_eq!(attackers.matches("<tr id=").count(), 32);
    let found = place.get("/leaderboard?q=COPYCAT").await.text();
    assert!(found.contains("copycat-"));
    assert!(found.matches("<tr id=").count() < 10);
    let key = place.town.miner(3).to_string();
    assert_eq!(place.get(&format!("/leaderboard?q={key}")).await.text().matches("<tr id=").count(), 1);
    let everyone = place.get("/leaderboard?role=all&limit=1000").await.text();
    assert_eq!(everyone.matches("<tr id=").count(), 260);
    let hostile = place.get("/leaderboard?q=%22%3E%3Cscript%3E").await;
    assert!(hostile.text().contains("value=\"&quot;&gt;&lt;script&gt;\""));
    let wrong = place.ask("/leaderboard?sort=beauty", &[("accept", "text/html")]).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert!(wrong.text().contains("expected rank, uid, name"));
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let mut place = Place::open(Town::new(7, 8), 2).await;
    for address in ["/", "/leaderboard", "/leaderboard.csv", "/api/v1/leaderboard", "/assets/house.css"] {
        let tag = place.get(address).await.header(header::ETAG).to_owned();
        assert!(tag.starts_with("W/\""), "{address}");
        let again = place.ask(address, &[("if-none-match", &format!("\"x\", {tag}"))]).await;
        assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0), "{address}");
        assert_eq!(again.header(header::ETAG), tag);
    }
    let tag = place.get("/leaderboard").await.header(header::ETAG).to_owned();
    let records = place.town.next_round();
    place.tell(&records).await;
    let news = place.ask("/leaderboard", &[("if-none-match", &tag)]).await;
    assert_eq!(news.status, StatusCode::OK);
}

#[tokio::test]
async fn a_page_that_is_not_there_is_a_page_for_people_and_a_document_for_programs() {
    let place = Place::open(Town::new(7, 4), 1).await;
    let browser = [("accept", "text/html,*/*;q=0.8")];
    for address in ["/nowhere", "/epochs/999", "/mechanisms/%3Cb%3E"] {
        let page = place.ask(address, &browser).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{address}");
        assert!(page.text().contains("<h1>Not Found</h1>"), "{address}");
        assert!(!page.header(header::CONTENT_SECURITY_POLICY).is_empty());
    }
    let program = place.get("/nowhere").await;
    assert_eq!(program.header(header::CONTENT_TYPE), "application/problem+json");
    let post = Request::builder().method(Method::POST).uri("/leaderboard").body(axum::body::Body::empty());
    let post = place.send(post.unwrap()).await;
    assert_eq!((post.status, post.header(header::ALLOW)), (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD"));
    assert_eq!(post.json()["status"], 405);
}

/// A house of which nothing has been written down.
pub(crate) async fn unopened() -> Place {
    let place = Place::open(Town::new(7, 0), 0).await;
    let empty = Place::config(&place);
    let empty = web::Config { store: std::sync::Arc::new(store::Memory::new()), ..empty };
    place.with(web::router(empty))
}

#[tokio::test]
async fn a_house_that_has_not_opened_has_pages_too() {
    let place = unopened().await;
    for address in
        ["/", "/leaderboard", "/validators", "/epochs", "/tasks", "/mechanisms/dataset", "/docs/api"]
    {
        assert_eq!(place.get(address).await.status, StatusCode::OK, "{address}");
    }
}

#[tokio::test]
async fn a_score_is_shown_part_by_part() {
    let place = town_hall().await;
    let honest = place.get(&format!("/miners/{}", place.town.miner(0))).await.text();
    assert!(honest.contains("Verified unique tokens"));
    assert!(honest.contains("the parts give the score to the last bit"));
    assert!(honest.contains("All 3 validators came to the same score"));
    let attacker = place.get(&format!("/miners/{}", place.town.attacker())).await.text();
    assert!(attacker.contains("The proof of a fault") && attacker.contains("text is the recipe"));
    let submission = place.get(&format!("/submissions/{}", submission_of_attacker(&place))).await.text();
    assert!(submission.contains("All 3 validators made the same receipt"));
}
