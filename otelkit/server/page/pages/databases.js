/** Databases: what is asked, how long it takes, which statements are slow or repeated, how full the pools are. */

import { useAnswer } from "../api.js";
import { ago, duration, moment, percent, plural, rateParts, whole } from "../format.js";
import { cls, html } from "../html.js";
import { Calls, Failed, OfNewest } from "../parts/calls.js";
import { Cards, timed } from "../parts/cards.js";
import { Stack } from "../parts/chart.js";
import { Amount, Duration, Mark, Nothing, Panel, Trouble, Waiting, useRowKeys } from "../parts/common.js";
import { Spark } from "../parts/spark.js";
import { Table } from "../parts/table.js";
import { written } from "../filters.js";
import { address, change, ranged, shared } from "../state.js";

/** @param {import("../app.js").PageProps} props */
export function Databases({ query, revision }) {
  const { data, error } = useAnswer("databases", ranged(query), revision);
  useRowKeys();
  if (error && !data) return html`<${Trouble} error=${error} />`;
  if (!data) return html`<div class="verdict"><h1>Databases</h1></div><${Waiting} rows=${8} className="tall" />`;
  const { total } = data;
  const common = shared(query);
  if (!total.calls && !data.pools.length) return html`<${Start} />`;
  return html`
    <div class="verdict"><h1>Databases</h1><p><${Sentence} data=${data} /></p></div>
    <${Cards} cards=${timed(data, { label: "Calls", count: "calls", variable: "--db", slow: "--accent" })} partial=${data.range.partial_last} />
    <div class="row">
      <${Over} data=${data} />
      <${Panel} title="Slow statements" link=${html`<span class="dim">${data.slow.length ? "newest first" : ""}</span>`}>
        <${Told} rows=${data.slow} query=${common} say=${({ times, worst }) => `${plural(times, "time")}, up to ${duration(worst * 1000)}`} />
        ${!data.slow.length && html`<${Nothing} title="No statement was slow in this range">Slow is what takes longer than <span
          class="mono">OTELKIT_SLOW_QUERY_SECONDS</span>, half a second unless set.<//>`}
      <//>
    </div>
    ${data.calls.length > 0 && html`<${Panel} title="Calls" className="gap">
      <${Table} columns=${columns(data)} rows=${data.calls} keyOf=${({ call }) => call}
        to=${({ call }) => address("traces", { ...common, filter: written("step", call) })} /><//>`}
    <div class="row">
      <${Panel} title="Repeated in one request" link=${html`<span class="dim">${data.repeated.length ? "N+1: worth one query instead" : ""}</span>`}>
        <${Told} rows=${data.repeated} query=${common}
          say=${({ route, worst }) => `${whole(worst)} times in ${route || "one request"}`} />
        ${!data.repeated.length && html`<${Nothing} title="No request ran one statement again and again" />`}
      <//>
      <${Panel} title="How they fail" link=${html`<${OfNewest} looked=${data.errors} noun="failures" />`}>
        <${Failed} rows=${data.errors.rows.slice(0, 6)} noun="call" query=${common} />
        ${!data.errors.rows.length && html`<${Nothing} title="No call failed in this range" />`}
      <//>
    </div>
    ${data.pools.length > 0 && html`<${Panel} title="Connection pools" className="gap" link=${html`<span class="dim">as last reported</span>`}>
      <${Table} columns=${POOLS} rows=${data.pools} keyOf=${({ pool, system }) => `${system}/${pool}`} /><//>`}
    ${data.slowest.length > 0 && html`<${Panel} title="Slowest calls" className="gap">
      <${Calls} calls=${data.slowest} query=${common} about=${({ statement }) => statement || ""} /><//>`}`;
}

const Start = () => html`<div class="verdict"><h1>Databases</h1></div>
  <section class="panel">
    <${Nothing} title="No database was called in this range">SQLAlchemy, psycopg, asyncpg, sqlite3 and redis appear here by themselves
      once the extra is installed: <span class="mono">pip install 'otelkit[databases]'</span>.<//></section>`;

/** What is wrong, in words. @param {{data: any}} props */
function Sentence({ data: { total, slow, repeated, pools } }) {
  const full = pools.filter(({ waiting, timeouts }) => waiting > 0 || timeouts > 0).map(({ pool }) => pool);
  return html`${plural(total.calls, "call")} · 95 of 100 took less than <b>${duration(total.p95_ms)}</b>
    ${total.errors > 0 && html` · <b class="bad">${percent(total.error_ratio)}</b> failed`}
    ${slow.length > 0 && html` · <b class="bad">${plural(slow.length, "statement")}</b> slow`}
    ${repeated.length > 0 && html` · <b>${whole(repeated.length)}</b> repeated`}
    ${full.length > 0 && html` · callers wait for <b class="bad"><bdi>${full.slice(0, 2).join(", ")}</bdi></b>`}`;
}

/** Median and p95 over time. @param {{data: any}} props */
const Over = ({ data }) => html`
  <section class="panel chart" aria-label="Time over time">
    <div class="h"><h2>How long calls take</h2><span class="dim">median and p95</span></div>
    <${Stack} times=${data.times} step=${data.range.step_ms} lines height=${190} partial=${data.range.partial_last} write=${duration}
      layers=${[{ key: "p50", label: "median", variable: "--db", values: data.series.p50_ms },
        { key: "p95", label: "p95", variable: "--accent", values: data.series.p95_ms }]}
      label=${`Time of calls: median ${duration(data.total.p50_ms)}, p95 ${duration(data.total.p95_ms)}`}
      onZoom=${(from, to) => change({ from, to, range: null })} />
  </section>`;

/**
 * Statements that were told about, each a link to its worst one.
 * @param {{rows: any[], query: import("../state.js").Query, say: (row: any) => string}} props
 */
const Told = ({ rows, query, say }) =>
  rows.slice(0, 6).map((row) => html`
    <a class="chg" key=${row.fingerprint} data-row title=${row.statement || undefined}
      href=${row.trace_id ? address("traces", { ...query, trace: row.trace_id, span: row.span_id }) : address("logs", query)}>
      <${Mark} kind="db" /><span class="grow"><b><bdi>${row.summary}</bdi></b> ${say(row)}<br />
        <span class="dim clip" title=${moment(row.last)}>
          <bdi>${[row.statement, row.service, `last ${ago(row.last)}`].filter(Boolean).join(" · ")}</bdi></span></span></a>`);

/** @param {any} data @returns {import("../parts/table.js").Column[]} */
const columns = (data) => [
  { head: "Call", cell: (row) => html`<${Mark} kind="db" /><bdi>${row.call}</bdi><small><bdi>${
    [row.system, row.services.join(", ")].filter(Boolean).join(" · ")}</bdi></small>` },
  { head: "Calls", num: true, cell: (row) => whole(row.calls) },
  { head: "Rate", num: true, wide: true, cell: (row) => html`<${Amount} parts=${rateParts(row.per_second)} />` },
  { head: "Failed", num: true, cell: (row) => html`<span class=${cls(row.errors > 0 && "err")}>${percent(row.error_ratio)}</span>` },
  { head: "Median", num: true, wide: true, cell: (row) => html`<${Duration} ms=${row.p50_ms} />` },
  { head: "p95", num: true, cell: (row) => html`<${Duration} ms=${row.p95_ms} />` },
  { head: "p95 before", num: true, wide: true, cell: (row) => html`<span class="dim"><${Duration} ms=${row.previous?.p95_ms} /></span>` },
  { head: "Over time", wide: true, cell: (row) => html`<${Spark} values=${row.series.calls} variable="--db" partial=${data.range.partial_last} />` },
];

/** @param {number|null} value */
const told = (value) => (value === null ? html`<span class="dim">not told</span>` : whole(value));

/** @type {import("../parts/table.js").Column[]} */
const POOLS = [
  { head: "Pool", cell: (row) => html`<${Mark} kind="db" /><bdi>${row.pool}</bdi><small><bdi>${row.system}</bdi></small>` },
  { head: "In use", num: true, cell: (row) => html`<span class=${cls(row.most !== null && row.used >= row.most && "err")}>${told(row.used)}</span>` },
  { head: "Idle", num: true, wide: true, cell: (row) => told(row.idle) },
  { head: "At most", num: true, cell: (row) => (row.most === null ? html`<span class="dim">no limit</span>` : whole(row.most)) },
  { head: "Waiting", num: true, cell: (row) => html`<span class=${cls(row.waiting > 0 && "err")}>${told(row.waiting)}</span>` },
  { head: "Timeouts", num: true, cell: (row) => html`<span class=${cls(row.timeouts > 0 && "err")}>${told(row.timeouts)}</span>` },
];
