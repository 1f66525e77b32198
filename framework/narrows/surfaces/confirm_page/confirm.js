// The confirmation page: shows what a program wants to do in the person's name, and takes the person's decision.
//
// The session is a cookie that this script cannot read. Each request carries a header that no page elsewhere can set.

import { button, el, facts } from "./elements.js";

const ID = location.pathname.split("/").pop();
const HEADERS = { "narrows-confirm": "1", accept: "application/json" };
const KINDS = { "low-code": "a low-code app", copilot: "a copilot", partner: "a partner's program", service: "a service" };

const at = (id) => document.getElementById(id);

function ask(method, path, body) {
  const headers = body ? { ...HEADERS, "content-type": "application/json" } : HEADERS;
  const how = { method, headers, credentials: "same-origin", redirect: "error", cache: "no-store" };
  return fetch(path, body ? { ...how, body: JSON.stringify(body) } : how);
}

function say(text) {
  at("status").textContent = text;
}

/** Put the parts on the page, and the focus on its heading, so that a screen reader reads on from there. */
function show(title, ...parts) {
  document.title = title;
  const heading = el("h1", { tabindex: "-1" }, title);
  at("asked").replaceChildren(heading, ...parts.filter((part) => part !== null));
  at("main").removeAttribute("aria-busy");
  heading.focus();
}

async function load() {
  say("Looking it up…");
  await answered(await ask("GET", `../confirmations/${ID}`));
}

async function decide(decision) {
  say("Working…");
  for (const each of document.querySelectorAll("button")) each.disabled = true;
  await answered(await ask("POST", `../confirmations/${ID}`, { decision }));
}

async function answered(response) {
  say("");
  const said = await response.json().catch(() => ({}));
  if (response.ok) showAsked(said);
  else if (response.status === 401) showSignIn(said.sign_in ?? []);
  else if (response.status === 404 || response.status === 400) showNothing();
  else showProblem(said, response.status);
}

// What can be on the page

function showSignIn(issuers) {
  const links = issuers.map((issuer) => {
    const query = new URLSearchParams({ rehearsal: ID, issuer });
    return el("a", { class: "button", href: `sign-in?${query}` }, issuers.length === 1 ? "Sign in" : `Sign in with ${issuer}`);
  });
  const none = el("p", {}, "Nobody can sign in here: this server has no client at an authorization server. Tell its owner.");
  const why = el("p", {}, "A program wants to do something in your name. Sign in to see what it is, and to decide.");
  show("Sign in to confirm", why, links.length ? el("p", { class: "choices" }, links) : none);
}

function showNothing() {
  const why = "There is nothing here that you could confirm: it has expired, or it was asked of somebody else.";
  show("Nothing to confirm", el("p", {}, why), signOut("Sign in as somebody else"));
}

function showProblem({ title, remedy, trace_id: trace }, status) {
  show(
    "This did not work",
    el("p", {}, title ?? `The server answered ${status}.`, " Nothing was confirmed by this."),
    remedy ? el("p", {}, remedy) : null,
    trace ? el("p", { class: "faint" }, "Trace ", el("code", {}, trace)) : null,
    el("p", { class: "choices" }, button("Try again", () => guarded(load))),
  );
}

function showAsked(asked) {
  const titles = { open: "Do you allow this?", confirmed: "You have confirmed it", spent: "This is over" };
  show(titles[asked.state], outcome(asked), whoAsks(asked), whatHappens(asked), choices(asked), signOut("Sign out", asked.person));
}

function outcome({ state, program }) {
  if (state === "confirmed") {
    return el("p", { class: "notice good" }, `${program.id} may now go on, once, and only with exactly what stands here. You can close this page.`);
  }
  if (state === "spent") {
    return el("p", { class: "notice" }, "It was done already, or you did not allow it. It cannot be done again.");
  }
  return null;
}

function whoAsks({ program, summary, person }) {
  const kind = program.kind === program.id ? "" : ` (${KINDS[program.kind] ?? program.kind})`;
  return el(
    "section",
    { "aria-labelledby": "who" },
    el("h2", { id: "who" }, "Who asks"),
    el("p", {}, el("b", {}, program.id), `${kind} wants to do this in the name of `, el("b", {}, person), ":"),
    el("p", { class: "summary" }, summary),
    program.purpose ? el("p", { class: "faint" }, `What this program is for: ${program.purpose}`) : null,
  );
}

function whatHappens({ effects, sent, price, ceiling, expires_at: expires }) {
  const count = effects.length === 1 ? "One change would be made:" : `${effects.length} changes would be made:`;
  const none = el("p", {}, "Nothing would be changed.");
  const most = ceiling && ceiling !== price ? `, never more than ${ceiling}` : "";
  return el(
    "section",
    { "aria-labelledby": "what" },
    el("h2", { id: "what" }, "What would happen"),
    effects.length ? el("p", {}, count) : none,
    el("ol", { class: "effects" }, effects.map(effect)),
    ...alsoSent(Object.entries(sent)),
    facts([
      ["Price", `${price ?? "nothing"}${most}`],
      ["Holds until", moment(expires)],
    ]),
  );
}

/** What the program sent and no change shows: it may be part of one under another name. */
function alsoSent(values) {
  if (!values.length) return [];
  return [el("p", {}, "It also sent, and it may be written above under another name:"), valuesOf(values)];
}

function valuesOf(values) {
  const labels = values.map(([pointer]) => label(pointer));
  // Two accounts, one to pay from and one to pay to, must not read alike.
  const named = (pointer, at) => (labels.indexOf(labels[at]) === labels.lastIndexOf(labels[at]) ? labels[at] : whole(pointer));
  return facts(values.map(([pointer, value], at) => [readable(named(pointer, at)), shown(value)]));
}

function effect({ operation, method, path, arguments: values, price }) {
  return el(
    "li",
    {},
    el("p", { class: "operation" }, el("b", {}, words(operation)), el("span", { class: "price" }, price ?? "free of charge")),
    valuesOf(Object.entries(values)),
    el("p", { class: "faint" }, el("code", {}, `${method} ${path}`), ` (${operation})`),
  );
}

function choices({ state }) {
  if (state === "spent") return null;
  const allow = button("Confirm", () => guarded(() => decide("allow")));
  const refuse = button(state === "open" ? "Do not allow" : "Take it back", () => guarded(() => decide("refuse")), { class: "quiet" });
  return el("p", { class: "choices" }, state === "open" ? [allow, refuse] : refuse);
}

function signOut(text, person) {
  const leave = button(text, () => guarded(end), { class: "link" });
  return el("p", { class: "faint account" }, person ? [`Signed in as ${person}. `] : [], leave);
}

async function end() {
  const response = await ask("DELETE", "session");
  if (!response.ok && response.status !== 401) return answered(response);
  return load();
}

// Words

/** `Tables.book` → `Tables: book`; an operation's own name is all that a declaration says of it. */
function words(operation) {
  const [upstream, ...name] = operation.split(".");
  return name.length ? `${upstream}: ${name.join(".").replaceAll("_", " ")}` : upstream;
}

/** `/booking/place_id` → `place id`; an index stays with the name before it. */
function label(pointer) {
  const parts = pointer.split("/").filter((part) => part !== "");
  const last = parts.findLastIndex((part) => !/^\d+$/.test(part));
  return parts.slice(Math.max(last, 0)).join(" ").replaceAll("_", " ");
}

// What turns text around or hides in it: a person must read what is sent, and not what it was made to look like.
const UNSEEN = /(?![\n\t])[\p{Cc}\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/gu;

function readable(text) {
  return text.replace(UNSEEN, (one) => `⟨U+${one.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

/** `/payment/from/account` → `payment from account`. */
function whole(pointer) {
  return pointer.split("/").filter((part) => part !== "").join(" ").replaceAll("_", " ");
}

/** A value of the request as it is; a time also as people write it; all else by its kind. */
function shown(value) {
  if (value === null) return "nothing";
  if (typeof value === "object") return value.stand_in ? `known only afterwards (${value.type})` : `not shown (${value.type})`;
  if (typeof value === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(value)) return [moment(value), " ", el("code", {}, readable(value))];
  return value === "" ? "(empty)" : readable(String(value));
}

function moment(text) {
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? readable(text) : time.toLocaleString([], { dateStyle: "full", timeStyle: "short" });
}

async function guarded(act) {
  try {
    await act();
  } catch {
    say("");
    showProblem({ title: "The server cannot be reached.", remedy: "Check your connection, then try again." });
  }
}

guarded(load);
