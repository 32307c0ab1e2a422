/** Log records, newest first, with how many there were when. */

import { useAnswer } from "../api.js";
import { apiParams, chips } from "../filters.js";
import { plural, whole } from "../format.js";
import { cls, html } from "../html.js";
import { Stack } from "../parts/chart.js";
import { Nothing, Trouble, Waiting, useRowKeys } from "../parts/common.js";
import { Facets } from "../parts/facets.js";
import { LogRows } from "../parts/logrows.js";
import { usePages } from "../parts/paging.js";
import { address, change, shared } from "../state.js";

const LEVELS = { "": "All", info: "Info and up", warn: "Warnings and up", error: "Errors" };
const LAYERS = { trace: "--line", debug: "--db", info: "--app", warn: "--tool", error: "--err", fatal: "--err" };
const FACETS = ["service", "environment", "logger", "event"];

/** @param {import("../app.js").PageProps} props */
export function Logs({ query, revision }) {
  const params = apiParams("logs", query);
  const { data, error, loading } = useAnswer("logs", params, revision);
  const { rows, waiting, show, more, end, failed } = usePages("logs", params, { data, loading, list: "logs", id: "id" });
  useRowKeys();
  const filtered = chips("logs", query).length > 0 || query.q;
  return html`
    <div class=${cls("listing faceted", loading && "asking")}>
      <${Facets} page="logs" query=${query} names=${FACETS} />
      <div>
        <div class="verdict"><h1>Logs</h1><p>${data && totalOf(data, Boolean(filtered))}</p>
          <span class="switch" role="group" aria-label="Level">
            ${Object.entries(LEVELS)
              .map(([id, name]) =>
                html`<button type="button" key=${id} aria-pressed=${(query.severity || "") === id}
                  onClick=${() => change({ severity: id || null })}>${name}</button>`)}</span></div>
        ${(error || failed) && html`<${Trouble} error=${error || failed} />`}
        ${data?.histogram && data.total > 0 && html`<${Histogram} data=${data} />`}
        <section class="panel gap" aria-label="Log records">
          ${!rows && !error && html`<${Waiting} rows=${14} />`}
          ${rows?.length > 0 && html`<${LogRows} rows=${rows} />`}
          ${rows?.length === 0 && html`<${Nothing} title=${end ? "No log record matches" : "None among the newest that were looked at"}>
            ${!end && "Attributes are not indexed, so a page looks at a few thousand records. "}
            ${filtered && html`<a class="link" href=${address("logs", shared(query))}>Remove the filters</a> or `}
              <a class="link" href=${address("logs", { ...query, range: "all", from: null, to: null })}>look in all of time</a>.<//>`}
        </section>
        ${waiting > 0 && html`<button type="button" class="pill" onClick=${show}>${waiting} new</button>`}
        ${rows && !end && html`<button type="button" class="btn wide" onClick=${more}>${rows.length ? "Show more" : "Look further"}</button>`}
      </div>
    </div>`;
}

/** @param {any} data @param {boolean} filtered */
function totalOf({ total, total_exact: exact }, filtered) {
  if (total === null) return "";
  const told = exact ? plural(total, "record") : `more than ${whole(total)} records`;
  return filtered ? `${told} match` : told;
}

/** @param {{data: any}} props */
function Histogram({ data }) {
  const layers = Object.keys(LAYERS).map((severity) => data.histogram.find((layer) => layer.severity === severity))
    .filter((layer) => layer?.counts.some(Boolean))
    .map(({ severity, counts }) => ({ key: severity, label: severity, variable: LAYERS[severity], values: counts }));
  return html`
    <section class="panel chart" aria-label="Records over time">
      <${Stack} times=${data.times} step=${data.range.step_ms} layers=${layers} bars height=${110} partial=${data.range.partial_last} write=${whole}
        label=${`Records over time: ${layers.map(({ label, values }) => `${label} ${values.reduce((sum, one) => sum + one, 0)}`).join(", ")}`}
        onZoom=${(from, to) => change({ from, to, range: null })} />
    </section>`;
}
