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

  /** All that is shown of a team's lunch, by one document: the team, where it can eat, and what it has booked. */
  lunch(mode, team, openAt, limit) {
    const variables = { team_id: team, limit, ...(openAt ? { open_at: openAt } : {}) };
    const query = new URLSearchParams({ variables: JSON.stringify(variables) });
    return this.#call(mode, "GET", `/graphql/lunch?${query}`);
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

/** The problem that a response is; that of a document stands in its one error of GraphQL. */
async function document(response) {
  try {
    const said = await response.json();
    return said.type ? said : (said.errors?.[0]?.extensions ?? said);
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
