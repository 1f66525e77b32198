// The page of one endpoint: what it declares, a form to call it, and what came of it.
import { call, data, Refused } from "./api.js";
import { el, facts, focusOn, method, section } from "./elements.js";
import { Form } from "./form.js";
import { result } from "./result.js";

const BASES = { sandbox: "/sandbox", rehearse: "/rehearse", live: "" };

export class EndpointPage {
  #view;
  #board;
  #form;
  #result = el("section", { id: "result", "aria-live": "polite", "aria-label": "Result" });
  #person;
  #program;
  #modes;

  constructor(view, board, kept) {
    this.#view = view;
    this.#board = board;
    this.#form = new Form(view.fields, kept?.values ?? new Map());
    this.#person = choice("person", board.people.map((one) => [one.name, `${one.name}: ${one.holds.join(", ") || "no role"}`]), kept?.person ?? preferred(view, board));
    this.#program = choice("program", board.programs.map((one) => [one.name, `${one.name} (${one.kind}, ${one.state})`]), kept?.program ?? "dev-low-code");
    this.#modes = this.#switch(kept?.mode ?? "sandbox");
    if (kept?.shown) this.#result.append(...kept.shown);
  }

  // What a reload of the server must not lose.
  kept() {
    return {
      values: this.#form.values(), person: this.#person.value, program: this.#program.value,
      mode: this.#mode(), shown: [...this.#result.childNodes],
    };
  }

  parts() {
    const { brief, description, where } = this.#view;
    const form = el("form", { class: "sheet", "aria-label": `Call ${brief.id}`, novalidate: true },
      el("fieldset", {}, el("legend", {}, "Call it as"),
        el("div", { class: "pair" },
          el("div", {}, el("label", { for: "person" }, "Person"), this.#person),
          el("div", {}, el("label", { for: "program" }, "Program"), this.#program))),
      this.#modes,
      this.#form.element,
      el("div", { class: "row" }, el("button", { type: "submit" }, "Send")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send(form.querySelector("button"));
    });
    return [
      el("h1", {}, method(brief), brief.path),
      el("p", {}, brief.summary),
      description !== brief.summary ? el("p", { class: "quiet" }, description.slice(brief.summary.length).trim()) : null,
      section("Declared", "declared", this.#declared(where),
        this.#schema("What it takes", this.#view.takes), this.#schema("What it answers", this.#view.answers)),
      el("div", { class: "columns" }, section("Try it", "try", form), this.#result),
    ].filter(Boolean);
  }

  #declared(where) {
    const own = this.#view.facts;
    const uses = own.uses.map((one) => el("li", {},
      el("strong", {}, one.operation), ` ${one.kind}`, one.times > 1 ? ` ×${one.times}` : "",
      one.asks ? [" asks ", el("code", {}, one.asks)] : "", one.price ? ` costs ${one.price}` : ""));
    const real = this.#view.real;
    return el("div", { class: "sheet declared" }, facts([
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

  #switch(chosen) {
    const { live, real, brief } = this.#view;
    const liveText = live ? "Live: on made-up upstreams, which remember writes" : `Live is not offered here: ${real.join(", ") || "an upstream"} is real`;
    const rehearsed = brief.kind === "write" ? "Rehearse: all real but the writes" : "Rehearse: as live, with a report";
    const one = (mode, text, off = false) => el("label", { class: off ? "off" : mode },
      el("input", { type: "radio", name: "mode", value: mode, checked: mode === chosen && !off, disabled: off }), text);
    return el("fieldset", { class: "modes" }, el("legend", {}, "Mode"),
      one("sandbox", "Sandbox: made-up data, no upstream"), one("rehearse", rehearsed), one("live", liveText, !live));
  }

  #mode() {
    return this.#modes.querySelector("input:checked")?.value ?? "sandbox";
  }

  async #send(button, receipt = null) {
    this.#form.clear();
    const missing = this.#form.missing();
    if (missing.length) {
      this.#result.replaceChildren();
      this.#form.mark(missing).focus();
      return;
    }
    button.disabled = true;
    this.#result.setAttribute("aria-busy", "true");
    try {
      await this.#show(receipt ? "live" : this.#mode(), receipt);
    } catch (error) {
      const text = error instanceof Refused ? error.message : "The server did not answer. It may be starting anew; try again.";
      this.#result.replaceChildren(el("p", { class: "alarm", role: "alert" }, text));
    } finally {
      button.disabled = false;
      this.#result.removeAttribute("aria-busy");
    }
  }

  async #show(mode, receipt) {
    const { method: verb, path } = this.#view.brief;
    const who = { person: this.#person.value, program: this.#program.value };
    const more = receipt ? { "rehearsal-receipt": receipt } : {};
    const answer = await call(who, verb, BASES[mode] + this.#form.path(path), this.#form.body(), more);
    answer.method = verb;
    const rehearsal = await this.#rehearsal(who, answer);
    const trace = await data(`traces/${answer.trace}`).catch(() => null);
    const { element, heading } = result({ mode, answer, rehearsal, trace, live: this.#commit(mode, answer, rehearsal) });
    this.#result.replaceChildren(element);
    const marked = this.#form.mark(answer.value?.errors ?? []);
    if (marked) marked.focus();
    else focusOn(heading);
    heading.scrollIntoView({ block: "nearest" });
  }

  // A rehearsal is told where the answer links to, for its caller alone.
  async #rehearsal(who, answer) {
    const link = /<([^>]+)>;\s*rel="describedby"/.exec(answer.headers.get("link") ?? "");
    if (!link) return null;
    const told = await call(who, "GET", new URL(link[1], location.origin).pathname);
    return told.status === 200 ? told.value : null;
  }

  // With a receipt, what was rehearsed can be sent as it was: here only to upstreams that are made up.
  #commit(mode, answer, rehearsal) {
    const receipt = answer.headers.get("rehearsal-receipt");
    if (mode !== "rehearse" || !receipt || !this.#view.live) return null;
    const button = el("button", { type: "button", class: "second" }, "Send it live with this receipt");
    button.addEventListener("click", () => this.#send(button, receipt));
    const confirm = rehearsal && this.#mustConfirm()
      ? el("a", { href: `/confirm/${encodeURIComponent(rehearsal.id)}`, target: "_blank", rel: "noopener" }, "Confirm it as the person (opens a new tab)")
      : null;
    return el("p", { class: "row" }, confirm, button);
  }

  #mustConfirm() {
    const program = this.#board.programs.find((one) => one.name === this.#program.value);
    return this.#view.commit === "confirmed" || program?.kind === "copilot";
  }
}

const COMMITS = {
  open: "as it is, unless the program must do more",
  receipt: "needs the receipt of a rehearsal",
  confirmed: "needs a receipt that the caller has confirmed",
};

function choice(id, options, chosen) {
  return el("select", { id }, options.map(([value, text]) => el("option", { value, selected: value === chosen }, text)));
}

// Who holds a role that the endpoint wants.
function preferred(view, board) {
  const roles = view.facts.roles;
  const one = board.people.find((person) => person.holds.some((held) => roles.includes(held.split(" in ")[0])));
  return (one ?? board.people[0])?.name;
}
