//! What it takes to come to a score again: found, unknown, hostile, ambiguous, and too much at once.

use std::sync::Arc;

use axum::body::Body;
use http::{Request, StatusCode, header};
use primitives::{Digest, Hotkey};
use serde_json::{Value, json};
use store::artifacts::{ArtifactError, Artifacts, InMemory};
use tower::ServiceExt as _;
use web::{
    BIG_ANSWERS_MAX, Config,
    record::{Record, TaskLine},
};

use crate::{
    pages::submission_of_attacker,
    town::{Answer, Place, Town, submission_bytes, task_text},
};

/// Digests that are none, and one of nothing.
const ODD: [&str; 5] = ["xyz", "..%2f..%2fetc%2fpasswd", "%00", "%3Cscript%3E", "AB"];

async fn place() -> Place {
    Place::open(Town::new(7, 12), 2).await
}

fn id_of(round: u64, place: u32) -> Digest {
    Digest::of_parts("task", &[&round.to_le_bytes(), &place.to_le_bytes()])
}

/// A record of the town with the fields that matter here.
fn examined(town: &Town, round: u64, miner: Hotkey, task: u32, bytes: &[u8]) -> Record {
    Record::Examined {
        validator: town.validators()[0],
        round,
        task,
        miner,
        submission: Digest::of(bytes),
        bytes: bytes.len() as u64,
        outcome: mechanisms::Outcome::Ok,
        finding: None,
        receipt: None,
        cpu: None,
        root: Some(Digest::of(b"root")),
        signature: None,
    }
}

fn check_problem(answer: &Answer, status: StatusCode, expect: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header(header::CONTENT_TYPE), "application/problem+json");
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains(expect), "{detail}");
}

#[tokio::test]
async fn a_task_is_handed_out_to_the_byte() {
    let place = place().await;
    let round = place.get("/api/v1/rounds/2").await.json();
    for (at, task) in (0_u32..).zip(round["tasks"].as_array().unwrap()) {
        let answer = place.get(&format!("/api/v1/tasks/{}", task["id"].as_str().unwrap())).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header(header::CONTENT_TYPE), "application/json");
        assert_eq!(answer.text(), task_text(2, at));
        assert_eq!(task["text"].as_str().unwrap(), Digest::of(&answer.body).to_string());
    }
    let address = format!("/api/v1/tasks/{}", id_of(1, 0));
    let tag = place.get(&address).await.header(header::ETAG).to_owned();
    assert_eq!(place.ask(&address, &[("if-none-match", &tag)]).await.status, StatusCode::NOT_MODIFIED);
    let unknown = place.get(&format!("/api/v1/tasks/{}", Digest::of(b"none"))).await;
    check_problem(&unknown, StatusCode::NOT_FOUND, "is of none of the rounds that are kept");
    for odd in ODD {
        let answer = place.get(&format!("/api/v1/tasks/{odd}")).await;
        check_problem(&answer, StatusCode::BAD_REQUEST, "hexadecimal");
    }
}

#[tokio::test]
async fn a_submission_is_a_file_to_be_saved_and_nothing_to_be_looked_into() {
    let place = place().await;
    let digest = submission_of_attacker(&place);
    let address = format!("/api/v1/submissions/{digest}/bytes");
    let answer = place.ask(&address, &[("accept-encoding", "gzip, br")]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body, submission_bytes(&place.town.attacker(), 2));
    assert_eq!(Digest::of(&answer.body), digest);
    assert_eq!(answer.header(header::CONTENT_TYPE), "application/octet-stream");
    assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
    assert_eq!(answer.header(header::CONTENT_ENCODING), "", "bytes go as they are");
    let file = format!("attachment; filename=\"{}.shard\"", digest.short());
    assert_eq!(answer.header(header::CONTENT_DISPOSITION), file);
    let tag = answer.header(header::ETAG);
    assert_eq!(tag, format!("\"{digest}\""));
    let again = place.ask(&address, &[("if-none-match", tag)]).await;
    assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));

    // What is kept and was never handed in is nobody's business.
    let kept = place.town.shelf.put(b"a supply").unwrap();
    let kept = place.get(&format!("/api/v1/submissions/{kept}/bytes")).await;
    check_problem(&kept, StatusCode::NOT_FOUND, "was not examined");
    for odd in ODD {
        for what in ["bytes", "case"] {
            let answer = place.get(&format!("/api/v1/submissions/{odd}/{what}")).await;
            check_problem(&answer, StatusCode::BAD_REQUEST, "hexadecimal");
        }
    }
}

#[tokio::test]
async fn a_large_submission_arrives_whole_with_its_length() {
    let place = place().await;
    // Neither one piece nor a whole number of them.
    let bytes: Vec<u8> = (0..300_001_u32).flat_map(u32::to_le_bytes).collect();
    place.town.validators_shelf.put(&bytes).unwrap();
    place.tell(&[examined(&place.town, 2, place.town.miner(0), 0, &bytes)]).await;
    let request = Request::get(format!("/api/v1/submissions/{}/bytes", Digest::of(&bytes)));
    let response = place.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let length = axum::body::HttpBody::size_hint(response.body()).exact();
    assert_eq!(length, Some(bytes.len() as u64));
    let whole = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    assert!(whole == bytes);
}

#[tokio::test]
async fn a_case_has_all_that_its_examination_had() {
    let place = place().await;
    let digest = submission_of_attacker(&place);
    let one = &place.get(&format!("/api/v1/submissions/{digest}")).await.json()["cases"][0];
    let task = u32::try_from(one["task"].as_u64().unwrap()).unwrap();
    let round = place.get("/api/v1/rounds/2").await.json();
    let expect = json!({
        "mechanism": "dataset",
        "round": 2,
        "task": serde_json::from_str::<Value>(&task_text(2, task)).unwrap(),
        "hotkey": place.town.attacker(),
        "root": one["root"],
        "audit_seed": round["audit_seed"],
    });
    let address = format!("/api/v1/submissions/{digest}/case");
    assert_eq!(place.get(&address).await.json(), expect);
    let chosen = format!("{address}?round=2&miner={}&task={task}", place.town.attacker());
    assert_eq!(place.get(&chosen).await.json(), expect);
    for (query, status, expect) in [
        ("round=1", StatusCode::NOT_FOUND, "there is round=2&miner="),
        ("round=x", StatusCode::BAD_REQUEST, "round \"x\" is not a number"),
        ("miner=%3Cb%3E", StatusCode::BAD_REQUEST, "address"),
        ("task=99999999999", StatusCode::NOT_FOUND, "no case of submission"),
    ] {
        check_problem(&place.get(&format!("{address}?{query}")).await, status, expect);
    }
    let unknown = place.get(&format!("/api/v1/submissions/{}/case", Digest::of(b"none"))).await;
    check_problem(&unknown, StatusCode::NOT_FOUND, "was not examined");
}

#[tokio::test]
async fn bytes_that_stand_for_several_cases_need_a_choice() {
    let place = place().await;
    let (first, second) = (place.town.miner(0), place.town.miner(1));
    let bytes = b"the same for all";
    place.town.validators_shelf.put(bytes).unwrap();
    let records = [(1, first, 3), (2, first, 3), (2, second, 3), (2, second, 4)]
        .map(|(round, miner, task)| examined(&place.town, round, miner, task, bytes));
    place.tell(&records).await;
    let address = format!("/api/v1/submissions/{}/case", Digest::of(bytes));
    let ambiguous = place.get(&address).await;
    check_problem(&ambiguous, StatusCode::BAD_REQUEST, "the same bytes stand for 4 cases, name one: ");
    check_problem(&ambiguous, StatusCode::BAD_REQUEST, &format!("round=2&miner={second}&task=4"));
    let detail = ambiguous.json()["detail"].as_str().unwrap().to_owned();
    let choices: Vec<&str> = detail.split(": ").last().unwrap().split(", ").collect();
    assert_eq!(choices.len(), 4);
    for choice in choices {
        let case = place.get(&format!("{address}?{choice}")).await;
        assert_eq!(case.status, StatusCode::OK, "{choice}");
        let case = case.json();
        assert!(choice.starts_with(&format!(
            "round={}&miner={}&",
            case["round"],
            case["hotkey"].as_str().unwrap()
        )));
    }
    let narrower = place.get(&format!("{address}?round=2&miner={second}")).await;
    check_problem(&narrower, StatusCode::BAD_REQUEST, "stand for 2 cases");
    // The page has the commands of each.
    let page = place.get(&format!("/submissions/{}", Digest::of(bytes))).await.text();
    assert_eq!(page.matches("curl -fsSL -o").count(), 8);
}

#[tokio::test]
async fn what_an_earlier_program_left_out_is_said() {
    let place = place().await;
    let mut record = examined(&place.town, 2, place.town.miner(0), 0, b"old");
    if let Record::Examined { root, .. } = &mut record {
        *root = None;
    }
    let id = Digest::of(b"old task");
    let task = TaskLine { id, about: String::new(), entries: None, bytes: 1, text: None };
    let round = Record::RoundOpened { round: 3, block: 60, deadline: 70, tasks: vec![task] };
    place.tell(&[record, round]).await;
    let digest = Digest::of(b"old");
    let case = place.get(&format!("/api/v1/submissions/{digest}/case")).await;
    check_problem(&case, StatusCode::NOT_FOUND, "lacks the root");
    let task = place.get(&format!("/api/v1/tasks/{id}")).await;
    check_problem(&task, StatusCode::NOT_FOUND, "does not say where");
    let bytes = place.get(&format!("/api/v1/submissions/{digest}/bytes")).await;
    check_problem(&bytes, StatusCode::NOT_FOUND, "not kept here any more");
    let page = place.get(&format!("/submissions/{digest}")).await.text();
    assert!(page.contains("The record lacks the root") && !page.contains("curl"));
}

/// A shelf whose every artifact is damaged, as a disk may leave it.
struct Damaged(&'static str);

impl Artifacts for Damaged {
    fn put(&self, bytes: &[u8]) -> Result<Digest, ArtifactError> {
        Ok(Digest::of(bytes))
    }

    fn get(&self, _: Digest) -> Result<Vec<u8>, ArtifactError> {
        Err(ArtifactError::File {
            doing: "read",
            path: self.0.to_owned(),
            source: std::io::ErrorKind::InvalidData.into(),
        })
    }

    fn has(&self, _: Digest) -> Result<bool, ArtifactError> {
        Ok(true)
    }
}

#[tokio::test]
async fn a_damaged_copy_is_passed_over_and_tells_nothing_of_the_machine() {
    let place = place().await;
    let address = format!("/api/v1/submissions/{}/bytes", submission_of_attacker(&place));
    let shelf =
        |shelves: Vec<Arc<dyn Artifacts>>| web::router(Config { artifacts: shelves, ..place.config() });
    let damaged = || Arc::new(Damaged("/secret/place"));
    let whole = Arc::new(place.town.validators_shelf.clone());
    let (mended, broken) = (shelf(vec![damaged(), whole]), shelf(vec![Arc::new(InMemory::new()), damaged()]));
    let place = place.with(mended);
    place.tell(&[]).await;
    assert_eq!(place.get(&address).await.status, StatusCode::OK);
    let place = place.with(broken);
    place.tell(&[]).await;
    let answer = place.get(&address).await;
    check_problem(&answer, StatusCode::INTERNAL_SERVER_ERROR, "can't be read");
    assert!(!answer.text().contains("secret"));
}

#[tokio::test]
async fn only_so_many_large_answers_are_under_way() {
    let place = place().await;
    let bytes = vec![7; 1 << 20];
    place.town.validators_shelf.put(&bytes).unwrap();
    place.tell(&[examined(&place.town, 2, place.town.miner(0), 0, &bytes)]).await;
    let address = format!("/api/v1/submissions/{}/bytes", Digest::of(&bytes));
    let ask = || {
        let request = Request::get(&address).body(Body::empty()).unwrap();
        place.router.clone().oneshot(request)
    };
    let mut held = Vec::new();
    for _ in 0..BIG_ANSWERS_MAX {
        let response = ask().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        held.push(response);
    }
    let task = format!("/api/v1/tasks/{}", id_of(2, 0));
    let case = format!("/api/v1/submissions/{}/case", submission_of_attacker(&place));
    for address in [&address, &task, &case] {
        let full = place.get(address).await;
        check_problem(&full, StatusCode::SERVICE_UNAVAILABLE, "large answers are under way");
        assert!(full.header(header::RETRY_AFTER).parse::<u32>().unwrap() > 0);
    }
    // One that has been read to its end makes room, and so does one that is given up.
    let read = axum::body::to_bytes(held.pop().unwrap().into_body(), usize::MAX).await.unwrap();
    assert_eq!(read.len(), bytes.len());
    held.push(ask().await.unwrap());
    assert_eq!(place.get(&task).await.status, StatusCode::SERVICE_UNAVAILABLE);
    drop(held.pop());
    assert_eq!(place.get(&task).await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_nothing_loses_its_place() {
    let place = place().await;
    let bytes = vec![7; 1 << 20];
    place.town.validators_shelf.put(&bytes).unwrap();
    place.tell(&[examined(&place.town, 2, place.town.miner(0), 0, &bytes)]).await;
    let address = format!("/api/v1/submissions/{}/bytes", Digest::of(&bytes));
    let mut held = Vec::new();
    for _ in 0..BIG_ANSWERS_MAX {
        let request = Request::get(&address).body(Body::empty()).unwrap();
        held.push(place.router.clone().oneshot(request).await.unwrap());
    }
    assert_eq!(place.get(&address).await.status, StatusCode::SERVICE_UNAVAILABLE);
    tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
    assert_eq!(place.get(&address).await.status, StatusCode::OK);
    let late = axum::body::to_bytes(held.pop().unwrap().into_body(), usize::MAX).await;
    assert!(late.is_err(), "a part is not taken for the whole");
}

#[tokio::test]
async fn a_submissions_page_has_commands_that_work_where_they_are_pasted() {
    let place = place().await;
    let digest = submission_of_attacker(&place);
    let address = format!("/submissions/{digest}");
    let commands = |page: &str| -> Vec<String> {
        let lines = page.split("<pre tabindex=\"0\"><code>").skip(1);
        let plain = |text: &str| text.replace("&quot;", "\"").replace("&amp;", "&");
        lines.map(|line| plain(line.split("</code>").next().unwrap())).collect()
    };
    let page = place.ask(&address, &[("host", "127.0.0.1:8420")]).await.text();
    let [bytes, case, score] = commands(&page).try_into().unwrap();
    let at = format!("http://127.0.0.1:8420/api/v1/submissions/{digest}");
    let short = digest.short();
    assert_eq!(bytes, format!("curl -fsSL -o {short}.shard \"{at}/bytes\""));
    let case_at = case.strip_prefix(&format!("curl -fsSL -o {short}.case.json \"{at}")).unwrap();
    let case_at = format!("/api/v1/submissions/{digest}{}", case_at.strip_suffix('"').unwrap());
    assert_eq!(place.get(&case_at).await.status, StatusCode::OK, "{case_at}");
    let source = "'READMEs and documents of the crate registry'";
    let expect = format!("weigh score dataset {short}.shard --source {source} --case {short}.case.json");
    assert_eq!(score, expect);
    let shown = place.get(&format!("/api/v1/submissions/{digest}")).await.json();
    let (receipt, signature) = (&shown["cases"][0]["receipt"], &shown["cases"][0]["signature"]);
    assert!(page.contains(&format!("must say <code class=\"whole\">{}</code>", receipt.as_str().unwrap())));
    assert!(page.contains(&format!("signed <code class=\"key\" title={signature}>5e5e5e5e</code>")));

    for odd in ["evil.example/$(reboot)", "a b", "x\";reboot;\"", "-oProxyCommand=x"] {
        let page = place.ask(&address, &[("host", odd)]).await.text();
        assert!(!page.contains("reboot") && !page.contains("ProxyCommand"), "{odd}");
        assert_eq!(commands(&page)[0], bytes.replace("http://127.0.0.1:8420", "$HOUSE"));
    }
}
