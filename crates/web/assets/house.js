// Makes a page live. Everything on it was made by the server and stays so: news means asking for the same address again
// and putting what differs into place. Without this file the pages are whole, and stand still.

const DEBOUNCE_MS = 120; // several events of one moment are one question
const RETRY_MS = 3000; // the stream was refused for good, not merely cut
const FLASH_MS = 1600;

const html = document.documentElement;
const pulse = document.getElementById("pulse");
const pause = document.getElementById("pause");
let paused = false;
let missed = false; // something happened while the page was paused
let stream = null;
let asked = 0; // the number of the newest question; answers to older ones are dropped
let timer = 0;

const main = () => document.getElementById("main");
const say = (text, state) => {
  if (pulse.textContent !== text) pulse.textContent = text;
  html.dataset.state = state;
};

// --- asking ---

async function ask(address, signal) {
  const answer = await fetch(address, { headers: { accept: "text/html" }, signal });
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

// --- patching what changed ---

function flash(element) {
  element.classList.add("fresh");
  setTimeout(() => element.classList.remove("fresh"), FLASH_MS);
}

// Takes over the content of `fresh`, unless the reader's focus is inside: that would be lost.
function replace(old, fresh) {
  if (old.innerHTML === fresh.innerHTML) return false;
  if (old.contains(document.activeElement)) return false;
  const open = [...old.querySelectorAll("details")].map((one) => one.open);
  const scrolled = [...old.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
  old.replaceChildren(...fresh.childNodes);
  [...old.querySelectorAll("details")].forEach((one, at) => (one.open = open[at] ?? false));
  [...old.querySelectorAll(".scroll")].forEach((one, at) => (one.scrollLeft = scrolled[at] ?? 0));
  return true;
}

// While the pointer or the focus is in a table its rows stay where they are: only their cells change.
const isHeld = (body) => {
  const table = body.closest("table");
  return table.matches(":hover") || table.contains(document.activeElement);
};

function patchRows(old, fresh) {
  const rows = new Map([...old.rows].map((row) => [row.id, row]));
  const wanted = [...fresh.rows];
  for (const row of wanted) {
    const known = rows.get(row.id);
    if (!known) continue;
    [...row.cells].forEach((cell, at) => {
      const own = known.cells[at];
      if (own && replace(own, cell)) flash(own);
    });
  }
  const differs = wanted.length !== rows.size || wanted.some((row, at) => old.rows[at]?.id !== row.id);
  const hint = document.getElementById("held");
  if (differs && isHeld(old)) {
    old.dataset.held = "yes";
    if (hint) hint.hidden = false;
    return;
  }
  delete old.dataset.held;
  if (hint) hint.hidden = true;
  if (!differs) return;
  old.replaceChildren(...wanted.map((row) => rows.get(row.id) ?? document.importNode(row, true)));
}

function patch(page) {
  for (const fresh of page.querySelectorAll("[data-live]")) {
    const old = document.querySelector(`[data-live="${CSS.escape(fresh.dataset.live)}"]`);
    if (old) replace(old, document.importNode(fresh, true));
  }
  for (const fresh of page.querySelectorAll("[data-rows]")) {
    const old = document.querySelector(`[data-rows="${CSS.escape(fresh.dataset.rows)}"]`);
    if (old) patchRows(old, fresh);
  }
  document.body.dataset.event = page.body.dataset.event;
}

function refresh() {
  clearTimeout(timer);
  timer = setTimeout(async () => {
    const mine = ++asked;
    const address = location.href;
    try {
      const page = await ask(address);
      if (mine === asked && !paused && address === location.href) patch(page);
    } catch {
      say("Reconnecting", "off"); // the stream says when the house is back
    }
  }, DEBOUNCE_MS);
}

// --- the stream ---

function news() {
  if (paused) missed = true;
  else refresh();
}

// What a block changes stands in the event itself.
function now(live) {
  if (paused) return;
  const left = Math.max(0, live.epoch_ends_at - live.block);
  const shown = { block: live.block, epoch: live.epoch, left, queued: live.queued, running: live.running };
  for (const element of document.querySelectorAll("[data-now]")) {
    const name = element.dataset.now;
    if (name === "progress") element.value = Math.max(0, element.max - left);
    else element.textContent = shown[name].toLocaleString("en-US");
  }
}

function listen() {
  stream?.close();
  stream = new EventSource(`/api/v1/events?after=${encodeURIComponent(document.body.dataset.event)}`);
  stream.addEventListener("open", () => say(paused ? "Paused" : "Live", paused ? "paused" : "live"));
  stream.addEventListener("record", news);
  stream.addEventListener("live", (event) => now(JSON.parse(event.data)));
  stream.addEventListener("error", () => {
    say("Reconnecting", "off");
    if (stream.readyState !== EventSource.CLOSED) return; // the browser comes back by itself
    setTimeout(async () => {
      // Refused: the record may have begun anew. The page is asked again and says where it is.
      try {
        patch(await ask(location.href));
      } catch {
        // the house is not back yet
      }
      listen();
    }, RETRY_MS);
  });
}

pause.hidden = false;
pause.setAttribute("aria-pressed", "false");
pause.addEventListener("click", () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  const isOpen = stream?.readyState === EventSource.OPEN;
  say(paused ? "Paused" : isOpen ? "Live" : "Reconnecting", paused ? "paused" : isOpen ? "live" : "off");
  if (!paused && missed) {
    missed = false;
    refresh();
  }
});

// --- rows that waited move when nobody is there any more ---

function release(event) {
  const body = event.target.closest?.("table")?.querySelector("[data-held]");
  if (body && !paused) setTimeout(() => isHeld(body) || refresh(), 0);
}
addEventListener("pointerout", (event) => {
  const table = event.target.closest?.("table");
  if (table && !table.contains(event.relatedTarget)) release(event);
});
addEventListener("focusout", release);

// --- links and forms that change the page in place ---

let leaving = null;

// The newest page that was asked for is the one that is shown.
async function go(address, push) {
  leaving?.abort();
  const mine = (leaving = new AbortController());
  asked++;
  let page;
  try {
    page = await ask(address, mine.signal);
  } catch {
    if (!mine.signal.aborted) location.assign(address);
    return;
  }
  if (push) history.pushState(null, "", address);
  const focused = document.activeElement?.id;
  const field = focused ? document.getElementById(focused) : null;
  const typed = field?.matches("input[type=search]") ? [field.value, field.selectionStart] : null;
  const scrolled = main().querySelector(".scroll")?.scrollLeft ?? 0;
  main().replaceChildren(...document.importNode(page.getElementById("main"), true).childNodes);
  document.title = page.title;
  document.body.dataset.event = page.body.dataset.event;
  const region = main().querySelector(".scroll");
  if (region) region.scrollLeft = scrolled;
  const again = focused ? document.getElementById(focused) : null;
  if (!again) return;
  again.focus({ preventScroll: true });
  if (typed && push) {
    [again.value] = typed;
    again.setSelectionRange(typed[1], typed[1]);
  }
}

const isPlain = (event) => !event.defaultPrevented && event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;

addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-soft]");
  if (!link || !isPlain(event)) return;
  event.preventDefault();
  go(link.href, true);
});

function address(form) {
  const query = new URLSearchParams(new FormData(form));
  const usual = { role: "miner", honest: "any" };
  for (const [name, value] of [...query]) if (!value || usual[name] === value) query.delete(name);
  const text = query.toString();
  return form.action + (text && `?${text}`);
}

addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-soft]")) return;
  event.preventDefault();
  go(address(event.target), true);
});

let typing = 0;
addEventListener("input", (event) => {
  const form = event.target.closest?.("form[data-soft]");
  if (!form) return;
  clearTimeout(typing);
  typing = setTimeout(() => form.isConnected && go(address(form), true), event.target.matches("select") ? 0 : 250);
});

addEventListener("popstate", () => go(location.href, false));

// A page that was left may be kept for the way back. Its stream would hold one of the few connections that a browser
// opens to one house.
addEventListener("pagehide", () => stream?.close());
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  listen();
  news();
});

listen();
