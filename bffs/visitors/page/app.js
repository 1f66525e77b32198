// The page of visitors: each form is one endpoint. What comes back is shown as text, in elements made one by one.
//
// A form says with data-method and data-path what it asks, and each input with data-field where its value goes:
// path/…, query/… or body/…, which is also how a problem names the field that does not hold.

import { begin, finish, SignInError } from "./signin.js";

const BASES = { sandbox: "/sandbox", rehearse: "/rehearse", live: "" };
const CLIENT_ID = document.querySelector('meta[name="client-id"]').content;
const at = (id) => document.getElementById(id);
const modes = document.querySelector(".modes");
let session = null;

class Refused extends Error {
  constructor(status, problem) {
    super(problem.title ?? `The server answered ${status}`);
    this.status = status;
    this.problem = { title: this.message, ...problem };
  }
}

// Asking

function mode() {
  return modes.querySelector(":checked").value;
}

/** The request of a form: method, path below the base, and body. */
function requestOf(form) {
  let path = form.dataset.path;
  const query = new URLSearchParams();
  const body = {};
  for (const input of form.querySelectorAll("[data-field]")) {
    const [place, name] = input.dataset.field.split("/");
    const value = input.value.trim();
    if (place === "path") path = path.replace(`{${name}}`, segmentOf(name, value));
    else if (value && place === "query") query.append(name, value);
    else if (value) body[name] = input.inputMode === "numeric" && /^\d{1,9}$/.test(value) ? Number(value) : value;
  }
  return { method: form.dataset.method, path: query.size ? `${path}?${query}` : path, body };
}

/** One segment of a path: a browser would take `..` for the way up, out of the sandbox or the rehearsal. */
function segmentOf(name, value) {
  const other = ["", ".", ".."].includes(value);
  if (other) throw new Refused(400, { title: "The path is not whole", errors: [{ pointer: `/path/${name}`, detail: "It must not be empty, `.` or `..`.", remedy: `Send a real ${name}.` }] });
  return encodeURIComponent(value);
}

async function ask(inMode, { method, path, body }, more = {}) {
  const headers = { accept: "application/json", ...more };
  if (session) headers.authorization = session.authorization;
  const sends = method !== "GET" && method !== "DELETE";
  if (sends) headers["content-type"] = "application/json";
  const response = await fetch(BASES[inMode] + path, {
    method, headers, body: sends ? JSON.stringify(body) : undefined, credentials: "omit", redirect: "error", cache: "no-store",
  });
  const data = response.status === 204 ? null : await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, data);
  return { data, headers: response.headers };
}

async function submit(form) {
  const request = requestOf(form);
  const chosen = mode();
  const write = request.method !== "GET";
  // A retry of the same click is the same write.
  const { data, headers } = await ask(chosen, request, write && chosen === "live" ? { "idempotency-key": crypto.randomUUID() } : {});
  const card = el("section", { class: chosen === "live" ? "card" : "card rehearsal" }, el("h3", { tabindex: -1 }, TITLES[chosen]), shown(data));
  const link = describedBy(headers);
  if (write && link) {
    const rehearsal = (await ask("live", { method: "GET", path: link })).data;
    const receipt = headers.get("rehearsal-receipt") ?? rehearsal.receipt;
    card.append(...effectsOf(rehearsal));
    if (receipt) card.append(button("Do it for real", () => guarded(form, () => commit(form, request, receipt)), { class: "live" }));
  }
  at("answer").replaceChildren(card);
  card.querySelector("h3").focus();
}

const TITLES = {
  sandbox: "Made-up data: nothing was called",
  rehearse: "Rehearsed: nothing was changed",
  live: "Done",
};

async function commit(form, request, receipt) {
  const { data } = await ask("live", request, { "rehearsal-receipt": receipt, "idempotency-key": crypto.randomUUID() });
  const card = el("section", { class: "card" }, el("h3", { tabindex: -1 }, "Done"), shown(data));
  at("answer").replaceChildren(card);
  card.querySelector("h3").focus();
}

/** The path of the rehearsal that a Link header names, if it lies on this origin. */
function describedBy(headers) {
  const found = /<([^>]+)>\s*;\s*rel="?describedby"?/.exec(headers.get("link") ?? "");
  const url = found && new URL(found[1], location.href);
  return url && url.origin === location.origin ? url.pathname : null;
}

// Showing

function effectsOf({ effects, price }) {
  const line = ({ operation, method, path, price: cost }) => el("li", {}, el("b", {}, operation), ` ${method} ${path}, ${cost ?? "free of charge"}`);
  return [
    el("p", {}, effects.length === 1 ? "It would have one effect:" : `It would have ${effects.length} effects:`),
    el("ul", {}, ...effects.map(line)),
    el("p", {}, `Price: ${price.asked ?? "nothing"}, never more than ${price.ceiling ?? "nothing"}`),
  ];
}

function shown(value) {
  if (value === null || value === undefined) return el("p", {}, "Nothing");
  if (Array.isArray(value)) return value.length ? el("ul", {}, ...value.map((one) => el("li", {}, shown(one)))) : el("p", {}, "None");
  if (typeof value !== "object") return el("span", {}, String(value));
  return el("dl", {}, ...Object.entries(value).map(([name, one]) => el("div", {}, el("dt", {}, name), el("dd", {}, shown(one)))));
}

function problemCard({ title, detail, remedy, errors = [], trace_id: trace }) {
  const fields = errors.map(({ pointer, detail: what, remedy: how }) => el("li", { "data-pointer": pointer }, el("code", {}, pointer), ` ${what} ${how}`));
  return el(
    "section", { class: "card problem" },
    el("h3", { tabindex: -1 }, title),
    detail && detail !== title ? el("p", {}, detail) : "",
    remedy ? el("p", {}, el("b", {}, "What helps: "), remedy) : "",
    fields.length ? el("ul", {}, ...fields) : "",
    trace ? el("p", { class: "trace" }, "Trace ", el("code", {}, trace)) : "",
  );
}

function el(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function button(text, act, attributes) {
  const made = el("button", { type: "button", ...attributes }, text);
  made.addEventListener("click", act);
  return made;
}

// What everything goes through

/** Run `act`; a problem is shown, and the fields that it names are marked. */
async function guarded(form, act) {
  for (const field of document.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  at("status").textContent = "Working…";
  try {
    await act();
  } catch (error) {
    failed(form, error);
  }
  at("status").textContent = session ? "Signed in." : "Not signed in.";
}

function failed(form, error) {
  const title = error instanceof SignInError ? "Signing in failed" : "The server cannot be reached";
  const card = problemCard(error instanceof Refused ? error.problem : { title, detail: error.message, remedy: "Try again." });
  at("answer").replaceChildren(card);
  const wrong = [...card.querySelectorAll("[data-pointer]")].map((line) => line.dataset.pointer.slice(1));
  const fields = [...(form?.querySelectorAll("[data-field]") ?? [])].filter((field) => wrong.includes(field.dataset.field));
  for (const field of fields) field.setAttribute("aria-invalid", "true");
  (fields[0] ?? card.querySelector("h3")).focus();
  if (error.status === 401) signedOut();
}

function signedOut() {
  session = null;
  showAccount();
}

function showAccount() {
  at("sign-in").hidden = session !== null;
  at("sign-out").hidden = session === null;
  at("status").textContent = session ? "Signed in." : "Not signed in.";
}

function start() {
  modes.addEventListener("change", () => {
    document.body.dataset.mode = mode();
    at("answer").replaceChildren();
  });
  document.body.dataset.mode = mode();
  for (const form of document.forms) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      guarded(form, () => submit(form));
    });
  }
  at("sign-in").addEventListener("click", () => guarded(null, () => begin(CLIENT_ID)));
  at("sign-out").addEventListener("click", async () => {
    const ended = session;
    signedOut();
    await ended?.end().catch(() => undefined); // the token is forgotten here in any case
  });
  guarded(null, async () => {
    session = await finish(CLIENT_ID);
    showAccount();
  });
}

start();
