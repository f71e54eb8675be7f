//! A real Chromium without a window, driven over its DevTools protocol.
//!
//! It is found by `WEIGH_CHROMIUM` or by its usual names; [`Chromium::start`] gives none where there is no browser. Waiting is
//! done inside of the page: a condition is tried at every turn of the browser's own clock until it holds.

use std::{collections::VecDeque, env, path::PathBuf, process::Stdio};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpStream,
    process::{Child, Command},
    time::timeout,
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use crate::town::PATIENCE;

/// The names under which systems have it.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// A running browser; it ends with this.
pub(crate) struct Chromium {
    _process: Child,
    _profile: TempDir,
    wire: Wire,
}

/// A tab, and what it has said.
pub(crate) struct Tab<'a> {
    wire: &'a mut Wire,
    session: String,
}

struct Wire {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    last_id: u64,
    /// Events that came while an answer was waited for.
    events: VecDeque<Value>,
}

fn find() -> Option<PathBuf> {
    if let Some(named) = env::var_os("WEIGH_CHROMIUM").filter(|named| !named.is_empty()) {
        return Some(named.into());
    }
    let folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH")?).collect();
    NAMES
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|path| path.is_file())
}

impl Chromium {
    /// None where there is no browser on this machine; why is printed.
    pub(crate) async fn start() -> Option<Self> {
        let Some(program) = find() else {
            println!("skipped: no Chromium: WEIGH_CHROMIUM is not set, and PATH has none of {NAMES:?}");
            return None;
        };
        let profile = TempDir::new().unwrap();
        let mut process = Command::new(&program)
            // The sandbox needs privileges that containers lack; what is opened here is our own.
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
            ])
            .args(["--disable-extensions", "--disable-component-update", "--disable-background-networking"])
            .args(["--hide-scrollbars", "--force-color-profile=srgb", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()));
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if let Some(address) = line.strip_prefix("DevTools listening on ") {
                    return address.to_owned();
                }
            }
            panic!("{} ended before it listened", program.display());
        };
        let address = timeout(PATIENCE, address).await.expect("the browser says where it listens");
        // What else it says must be read, or it would wait for it some day.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let (socket, _) = connect_async(&address).await.unwrap();
        let wire = Wire { socket, last_id: 0, events: VecDeque::new() };
        Some(Self { _process: process, _profile: profile, wire })
    }

    /// A new tab that tells of its requests and of what its console says.
    pub(crate) async fn tab(&mut self) -> Tab<'_> {
        let wire = &mut self.wire;
        let made = wire.call(None, "Target.createTarget", json!({ "url": "about:blank" })).await;
        let attach = json!({ "targetId": made["targetId"], "flatten": true });
        let attached = wire.call(None, "Target.attachToTarget", attach).await;
        let session = attached["sessionId"].as_str().unwrap().to_owned();
        wire.events.clear();
        let mut tab = Tab { wire, session };
        for domain in ["Page", "Runtime", "Network", "Log"] {
            tab.call(&format!("{domain}.enable"), json!({})).await;
        }
        tab
    }
}

impl Wire {
    async fn call(&mut self, session: Option<&str>, method: &str, params: Value) -> Value {
        let answer = self.try_call(session, method, params).await;
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// The result, or what the browser says instead of one.
    async fn try_call(&mut self, session: Option<&str>, method: &str, params: Value) -> Result<Value, Value> {
        self.last_id += 1;
        let id = self.last_id;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = json!(session);
        }
        self.socket.send(Message::text(message.to_string())).await.unwrap();
        let answer = async {
            loop {
                let Message::Text(text) = self.socket.next().await.expect("the browser is there").unwrap()
                else {
                    continue;
                };
                let message: Value = serde_json::from_str(&text).unwrap();
                if message["id"] == id {
                    return message;
                }
                self.events.push_back(message);
            }
        };
        let mut message =
            timeout(PATIENCE, answer).await.unwrap_or_else(|_| panic!("{method} got no answer"));
        if message["error"].is_null() { Ok(message["result"].take()) } else { Err(message["error"].take()) }
    }
}

impl Tab<'_> {
    pub(crate) async fn call(&mut self, method: &str, params: Value) -> Value {
        self.wire.call(Some(&self.session), method, params).await
    }

    /// The value of an expression, awaited where it is a promise.
    pub(crate) async fn eval(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let mut answer = self.call("Runtime.evaluate", params).await;
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].take()
    }

    /// The value of an expression; none where its page is just being left for another one.
    pub(crate) async fn look(&mut self, expression: &str) -> Option<Value> {
        let params = json!({ "expression": expression, "returnByValue": true });
        match self.wire.try_call(Some(&self.session), "Runtime.evaluate", params).await {
            Ok(mut answer) => Some(answer["result"]["value"].take()),
            Err(error) => {
                let is_left = error["message"].as_str().is_some_and(|text| text.contains("navigated"));
                assert!(is_left, "{expression}: {error}");
                None
            }
        }
    }

    /// Waits until `condition` holds, whatever page that is on. Asked again and again from outside, since a wait inside of a
    /// page that is left ends with it.
    pub(crate) async fn arrive(&mut self, condition: &str) {
        let arrived = async { while self.look(condition).await != Some(true.into()) {} };
        timeout(PATIENCE, arrived).await.unwrap_or_else(|_| panic!("never came true: {condition}"));
    }

    /// Waits inside of the page until `condition` holds.
    pub(crate) async fn until(&mut self, condition: &str) {
        let patience = PATIENCE.as_millis() * 2 / 3;
        let script = format!(
            "new Promise((done) => {{ const end = performance.now() + {patience}; \
             const look = () => {{ let ok = false; try {{ ok = Boolean({condition}); }} catch {{}} \
             if (ok || performance.now() > end) done(ok); else setTimeout(look, 10); }}; look(); }})"
        );
        let held = self.eval(&script).await;
        if held != true {
            let page = self.eval("document.body.innerText.slice(0, 1500)").await;
            panic!("never came true: {condition}; the page says: {page}");
        }
    }

    /// Opens an address and waits until it has loaded.
    pub(crate) async fn open(&mut self, address: &str) {
        // The mark goes with the page that is left.
        self.eval("window.left = true").await;
        self.call("Page.navigate", json!({ "url": address })).await;
        self.loaded().await;
    }

    pub(crate) async fn reload(&mut self) {
        self.eval("window.left = true").await;
        self.call("Page.reload", json!({})).await;
        self.loaded().await;
    }

    async fn loaded(&mut self) {
        self.arrive("!window.left && document.readyState === 'complete'").await;
    }

    /// Moves the pointer to the middle of the first element that fits.
    pub(crate) async fn point_at(&mut self, selector: &str) {
        let place = self.middle(selector).await;
        let event = json!({ "type": "mouseMoved", "x": place.0, "y": place.1 });
        self.call("Input.dispatchMouseEvent", event).await;
    }

    /// Moves the pointer to the page's corner.
    pub(crate) async fn point_away(&mut self) {
        self.call("Input.dispatchMouseEvent", json!({ "type": "mouseMoved", "x": 1, "y": 1 })).await;
    }

    pub(crate) async fn click(&mut self, selector: &str) {
        let (x, y) = self.middle(selector).await;
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            let button = if kind == "mouseMoved" { "none" } else { "left" };
            let event = json!({ "type": kind, "x": x, "y": y, "button": button, "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event).await;
        }
    }

    pub(crate) async fn press(&mut self, key: &str, code: u32) {
        for kind in ["rawKeyDown", "char", "keyUp"] {
            let mut event = json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
            if key == "Enter" {
                event["text"] = json!("\r");
            } else if kind == "char" {
                continue;
            }
            self.call("Input.dispatchKeyEvent", event).await;
        }
    }

    pub(crate) async fn insert(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text })).await;
    }

    async fn middle(&mut self, selector: &str) -> (f64, f64) {
        let script = format!(
            "(() => {{ const one = document.querySelector({}); one.scrollIntoView({{ block: 'center', inline: 'center', behavior: 'instant' }}); \
             const box = one.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()",
            json!(selector)
        );
        let place = self.eval(&script).await;
        (place[0].as_f64().unwrap(), place[1].as_f64().unwrap())
    }

    /// The window's width and height, in the page's own pixels.
    pub(crate) async fn size(&mut self, width: u32, height: u32) {
        let params = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", params).await;
    }

    pub(crate) async fn scheme(&mut self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }, { "name": "prefers-reduced-motion", "value": "reduce" }]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    pub(crate) async fn scripts(&mut self, on: bool) {
        self.call("Emulation.setScriptExecutionDisabled", json!({ "value": !on })).await;
    }

    /// A picture of the whole page, as base64 of a PNG.
    pub(crate) async fn picture(&mut self) -> String {
        let size = self.call("Page.getLayoutMetrics", json!({})).await;
        let content = &size["cssContentSize"];
        let clip =
            json!({ "x": 0, "y": 0, "width": content["width"], "height": content["height"], "scale": 1 });
        let params = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        self.call("Page.captureScreenshot", params).await["data"].as_str().unwrap().to_owned()
    }

    /// What this tab has told of so far, by the events' names; each is told once.
    pub(crate) fn told(&mut self, method: &str) -> Vec<Value> {
        let (mine, others) =
            self.wire.events.drain(..).partition::<Vec<_>, _>(|event| event["method"] == method);
        self.wire.events = others.into();
        mine.into_iter().map(|mut event| event["params"].take()).collect()
    }
}
