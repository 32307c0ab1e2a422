/** Asking the server's JSON API, once or again whenever something new was stored. */

import { useEffect, useRef, useState } from "./html.js";

const REST_MS = 5_000;

/** What the server said instead of an answer. */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {{status?: number, parameter?: string|null, allowed?: string[]|null, at?: number|null, until?: number|null}} [more]
   *   `status` 0: nobody answered; `at` and `until`: which characters of a filter are meant
   */
  constructor(message, { status = 0, parameter = null, allowed = null, at = null, until = null } = {}) {
    super(message);
    this.status = status;
    this.parameter = parameter;
    this.allowed = allowed;
    this.at = at;
    this.until = until;
  }
}

/**
 * @param {string} path below /api
 * @param {Record<string, string|number|null|undefined>} [params]
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export async function ask(path, params = {}, signal) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== null && value !== undefined && value !== "") search.set(name, String(value));
  }
  const text = search.toString();
  return answered(`/api/${path}${text ? `?${text}` : ""}`, { signal, headers: { accept: "application/json" } });
}

/**
 * Have something changed.
 * @param {"POST"|"PUT"|"DELETE"} method
 * @param {string} path below /api
 * @param {Record<string, unknown>} [body]
 * @returns {Promise<any>}
 */
export const order = (method, path, body = {}) => answered(`/api/${path}`, {
  method, body: JSON.stringify(body), headers: { accept: "application/json", "content-type": "application/json" },
});

/**
 * Open a session for whoever holds a token; the cookie that keeps it is not for scripts.
 * @param {string} token
 */
export const logIn = (token) => answered("/api/login", { method: "POST", headers: { authorization: `Bearer ${token}` } });

/** @param {string} url @param {RequestInit} how */
async function answered(url, how) {
  let response;
  try {
    response = await fetch(url, how);
  } catch (error) {
    if (how.signal?.aborted) throw error;
    throw new ApiError("The server does not answer. Is it still running?");
  }
  const body = await response.json().catch(() => null);
  if (response.ok && body) return body;
  throw new ApiError(body?.error?.message || `The server answered ${response.status}.`, { status: response.status, ...body?.error });
}

/**
 * The answer to a question, kept while the next one is on its way so that nothing jumps.
 * @param {string|null} path null asks nothing
 * @param {Record<string, string|number|null|undefined>} params
 * @param {unknown} [revision] asked again when it changes
 * @returns {{data: any, error: ApiError|null, loading: boolean, stale: boolean}} `stale`: data answers an earlier question
 */
export function useAnswer(path, params, revision) {
  const key = path === null ? "" : `${path}?${JSON.stringify(params)}`;
  const [state, setState] = useState({ key: "", data: null, error: null });
  const running = useRef({ key: "", again: false, abort: new AbortController(), rest: 0 });
  useEffect(() => {
    const turn = async () => {
      clearTimeout(running.current.rest);
      const mine = { key, again: false, abort: new AbortController(), rest: 0 };
      running.current = mine;
      const begun = performance.now();
      let next;
      try {
        next = { data: await ask(path, params, mine.abort.signal), error: null };
      } catch (error) {
        next = { error };
      }
      if (mine.abort.signal.aborted) return;
      setState((old) => ({ data: old.key === key ? old.data : null, ...next, key }));
      // What takes long is asked less often: pages must leave the server time to store.
      mine.rest = setTimeout(() => {
        mine.key = "";
        if (mine.again) turn();
      }, Math.min(REST_MS, 3 * (performance.now() - begun)));
    };
    if (path === null) return;
    if (running.current.key === key) {
      running.current.again = true; // one question at a time, and once more when something came in meanwhile
      return;
    }
    running.current.abort.abort();
    turn();
  }, [key, revision]);
  useEffect(() => () => {
    running.current.abort.abort();
    clearTimeout(running.current.rest);
  }, []);
  const current = state.key === key;
  return { data: state.data, error: current ? state.error : null, loading: !current, stale: !current && state.data !== null };
}
