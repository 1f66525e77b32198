// A text box for GraphQL that is not registered: `narrows dev` alone runs it, and the guards of its fields decide.
import { parsed } from "./api.js";
import { el, section } from "./elements.js";
import { Trying } from "./trying.js";

const BEGINNING = "{\n  __typename\n}\n";

export class GraphqlPage {
  #view;
  #text;
  #variables;
  #fault = el("p", { class: "fault", id: "text-fault", hidden: true });
  #trying;

  constructor(view, board, kept) {
    this.#view = view;
    this.#text = area("text", "12", kept?.text ?? BEGINNING);
    this.#variables = area("variables", "4", kept?.variables ?? "");
    this.#trying = new Trying({
      label: "Ask by GraphQL", kind: "write", commit: "open", live: view.live, real: view.real, roles: [],
      inputs: el("fieldset", {}, el("legend", {}, "What to ask"),
        el("div", { class: "field" },
          el("label", { for: "text" }, "Query or mutation"),
          el("p", { class: "hint", id: "text-hint" }, "One operation. Tab leaves the box."),
          this.#text, this.#fault),
        el("div", { class: "field" },
          el("label", { for: "variables" }, "Variables ", el("span", { class: "quiet" }, "(optional)")),
          el("p", { class: "hint", id: "variables-hint" }, "A JSON object."),
          this.#variables)),
      missing: () => this.#clear(),
      request: () => this.#request(),
      mark: (errors) => this.#mark(errors),
    }, board, kept);
  }

  // What a reload of the server must not lose.
  kept() {
    return { text: this.#text.value, variables: this.#variables.value, ...this.#trying.kept() };
  }

  parts() {
    return [
      el("h1", {}, "Ask by GraphQL"),
      el("p", {}, "Any text runs here, and only here: elsewhere a text must be a file in ", el("code", {}, "queries/"),
        ", declared with ", el("code", {}, "bff.document(…)"), "."),
      section("The schema", "schema",
        el("details", {}, el("summary", {}, "What can be asked"), el("pre", { tabindex: "0" }, this.#view.schema))),
      el("div", { class: "columns" }, section("Try it", "try", this.#trying.form()), this.#trying.result()),
    ];
  }

  #clear() {
    this.#text.removeAttribute("aria-invalid");
    this.#text.setAttribute("aria-describedby", "text-hint");
    this.#fault.hidden = true;
    this.#fault.textContent = "";
    return null;
  }

  #request() {
    const text = this.#text.value, written = this.#variables.value.trim();
    // Text that is no JSON goes out as it is: the server is asked what is wrong with it.
    const body = { query: text, ...(written ? { variables: parsed(written) } : {}) };
    return { method: "POST", path: "/graphql", body, writes: /\bmutation\b/.test(text) };
  }

  #mark(errors) {
    const own = errors.filter((error) => error.pointer === "/body/query");
    if (own.length === 0) return null;
    this.#text.setAttribute("aria-invalid", "true");
    this.#text.setAttribute("aria-describedby", "text-fault text-hint");
    this.#fault.hidden = false;
    this.#fault.replaceChildren(...own.flatMap((error, at) => [at ? el("br") : null, `${error.detail} ${error.remedy}`]).filter(Boolean));
    return this.#text;
  }
}

function area(id, rows, value) {
  const made = el("textarea", { id, name: id, rows, spellcheck: "false", autocapitalize: "off", "aria-describedby": `${id}-hint` });
  made.value = value;
  return made;
}
