// Calls the BFF under one of its three base paths. The mode is the path, so no header can be lost on the way.

const BASES = { live: "", rehearse: "/rehearse", sandbox: "/sandbox" };

/** A refusal in the form of RFC 9457. */
export class Problem extends Error {
  constructor(status, document) {
    super(document.title ?? `The server answered ${status}`);
    this.status = status;
    this.document = { title: this.message, ...document };
  }
}

export class Api {
  #session;

  constructor(session) {
    this.#session = session;
  }

  suggestions(mode, team, openAt, limit) {
    const query = new URLSearchParams(openAt ? { open_at: openAt, limit } : { limit });
    return this.#call(mode, "GET", `/teams/${encodeURIComponent(team)}/dining-suggestions?${query}`);
  }

  bookings(mode, team) {
    return this.#call(mode, "GET", `/teams/${encodeURIComponent(team)}/bookings`);
  }

  /** A live booking shows the receipt of its rehearsal, so that exactly what was shown happens, and once. */
  book(mode, team, wanted, receipt) {
    return this.#call(mode, "POST", `/teams/${encodeURIComponent(team)}/bookings`, wanted, receipt);
  }

  cancel(mode, id, receipt) {
    return this.#call(mode, "DELETE", `/bookings/${encodeURIComponent(id)}`, undefined, receipt);
  }

  /** The answer as `{data, rehearsal}`; `rehearsal` says what the call touched and would have done, null when live. */
  async #call(mode, method, path, body, receipt) {
    const response = await this.#fetch(method, BASES[mode] + path, body, receipt);
    const data = response.status === 204 ? null : await response.json();
    const described = describedBy(response);
    return { data, rehearsal: described && (await (await this.#fetch("GET", described)).json()) };
  }

  async #fetch(method, path, body, receipt) {
    const headers = { authorization: this.#session.authorization, accept: "application/json" };
    if (body !== undefined) headers["content-type"] = "application/json";
    if (receipt) headers["rehearsal-receipt"] = receipt;
    const response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "omit",
      redirect: "error",
      cache: "no-store",
    });
    if (!response.ok) throw new Problem(response.status, await document(response));
    return response;
  }
}

async function document(response) {
  try {
    return await response.json();
  } catch {
    return {}; // a proxy in between may answer in its own words
  }
}

/** The path of the rehearsal that `Link: <…>; rel="describedby"` names, if it lies on this origin. */
function describedBy(response) {
  const found = /<([^>]+)>\s*;\s*rel="?describedby"?/.exec(response.headers.get("link") ?? "");
  const url = found && new URL(found[1], location.href);
  return url && url.origin === location.origin ? url.pathname : null;
}
