/**
 * What is filtered by, between the address and the box. The language is the server's (`/api/filter` reads it and says
 * what is wrong where); here it is only cut into terms, so that each can be shown and removed.
 */

import { ApiError, ask } from "./api.js";

/** Pages whose list a filter narrows; anywhere else a filter leads to the traces. */
const LISTS = ["traces", "conversations", "logs"];
/** Parameters of the address that mean one term each, and the key of that term. They are handier in links. */
const SCOPE = { service: "service", environment: "environment" };
const PARAMS = {
  traces: {
    status: "status", model: "model", tool: "tool", kind: "kind", user: "user", group: "group", conversation: "conversation",
    session: "session", name: "name", min_duration_ms: "duration ≥", max_duration_ms: "duration ≤",
  },
  logs: { severity: "severity", logger: "logger", event_name: "event", trace_id: "trace", span_id: "span" },
};
/** What other parameters a page's API route understands. */
const MORE = { traces: ["filter", "q", "sort"], conversations: ["filter", "q", "sort"], logs: ["filter", "q"] };

/** @typedef {{text: string, key: string, value: string, negated: boolean}} Term  `text` as it was typed */

/** The section whose filters apply on a page. @param {string} page */
export const sectionOf = (page) => (LISTS.includes(page) ? page : "traces");

/** Parameters of a page that its API route understands. @param {string} page @param {Record<string, string>} query */
export function apiParams(page, query) {
  const known = new Set(["range", "from", "to", ...Object.keys(SCOPE), ...Object.keys(PARAMS[page] || {}), ...(MORE[page] || [])]);
  return Object.fromEntries(Object.entries(query).filter(([name]) => known.has(name)));
}

/** Cut a text into terms. @param {string|undefined} text @returns {Term[]} */
export function terms(text) {
  return [...(text || "").matchAll(/(-?)(?:([A-Za-z_][\w.\-/]*)(:[<>]?=?|[<>]=?))?("(?:[^"\\]|\\.)*"?|[^\s"]*)/g)]
    .filter(([whole]) => whole)
    .map(([whole, no, key = "", sign = "", value]) => /^-?https?:\/\//.test(whole)
      ? { text: whole, key: "", value: whole, negated: false }
      : { text: whole, key,
        value: `${sign.replace(":", "")}${value.startsWith('"') ? value.slice(1).replace(/"$/, "").replace(/\\(.)/g, "$1") : value}`,
        negated: Boolean(no) });
}

/**
 * The filters that are on, as chips; `without` are the changes of the address that take one off.
 * @param {string} page
 * @param {Record<string, string>} query
 * @returns {Array<{key: string, value: string, negated: boolean, without: Record<string, string|null>}>}
 */
export function chips(page, query) {
  const named = { ...SCOPE, ...PARAMS[page] };
  const found = Object.entries(named).filter(([param]) => query[param]).map(([param, key]) => ({
    key, value: / [≥≤]$/.test(key) ? spoken(Number(query[param])) : query[param], negated: false, without: { [param]: null },
  }));
  if (!LISTS.includes(page)) return found;
  const typed = terms(query.filter);
  return [...found, ...typed.map((term) => ({
    key: term.key, value: term.value, negated: term.negated,
    without: { filter: typed.filter((other) => other !== term).map(({ text }) => text).join(" ") || null },
  }))];
}

const spoken = (ms) => (ms >= 1000 ? `${ms / 1000} s` : `${ms} ms`);

/**
 * Read what was typed: the server says whether it can be understood.
 * @param {string} text
 * @param {string} page
 * @param {Record<string, string>} query
 * @returns {Promise<{changes: Record<string, string|null>, page: string}>} `page` is where these filters apply
 */
export async function read(text, page, query) {
  const typed = terms(text);
  const section = sectionOf(page);
  const pairs = typed.filter(({ key, negated }) => key || negated);
  const { error } = pairs.length ? await ask("filter", { section, filter: text }) : { error: null };
  if (error) throw new ApiError(error.message, { status: 400, parameter: "filter", ...error });
  /** @type {Record<string, string|null>} */
  const changes = {};
  const kept = [];
  for (const term of pairs) {
    const scoped = term.key in SCOPE && !term.negated;
    if (scoped) changes[term.key] = term.value;
    else kept.push(term.text);
  }
  const words = typed.filter((term) => !pairs.includes(term)).map(({ text: word }) => word).join(" ");
  const here = LISTS.includes(page);
  const leads = !here && (kept.length > 0 || words);
  if (here || leads) changes.q = words || null;
  if (kept.length) changes.filter = [...(here ? terms(query.filter).map((term) => term.text) : []),
    ...kept].filter((term, at, all) => all.indexOf(term) === at)
    .join(" ");
  return { changes, page: leads ? "traces" : page };
}

/** `key:value` with quotes where they are needed. @param {string} key @param {string} value */
export const written = (key, value) => (!value || /[\s"]/.test(value) || /^[<>=]/.test(value)
  ? `${key}:"${value.replace(/[\\"]/g, "\\$&")}"`
  : `${key}:${value}`);

/**
 * The changes of the address that add a value to the filter, or take it off again.
 * @param {string} page a list
 * @param {Record<string, string>} query
 * @param {string} key
 * @param {string} value
 * @param {boolean} [negated]
 */
export function toggled(page, query, key, value, negated = false) {
  const on = chips(page, query).find((chip) => chip.key === key && chip.value === value && chip.negated === negated);
  if (on) return on.without;
  if (key in SCOPE && !negated) return { [key]: value };
  const text = `${negated ? "-" : ""}${written(key, value)}`;
  const opposite = `${negated ? "" : "-"}${written(key, value)}`;
  return { filter: [...terms(query.filter).map((term) => term.text).filter((term) => term !== opposite), text].join(" ") };
}
