/** The filter language: `key:value`, `duration>2s` and free words, to and from the query of the address. Pure. */

/**
 * @typedef {{key: string, param: string, facet?: string, values?: string[]}} Key
 */

/** @type {Key[]} */
const SCOPE = [
  { key: "service", param: "service", facet: "service" },
  { key: "environment", param: "environment", facet: "environment" },
];
/** @type {Key[]} */
const TRACES = [
  { key: "status", param: "status", values: ["error", "ok"] },
  { key: "model", param: "model", facet: "model" },
  { key: "tool", param: "tool", facet: "tool" },
  { key: "kind", param: "kind", values: ["llm", "retrieval", "tool", "db", "job", "app"] },
  { key: "user", param: "user", facet: "user" },
  { key: "group", param: "group" },
  { key: "conversation", param: "conversation", facet: "conversation" },
  { key: "session", param: "session" },
  { key: "name", param: "name" },
];
/** @type {Key[]} */
const LOGS = [
  { key: "severity", param: "severity", values: ["debug", "info", "warn", "error", "fatal"] },
  { key: "logger", param: "logger" },
  { key: "event", param: "event_name" },
  { key: "trace", param: "trace_id" },
  { key: "span", param: "span_id" },
];
const BOUNDS = { ">": "min_duration_ms", "<": "max_duration_ms" };

/** @param {string} page @returns {Key[]} */
export const keysOf = (page) => [...SCOPE, ...(page === "logs" ? LOGS : page === "traces" ? TRACES : [])];

/** Parameters of a page that its API route understands. @param {string} page @param {Record<string, string>} query */
export function apiParams(page, query) {
  const known = new Set(["range", "from", "to", ...keysOf(page).map(({ param }) => param)]);
  if (page === "traces") for (const name of ["sort", "q", ...Object.values(BOUNDS)]) known.add(name);
  if (page === "logs") known.add("q");
  return Object.fromEntries(Object.entries(query).filter(([name]) => known.has(name)));
}

/**
 * The filters that are on, as chips.
 * @param {string} page
 * @param {Record<string, string>} query
 * @returns {Array<{key: string, value: string, param: string}>}
 */
export function chips(page, query) {
  const found = keysOf(page).filter(({ param }) => query[param]).map(({ key, param }) => ({ key, value: query[param], param }));
  if (page !== "traces") return found;
  for (const [sign, param] of Object.entries(BOUNDS)) {
    if (query[param]) found.push({ key: `duration ${sign}`, value: spoken(Number(query[param])), param });
  }
  return found;
}

const spoken = (ms) => (ms >= 1000 ? `${ms / 1000} s` : `${ms} ms`);

/**
 * Read what was typed.
 * @param {string} text
 * @param {string} page
 * @returns {{changes: Record<string, string|null>, page: string, error: string}} `page` is where these filters apply
 */
export function parse(text, page) {
  /** @type {Record<string, string|null>} */
  const changes = {};
  const words = [];
  let target = page;
  for (const token of text.match(/(?:[^\s"]+:)?"[^"]*"|\S+/g) || []) {
    const bound = token.match(/^duration([<>])=?(\d+(?:\.\d+)?)(ms|s|min)?$/);
    const pair = token.match(/^([a-z_]+):(.*)$/s);
    if (bound) {
      changes[BOUNDS[bound[1]]] = String(Number(bound[2]) * { ms: 1, s: 1000, min: 60_000 }[bound[3] || "ms"]);
      if (target !== "traces") target = "traces";
    } else if (/^duration\b/.test(token)) {
      return { changes: {}, page, error: `“${token}” is not a duration: write duration>2s or duration<300ms.` };
    } else if (pair && !token.startsWith("http")) {
      const key = find(pair[1], page);
      if (!key) return { changes: {}, page, error: `There is no filter “${pair[1]}” here. Known: ${keysOf(page === "logs" ? "logs" : "traces").map((known) => known.key).join(", ")}, duration.` };
      const value = pair[2].replace(/^"(.*)"$/s, "$1");
      if (!value) return { changes: {}, page, error: `“${pair[1]}:” needs a value.` };
      if (key.values && !key.values.includes(value)) return { changes: {}, page, error: `“${pair[1]}” is one of ${key.values.join(", ")}.` };
      changes[key.param] = value;
      if (key.target) target = key.target;
    } else words.push(token.replaceAll('"', ""));
  }
  if (words.length && !["traces", "logs"].includes(target)) target = "traces";
  if (["traces", "logs"].includes(target)) changes.q = words.join(" ") || null;
  return { changes, page: target, error: "" };
}

/** @param {string} name @param {string} page @returns {(Key & {target?: string})|undefined} */
function find(name, page) {
  const here = keysOf(page).find(({ key }) => key === name);
  if (here || page === "logs") return here;
  const there = TRACES.find(({ key }) => key === name);
  return there && { ...there, target: "traces" };
}

/** `key:value` with quotes where they are needed. @param {string} key @param {string} value */
export const written = (key, value) => (/[\s"]/.test(value) ? `${key}:"${value.replaceAll('"', "")}"` : `${key}:${value}`);
