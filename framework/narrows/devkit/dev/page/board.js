// The index: what this BFF is, and what of its world is made up.
import { el, facts, method, section } from "./elements.js";

export function board(found) {
  const own = found.facts;
  return [
    el("h1", {}, own.name),
    el("p", {}, own.purpose),
    section("Endpoints", "endpoints", el("ul", { class: "plain endpoints" }, found.endpoints.map(endpoint))),
    found.has_graphql ? section("GraphQL", "graphql",
      el("ul", { class: "plain endpoints" }, found.documents.map(endpoint)),
      found.documents.length ? null : el("p", { class: "quiet" }, "No document is declared."),
      el("p", {}, el("a", { href: "/dev/graphql" }, "Ask anything else"), " that the schema has; here alone it runs.")) : null,
    el("div", { class: "columns" },
      section("People to act as", "people",
        el("p", { class: "quiet small" }, "Made from the declarations; they sign in with these passwords."),
        el("table", { class: "wide" },
          el("thead", {}, el("tr", {}, ["Name", "Holds", "Password"].map((title) => el("th", { scope: "col" }, title)))),
          el("tbody", {}, found.people.map((person) => el("tr", {},
            el("td", { class: "name" }, el("strong", {}, person.name)),
            el("td", {}, person.holds.join(", ") || "no role"),
            el("td", { class: "word" }, el("code", {}, person.password))))))),
      section("Upstreams", "upstreams",
        el("ul", { class: "plain" }, found.upstreams.map((upstream) => el("li", {},
          el("strong", {}, upstream.name), " ",
          el("span", { class: `tag ${upstream.real ? "real" : "made"}` }, upstream.real ? "real" : "made up"),
          el("div", { class: "quiet small" }, upstream.why)))),
        found.upstreams.length ? null : el("p", { class: "quiet" }, "None is used."))),
    el("div", { class: "columns" },
      section("Programs", "programs",
        el("ul", { class: "plain" }, found.programs.map((program) => el("li", {},
          el("strong", {}, program.name), ` ${program.kind} `, el("span", { class: "tag" }, program.state))))),
      section("About", "about",
        facts([
          ["Version", own.version], ["Owner", own.owner], ["Exposure", own.exposure],
          ["Sensitivity", own.sensitivity], ["Importance", own.importance], ["Review by", own.review_by],
          ["Issuers", [...found.issuers.map((name) => `${name} (embedded)`), ...found.kept_issuers].join(", ")],
        ]),
        el("p", {}, el("a", { href: "/openapi.json" }, "The contract (OpenAPI)")),
        found.has_page ? el("p", {}, el("a", { href: "/" }, "The page of this BFF")) : null)),
  ].filter(Boolean);
}

function endpoint(one) {
  return el("li", {},
    method(one),
    el("a", { href: `/dev/endpoints/${encodeURIComponent(one.id)}` }, one.path),
    el("div", { class: "quiet" }, one.summary));
}

export function refusedStart(refusals) {
  return [
    el("h1", {}, "The start is refused"),
    el("p", {}, "Correct what stands here and save: this page follows by itself."),
    el("ul", { class: "plain refusals" }, refusals.map((one) => el("li", {},
      el("p", {}, el("strong", {}, one.subject || one.code), ` ${one.rule}`),
      el("p", {}, el("code", {}, one.where)),
      el("p", { class: "care" }, el("strong", {}, "Remedy: "), one.remedy)))),
  ];
}
