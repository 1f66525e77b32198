// Shows what a call would have done, and what went wrong, in words that lead on.

import { el } from "./elements.js";

/** A problem (RFC 9457) with its remedy, the fields it names and the trace id. */
export function problemCard(problem) {
  const { title, detail, remedy, errors = [], trace_id: trace, effects = [], confirm_url: confirm } = problem;
  return el(
    "section",
    { class: "problem" },
    el("h3", {}, title),
    detail && detail !== title ? el("p", {}, detail) : null,
    remedy ? el("p", {}, el("b", {}, "What helps: "), remedy) : null,
    isOwn(confirm) ? el("p", {}, el("a", { href: confirm }, "Open the confirmation page")) : null,
    errors.length ? el("ul", {}, errors.map(fieldError)) : null,
    effects.length ? el("p", {}, el("b", {}, "Already done before it failed: "), effects.join(", ")) : null,
    trace ? el("p", { class: "trace" }, "Trace ", el("code", {}, trace)) : null,
  );
}

/** Whether a URL lies on this origin; nothing else is offered to be opened. */
function isOwn(url) {
  return typeof url === "string" && url.startsWith(`${location.origin}/`);
}

function fieldError({ pointer, detail, remedy }) {
  return el("li", { "data-pointer": pointer }, el("code", {}, pointer), " ", detail, " ", remedy);
}

/**
 * What a rehearsed write says: its effects with their price, and what narrowing kept away from this page. `further`
 * stands right below the effects; what only an expert asks for is folded up.
 */
export function rehearsalCard(rehearsal, heading, ...further) {
  const { effects, price, left_out: leftOut } = rehearsal;
  return el(
    "section",
    { class: "rehearsal" },
    el("h3", { tabindex: -1 }, heading),
    el("p", {}, effects.length === 1 ? "It would have one effect:" : `It would have ${effects.length} effects:`),
    el("ol", { class: "effects" }, effects.map(effect)),
    facts([["Price", `${price.asked ?? "nothing"}, never more than ${price.ceiling ?? "nothing"}`], ["Left out", names(leftOut)]]),
    ...further,
    el("details", {}, el("summary", {}, "By which rule, with which scopes"), facts(grounds(rehearsal))),
  );
}

/** What a rehearsed look-up says, folded up: it has no effect, but it shows what stays behind the API. */
export function lookUpDetails(rehearsal) {
  const kept = rehearsal.left_out.length;
  const summary = kept ? `${kept} fields were left out on the way to this page` : "Nothing was left out on the way to this page";
  return el("details", {}, el("summary", {}, summary), facts([["Left out", names(rehearsal.left_out)], ...grounds(rehearsal)]));
}

function grounds({ stand_ins: standIns, scopes, rule, notes, trace_id: trace }) {
  return [
    ["Stand-ins", standIns.length ? names(standIns) : null],
    ["Allowed by", rule],
    ["Scope needed", list(scopes.needed)],
    ["Asked upstream", list(scopes.asked)],
    ["Only listed", scopes.listed.length ? list(scopes.listed) : null],
    ["Notes", notes.length ? notes.join("; ") : null],
    ["Trace", trace ? el("code", {}, trace) : null],
  ];
}

function effect({ operation, method, path, arguments: values, price }) {
  const request = el("code", {}, `${method} ${path}`);
  const cost = el("span", { class: "price" }, price ?? "free of charge");
  return el(
    "li",
    {},
    el("p", { class: "operation" }, el("b", {}, operation), " ", request, cost),
    facts(Object.entries(values).map(([pointer, value]) => [pointer.split("/").at(-1), shown(value)])),
  );
}

/** A value that came from this page is shown; all else stands there by its kind. */
function shown(value) {
  if (value === null || typeof value !== "object") return value === "" ? "(empty)" : String(value);
  return value.stand_in ? `(known only afterwards: ${value.type})` : `(not shown: ${value.type})`;
}

function facts(pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined);
  return el("dl", {}, known.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

function names(found) {
  return found.length ? found.map((name) => el("code", {}, name)).flatMap((each, i) => (i ? [", ", each] : [each])) : "nothing";
}

function list(found) {
  return found.length ? found.join(", ") : "none";
}
