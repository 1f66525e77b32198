// What came of a call: status, answer, effects, price, rates, receipt and trace.
import { el, facts } from "./elements.js";
import { waterfall } from "./trace.js";

// The problem that an answer is: itself, or that of the first error of GraphQL.
export function problemIn({ status, value }) {
  if (status < 400 || !value || typeof value !== "object") return null;
  return value.errors?.[0]?.extensions ?? value;
}

export function result({ mode, answer, rehearsal, trace, live }) {
  const { status, value } = answer;
  const problem = problemIn(answer);
  const heading = el("h2", { tabindex: "-1" }, "Result");
  const element = el("div", { class: "sheet" },
    heading,
    el("p", { class: `status ${status < 400 ? "good" : "bad"}` }, `${status} ${problem?.title ?? meaning(status)}`),
    el("p", { class: "quiet small" }, said(mode, answer.writes, status)),
    problem ? problemOf(problem) : null,
    rehearsal ? effectsOf(rehearsal) : null,
    trace?.sent.length ? el("p", {}, "Sent to the made-up upstreams: ", trace.sent.map((name) => el("code", {}, name))) : null,
    value !== undefined && !problem ? [el("h3", {}, "Answer"), el("pre", { tabindex: "0" }, textOf(value))] : null,
    el("h3", {}, "What it took"),
    tookOf(answer, rehearsal, trace),
    live ?? null,
    trace ? [el("h3", {}, "Trace"), waterfall(trace)] : el("p", { class: "quiet" }, "No trace is known of this call."));
  return { element, heading };
}

function meaning(status) {
  return { 200: "OK", 201: "Created", 202: "Accepted", 204: "Done, nothing to read" }[status] ?? "";
}

function said(mode, writes, status) {
  if (mode === "sandbox") return "Sandbox: all data is made up, and no upstream was called.";
  if (mode === "rehearse") return "Rehearsal: reads were sent; writes were not, they are listed as effects.";
  return !writes || status >= 400 ? "Live, on made-up upstreams." : "Live: the made-up upstreams took the write and remember it.";
}

function problemOf(problem) {
  const errors = (problem.errors ?? []).map((error) =>
    el("li", {}, el("code", {}, error.pointer), ` ${error.detail} `, el("strong", {}, error.remedy)));
  return el("div", { class: "alarm" },
    problem.detail ? el("p", {}, problem.detail) : null,
    errors.length ? el("ul", {}, errors) : null,
    problem.remedy ? el("p", {}, el("strong", {}, "What helps: "), problem.remedy) : null,
    problem.scope ? el("p", {}, "Scope: ", el("code", {}, problem.scope)) : null);
}

function effectsOf(rehearsal) {
  if (rehearsal.effects.length === 0) return el("p", {}, "Effects: none. Nothing would have been written.");
  return el("div", {},
    el("h3", {}, "Effects that would have happened"),
    el("ul", { class: "plain" }, rehearsal.effects.map((effect) =>
      el("li", {},
        el("strong", {}, effect.operation), " ", el("code", {}, `${effect.method} ${effect.path}`),
        effect.price ? el("span", { class: "tag" }, effect.price) : null,
        effect.asks ? el("span", { class: "quiet small" }, ` asks ${effect.asks}`) : null,
        facts(Object.entries(effect.arguments).map(([name, value]) => [name, shown(value)]))))));
}

function shown(value) {
  if (value && typeof value === "object") {
    const what = value.stand_in ? "stand-in" : "not shown";
    return `${value.type} (${what})`;
  }
  return JSON.stringify(value);
}

function tookOf(answer, rehearsal, trace) {
  const rates = rehearsal?.rates?.length ? rehearsal.rates : trace?.rates ?? [];
  const price = rehearsal?.price ?? {};
  const receipt = answer.headers.get("rehearsal-receipt");
  return facts([
    ["Allowed by", trace?.rule ?? rehearsal?.rule],
    ["Price taken", rehearsal ? price.taken ?? "nothing" : trace?.price ?? "nothing"],
    ["Price of the effects", price.asked],
    ["Rate left", rates.map((left) => left.remaining === null ? left.rate : `${left.remaining} of ${left.rate}`).join(", ")],
    ["Receipt", receipt ? el("code", {}, receipt.length > 48 ? `${receipt.slice(0, 44)} …` : receipt) : ""],
    ["Stand-ins", rehearsal?.stand_ins?.join(", ")],
    ["Left out", rehearsal?.left_out?.join(", ")],
    ["Notes", rehearsal?.notes?.join("; ")],
  ]);
}

function textOf(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}
