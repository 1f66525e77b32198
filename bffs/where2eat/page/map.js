// Draws the suggestions as a map-like picture: true directions and distances, no tiles from anybody.

import { svg } from "./elements.js";

const MARGIN = 52;
const RADIUS = 17;
const LETTER = 8.5; // about the width of one in the label
const METRES_PER_DEGREE = 111_195; // of latitude, on the mean sphere
const STEPS = [10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000];
const WINDS = ["east", "north-east", "north", "north-west", "west", "south-west", "south", "south-east"];

/**
 * Draw `places` into `canvas`. `focused(index)` is told which marker has the focus or the pointer, `opened(index)` which
 * one was pressed. Returns `mark(index)`, which shows one as the current one.
 */
export function draw(canvas, places, { focused, opened }) {
  const points = project(places);
  const office = meetingPoint(points, places.map((place) => place.distance_m));
  const size = paper(canvas);
  const view = fit(office ? [...points, office] : points, size);
  const spots = apart(points.map(view.at), size);
  const markers = places.map((place, index) => marker(place, index, spots[index], wind(points[index], office)));
  markers.forEach((each, index) => {
    each.addEventListener("focus", () => focused(index));
    each.addEventListener("pointerenter", () => focused(index));
    each.addEventListener("click", () => opened(index));
    each.addEventListener("keydown", (event) => keyed(event, markers, index, opened));
  });
  const label = svg("text", { class: "label", "aria-hidden": "true" });
  canvas.replaceChildren(...ground(office, view), ...leaders(points.map(view.at), spots), ...legend(view), ...markers, label);
  return (index) => {
    mark(markers, index);
    name(label, places[index].name, spots[index], size);
  };
}

function keyed(event, markers, index, opened) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (step) markers[(index + step + markers.length) % markers.length].focus();
  else if (event.key === "Enter" || event.key === " ") opened(index);
  else return;
  event.preventDefault();
}

/** Metres east and north of the middle of all places. */
function project(places) {
  const lat0 = mean(places.map((place) => place.lat));
  const lon0 = mean(places.map((place) => place.lon));
  const shrink = Math.cos((lat0 * Math.PI) / 180);
  return places.map(({ lat, lon }) => ({ x: (lon - lon0) * METRES_PER_DEGREE * shrink, y: (lat - lat0) * METRES_PER_DEGREE }));
}

/** Where the distances of all places meet, which is the office, by least squares; null if they do not meet. */
function meetingPoint(points, distances) {
  if (points.length < 3) return null;
  const squares = points.map(({ x, y }, i) => x * x + y * y - distances[i] ** 2);
  const [mx, my, ms] = [mean(points.map((p) => p.x)), mean(points.map((p) => p.y)), mean(squares)];
  let [xx, xy, yy, xs, ys] = [0, 0, 0, 0, 0];
  points.forEach((point, i) => {
    const [x, y, s] = [2 * (point.x - mx), 2 * (point.y - my), squares[i] - ms];
    [xx, xy, yy, xs, ys] = [xx + x * x, xy + x * y, yy + y * y, xs + x * s, ys + y * s];
  });
  const determinant = xx * yy - xy * xy;
  const office = { x: (xs * yy - ys * xy) / determinant, y: (ys * xx - xs * xy) / determinant };
  const off = points.map((point, i) => Math.abs(Math.hypot(point.x - office.x, point.y - office.y) - distances[i]));
  return Math.max(...off) < 15 ? office : null; // NaN, from a zero determinant, is not smaller either
}

/** The picture's size; one that is drawn small gets fewer units, so that its numbers stay readable. */
function paper(canvas) {
  const width = Math.min(Math.max(canvas.clientWidth, 320), 640);
  const height = Math.round(width * 0.75);
  canvas.setAttribute("viewBox", `0 0 ${width} ${height}`);
  return { width, height };
}

function fit(points, { width, height }) {
  const [xs, ys] = [points.map((p) => p.x), points.map((p) => p.y)];
  const [left, right, bottom, top] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const scale = Math.min((width - 2 * MARGIN) / Math.max(right - left, 50), (height - 2 * MARGIN) / Math.max(top - bottom, 50));
  const [cx, cy] = [(left + right) / 2, (bottom + top) / 2];
  return { width, height, scale, at: ({ x, y }) => ({ x: width / 2 + (x - cx) * scale, y: height / 2 - (y - cy) * scale }) };
}

/** Push markers apart that would hide each other; a leader line then leads to the true spot. */
function apart(spots, { width, height }) {
  const moved = spots.map((spot, index) => ({ x: spot.x + index * 0.01, y: spot.y }));
  for (let round = 0; round < 60; round += 1) {
    for (let i = 0; i < moved.length; i += 1) for (let j = i + 1; j < moved.length; j += 1) push(moved[i], moved[j]);
  }
  return moved.map(({ x, y }) => ({ x: within(x, width), y: within(y, height) }));
}

function push(one, other) {
  const [dx, dy] = [other.x - one.x, other.y - one.y];
  const distance = Math.hypot(dx, dy);
  const lack = (2 * RADIUS + 4 - distance) / 2;
  if (lack <= 0) return;
  const [ux, uy] = [(dx / distance) * lack, (dy / distance) * lack];
  [one.x, one.y, other.x, other.y] = [one.x - ux, one.y - uy, other.x + ux, other.y + uy];
}

function within(value, size) {
  return Math.min(Math.max(value, RADIUS + 4), size - RADIUS - 4);
}

function ground(office, view) {
  const { width, height } = view;
  const sheet = svg("rect", { class: "paper", width, height, rx: 12 });
  if (!office) return [sheet];
  const { x, y } = view.at(office);
  const far = Math.max(...[0, width].flatMap((cx) => [0, height].map((cy) => Math.hypot(cx - x, cy - y))));
  const step = niceStep(view);
  const distances = Array.from({ length: Math.floor(far / view.scale / step) }, (_, i) => (i + 1) * step).reverse();
  const rings = distances.map((metres) => svg("circle", { class: "ring", cx: x, cy: y, r: metres * view.scale }));
  const labels = distances.map((metres) => ringLabel(metres, view.at(office), view));
  const house = svg("path", { d: "M-9 9V-2L0-10 9-2V9Z" });
  const home = svg("g", { class: "office", transform: `translate(${x} ${y})` }, house, svg("text", { y: 26 }, "Office"));
  return [sheet, ...rings, ...labels, home];
}

/** How far a ring is, written where it is the first to lie well inside: above, below, right or left of the office. */
function ringLabel(metres, { x, y }, { width, height, scale }) {
  const r = metres * scale;
  const free = [[x, y - r], [x, y + r], [x + r, y], [x - r, y]].find(([cx, cy]) => cx > 30 && cx < width - 44 && cy > 14 && cy < height - 14);
  return free ? svg("text", { class: "ring-label", x: free[0], y: free[1] + 4 }, length(metres)) : "";
}

function legend(view) {
  const step = niceStep(view);
  const bottom = view.height - 24;
  const scale = svg("path", { class: "line", d: `M16 ${bottom}v6h${step * view.scale}v-6` });
  const arrow = [svg("path", { d: "M0-18 7 4 0 0-7 4Z" }), svg("text", { y: 20 }, "N")];
  const north = svg("g", { class: "north", transform: `translate(${view.width - 26} 34)` }, arrow);
  return [scale, svg("text", { class: "scale", x: 18, y: bottom - 4 }, length(step)), north];
}

function niceStep(view) {
  return STEPS.find((step) => step * view.scale >= 55) ?? STEPS.at(-1);
}

function leaders(from, to) {
  const far = from.map((spot, i) => ({ spot, end: to[i] })).filter(({ spot, end }) => Math.hypot(spot.x - end.x, spot.y - end.y) > 4);
  return far.flatMap(({ spot, end }) => [
    svg("path", { class: "line", d: `M${spot.x} ${spot.y}L${end.x} ${end.y}` }),
    svg("circle", { class: "spot", cx: spot.x, cy: spot.y, r: 3 }),
  ]);
}

function marker(place, index, { x, y }, direction) {
  const where = direction ? `${length(place.distance_m)} ${direction} of the office` : length(place.distance_m);
  return svg(
    "g",
    {
      class: "marker",
      tabindex: index === 0 ? 0 : -1,
      role: "button",
      transform: `translate(${x} ${y})`,
      "aria-label": `${index + 1}: ${place.name}, ${where}. Enter leads to it in the list.`,
    },
    svg("circle", { r: RADIUS }),
    svg("text", { class: "number", "aria-hidden": "true" }, String(index + 1)),
  );
}

/** Put the name of the current place beside its marker, above all others and inside the picture. */
function name(label, text, { x, y }, { width }) {
  const most = Math.floor((width - 16) / LETTER);
  const shown = text.length > most ? `${text.slice(0, most - 1)}…` : text;
  const half = (shown.length * LETTER) / 2 + 8;
  label.textContent = shown;
  label.setAttribute("x", Math.max(half, Math.min(x, width - half)));
  label.setAttribute("y", y < 60 ? y + RADIUS + 20 : y - RADIUS - 9);
}

/** Show marker `index` as the current one; it alone is then reached by Tab, the others by the arrow keys. */
function mark(markers, index) {
  markers.forEach((each, i) => {
    each.setAttribute("tabindex", i === index ? 0 : -1);
    if (i === index) each.setAttribute("aria-current", "true");
    else each.removeAttribute("aria-current");
  });
}

function wind(point, office) {
  if (!office) return null;
  const turn = Math.round((Math.atan2(point.y - office.y, point.x - office.x) / Math.PI) * 4);
  return WINDS[(turn + 8) % 8];
}

/** A length in metres or kilometres, for people. */
export function length(metres) {
  return metres < 1_000 ? `${metres} m` : `${Number((metres / 1_000).toFixed(1))} km`;
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
