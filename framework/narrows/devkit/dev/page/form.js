// The form of an endpoint: a labelled control for each field, its rule as a hint, and its error beside it.
import { el } from "./elements.js";
import { parsed } from "./api.js";

const SOURCES = { path: "In the path", query: "In the query", variables: "Variables", body: "In the body" };

export class Form {
  #fields;
  #controls = new Map();

  constructor(fields, kept) {
    this.#fields = fields;
    this.element = el("div", {}, Object.entries(SOURCES).map(([source, title]) => this.#group(source, title, kept)));
  }

  #group(source, title, kept) {
    const own = this.#fields.filter((field) => field.source === source);
    if (own.length === 0) return null;
    return el("fieldset", {}, el("legend", {}, title), own.map((field) => this.#field(field, kept)));
  }

  #field(field, kept) {
    const id = `field${field.pointer.replaceAll(/[^A-Za-z0-9]/g, "-")}`;
    const value = kept.get(field.pointer) ?? (field.filled ? field.example : "");
    const control = make(field, id, value);
    control.setAttribute("aria-describedby", `${id}-hint`);
    if (field.required) control.setAttribute("aria-required", "true");
    const fault = el("p", { class: "fault", id: `${id}-fault`, hidden: true });
    this.#controls.set(field.pointer, { field, control, fault, hint: `${id}-hint` });
    const optional = field.required ? "" : el("span", { class: "quiet" }, " (optional)");
    const usual = field.default === "" ? "" : `; ${field.default} if left out`;
    return el("div", { class: "field" },
      el("label", { for: id }, field.name, optional),
      el("p", { class: "hint", id: `${id}-hint` }, field.rule + usual),
      control, fault);
  }

  // What was typed, by pointer, so that a reload of the server loses nothing.
  values() {
    return new Map([...this.#controls].map(([pointer, { control }]) => [pointer, control.value]));
  }

  clear() {
    for (const { control, fault, hint } of this.#controls.values()) {
      control.removeAttribute("aria-invalid");
      control.setAttribute("aria-describedby", hint);
      fault.hidden = true;
      fault.textContent = "";
    }
  }

  // Marks the field that an error means: its own, or the one that holds it. Gives the first marked control.
  mark(errors) {
    let first = null;
    for (const error of errors) {
      const known = this.#nearest(error.pointer);
      if (!known) continue;
      const { control, fault, hint } = known;
      control.setAttribute("aria-invalid", "true");
      control.setAttribute("aria-describedby", `${fault.id} ${hint}`);
      fault.hidden = false;
      fault.append(...(fault.textContent ? [document.createElement("br")] : []), `${error.detail} ${error.remedy}`);
      first ??= control;
    }
    return first;
  }

  #nearest(pointer) {
    for (let at = pointer; at !== ""; at = at.slice(0, at.lastIndexOf("/"))) {
      if (this.#controls.has(at)) return this.#controls.get(at);
    }
    return null;
  }

  // Path values that are empty, or that a browser takes for the way up, would make another path, even out of the sandbox
  // or the rehearsal: they are told here, by the server's own rule.
  missing() {
    return this.#fields
      .filter((field) => field.source === "path" && ["", ".", ".."].includes(this.#controls.get(field.pointer).control.value))
      .map((field) => ({ pointer: field.pointer, detail: "It must not be empty, `.` or `..`.", remedy: `Send ${field.rule}.` }));
  }

  path(template) {
    let path = template;
    for (const [pointer, { field, control }] of this.#controls) {
      if (field.source === "path") path = path.replace(`{${unescaped(pointer)}}`, encodeURIComponent(control.value));
    }
    const query = new URLSearchParams();
    for (const { field, control } of this.#controls.values()) {
      if (field.source !== "query" || control.value === "") continue;
      const value = field.kind === "json" ? parsed(control.value) : control.value;
      for (const item of Array.isArray(value) ? value : [value]) query.append(field.name, textOf(item));
    }
    return query.size ? `${path}?${query}` : path;
  }

  body() {
    return this.#object("body");
  }

  // The variables of a document.
  variables() {
    return this.#object("variables") ?? {};
  }

  #object(source) {
    const own = [...this.#controls].filter(([, { field }]) => field.source === source);
    if (own.length === 0) return undefined;
    const whole = {};
    for (const [pointer, { field, control }] of own) {
      if (control.value === "" && !field.required) continue;
      put(whole, pointer.split("/").slice(2).map(unescapedPart), valueOf(field, control.value));
    }
    return whole;
  }
}

function make(field, id, value) {
  const choices = field.kind === "boolean" ? ["true", "false"] : field.choices;
  if (choices.length > 0) {
    const empty = field.required ? [] : [""];
    return el("select", { id, name: field.pointer },
      [...empty, ...choices].map((choice) => el("option", { value: choice, selected: choice === value }, choice || "–")));
  }
  if (field.kind === "json") {
    const area = el("textarea", { id, name: field.pointer, rows: "4", spellcheck: "false", placeholder: field.example });
    area.value = value;
    return area;
  }
  const mode = field.kind === "number" ? { inputmode: "decimal" } : {};
  const input = el("input", { id, name: field.pointer, autocomplete: "off", spellcheck: "false", placeholder: field.example, ...mode });
  input.value = value;
  return input;
}

// Text that is no number goes out as it is: the server is asked what is wrong with it.
function valueOf(field, text) {
  if (field.kind === "text" || field.kind === "choice") return text;
  return parsed(text);
}

function textOf(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function put(whole, names, value) {
  const last = names.pop();
  let at = whole;
  for (const name of names) at = at[name] ??= {};
  at[last] = value;
}

function unescaped(pointer) {
  return unescapedPart(pointer.split("/").slice(2).join("/"));
}

function unescapedPart(part) {
  return part.replaceAll("~1", "/").replaceAll("~0", "~");
}
