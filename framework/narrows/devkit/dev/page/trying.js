// Trying something of the BFF: as whom, in which mode, and what came of it.
import { call, data, Refused } from "./api.js";
import { el, focusOn } from "./elements.js";
import { problemIn, result } from "./result.js";

const BASES = { sandbox: "/sandbox", rehearse: "/rehearse", live: "" };

export class Trying {
  #what;
  #board;
  #result = el("section", { id: "result", "aria-live": "polite", "aria-label": "Result" });
  #person;
  #program;
  #modes;

  // `what` is {label, kind, commit, live, real, roles}, and what is asked: `inputs` is an element, `missing()` marks what is
  // not filled in and gives it, `request()` is {method, path, body}, `mark(errors)` shows errors and gives the first place.
  constructor(what, board, kept) {
    this.#what = what;
    this.#board = board;
    this.#person = choice("person", board.people.map((one) => [one.name, `${one.name}: ${one.holds.join(", ") || "no role"}`]), kept?.person ?? preferred(what.roles, board));
    this.#program = choice("program", board.programs.map((one) => [one.name, `${one.name} (${one.kind}, ${one.state})`]), kept?.program ?? "dev-low-code");
    this.#modes = this.#switch(kept?.mode ?? "sandbox");
    if (kept?.shown) this.#result.append(...kept.shown);
  }

  // What a reload of the server must not lose.
  kept() {
    return { person: this.#person.value, program: this.#program.value, mode: this.#mode(), shown: [...this.#result.childNodes] };
  }

  result() {
    return this.#result;
  }

  form() {
    const form = el("form", { class: "sheet", "aria-label": this.#what.label, novalidate: true },
      el("fieldset", {}, el("legend", {}, "Call it as"),
        el("div", { class: "pair" },
          el("div", {}, el("label", { for: "person" }, "Person"), this.#person),
          el("div", {}, el("label", { for: "program" }, "Program"), this.#program))),
      this.#modes,
      this.#what.inputs,
      el("div", { class: "row" }, el("button", { type: "submit" }, "Send")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send(form.querySelector("button"));
    });
    return form;
  }

  #switch(chosen) {
    const { live, real, kind } = this.#what;
    const liveText = live ? "Live: on made-up upstreams, which remember writes" : `Live is not offered here: ${real.join(", ") || "an upstream"} is real`;
    const rehearsed = kind === "write" ? "Rehearse: all real but the writes" : "Rehearse: as live, with a report";
    const one = (mode, text, off = false) => el("label", { class: off ? "off" : mode },
      el("input", { type: "radio", name: "mode", value: mode, checked: mode === chosen && !off, disabled: off }), text);
    return el("fieldset", { class: "modes" }, el("legend", {}, "Mode"),
      one("sandbox", "Sandbox: made-up data, no upstream"), one("rehearse", rehearsed), one("live", liveText, !live));
  }

  #mode() {
    return this.#modes.querySelector("input:checked")?.value ?? "sandbox";
  }

  async #send(button, receipt = null) {
    const missing = this.#what.missing();
    if (missing) {
      this.#result.replaceChildren();
      missing.focus();
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
    const { method, path, body, writes = this.#what.kind === "write" } = this.#what.request();
    const who = { person: this.#person.value, program: this.#program.value };
    const more = receipt ? { "rehearsal-receipt": receipt } : {};
    const answer = await call(who, method, BASES[mode] + path, body, more);
    answer.writes = writes;
    const rehearsal = await this.#rehearsal(who, answer);
    const trace = await data(`traces/${answer.trace}`).catch(() => null);
    const { element, heading } = result({ mode, answer, rehearsal, trace, live: this.#commit(mode, answer, rehearsal) });
    this.#result.replaceChildren(element);
    const marked = this.#what.mark(problemIn(answer)?.errors ?? []);
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
    if (mode !== "rehearse" || !receipt || !this.#what.live) return null;
    const button = el("button", { type: "button", class: "second" }, "Send it live with this receipt");
    button.addEventListener("click", () => this.#send(button, receipt));
    const confirm = rehearsal && this.#mustConfirm()
      ? el("a", { href: `/confirm/${encodeURIComponent(rehearsal.id)}`, target: "_blank", rel: "noopener" }, "Confirm it as the person (opens a new tab)")
      : null;
    return el("p", { class: "row" }, confirm, button);
  }

  #mustConfirm() {
    const program = this.#board.programs.find((one) => one.name === this.#program.value);
    return this.#what.commit === "confirmed" || program?.kind === "copilot";
  }
}

function choice(id, options, chosen) {
  return el("select", { id }, options.map(([value, text]) => el("option", { value, selected: value === chosen }, text)));
}

// Who holds a role that is wanted.
function preferred(roles, board) {
  const one = board.people.find((person) => person.holds.some((held) => roles.includes(held.split(" in ")[0])));
  return (one ?? board.people[0])?.name;
}
