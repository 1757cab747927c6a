// Sends fields to the server and reads its JSON answer; whatever goes wrong becomes an Error that says what to do.

export async function send(url, fields = {}) {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    for (const each of Array.isArray(value) ? value : [value]) body.append(name, each);
  }
  return await answer_of(await fetch_or_explain(url, { method: "POST", body }));
}

export async function send_json(url, value) {
  const headers = { "Content-Type": "application/json" };
  return await answer_of(await fetch_or_explain(url, { method: "POST", body: JSON.stringify(value), headers }));
}

export async function ask(url) {
  return await answer_of(await fetch_or_explain(url, {}));
}

async function fetch_or_explain(url, options) {
  const headers = { Accept: "application/json, text/html;q=0.9", "X-CSRFToken": csrf_token(), ...options.headers };
  try {
    return await fetch(url, { ...options, headers, redirect: "manual" });
  } catch {
    throw new Error("The server cannot be reached. Try again in a moment.");
  }
}

async function answer_of(response) {
  if (response.type === "opaqueredirect") throw new Error("You are signed out. Reload the page and sign in.");
  const is_json = response.headers.get("Content-Type")?.includes("json");
  const body = is_json ? await response.json() : await response.text();
  if (response.ok) return body;
  throw new Error(body.message ?? "That did not work. Reload the page and try again.");
}

// Read when it is needed: signing in anew in another tab changes it.
function csrf_token() {
  const pair = document.cookie.split("; ").find((part) => part.startsWith("csrftoken="));
  if (pair) return decodeURIComponent(pair.slice("csrftoken=".length));
  return JSON.parse(document.body.getAttribute("hx-headers") ?? "{}")["X-CSRFToken"] ?? "";
}

// What the server rendered, as elements; a template parses it without running anything.
export function elements_of(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}
