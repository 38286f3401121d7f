// Live updates. The server says that something of the team has changed, and no
// more than that. The page then asks for itself anew by its own address, and what
// differs is put in place: what has the focus, what is typed, ticked, unfolded or
// selected, an open dialog and what lies under [data-keep] stay as they are.

const main = document.getElementById("main");
const kept = "#dialog, #notice, [data-keep]";
const LONGEST = 60_000; // between two tries, in milliseconds

// The activity is too much to be read anew at each entry.
const offered = () => main.dataset.stream?.includes("entries=");

let stream = null;
let tries = 0;
let timer = 0;
let running = null; // an update, which a further change waits for
let again = false;
let doubted = false; // whether the session goes on
let leaving = false; // for another page, which this one does not stand in the way of

function connect() {
  clearTimeout(timer);
  if (stream || document.hidden || !main?.dataset.stream) return;
  stream = new EventSource(main.dataset.stream);
  stream.addEventListener("ready", () => (tries = 0));
  stream.addEventListener("changed", () => (offered() ? news() : update()));
  // Whether the server is gone or the session is, the page finds out by asking.
  stream.addEventListener("error", () => {
    disconnect();
    later();
  });
}

function disconnect() {
  stream?.close();
  stream = null;
}

function later() {
  const wait = Math.min(LONGEST, 1000 * 2 ** tries++) * (0.5 + Math.random());
  timer = setTimeout(async () => {
    if (document.hidden) return;
    const answered = await update();
    if (main.dataset.stream) answered ? connect() : later();
  }, wait);
}

// acts counts what the person's own requests have changed in the page.
let acts = 0;
document.addEventListener("htmx:beforeRequest", () => acts++);
document.addEventListener("htmx:afterSettle", () => acts++);
const busy = () => document.querySelector(".htmx-request, .htmx-swapping, .htmx-settling") !== null;

// What answers a form in its place is no part of the page as its address gives it.
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.requestConfig.verb !== "get") document.getElementById(event.detail.target.id)?.setAttribute("data-keep", "");
});

// update resolves to whether the server answered. Changes meanwhile make one more.
function update() {
  if (running) {
    again = true;
    return running;
  }
  running = refresh().finally(() => {
    running = null;
    if (again) {
      again = false;
      update();
    }
  });
  return running;
}

const pause = (time) => new Promise((done) => setTimeout(done, time));

async function refresh() {
  const at = location.href;
  const turn = acts;
  let answer, text;
  try {
    answer = await fetch(at, { headers: { "X-Infsh-Live": "true", "HX-Request": "true", "HX-Target": "main", "HX-Current-URL": at } });
    text = await answer.text();
  } catch {
    return false;
  }
  if (leaving) return true;
  if (location.href !== at || turn !== acts || busy()) {
    // The person did something meanwhile: what came is older than what they see,
    // or was asked for with a cookie that has been replaced since.
    again = true;
    do await pause(100);
    while (busy());
    return true;
  }
  if (answer.status >= 500 || answer.status === 429) return false;
  if (answer.headers.has("HX-Redirect")) {
    if (!doubted) {
      // Another tab may just have replaced the cookie.
      doubted = again = true;
      await pause(1000);
      return true;
    }
    end();
    location.assign(answer.headers.get("HX-Redirect"));
    return true;
  }
  doubted = false;
  const fresh = new DOMParser().parseFromString(text, "text/html").getElementById("main");
  if (!answer.ok || fresh?.dataset.team !== main.dataset.team) {
    end();
    tell(answer.ok ? "You are in another team now, so this page is no longer kept up to date." : "What this page shows was deleted, or you may not see it any more.");
    return true;
  }
  if (!offered()) merge(fresh);
  return true;
}

function end() {
  disconnect();
  delete main.dataset.stream;
}

function tell(text) {
  const notice = document.createElement("p");
  notice.className = "notice";
  notice.dataset.kind = "warning";
  notice.textContent = text;
  document.getElementById("notice").replaceChildren(notice);
  say(text);
}

function say(text) {
  document.getElementById("announce").textContent = text;
}

// words are what a reader would notice: the passing of time is no change.
function words(element) {
  const copy = element.cloneNode(true);
  for (const one of copy.querySelectorAll("time, " + kept)) one.remove();
  return copy.textContent.replace(/\s+/g, " ");
}

const rows = () => new Map([...main.querySelectorAll("tr[id], li[id]")].map((row) => [row.id, words(row)]));

function merge(fresh) {
  const before = words(main);
  const old = rows();
  const focused = document.activeElement;
  Idiomorph.morph(main, fresh, {
    callbacks: {
      beforeNodeMorphed: (node) => !node.matches?.(kept),
      beforeNodeRemoved: (node) => !node.matches?.(kept),
      beforeAttributeUpdated: (name, node) => !(["open", "checked", "selected"].includes(name) || (name === "value" && node.matches("input:not([type=hidden]), textarea"))),
    },
  });
  for (const part of main.children) if (!part.matches(kept)) htmx.process(part);
  if (focused.isConnected === false) main.querySelector("h1")?.focus();
  document.dispatchEvent(new Event("infsh:updated"));
  if (words(main) === before) return;
  for (const [id, text] of rows()) document.getElementById(id).classList.toggle("fresh", old.size > 0 && old.get(id) !== text);
  say(`Brought up to date: ${main.querySelector("h1")?.textContent}.`);
}

// news of entries are offered, and not put above what somebody reads.
function news() {
  end();
  const offer = document.getElementById("news");
  offer.hidden = false;
  say(offer.textContent);
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    clearTimeout(timer);
    disconnect();
  } else connect();
});
window.addEventListener("pagehide", disconnect);
window.addEventListener("beforeunload", () => {
  leaving = true;
  disconnect();
  clearTimeout(timer);
  timer = setTimeout(() => {
    leaving = false; // it was a download, or it was given up
    connect();
  }, 10_000);
});
connect();
