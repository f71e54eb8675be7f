//! Likelihoods from servers: an honest one that rounds differently, liars, hostile ones, and a real one.

#![expect(
    clippy::disallowed_methods,
    reason = "servers of these tests listen on loopback, and variables name a real one"
)]

use std::{
    env,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use lm::{
    Claimed, Compute, Config, Gguf, Model, Preset, Reference, Sample, Scorer as _, Sizes, SpotCheck,
    Tokenizer, Verdict, Windows,
    remote::{Form, Key, RemoteError, Server, Settings},
    score_tokens, text_tokens,
};
use primitives::Seed;
use serde_json::{Value, json};

use crate::story::TEXT;

const FORMS: [Form; 2] = [Form::PromptLogprobs, Form::Echo];
/// Names the address of a real server, such as `http://127.0.0.1:8000/v1`.
const SERVER: &str = "WEIGH_OPENAI_SERVER";
/// What the server calls SmolLM2-135M-Instruct, where it is not `smollm2`.
const SERVED: &str = "WEIGH_OPENAI_MODEL";
/// How many nats a token may be off, where it is not 0.01, which is for a server that computes in f32; the mean of a text a
/// tenth of it.
const NATS: &str = "WEIGH_OPENAI_NATS";
/// Names the GGUF file of the same model.
const MODEL: &str = "WEIGH_SMOLLM2";

/// What was asked.
struct Asked {
    /// Request line and headers.
    head: String,
    body: Value,
}

/// What comes back over the connection.
enum Answer {
    /// These bytes, then the end.
    Bytes(Vec<u8>),
    /// These, then nothing until the other side has gone.
    BytesThenSilence(Vec<u8>),
    /// These, then spaces until the other side has gone.
    BytesWithoutEnd(Vec<u8>),
}

/// Status, more headers, body.
fn whole(status: u16, headers: &str, body: &str) -> Answer {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} Some\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n");
    Answer::Bytes((head + body).into_bytes())
}

/// A server that answers in its own thread until it is dropped.
struct House {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl House {
    fn open(mut answer: impl FnMut(&Asked) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (is_over, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (ends, counts) = (Arc::clone(&is_over), Arc::clone(&asked));
        let thread = std::thread::spawn(move || {
            loop {
                let (stream, _) = listener.accept().unwrap();
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                // Some clients of these tests go in the middle of an answer.
                let _gone = meet(stream, |asked| {
                    counts.fetch_add(1, Ordering::SeqCst);
                    answer(asked)
                });
            }
        });
        Self { address, is_over, asked, thread: Some(thread) }
    }

    fn settings(&self) -> Settings {
        Settings { model: "mouse".into(), ..Settings::at(&format!("http://{}/v1", self.address)) }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join)
            && !std::thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

fn meet(mut stream: TcpStream, answer: impl FnOnce(&Asked) -> Answer) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then(|| value.parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    match answer(&Asked { head, body: serde_json::from_slice(&body)? }) {
        Answer::Bytes(bytes) => stream.write_all(&bytes),
        Answer::BytesThenSilence(bytes) => {
            stream.write_all(&bytes)?;
            reader.read_to_end(&mut Vec::new()).map(|_| ())
        }
        Answer::BytesWithoutEnd(bytes) => {
            stream.write_all(&bytes)?;
            loop {
                stream.write_all(&[b' '; 1 << 16])?;
            }
        }
    }
}

/// A model that is sure of some things.
fn model(seed: u64) -> Model {
    let config =
        Config::new(Sizes { dim: 32, layers: 1, ffn_dim: 64, context: 48, ..Preset::Mouse.config().into() });
    let model = Model::init(&config.unwrap(), Seed::from_number(seed));
    let louder = model.parameters().iter().map(|x| x * 2.0).collect();
    Model::from_parameters(model.config(), louder).unwrap()
}

/// The same with parameters rounded to bf16.
fn rounded(model: &Model) -> Model {
    let round = |x: &f32| {
        let bits = x.to_bits();
        f32::from_bits((bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff_0000)
    };
    Model::from_parameters(model.config(), model.parameters().iter().map(round).collect()).unwrap()
}

/// What a server says that computes with this model, after `change` has had its way with the nats of each prompt.
fn told(asked: &Asked, model: &Model, change: impl Fn(&[u32], &mut Vec<f64>)) -> String {
    let prompts: Vec<Vec<u32>> = match serde_json::from_value(asked.body["prompt"].clone()) {
        Ok(prompts) => prompts,
        Err(_) => vec![serde_json::from_value(asked.body["prompt"].clone()).unwrap()],
    };
    let compute = Compute::new(1).unwrap();
    let context = model.config().context;
    let choices = prompts.iter().enumerate().map(|(index, prompt)| {
        let mut nats = score_tokens(model, &[prompt], context, &compute).unwrap().remove(0);
        change(prompt, &mut nats);
        let mut logprobs: Vec<Value> = nats.iter().map(|x| json!(-x)).collect();
        logprobs.insert(0, Value::Null);
        if asked.body["echo"] == true {
            assert!(asked.body["logprobs"].as_u64() >= Some(1), "{}", asked.body);
            logprobs.push(json!(-0.25));
            let tokens: Vec<String> = (0..logprobs.len()).map(|place| format!("text {place}")).collect();
            let told = json!({"tokens": tokens, "token_logprobs": logprobs});
            return json!({"index": index, "text": "..", "logprobs": told, "finish_reason": "length"});
        }
        assert_eq!(asked.body["prompt_logprobs"], 0);
        let positions = prompt.iter().zip(&logprobs).map(|(token, logprob)| match logprob {
            Value::Null => Value::Null,
            number => json!({token.to_string(): {"logprob": number, "rank": 1, "decoded_token": "?"}}),
        });
        let positions: Vec<Value> = positions.collect();
        json!({"index": index, "text": "..", "prompt_logprobs": positions, "prompt_token_ids": prompt})
    });
    let choices: Vec<Value> = choices.collect();
    json!({"id": "cmpl-1", "object": "text_completion", "model": "mouse", "choices": choices}).to_string()
}

fn honest(model: Model) -> House {
    House::open(move |asked| whole(200, "", &told(asked, &model, |_, _| ())))
}

/// Texts of many lengths: none, one token, less than a window, several windows.
fn texts() -> Vec<Vec<u32>> {
    let parts: Vec<&str> = ["", "a", "In the middle"].into_iter().chain(TEXT.split_inclusive(". ")).collect();
    let mut texts = text_tokens(&Tokenizer::bytes(), &parts).unwrap();
    texts.push(Vec::new());
    texts
}

const CHECK: SpotCheck = SpotCheck { sample: Sample::PerMille(1000), token_nats: 0.2, mean_nats: 0.02 };

fn windows() -> Windows {
    Windows::new(40, 16).unwrap()
}

/// What the check makes of a server's claims.
fn judge(settings: Settings, check: &SpotCheck, seed: u64) -> Verdict {
    let texts = texts();
    let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
    let claimed = Claimed::ask(&Server::new(settings).unwrap(), &texts, windows()).unwrap();
    let (model, compute) = (model(1), Compute::new(2).unwrap());
    let reference = Reference { model: &model, compute: &compute };
    claimed.check(check, &reference, Seed::from_number(seed)).unwrap()
}

#[test]
fn a_server_with_the_same_arithmetic_gives_the_same_bits_in_both_forms() {
    let house = honest(model(1));
    let texts = texts();
    let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
    let (model, compute) = (model(1), Compute::new(1).unwrap());
    let ours = Reference { model: &model, compute: &compute }.nats(&texts, windows()).unwrap();
    for form in FORMS {
        for prompts_at_once in [1, 3, 64] {
            let before = house.asked();
            let settings = Settings { form, prompts_at_once, ..house.settings() };
            let theirs = Server::new(settings).unwrap().nats(&texts, windows()).unwrap();
            assert_eq!(theirs, ours, "{form:?} {prompts_at_once}");
            let windows = if prompts_at_once == 64 { 1 } else { (house.asked() - before) * prompts_at_once };
            assert!(windows == 1 || windows > texts.len(), "long texts take several windows: {windows}");
        }
    }
}

#[test]
fn a_server_that_rounds_differently_is_accepted() {
    let house = honest(rounded(&model(1)));
    for form in FORMS {
        let accepted = match judge(Settings { form, ..house.settings() }, &CHECK, 1) {
            Verdict::Agreed(accepted) => accepted,
            Verdict::Refused(refusal) => panic!("{refusal}"),
        };
        let agreement = accepted.agreement();
        println!("{form:?}: {agreement:?}");
        assert_eq!(agreement.texts, texts().iter().filter(|text| text.len() > 1).count());
        assert!(agreement.greatest_token_nats > 1e-4, "{agreement:?}");
        let few = SpotCheck { sample: Sample::Texts(2), ..CHECK };
        let Verdict::Agreed(accepted) = judge(Settings { form, ..house.settings() }, &few, 1) else {
            panic!("refused")
        };
        assert_eq!(accepted.agreement().texts, 2);
        assert_eq!(accepted.nats().len(), texts().len());
    }
}

#[test]
fn a_server_with_another_model_is_refused() {
    let house = honest(model(2));
    let Verdict::Refused(refusal) = judge(house.settings(), &CHECK, 1) else { panic!("accepted") };
    assert!((refusal.ours - refusal.theirs).abs() > refusal.bound_nats, "{refusal}");
}

#[test]
fn lies_in_the_sample_are_refused_and_others_escape() {
    // Every token of the text that begins with I is said to be a little likelier than it is.
    let liar = |lie: f64, every: usize| {
        let model = model(1);
        House::open(move |asked| {
            let lies = |prompt: &[u32], nats: &mut Vec<f64>| {
                if prompt.starts_with(&[256, u32::from(b'W'), u32::from(b'h')]) {
                    nats.iter_mut().step_by(every).for_each(|x| *x = (*x - lie).max(0.0));
                }
            };
            whole(200, "", &told(asked, &model, lies))
        })
    };
    let (small, large) = (liar(0.1, 1), liar(0.5, 1000));
    let Verdict::Refused(bias) = judge(small.settings(), &CHECK, 1) else { panic!("accepted") };
    assert!(bias.token.is_none() && bias.theirs < bias.ours, "{bias}");
    let Verdict::Refused(one) = judge(large.settings(), &CHECK, 1) else { panic!("accepted") };
    assert_eq!((one.text, one.token), (bias.text, Some(1)), "{one}");
    let few = SpotCheck { sample: Sample::Texts(2), ..CHECK };
    let refused = |seed: &u64| matches!(judge(large.settings(), &few, *seed), Verdict::Refused(_));
    let caught = (0..12).filter(refused).count();
    assert!((1..12).contains(&caught), "{caught} of 12 samples");
}

#[test]
fn hostile_answers_end_in_a_clear_word_and_are_not_asked_for_again() {
    let head = |length: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes();
    let body = |bytes: &str| [head(bytes.len()), bytes.as_bytes().to_vec()].concat();
    let open = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
    let choice = |logprob: &str| {
        format!(r#"{{"choices": [{{"prompt_logprobs": [null, {{"1": {{"logprob": {logprob}}}}}]}}]}}"#)
    };
    let cases: Vec<(&str, Answer, &str)> = vec![
        ("huge", Answer::BytesWithoutEnd(open.clone()), "answers with more than 67584 bytes to 2 tokens"),
        ("huge, and says so", Answer::BytesThenSilence(head(1 << 40)), "did not answer in full within 400ms"),
        ("huge head", Answer::BytesWithoutEnd(b"HTTP/1.1 200 OK\r\nX: ".to_vec()), "does not answer: "),
        ("silent", Answer::BytesThenSilence(Vec::new()), "did not answer in full within 400ms"),
        ("slow", Answer::BytesThenSilence(open), "did not answer in full within 400ms"),
        ("gone", Answer::Bytes(Vec::new()), "does not answer: "),
        ("truncated", Answer::Bytes([head(99), b"{\"choi".to_vec()].concat()), "does not answer: "),
        ("no http", Answer::Bytes(b"hello\r\n\r\n".to_vec()), "does not answer: "),
        ("no json", Answer::Bytes(body("hello")), "can't be read: expected value"),
        ("half json", Answer::Bytes(body("{\"choices\": [")), "can't be read: EOF"),
        ("nothing", Answer::Bytes(body("")), "can't be read: EOF"),
        ("nan", Answer::Bytes(body(&choice("NaN"))), "can't be read: expected value"),
        ("positive", Answer::Bytes(body(&choice("0.001"))), "log-probability 0.001 at position 1"),
        ("no choice", Answer::Bytes(body("{\"choices\": []}")), "it has 0 choices to 1 prompts"),
        ("nested", Answer::Bytes(body(&"[".repeat(60_000))), "it is nested 60000 deep"),
        ("no content", whole(204, "", ""), "answers with status 204"),
        (
            "unknown",
            whole(404, "", "{\"error\": \"no such model\"}"),
            r#"status 404: "{\"error\": \"no such model\"}""#,
        ),
        ("busy", whole(429, "Retry-After: 1\r\n", "later"), "answers with status 429: \"later\""),
        ("broken", whole(500, "", &"x".repeat(9000)), "answers with status 500: \"xxx"),
        (
            "broken, silent",
            Answer::BytesThenSilence(b"HTTP/1.1 500 No\r\nContent-Length: 5\r\n\r\n".to_vec()),
            "answers with status 500: \"\"",
        ),
    ];
    for (name, answer, expect) in cases {
        let mut answer = Some(answer);
        let house = House::open(move |_| answer.take().unwrap());
        let settings = Settings { answer_timeout: Duration::from_millis(400), ..house.settings() };
        let error = Server::new(settings).unwrap().nats(&[&[0, 1]], windows()).unwrap_err().to_string();
        assert!(error.contains(expect), "{name}: {error:?} does not contain {expect:?}");
        assert!(error.len() < 600, "{name}: {error}");
        assert_eq!(house.asked(), 1, "{name}");
    }
}

#[test]
fn a_redirect_is_not_followed_and_a_key_goes_to_its_server_alone() {
    let elsewhere = honest(model(1));
    let to = elsewhere.address;
    for status in [301, 302, 307, 308] {
        let house = House::open(move |asked| {
            assert!(asked.head.to_ascii_lowercase().contains("\r\nauthorization: bearer hush-4711\r\n"));
            assert!(asked.head.starts_with("POST /v1/completions HTTP/1.1\r\n"), "{}", asked.head);
            whole(status, &format!("Location: http://{to}/v1/completions\r\n"), "ask there with hush-4711")
        });
        let settings = Settings { key: Some(Key::new("hush-4711").unwrap()), ..house.settings() };
        let error = Server::new(settings).unwrap().nats(&[&[0, 1]], windows()).unwrap_err();
        let RemoteError::Status { status: found, said, .. } = &error else { panic!("{error}") };
        assert_eq!((*found, said.as_str()), (status, "ask there with (the key)"));
    }
    assert_eq!(elsewhere.asked(), 0);
}

#[test]
fn an_error_names_text_and_token() {
    let model = model(1);
    let house = House::open(move |asked| {
        let wrong = |prompt: &[u32], nats: &mut Vec<f64>| {
            if prompt.starts_with(&[17]) {
                nats[3] = -1.0;
            }
        };
        whole(200, "", &told(asked, &model, wrong))
    });
    let long: Vec<u32> = (0..60).collect();
    for form in FORMS {
        let server = Server::new(Settings { form, ..house.settings() }).unwrap();
        let windows = Windows::new(40, 17).unwrap();
        let error = server.nats(&[&[1, 2], &long], windows).unwrap_err().to_string();
        let expect =
            "to text 1 from token 17 on: log-probability 1 at position 4 is not above -9999 and at most 0";
        assert!(error.ends_with(expect), "{error}");
    }
    let nowhere = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let server = Server::new(Settings::at(&format!("http://{nowhere}/v1"))).unwrap();
    let error = server.nats(&[&[1, 2]], windows()).unwrap_err().to_string();
    assert!(error.contains("/v1/completions does not answer: "), "{error}");
    assert_eq!(server.nats(&[&[1], &[]], windows()).unwrap(), [[0.0; 0]; 2], "nothing to ask");
    let endless = vec![0; (1 << 16) + 1];
    let error = server.nats(&[&endless], Windows::new(1 << 17, 1).unwrap()).unwrap_err().to_string();
    assert_eq!(error, "text 0 has a window of 65537 tokens, at most 65536 are sent at once");
}

#[test]
fn a_real_server_agrees_on_a_real_model() {
    let (Ok(url), Ok(path)) = (env::var(SERVER), env::var(MODEL)) else {
        println!("skipped: {SERVER} names no server, or {MODEL} no model");
        return;
    };
    let compute = Compute::new(1).unwrap();
    let (model, _) = Model::load_gguf(Path::new(&path), 2048).unwrap();
    let file = Gguf::open(Path::new(&path)).unwrap();
    let (json, start) = (file.tokenizer_json().unwrap(), file.start_token().unwrap());
    let tokenizer = Tokenizer::from_json(&json, start).unwrap();
    let tokens: Vec<u32> =
        tokenizer.encode(TEXT.repeat(9).as_bytes()).unwrap().iter().map(|token| token.id).collect();
    // The fixed text of 256 tokens, single sentences behind a start token, and one that takes several windows.
    let sentences: Vec<&str> = TEXT.split_inclusive(". ").collect();
    let mut texts = vec![tokens[..256].to_vec()];
    texts.extend(text_tokens(&tokenizer, &sentences).unwrap());
    texts.push(tokens[..600].to_vec());
    let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();

    let reference = Reference { model: &model, compute: &compute };
    let token_nats = env::var(NATS).map_or(0.01, |nats| nats.parse().unwrap());
    let check = SpotCheck { sample: Sample::PerMille(1000), token_nats, mean_nats: token_nats / 10.0 };
    let mut agreed = 0;
    for form in FORMS {
        let served = env::var(SERVED).unwrap_or_else(|_| "smollm2".into());
        let settings = Settings { model: served, form, ..Settings::at(&url) };
        let windows = Windows::new(300, 150).unwrap();
        let claimed = match Claimed::ask(&Server::new(settings).unwrap(), &texts, windows) {
            Ok(claimed) => claimed,
            Err(error) => {
                println!("{form:?}: {error}");
                continue;
            }
        };
        match claimed.check(&check, &reference, Seed::from_number(1)).unwrap() {
            Verdict::Agreed(accepted) => {
                let first = &accepted.nats()[0];
                let loss = first.iter().sum::<f64>() / first.len() as f64;
                println!("{form:?}: loss {loss} of the text of 256 tokens, {:?}", accepted.agreement());
                agreed += 1;
            }
            Verdict::Refused(refusal) => panic!("{form:?}: {refusal}"),
        }
    }
    assert!(agreed > 0, "the server answers in neither form");
}
