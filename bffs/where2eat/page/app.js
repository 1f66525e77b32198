// The page: asks, shows, rehearses and books. What it shows comes as text into elements made one by one.

import { Api, Problem } from "./api.js";
import { button, el } from "./elements.js";
import { draw, length } from "./map.js";
import { lookUpDetails, problemCard, rehearsalCard } from "./report.js";
import { begin, finish, SignInError } from "./signin.js";

const CLIENT_ID = document.querySelector('meta[name="client-id"]').content;
const SUBMIT = { live: "Go on to book", rehearse: "Rehearse the booking", sandbox: "Try it in the sandbox" };
const HEADINGS = {
  rehearse: "Nothing is booked yet. This is what a real booking would do",
  sandbox: "Nothing was called. This is what a real call would do",
};

const at = (id) => document.getElementById(id);
const ask = at("ask");
const book = at("book");
const dialog = at("booking");

let session = null;
let mode = "rehearse";
let chosen = null; // the place in the dialog
const placeNames = new Map();

// Signing in

function showAccount() {
  at("account").textContent = session ? "Signed in" : "Not signed in";
  at("sign-in").hidden = session !== null;
  at("sign-out").hidden = session === null;
  ask.querySelector("button").disabled = session === null;
}

async function signOut(reason) {
  const ended = session;
  session = null;
  clearResults();
  showAccount();
  say(reason);
  await ended?.end().catch(() => undefined); // the token is forgotten here in any case
}

// Asking

async function find() {
  clearResults();
  const { team, time, limit } = ask.elements;
  const { data: answer, rehearsal } = await new Api(session).lunch(mode, whole(team.value), moment(time.value), whole(limit.value));
  const { team: eaters, dining_suggestions: places, team_bookings: bookings } = answer.data;
  for (const place of places) placeNames.set(place.place_id, place.name);
  for (const booking of bookings) if (booking.place) placeNames.set(booking.place_id, booking.place.name);
  showPlaces(places);
  at("touched").replaceChildren(...(rehearsal ? [lookUpDetails(rehearsal)] : []));
  showBookings(bookings);
  const found = `${many(places.length, "place")} where everybody in team ${team.value} can eat: ${diners(eaters)}.`;
  say(places.length ? found : `No place suits everybody: ${diners(eaters)}. Ask for another time.`);
}

/** How many come, and what they eat. */
function diners({ size, eaters }) {
  const kinds = [[eaters.vegetarian, "vegetarian"], [eaters.vegan, "vegan"]].filter(([count]) => count > 0);
  const told = kinds.map(([count, kind]) => `${count} ${kind}`).join(", ");
  return told ? `${many(size, "member")}, of them ${told}` : many(size, "member");
}

function showPlaces(places) {
  at("results").hidden = places.length === 0;
  if (!places.length) return;
  const cards = places.map((place, index) => placeCard(place, index));
  const mark = draw(at("map"), places, { focused: (index) => choose(index), opened: (index) => cards[index].querySelector("button").focus() });
  const choose = (index) => {
    mark(index);
    cards.forEach((card, i) => card.classList.toggle("current", i === index));
  };
  cards.forEach((card, index) => {
    card.addEventListener("focusin", () => choose(index));
    card.addEventListener("pointerenter", () => choose(index));
  });
  at("places").replaceChildren(...cards);
  choose(0);
}

function placeCard(place, index) {
  const diets = [place.vegan ? "vegan" : null, place.vegetarian ? "vegetarian" : null].filter(Boolean);
  const kinds = place.cuisine.map((kind) => kind.replaceAll("_", " ")).join(", ");
  return el(
    "li",
    { class: "place" },
    el("span", { class: "number", "aria-hidden": "true" }, String(index + 1)),
    el(
      "div",
      { class: "about" },
      el("h3", {}, place.name),
      el("p", {}, [kinds, length(place.distance_m)].filter(Boolean).join(" · ")),
      el("p", { class: "tags" }, diets.map((diet) => el("span", { class: "tag" }, diet)), openingTag(place)),
      place.opening_hours ? el("p", { class: "hours" }, place.opening_hours) : null,
    ),
    button("Book…", () => openDialog(place), { "aria-label": `Book ${place.name}` }),
  );
}

function openingTag({ open }) {
  const text = { true: "Open then", false: "Closed then" }[open] ?? "Hours unknown";
  return el("span", { class: open === false ? "tag closed" : "tag plain" }, text);
}

function clearResults() {
  at("results").hidden = true;
  at("booked").hidden = true;
  at("places").replaceChildren();
  at("touched").replaceChildren();
  at("bookings").replaceChildren();
}

// Bookings

function showBookings(bookings) {
  at("booked").hidden = false;
  at("bookings").replaceChildren(...(bookings.length ? bookings.map(bookingLine) : [el("li", { class: "none" }, "None yet.")]));
}

async function refreshBookings() {
  const { data } = await new Api(session).bookings(mode, ask.elements.team.value.trim());
  showBookings(data);
}

function bookingLine(booking) {
  const place = placeNames.get(booking.place_id) ?? booking.place_id;
  const when = localTime(booking.starts_at, "medium");
  const outcome = el("div", { role: "status" });
  const act = () => guarded(() => cancelBooking(booking, outcome), outcome);
  const cancel = button("Cancel", act, { class: "quiet", "aria-label": `Cancel ${place}, ${when}` });
  const facts = [when, many(booking.seats, "seat"), booking.note].filter(Boolean).join(" · ");
  return el("li", {}, el("div", { class: "about" }, el("b", {}, place), el("p", {}, facts)), cancel, outcome);
}

async function cancelBooking(booking, outcome) {
  const { rehearsal } = await new Api(session).cancel(rehearsing(), booking.id);
  const heading = "Nothing is cancelled yet. This is what a real cancellation would do";
  const real = () => guarded(() => cancelForReal(booking, rehearsal), outcome);
  outcome.replaceChildren(rehearsalCard(rehearsal, heading, committing(rehearsal, "Cancel it for real now", real)));
  outcome.querySelector("h3").focus();
  say("Rehearsed; nothing was cancelled.");
}

async function cancelForReal(booking, rehearsal) {
  await new Api(session).cancel("live", booking.id, rehearsal.receipt);
  await refreshBookings();
  say("The booking is cancelled.");
}

/** What is real is rehearsed first too: the receipt lets exactly that happen which is shown, once. */
function rehearsing() {
  return mode === "sandbox" ? "sandbox" : "rehearse";
}

/** The button that does for real what is shown; a rehearsal without a receipt, as the sandbox's, has none. */
function committing(rehearsal, text, act) {
  return rehearsal.receipt ? el("p", { class: "buttons" }, button(text, act, { class: "live" })) : null;
}

function openDialog(place) {
  chosen = place;
  at("booking-title").textContent = `Book ${place.name}`;
  at("book-submit").textContent = SUBMIT[mode];
  book.elements.time.value = ask.elements.time.value || nextLunch();
  at("book-problem").replaceChildren();
  at("outcome").replaceChildren();
  dialog.showModal();
}

async function bookChosen() {
  const { time, seats, note } = book.elements;
  const wanted = { place_id: chosen.place_id, starts_at: moment(time.value), seats: whole(seats.value) };
  if (note.value) wanted.note = note.value;
  const team = ask.elements.team.value.trim();
  const { rehearsal } = await new Api(session).book(rehearsing(), team, wanted);
  const real = () => guarded(() => bookForReal(team, wanted, rehearsal), at("book-problem"));
  const further = committing(rehearsal, "Book it for real now", real);
  showOutcome(rehearsalCard(rehearsal, HEADINGS[rehearsing()], further));
  say("Rehearsed; nothing was booked.");
}

/** Book what was rehearsed, not what stands in the form by now. */
async function bookForReal(team, wanted, rehearsal) {
  const { data } = await new Api(session).book("live", team, wanted, rehearsal.receipt);
  showOutcome(booked(data));
  await refreshBookings();
  say("Booked.");
}

function showOutcome(card) {
  at("outcome").replaceChildren(card);
  at("outcome").querySelector("h3").focus();
}

function booked(booking) {
  const facts = [chosen.name, localTime(booking.starts_at, "full"), many(booking.seats, "seat")].join(", ");
  const words = el("p", {}, `${facts}. The booking is `, el("code", {}, booking.id), ".");
  return el("section", { class: "done" }, el("h3", { tabindex: -1 }, "Booked"), words);
}

// What everything goes through

/** Run `act`; a problem is shown in `place`, the fields that it names are marked. */
async function guarded(act, place) {
  place.replaceChildren();
  unmark();
  say("Working…");
  try {
    await act();
    if (at("status").textContent === "Working…") say("Done.");
  } catch (error) {
    say("");
    await failed(error, place);
  }
}

async function failed(error, place) {
  if (error instanceof Problem) {
    const card = problemCard(error.document);
    place.append(card);
    card.querySelectorAll("[data-pointer]").forEach(markField);
    document.querySelector("[aria-invalid]")?.focus();
    if (error.status === 401) await signOut("The sign-in has ended. Sign in again.");
  } else {
    const title = error instanceof SignInError ? "Signing in failed" : "The server cannot be reached";
    place.append(problemCard({ title, detail: error.message, remedy: "Check that the server runs, then try again." }));
  }
}

/** Mark the field that a line of a problem is about; the line describes it for those who do not see the colour. */
function markField(line) {
  const field = document.querySelector(`[data-field="${CSS.escape(line.dataset.pointer.replace(/^\//, ""))}"]`);
  if (!field) return;
  line.id = `wrong-${field.dataset.field.replaceAll("/", "-")}`;
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-describedby", line.id);
}

function unmark() {
  for (const field of document.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-describedby");
  }
}

function say(text) {
  at("status").textContent = text;
}

function many(count, thing) {
  return count === 1 ? `1 ${thing}` : `${count} ${thing}s`;
}

/** A whole number, or the text itself, so that the server can say what is wrong with it. */
function whole(text) {
  return /^\d{1,9}$/.test(text.trim()) ? Number(text) : text;
}

/** A time of the server (RFC 3339) as people write it here. */
function localTime(moment, dateStyle) {
  return new Date(moment).toLocaleString([], { dateStyle, timeStyle: "short" });
}

/** A local time as RFC 3339 in UTC. */
function moment(local) {
  return local ? new Date(local).toISOString().replace(".000Z", "Z") : "";
}

/** The next half past twelve, as a datetime-local field takes it. */
function nextLunch() {
  const lunch = new Date();
  if (lunch.getHours() >= 12) lunch.setDate(lunch.getDate() + 1);
  const two = (number) => String(number).padStart(2, "0");
  return `${lunch.getFullYear()}-${two(lunch.getMonth() + 1)}-${two(lunch.getDate())}T12:30`;
}

function setMode(chosenMode) {
  mode = chosenMode;
  document.body.dataset.mode = mode;
  at("problem").replaceChildren();
  clearResults();
  say(session ? "Press “Find places”." : "Sign in to begin.");
}

function start() {
  ask.elements.time.value = nextLunch();
  ask.addEventListener("change", (event) => event.target.name === "mode" && setMode(event.target.value));
  ask.addEventListener("submit", (event) => {
    event.preventDefault();
    guarded(find, at("problem"));
  });
  book.addEventListener("submit", (event) => {
    event.preventDefault();
    at("outcome").replaceChildren();
    guarded(() => bookChosen(), at("book-problem"));
  });
  at("book-close").addEventListener("click", () => dialog.close());
  at("sign-in").addEventListener("click", () => guarded(() => begin(CLIENT_ID), at("problem")));
  at("sign-out").addEventListener("click", () => signOut("Signed out."));
  mode = ask.elements.mode.value; // a browser may have kept the choice over a reload
  document.body.dataset.mode = mode;
  showAccount();
  guarded(async () => {
    session = await finish(CLIENT_ID);
    showAccount();
    say(session ? "You are signed in. Press “Find places”." : "Sign in to begin.");
    if (session) ask.querySelector("button").focus();
  }, at("problem"));
}

start();
