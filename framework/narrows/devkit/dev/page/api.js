// What the pages ask of the dev server, and the calls that they make of the BFF the ordinary way.

export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

export async function data(path) {
  const response = await fetch(`/dev/api/${path}`, { cache: "no-store", redirect: "error" });
  if (!response.ok) throw new Refused(response.status, (await response.text()).trim());
  return response.json();
}

const tokens = new Map();

// A token is kept in this page's memory until shortly before it ends.
async function token(person, program) {
  const key = JSON.stringify([person, program]);
  const known = tokens.get(key);
  if (known && known.until > Date.now()) return known.token;
  const response = await fetch("/dev/api/token", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ person, program }),
    redirect: "error",
  });
  if (!response.ok) throw new Refused(response.status, (await response.text()).trim());
  const signed = await response.json();
  tokens.set(key, { token: signed.token, until: Date.now() + (signed.expires_in - 60) * 1000 });
  return signed.token;
}

function hex(bytes) {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Calls the BFF as a person with a program; the trace begins here, so that its id is known.
export async function call({ person, program }, method, path, body, more = {}) {
  const trace = hex(16);
  const headers = {
    accept: "application/json",
    authorization: `Bearer ${await token(person, program)}`,
    traceparent: `00-${trace}-${hex(8)}-01`,
    ...more,
  };
  if (body !== undefined) headers["content-type"] = "application/json";
  const response = await fetch(path, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: "omit",
    redirect: "error",
    cache: "no-store",
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, value: parsed(text), trace };
}

export function parsed(text) {
  try {
    return text === "" ? undefined : JSON.parse(text);
  } catch {
    return text;
  }
}
