/** Budgets that services declare: a table of all of them, and a notice where one is exceeded. */

import { useAnswer } from "../api.js";
import { apiParams } from "../filters.js";
import { bytes, duration, percent, plural, whole } from "../format.js";
import { cls, html } from "../html.js";
import { address, ranged } from "../state.js";
import { Dot, Panel } from "./common.js";
import { seldom } from "./present.js";
import { Table } from "./table.js";

const WORDS = { p50: "median", mean: "on average", tokens: "tokens a request", bytes: "size" };

/** @param {string} unit @param {number|null} value */
const write = (unit, value) =>
  (value === null ? "not known" : unit === "s" ? duration(value * 1000) : unit === "By" ? bytes(value) : whole(Math.round(value)));

/** All budgets, the exceeded ones first; nothing where none is declared. @param {{query: import("../state.js").Query, revision: unknown}} props */
export function Budgets({ query, revision }) {
  const { data } = useAnswer("budgets", ranged(query), revision);
  if (!data?.budgets.length) return null;
  const said = data.exceeded ? html`<b class="err">${whole(data.exceeded)} exceeded</b>` : html`<span class="dim">all kept</span>`;
  return html`
    <${Panel} title="Budgets" className="gap" link=${said}>
      <${Table} columns=${COLUMNS} rows=${data.budgets} keyOf=${({ target, measure }) => `${target}/${measure}`} /><//>`;
}

/** @param {any} row */
const stateOf = ({ exceeded, value }) => (exceeded ? { tone: "bad", label: "exceeded" } : value === null
  ? { tone: "none", label: "not known" } : { tone: "good", label: "kept" });

/** @type {import("./table.js").Column[]} */
const COLUMNS = [
  { head: "Budget", cell: (row) => html`
    <${Dot} ...${stateOf(row)} />
    ${" "}<bdi>${row.target}</bdi> <span class="dim">${WORDS[row.measure] || row.measure}</span>` },
  { head: "Now", num: true, cell: (row) => html`<span class=${cls(row.exceeded ? "err" : row.value === null && "dim")}>${write(row.unit, row.value)}</span>` },
  { head: "Limit", num: true, cell: (row) => write(row.unit, row.limit) },
  { head: "Used", num: true, wide: true, cell: (row) => html`<span class="dim">${percent(row.used)}</span>` },
  { head: "Requests", num: true, wide: true, cell: (row) => html`<span class="dim">${row.requests === null ? "" : whole(row.requests)}</span>` },
];

/** Said on the first page, only where one is exceeded. @param {{query: import("../state.js").Query, revision: unknown}} props */
export function Exceeded({ query }) {
  const { data } = useAnswer("budgets", apiParams("overview", query), seldom());
  if (!data?.exceeded) return null;
  const [worst] = data.budgets;
  return html`
    <div class="notice bad gap">
      <b>${plural(data.exceeded, "budget")} exceeded</b>
      <span><bdi>${worst.target}</bdi>: ${WORDS[worst.measure] || worst.measure} ${write(worst.unit, worst.value)}, limit
        ${" "}${write(worst.unit, worst.limit)}. <a class="link" href=${address("services", query)}>All budgets</a></span>
    </div>`;
}
