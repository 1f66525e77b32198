// Ask graphql-http's audits of a server, with a token, and tell what came of each and what was sent.
// Argument 1 is the folder into which the package is installed; stdin is {"url", "token"}, and stdout is JSON.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const { serverAudits } = createRequire(join(process.argv[2], "package.json"))("graphql-http");
const { url, token } = JSON.parse(readFileSync(0, "utf8"));

let sent = [];

async function fetchFn(where, options = {}) {
  const headers = { ...options.headers };
  sent.push({ method: options.method ?? "GET", query: new URL(where).search, headers, body: options.body ?? null });
  return fetch(where, { ...options, headers: { ...headers, authorization: `Bearer ${token}` }, redirect: "error" });
}

const results = [];
// One after the other, so that it is known which audit sent what.
for (const audit of serverAudits({ url, fetchFn })) {
  sent = [];
  const { status, reason } = await audit.fn();
  results.push({ id: audit.id, name: audit.name, status, reason, requests: sent });
}
process.stdout.write(JSON.stringify(results));
