/** What a step does: its name in words. Its colour is the CSS class `k-<kind>`; the same everywhere. */

export const KINDS = { app: "App", retrieval: "Retrieval", tool: "Tools", db: "Database", job: "Jobs", llm: "LLM" };
/** From the bottom of a stack to its top, and from left to right in a split bar. */
export const ORDER = ["app", "job", "retrieval", "tool", "db", "llm"];

/** @param {string} kind */
export const kindName = (kind) => KINDS[kind] || kind;
/** @param {string} kind */
export const kindClass = (kind) => `k-${kind in KINDS ? kind : "app"}`;

const COLOURS = { llm: "--llm", retrieval: "--rag", tool: "--tool", app: "--app", db: "--db", job: "--job" };
/** The CSS variable with a kind's colour. @param {string} kind */
export const kindVariable = (kind) => COLOURS[kind] || "--app";
