/** Traces as rows of two lines: what was asked, and how it went. Used wherever traces are listed. */

import { ago, exactTime, money, moment, plural, short, time, whole } from "../format.js";
import { cls, html } from "../html.js";
import { address, here } from "../state.js";
import { SplitBar } from "./bars.js";
import { Dot, Duration } from "./common.js";

/** What is said of one trace only and does not go along to another. */
export const ELSEWHERE = { span: null, tab: null, find: null, zoom: null };

/**
 * @param {{rows: any[], query: import("../state.js").Query, selected?: string, heads?: boolean, narrow?: boolean}} props rows of `/api/traces`
 */
export const TraceList = ({ rows, query, selected, heads, narrow }) => html`
  <div class=${cls("traces", narrow && "narrow")}>
    ${heads
      && html`<div class="tr heads" aria-hidden="true"><span></span><span>Asked and answered</span><span>Where the time went</span>
        <span class="num">Time</span><span class="num">Tokens</span><span class="num">Cost</span>
        <span class="num when">Started</span></div>`}
    ${rows.map((row) => html`<${Row} key=${row.trace_id} row=${row} query=${query} on=${row.trace_id === selected} />`)}
  </div>`;

/** @param {{row: any, query: import("../state.js").Query, on: boolean}} props */
function Row({ row, query, on }) {
  const bad = row.status === "error";
  return html`
    <a class=${cls("tr", on && "on")} data-row href=${address("traces", { ...query, trace: row.trace_id, ...ELSEWHERE })}
      aria-current=${on ? "true" : undefined}>
      <${Dot} tone=${bad ? "bad" : row.complete ? "good" : "open"} label=${bad ? "failed" : row.complete ? "ok" : "still running, or its first span is lost"} />
      <span class="what">
        <span class="q"><bdi>${row.title}</bdi>${row.output && row.input && html`<span class="a"> → <bdi>${row.output}</bdi></span>`}</span>
        <span class="m">${bad && html`<span class="err">${row.error || "failed"}</span>`}<bdi>${about(row).join(" · ")}</bdi></span>
      </span>
      <${SplitBar} split=${row.split} />
      <span class="num strong"><${Duration} ms=${row.duration_ms} /></span>
      <span class="num dim" title=${row.unreported_calls ? `${plural(row.unreported_calls, "call")} reported no tokens` : undefined}>${tokensOf(row)}</span>
      <span class="num dim"
        title=${row.unpriced.length ? `no price for ${row.unpriced.map(nameOf).join(", ")}` : row.cost_usd === null ? undefined : `$${row.cost_usd}`}>
        ${costOf(row)}</span>
      <span class="num dim when" title=${moment(row.start)}>${time(row.start)}</span>
    </a>`;
}

/** @param {any} row */
function about(row) {
  const models = row.models.length > 2 ? [...row.models.slice(0, 2), `${row.models.length - 2} more`] : row.models;
  return [
    models.join(", "),
    row.tools.filter((tool) => !row.error?.endsWith(` in ${tool}`)).join(", "),
    row.title === row.name ? "" : row.name,
    row.services.length > 1 ? `${row.services.length} services` : "",
    row.user ? `user ${short(row.user)}` : "",
    row.unpriced.length && row.cost_usd !== null ? "cost is partial" : "",
  ].filter(Boolean);
}

/** Unpriced models come as names or as provider and name. @param {any} entry */
export const nameOf = (entry) => (typeof entry === "string" ? entry : entry.model);

/** @param {any} row */
export function tokensOf(row) {
  if (row.tokens?.total !== null && row.tokens?.total !== undefined) return whole(row.tokens.total) + (row.unreported_calls ? " +" : "");
  return row.llm_calls || row.unreported_calls ? "not reported" : "";
}

/** @param {any} row */
export function costOf(row) {
  if (row.cost_usd !== null) return money(row.cost_usd) + (row.unpriced.length ? " +" : "");
  if (row.unpriced.length) return "not priced";
  return row.llm_calls ? "unknown" : "";
}

/** When a trace started, for its heading. @param {number} start */
export const started = (start) => `${exactTime(start)}, ${ago(start)}`;

/** The address of the list that a trace was opened from. @param {import("../state.js").Query} query */
export const listAddress = (query) => address(here().page, { ...query, trace: null, ...ELSEWHERE, view: null, heat: null, path: null });
