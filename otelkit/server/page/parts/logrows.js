/** Log records as rows that open. */

import { asText, exactTime, moment, short, time } from "../format.js";
import { cls, html, useState } from "../html.js";
import { address } from "../state.js";
import { Attributes, Facts } from "./keyvalue.js";

/** @param {string} severity */
export const severityTone = (severity) => (["error", "fatal"].includes(severity) ? "bad" : severity === "warn" ? "warn" : "");

/** @param {{rows: any[], brief?: boolean}} props rows of `/api/logs`; `brief` leaves out where they came from */
export const LogRows = ({ rows, brief }) =>
  html`<div class=${cls("logs", brief && "brief")}>${rows.map((row) => html`<${LogRow} key=${row.id} row=${row} brief=${brief} />`)}</div>`;

/** The first attributes of an event that has no text of its own. @param {Record<string, unknown>} attributes */
const inShort = (attributes) => Object.entries(attributes)
  .filter(([name]) => !/^(log\.record\.|otelkit\.|gen_ai\.|session\.|user\.)/.test(name)).slice(0, 4)
  .map(([name, value]) => `${name} ${asText(value)}`).join(" · ").slice(0, 300);

/** @param {{row: any, brief?: boolean}} props */
function LogRow({ row, brief }) {
  const [open, setOpen] = useState(false);
  const tone = severityTone(row.severity);
  return html`
    <button type="button" class="log" data-row aria-expanded=${open} onClick=${() => setOpen(!open)}>
      <span class="at" title=${moment(row.time)}>${brief ? exactTime(row.time) : time(row.time)}</span>
      <span class=${cls("sev", tone)}>${row.severity_text || row.severity}</span>
      ${!brief && html`<span class="from"><bdi>${row.service}</bdi></span>`}
      <span class="body">
        <bdi>${row.event_name && html`<b>${row.event_name}</b> `}
          ${row.body || (row.event_name && html`<span class="dim">${inShort(row.attributes)}</span>`)}</bdi></span>
    </button>
    ${open && html`
      <div class="opened">
        <p class="whole" dir="auto">${row.body}</p>
        <${Facts} rows=${[
          ["Time", moment(row.time)], ["Logger", row.logger], ["Service", row.service],
          ["Trace",
            row.trace_id
              && html`<a class="link mono" href=${address("traces", { trace: row.trace_id, span: row.span_id })}>${short(row.trace_id, 12)}</a>`],
        ]} />
        <${Attributes} attributes=${row.attributes} />
      </div>`}`;
}
