// Signs a person in: authorization code with proof key (RFC 7636), found through RFC 9728 and RFC 8414.
//
// The access token lives in a private field of a Session and nowhere else. Session storage holds only what has to
// survive the way to the authorization server and back: state, verifier and the issuer that was asked.

const KEPT = "visitors.sign-in";

export class SignInError extends Error {}

/** A signed-in person's access token. Nothing prints it and nothing enumerates it. */
export class Session {
  #token;
  #revocation;
  #clientId;

  constructor(token, revocation, clientId) {
    this.#token = token;
    this.#revocation = revocation;
    this.#clientId = clientId;
  }

  /** The value of the Authorization header. */
  get authorization() {
    return `Bearer ${this.#token}`;
  }

  /** Forget the token, here and at the authorization server (RFC 7009). */
  async end() {
    const form = new URLSearchParams({ token: this.#token, client_id: this.#clientId });
    this.#token = "";
    if (this.#revocation) await post(this.#revocation, form);
  }
}

/** Go to the authorization server; the browser leaves this page. */
export async function begin(clientId) {
  const server = await discover();
  const verifier = random();
  const state = random();
  sessionStorage.setItem(KEPT, JSON.stringify({ state, verifier, issuer: server.issuer }));
  const url = new URL(server.authorization_endpoint);
  const asked = {
    response_type: "code",
    client_id: clientId,
    redirect_uri: home(),
    scope: document.querySelector('meta[name="scopes"]').content,
    state,
    code_challenge: await challenge(verifier),
    code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value);
  location.assign(url);
}

/** The session, if the browser has just come back from the authorization server, else null. */
export async function finish(clientId) {
  const back = new URLSearchParams(location.search);
  const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
  sessionStorage.removeItem(KEPT);
  if (!back.has("state")) return null;
  history.replaceState(null, "", home()); // the code leaves the address bar and the history at once
  const wrong = refusal(back, kept);
  if (wrong) throw new SignInError(`${wrong} Sign in again.`);
  return redeem(clientId, back.get("code"), kept);
}

/** Why what the browser brought back is not taken (RFC 6749, 10.12; RFC 9207), else null. */
function refusal(back, kept) {
  if (kept === null || back.get("state") !== kept.state) return "This sign-in was not started here.";
  if (back.get("iss") !== kept.issuer) return "Another server answered than was asked.";
  if (!back.has("code")) return `The sign-in was refused: ${back.get("error_description") ?? back.get("error")}.`;
  return null;
}

async function redeem(clientId, code, kept) {
  const server = await discover();
  if (server.issuer !== kept.issuer) throw new SignInError("The authorization server has changed. Sign in again.");
  const form = { grant_type: "authorization_code", code, redirect_uri: home(), client_id: clientId, code_verifier: kept.verifier };
  const response = await post(server.token_endpoint, new URLSearchParams(form));
  const answer = await response.json();
  const issued = response.ok && answer.token_type?.toLowerCase() === "bearer";
  if (!issued) throw new SignInError(`No token was issued: ${answer.error ?? response.status}. Sign in again.`);
  return new Session(answer.access_token, server.revocation_endpoint, clientId);
}

async function discover() {
  const resource = await json("/.well-known/oauth-protected-resource");
  const issuer = resource.authorization_servers?.[0];
  if (!issuer) throw new SignInError("This server names no authorization server.");
  const at = new URL(issuer);
  const server = await json(`${at.origin}/.well-known/oauth-authorization-server${at.pathname.replace(/\/$/, "")}`);
  if (server.issuer !== issuer) throw new SignInError("The authorization server's metadata is not its own (RFC 8414, 3.3).");
  return server;
}

async function json(url) {
  const response = await fetch(url, { credentials: "omit", redirect: "error", headers: { accept: "application/json" } });
  if (!response.ok) throw new SignInError(`The sign-in cannot be looked up (${response.status}). Try again later.`);
  return response.json();
}

function post(url, body) {
  return fetch(url, { method: "POST", body, credentials: "omit", redirect: "error", cache: "no-store" });
}

function home() {
  return `${location.origin}/`;
}

function random() {
  return text(crypto.getRandomValues(new Uint8Array(32)));
}

async function challenge(verifier) {
  return text(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));
}

function text(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
