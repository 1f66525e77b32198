// The page of one endpoint, or document: what it declares, a form to call it, and what came of it.
import { el, facts, method, section } from "./elements.js";
import { Form } from "./form.js";
import { Trying } from "./trying.js";

export class EndpointPage {
  #view;
  #form;
  #trying;

  constructor(view, board, kept) {
    this.#view = view;
    this.#form = new Form(view.fields, kept?.values ?? new Map());
    const { brief, commit, live, real } = view;
    this.#trying = new Trying({
      label: `Call ${brief.id}`, kind: brief.kind, commit, live, real, roles: view.facts.roles,
      inputs: this.#form.element,
      missing: () => this.#missing(),
      request: () => this.#request(),
      mark: (errors) => this.#form.mark(errors),
    }, board, kept);
  }

  // What a reload of the server must not lose.
  kept() {
    return { values: this.#form.values(), ...this.#trying.kept() };
  }

  parts() {
    const { brief, description, where, document: own } = this.#view;
    return [
      el("h1", {}, method(brief), brief.path),
      el("p", {}, brief.summary),
      description !== brief.summary ? el("p", { class: "quiet" }, description.slice(brief.summary.length).trim()) : null,
      section("Declared", "declared", this.#declared(where),
        own ? el("details", {}, el("summary", {}, "The document"), el("pre", { tabindex: "0" }, own.source)) : null,
        this.#schema("What it takes", this.#view.takes), this.#schema("What it answers", this.#view.answers)),
      el("div", { class: "columns" }, section("Try it", "try", this.#trying.form()), this.#trying.result()),
    ].filter(Boolean);
  }

  #missing() {
    this.#form.clear();
    const missing = this.#form.missing();
    return missing.length ? this.#form.mark(missing) : null;
  }

  #request() {
    const { method: verb, path } = this.#view.brief;
    if (!this.#view.document) return { method: verb, path: this.#form.path(path), body: this.#form.body() };
    const variables = this.#form.variables();
    if (verb !== "GET") return { method: verb, path, body: { variables } };
    const query = new URLSearchParams({ variables: JSON.stringify(variables) });
    return { method: verb, path: Object.keys(variables).length ? `${path}?${query}` : path };
  }

  #declared(where) {
    const own = this.#view.facts;
    const uses = own.uses.map((one) => el("li", {},
      el("strong", {}, one.operation), ` ${one.kind}`, one.times > 1 ? ` ×${one.times}` : "",
      one.asks ? [" asks ", el("code", {}, one.asks)] : "", one.price ? ` costs ${one.price}` : ""));
    const { real, document: asked } = this.#view;
    return el("div", { class: "sheet declared" }, facts([
      ["Id", asked ? el("code", {}, `sha256:${asked.sha256}`) : ""],
      ["Roles", own.roles.join(", ")], ["Within", own.within ? el("code", {}, own.within) : ""],
      ["Scope", own.scope ? el("code", {}, own.scope) : ""], ["Rate", own.rate.join(", ")],
      ["Costs at most", own.price ?? "nothing"],
      ["A live write", this.#view.brief.kind === "write" ? COMMITS[this.#view.commit] ?? this.#view.commit : ""],
      ["Uses", own.uses.length ? el("ul", { class: "plain small" }, uses) : "nothing"],
      ["Upstreams", real.length ? `real: ${real.join(", ")}` : "all made up"],
      ["Declared at", el("code", {}, where.split("/").slice(-2).join("/"))],
    ]));
  }

  #schema(title, rows) {
    if (rows.length === 0) return el("p", { class: "quiet" }, `${title}: nothing.`);
    return el("details", {},
      el("summary", {}, `${title} (${rows.length})`),
      el("table", { class: "wide" },
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Where"), el("th", { scope: "col" }, "What holds"))),
        el("tbody", {}, rows.map((row) => el("tr", {}, el("td", {}, el("code", {}, row.path)), el("td", {}, row.rule))))));
  }
}

const COMMITS = {
  open: "as it is, unless the program must do more",
  receipt: "needs the receipt of a rehearsal",
  confirmed: "needs a receipt that the caller has confirmed",
};
