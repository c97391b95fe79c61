// The REST API as the pages use it: JSON (or a form with a file) in, JSON out, one kind of
// error.

const UNREACHABLE = "unreachable";

export class ApiError extends Error {
  constructor(status, { code, message, fields = {}, ...data }) {
    super(message);
    this.status = status;
    this.code = code;
    this.fields = fields;
    this.data = data;
  }

  get isUnreachable() {
    return this.code === UNREACHABLE;
  }
}

function csrfToken() {
  return document.cookie.match(/(?:^|;\s*)csrftoken=([^;]+)/)?.[1] ?? "";
}

async function send(method, path, body, { key, ...options } = {}) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRFToken"] = csrfToken();
  // A form says itself where its parts end.
  const isJson = body !== undefined && !(body instanceof FormData);
  if (isJson) headers["Content-Type"] = "application/json";
  if (key) headers["Idempotency-Key"] = key;
  try {
    return await fetch(`/api/v1/${path}`, {
      method,
      headers,
      body: isJson ? JSON.stringify(body) : body,
      ...options,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, { code: UNREACHABLE, message: "" });
  }
}

async function answerOf(response) {
  if (response.status === 204) return null;
  const body = await response.json().catch(() => ({}));
  if (response.ok) return body;
  const unknown = { code: `http_${response.status}`, message: "" };
  throw new ApiError(response.status, body.error ?? unknown);
}

async function request(...parts) {
  return answerOf(await send(...parts));
}

export const api = {
  get: (path, options) => request("GET", path, undefined, options),
  post: (path, body, options) => request("POST", path, body, options),
  remove: (path, options) => request("DELETE", path, undefined, options),
};

export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
