// JSON to and from the server. Every failure is a Failure whose `kind` says what to do: "retry" (network, busy server),
// "signed-out" (wait until the person is back), "refused" (the request itself; its message is for the person),
// "blocked" (this page may not do it any more, or what it is about is gone).

const TIMEOUT_MS = 15_000;
const KINDS_BY_STATUS = { 401: "signed-out", 403: "blocked", 404: "blocked", 408: "retry", 425: "retry", 429: "retry" };

export class Failure extends Error {
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}

export class Api {
  #person;

  constructor(person) {
    this.#person = person;
  }

  get(url) {
    return this.#ask(url, {});
  }

  // keepalive: an answer given in the moment of leaving the page still arrives.
  post(url, body) {
    const text = JSON.stringify(body);
    return this.#ask(url, { method: "POST", body: text, keepalive: text.length < 60_000 });
  }

  async #ask(url, options) {
    const response = await this.#fetch(url, options);
    if (response.type === "opaqueredirect") throw new Failure("signed-out", "You are signed out.");
    const body = await json_of(response);
    if (response.ok && body) return body;
    throw failure_of(response.status, body);
  }

  async #fetch(url, options) {
    const headers = { Accept: "application/json", "X-Person": this.#person };
    if (options.body) Object.assign(headers, { "Content-Type": "application/json", "X-CSRFToken": csrf_token() });
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      return await fetch(url, { ...options, headers, redirect: "manual", signal });
    } catch {
      throw new Failure("retry", "The server cannot be reached.");
    }
  }
}

async function json_of(response) {
  try {
    return await response.json();
  } catch {
    return null; // a proxy's page, or a stream cut short: the status says the rest
  }
}

function failure_of(status, body) {
  // A body that is not ours on success or on 403 (a stale CSRF token after signing in anew) is worth another try.
  if (!body) return new Failure("retry", "The server gave no answer.");
  const kind = KINDS_BY_STATUS[status] ?? (status < 500 ? "refused" : "retry");
  const is_other_person = body.code === "other_person";
  return new Failure(is_other_person ? "signed-out" : kind, body.message ?? "That did not work.");
}

// Read when it is needed: signing in anew in another tab changes it.
function csrf_token() {
  const pair = document.cookie.split("; ").find((part) => part.startsWith("csrftoken="));
  if (pair) return decodeURIComponent(pair.slice("csrftoken=".length));
  return JSON.parse(document.body.getAttribute("hx-headers") ?? "{}")["X-CSRFToken"] ?? "";
}
