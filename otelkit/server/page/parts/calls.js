/** Single calls that are worth a look, each a link to its span. */

import { ago, moment, pretty } from "../format.js";
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

/** How many of how many a panel looked at, said only where it was not all. @param {{looked: {calls: number, complete: boolean}, noun: string}} props */
export const OfNewest = ({ looked, noun }) => html`<span class="dim">${looked.complete ? "" : `of the newest ${looked.calls} ${noun}`}</span>`;
