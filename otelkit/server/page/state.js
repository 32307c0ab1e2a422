/**
 * The address bar is the state: a path names the page, the query holds range, filters and what is selected.
 * A link therefore shows what its sender saw, and Back undoes the last step.
 */

import { useEffect, useRef, useState } from "./html.js";

/** Parameters that every page shares; they stay when the reader goes to another page. */
export const SHARED = ["range", "from", "to", "service", "environment", "live"];

/**
 * @typedef {Record<string, string>} Query
 * @typedef {{page: string, query: Query}} Place  `page` is the first step of the path, "" for the overview
 */

const listeners = new Set();

/** @returns {Place} */
export function here() {
  const page = location.pathname.split("/").filter(Boolean)[0] || "";
  return { page, query: Object.fromEntries(new URLSearchParams(location.search)) };
}

/**
 * The address of a page.
 * @param {string} page
 * @param {Record<string, string|number|null|undefined>} [query] empty values are left out
 */
export function address(page, query = {}) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") search.set(name, String(value));
  }
  const text = search.toString();
  return (page ? `/${page}/` : "/") + (text ? `?${text}` : "");
}

/**
 * What stays of a query when the page changes.
 * @param {Query} query
 * @returns {Query}
 */
export function shared(query) {
  return Object.fromEntries(Object.entries(query).filter(([name]) => SHARED.includes(name)));
}

/**
 * What of a query every ranged route of the API understands.
 * @param {Query} query
 * @returns {Query}
 */
export function ranged(query) {
  return Object.fromEntries(Object.entries(query).filter(([name]) => name !== "live" && SHARED.includes(name)));
}

/**
 * Go to an address of this page without loading it again.
 * @param {string} to
 * @param {{replace?: boolean, keepScroll?: boolean}} [how] `replace` leaves no step for Back
 */
export function go(to, { replace = false, keepScroll = false } = {}) {
  if (to === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", to);
  if (!keepScroll) scrollTo(0, 0);
  announce();
}

/**
 * Change parts of the query of the page that is shown; null removes.
 * @param {Record<string, string|number|null|undefined>} changes
 * @param {{replace?: boolean, keepScroll?: boolean}} [how]
 */
export function change(changes, how) {
  const { page, query } = here();
  go(address(page, { ...query, ...changes }), how);
}

function announce() {
  for (const listener of listeners) listener(here());
}

/** @returns {Place} */
export function usePlace() {
  const [place, setPlace] = useState(here);
  useEffect(() => {
    listeners.add(setPlace);
    return () => listeners.delete(setPlace);
  }, []);
  return place;
}

/** Follow Back, Forward, and clicks on links that stay on this page. */
export function listen() {
  addEventListener("popstate", announce);
  addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? /** @type {HTMLAnchorElement|null} */ (event.target.closest("a[href]")) : null;
    if (!link || link.origin !== location.origin || link.target || link.hasAttribute("download")) return;
    event.preventDefault();
    go(link.pathname + link.search, { keepScroll: link.hasAttribute("data-keep") });
  });
}

/** @type {Array<(event: KeyboardEvent) => boolean|void>} */
const keyHandlers = [];

/** Hand keys to whoever asked last; a handler that returns true has used the key. */
export function listenKeys() {
  addEventListener("keydown", (event) => {
    for (let at = keyHandlers.length - 1; at >= 0; at--) {
      if (keyHandlers[at](event)) {
        event.preventDefault();
        return;
      }
    }
  });
}

/**
 * @param {(event: KeyboardEvent) => boolean|void} handler
 */
export function useKeys(handler) {
  const latest = useRef(handler);
  latest.current = handler;
  useEffect(() => {
    const ask = (event) => latest.current(event);
    keyHandlers.push(ask);
    return () => void keyHandlers.splice(keyHandlers.indexOf(ask), 1);
  }, []);
}

/**
 * Whether the reader is writing, so that letters are text and not commands.
 * @param {KeyboardEvent} event
 */
export function writing(event) {
  const at = event.target;
  return at instanceof HTMLElement && at.matches("input, textarea, select, [contenteditable]");
}

/** @param {string} query a media query */
export function useMedia(query) {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const changed = () => setMatches(media.matches);
    media.addEventListener("change", changed);
    return () => media.removeEventListener("change", changed);
  }, [query]);
  return matches;
}
