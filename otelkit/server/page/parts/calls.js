/** Single calls that are worth a look, each a link to its span. */

import { ago, moment, pretty, whole } from "../format.js";
import { html } from "../html.js";
import { address } from "../state.js";
import { Dot, Duration } from "./common.js";

/**
 * @param {{calls: any[], query: import("../state.js").Query, about?: (call: any) => string}} props calls of
 *   `/api/tools` or `/api/retrieval`; `about` says more of each
 */
export const Calls = ({ calls, query, about = () => "" }) => html`
  <div class="calls">${calls.map((call) => html`
    <a class="one" key=${call.span_id} data-row href=${address("traces", { ...query, trace: call.trace_id, span: call.span_id })}>
      <${Dot} tone=${call.status === "error" ? "bad" : "good"} label=${call.status === "error" ? "failed" : "ok"} />
      <span class="what"><span class="q"><bdi>${call.asked ? pretty(call.asked).replace(/\s+/g, " ") : call.label}</bdi></span>
        <span class="m">${call.error && html`<span class="err">${call.error} </span>`}
          <bdi>
            ${[call.asked ? call.label : call.name === call.label ? "" : call.name, call.service, about(call)].filter(Boolean)
              .join(" · ")}</bdi></span></span>
      <span class="num strong"><${Duration} ms=${call.duration_ms} /></span>
      <span class="num dim when" title=${moment(call.start)}>${ago(call.start)}</span>
    </a>`)}</div>`;

/**
 * Failures by what failed and how, each a link to its newest.
 * @param {{rows: any[], noun: string, query: import("../state.js").Query}} props `noun` is the key of what failed
 */
export const Failed = ({ rows, noun, query }) =>
  rows.map((row) => html`
    <a class="chg" key=${`${row[noun]}/${row.type}`} data-row
      href=${address("traces", { ...query, trace: row.trace_id, span: row.span_id })} title=${moment(row.last)}>
      <span class="num strong">${whole(row.calls)} ×</span>
        <span class="grow"><b class="err"><bdi>${row.type}</bdi></b> in <bdi>${row[noun]}</bdi><br />
          <span class="dim"><bdi>${row.message || "no message"}</bdi>, last ${ago(row.last)}</span></span></a>`);

/** How many of how many a panel looked at, said only where it was not all. @param {{looked: {calls: number, complete: boolean}, noun: string}} props */
export const OfNewest = ({ looked, noun }) => html`<span class="dim">${looked.complete ? "" : `of the newest ${looked.calls} ${noun}`}</span>`;
