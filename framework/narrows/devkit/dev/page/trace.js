// The waterfall of a trace: one row for each step, operation and request, its bar drawn to scale.
import { el, svg } from "./elements.js";

const DEPTH = { call: 0, step: 1, operation: 2, request: 3 };
const WORDS = { call: "the call", step: "step", operation: "operation", request: "request" };

export function waterfall(trace) {
  const whole = Math.max(0.001, ...trace.lines.map((line) => line.start_ms + line.took_ms));
  const rows = trace.lines.map((line) =>
    el("tr", {},
      el("th", { scope: "row", class: `in${DEPTH[line.kind]}` }, line.name, line.failed ? " ✗" : "",
        el("span", { class: "quiet" }, line.kind === "step" ? "" : ` ${WORDS[line.kind]}`)),
      el("td", { class: "bars" }, bar(line, whole)),
      el("td", { class: "ms" }, `${line.took_ms.toFixed(2)} ms`)));
  return el("table", { class: "trace" },
    el("caption", { class: "small quiet" }, `${whole.toFixed(1)} ms in all; trace ${trace.trace_id}`),
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "What"), el("th", { scope: "col" }, "When"), el("th", { scope: "col" }, "Took"))),
    el("tbody", {}, rows));
}

function bar(line, whole) {
  const x = (line.start_ms / whole) * 1000;
  const width = Math.max(4, (line.took_ms / whole) * 1000);
  return svg("svg", { viewBox: "0 0 1000 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { x: Math.min(x, 996), y: 1, width, height: 8, class: line.failed ? "failed" : line.kind }));
}
