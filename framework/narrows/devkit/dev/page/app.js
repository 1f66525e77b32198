// Which page this is, and what it does when the server starts anew.
import { data, Refused } from "./api.js";
import { board, refusedStart } from "./board.js";
import { el } from "./elements.js";
import { EndpointPage } from "./endpoint.js";
import { GraphqlPage } from "./graphql.js";

const LOOK_MS = 500;

const main = document.getElementById("main");
const state = document.getElementById("state");
const wanted = /^\/dev\/endpoints\/(.+)$/.exec(location.pathname)?.[1];

let generation = null;
let page = null;

function say(kind, text) {
  if (state.textContent === text) return;
  state.className = kind;
  state.textContent = text;
}

async function show(found) {
  const focused = document.activeElement?.id;
  if (found.refusals.length) {
    main.replaceChildren(...refusedStart(found.refusals));
    document.title = "Start refused – narrows dev";
    return;
  }
  const facts = await data("board");
  document.getElementById("bff").textContent = `${facts.facts.name} ${facts.facts.version}`;
  if (location.pathname === "/dev/graphql") {
    page = new GraphqlPage(await data("graphql"), facts, page?.kept());
    main.replaceChildren(...page.parts());
    document.title = "GraphQL – narrows dev";
  } else if (wanted) {
    const view = await data(`endpoints/${decodeURIComponent(wanted)}`);
    page = new EndpointPage(view, facts, page?.kept());
    main.replaceChildren(...page.parts());
    document.title = `${view.brief.method} ${view.brief.path} – narrows dev`;
  } else {
    main.replaceChildren(...board(facts));
    document.title = `${facts.facts.name} – narrows dev`;
  }
  if (focused) document.getElementById(focused)?.focus();
}

function failed(error) {
  if (error instanceof Refused && error.status === 404) {
    main.replaceChildren(el("h1", {}, "There is no such endpoint"), el("p", {}, el("a", { href: "/dev/" }, "All endpoints")));
  } else if (error instanceof Refused && error.status === 403) {
    main.replaceChildren(el("h1", {}, "This start is over"), el("p", {}, error.message));
  }
}

async function look() {
  try {
    const found = await data("state");
    if (found.generation !== generation) {
      const again = generation !== null;
      generation = found.generation;
      await show(found);
      if (found.refusals.length) say("bad", "start refused");
      else say("good", again ? `reloaded at ${new Date().toLocaleTimeString()}` : "serving");
    }
  } catch (error) {
    if (error instanceof Refused) failed(error);
    else say("wait", "starting anew …");
  }
  setTimeout(look, LOOK_MS);
}

look();
