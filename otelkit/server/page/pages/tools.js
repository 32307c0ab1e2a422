/** What tools are called, how they fail, how long they take. */

import { useAnswer } from "../api.js";
import { ago, duration, percent, plural, whole } from "../format.js";
import { cls, html } from "../html.js";
import { Calls, Failed, OfNewest } from "../parts/calls.js";
import { Cards, timed } from "../parts/cards.js";
import { Stack } from "../parts/chart.js";
import { Duration, Mark, Nothing, Panel, Trouble, Waiting, useRowKeys } from "../parts/common.js";
import { Spark } from "../parts/spark.js";
import { Table } from "../parts/table.js";
import { address, change, ranged, shared } from "../state.js";

/** @param {import("../app.js").PageProps} props */
export function Tools({ query, revision }) {
  const { data, error } = useAnswer("tools", ranged(query), revision);
  useRowKeys();
  if (error && !data) return html`<${Trouble} error=${error} />`;
  if (!data) return html`<div class="verdict"><h1>Tools</h1></div><${Waiting} rows=${8} className="tall" />`;
  const { total } = data;
  const common = shared(query);
  if (!total.calls) return html`<div class="verdict"><h1>Tools</h1></div>
    <section class="panel">
      <${Nothing}
        title="No tool was called in this range">Calls appear here when functions carry <span
          class="mono">@traced_tool</span>, or spans <span class="mono">gen_ai.operation.name=execute_tool</span>.<//></section>`;
  const failing = data.tools.filter(({ errors }) => errors > 0);
  return html`
    <div class="verdict"><h1>Tools</h1>
      <p>
        ${plural(total.calls, "call")} of ${plural(data.tools.length, "tool")} · ${failing.length
          ? html`<b class="bad">${percent(total.error_ratio)}</b> failed, most in <b><bdi>${failing[0].tool}</bdi></b>`
          : "none failed"} · 95 of 100 took less than <b>${duration(total.p95_ms)}</b></p></div>
    <${Cards} cards=${timed(data, { label: "Calls", count: "calls", variable: "--tool" })} partial=${data.range.partial_last} />
    <div class="row">
      <${Over} data=${data} />
      <${Failures} errors=${data.errors} query=${common} />
    </div>
    <${Panel} title="Tools" className="gap">
      <${Table} columns=${columns(data)} rows=${data.tools} keyOf=${({ tool }) => tool}
        to=${({ tool }) => address("traces", { ...common, tool })} /><//>
    ${data.actions.rows.length > 0
      && html`<${Panel} title="By integration and action" className="gap" link=${html`<${OfNewest} looked=${data.actions} noun="calls" />`}>
      <${Table} columns=${ACTIONS} rows=${data.actions.rows} keyOf=${({ integration, action }) => `${integration}/${action}`}
        to=${({ tools: [tool] }) => address("traces", { ...common, tool })} /><//>`}
    <${Panel} title="Slowest calls" className="gap"><${Calls} calls=${data.slowest} query=${common} /><//>`;
}

/** Calls over time, failed ones on top. @param {{data: any}} props */
function Over({ data }) {
  const { calls, errors } = data.series;
  const layers = [{ key: "ok", label: "ok", variable: "--tool", values: calls.map((value, at) => value - errors[at]) },
    { key: "failed", label: "failed", variable: "--err", values: errors }];
  return html`
    <section class="panel chart" aria-label="Calls over time">
      <div class="h"><h2>Calls</h2><span class="dim">${whole(data.total.calls)} in all</span></div>
      <${Stack} times=${data.times} step=${data.range.step_ms} layers=${layers} bars height=${190} partial=${data.range.partial_last} write=${whole}
        label=${`Calls over time: ${data.total.calls}, ${data.total.errors} failed`} onZoom=${(from, to) => change({ from, to, range: null })} />
    </section>`;
}

/** @param {{errors: any, query: import("../state.js").Query}} props */
const Failures = ({ errors, query }) => html`
  <${Panel} title="How they fail" link=${html`<${OfNewest} looked=${errors} noun="failures" />`}>
    <${Failed} rows=${errors.rows.slice(0, 6)} noun="tool" query=${query} />
    ${!errors.rows.length && html`<${Nothing} title="No call failed in this range" />`}
  <//>`;

/** @param {any} data @returns {import("../parts/table.js").Column[]} */
const columns = (data) => [
  { head: "Tool", cell: (row) => html`<${Mark} kind="tool" /><bdi>${row.tool}</bdi><small><bdi>${row.services.join(", ")}</bdi></small>` },
  { head: "Calls", num: true, cell: (row) => whole(row.calls) },
  { head: "Failed", num: true, cell: (row) => html`<span class=${cls(row.errors > 0 && "err")}>${percent(row.error_ratio)}</span>` },
  { head: "Before", num: true, wide: true, cell: (row) => html`<span class="dim">${percent(row.previous?.error_ratio)}</span>` },
  { head: "Median", num: true, wide: true, cell: (row) => html`<${Duration} ms=${row.p50_ms} />` },
  { head: "p95", num: true, cell: (row) => html`<${Duration} ms=${row.p95_ms} />` },
  { head: "p95 before", num: true, wide: true, cell: (row) => html`<span class="dim"><${Duration} ms=${row.previous?.p95_ms} /></span>` },
  { head: "Last call", num: true, wide: true, cell: (row) => html`<span class="dim">${ago(row.last)}</span>` },
  { head: "Over time", wide: true, cell: (row) => html`<${Spark} values=${row.series.calls} variable="--tool" partial=${data.range.partial_last} />` },
];

/** @type {import("../parts/table.js").Column[]} */
const ACTIONS = [
  { head: "Integration", cell: (row) => html`<${Mark} kind="tool" /><bdi>${row.integration || "not named"}</bdi>` },
  { head: "Action", cell: (row) => html`<bdi>${row.action || "not named"}</bdi>` },
  { head: "Calls", num: true, cell: (row) => whole(row.calls) },
  { head: "Failed", num: true, cell: (row) => html`<span class=${cls(row.errors > 0 && "err")}>${percent(row.error_ratio)}</span>` },
  { head: "Median", num: true, wide: true, cell: (row) => html`<${Duration} ms=${row.p50_ms} />` },
  { head: "p95", num: true, cell: (row) => html`<${Duration} ms=${row.p95_ms} />` },
];
