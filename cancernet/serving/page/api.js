// Talking to the server: a few requests at a time, a token where one is asked for,
// another try where it is busy, and every failure as one sentence.

const AT_ONCE = 4;
const ATTEMPTS = 8;

let token = "";
let askForToken = async () => "";
let running = 0;
const waiting = [];

export class Problem extends Error {}

/** Sets what is called when the server asks for a token; it answers with one. */
export function onTokenAsked(ask) {
  askForToken = ask;
}

/** Sends one form; resolves to the answer's JSON, rejects with a Problem. */
export async function post(path, form, signal) {
  await turn();
  try {
    return await request(path, { method: "POST", body: form, signal });
  } finally {
    running -= 1;
    waiting.shift()?.();
  }
}

/** Reads one address. */
export function get(path) {
  return request(path, {});
}

/** Reads one address as a file of that name. */
export async function getFile(path) {
  const content = await request(path, {}, (response) => response.blob());
  return new File([content], path.split("/").at(-1), { type: content.type });
}

/** Makes a form with files under one field. */
export function formOf(field, files) {
  const form = new FormData();
  for (const file of files) form.append(field, file, file.name);
  return form;
}

/** The server's words as a sentence. */
export function asSentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

async function turn() {
  if (running >= AT_ONCE) await new Promise((resolve) => waiting.push(resolve));
  running += 1;
}

async function request(path, options, read = (response) => response.json()) {
  for (let attempt = 1; ; attempt += 1) {
    const response = await send(path, options);
    if (response.ok) return read(response);
    if (response.status === 401) {
      const fresh = await askForToken(token !== "");
      token = fresh;
      attempt = 0;
      continue;
    }
    if (response.status === 503 && attempt < ATTEMPTS) {
      const seconds = Number(response.headers.get("Retry-After")) || 1;
      await pause(1000 * seconds * (0.5 + Math.random()), options.signal);
      continue;
    }
    throw new Problem(await sentence(response));
  }
}

async function send(path, options) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  // A proxy may serve the page under a path of its own.
  const address = new URL(`..${path}`, import.meta.url);
  try {
    return await fetch(address, { ...options, headers, credentials: "omit", redirect: "error" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("The server cannot be reached; is it still running?");
  }
}

async function sentence(response) {
  try {
    const { error } = await response.json();
    if (typeof error === "string") return asSentence(error);
  } catch {
    // Not our server: a proxy in between answered.
  }
  return `The server answered with status ${response.status}.`;
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("", "AbortError"));
    });
  });
}
