/** Background jobs: how they run, which are late, how long their queues are; and syncs with other systems. */

import { useAnswer } from "../api.js";
import { ago, duration, moment, percent, plural, whole } from "../format.js";
import { cls, html } from "../html.js";
import { Failed, OfNewest } from "../parts/calls.js";
import { Cards, timed } from "../parts/cards.js";
import { Stack } from "../parts/chart.js";
import { Duration, Mark, Nothing, Panel, Trouble, Waiting, useRowKeys } from "../parts/common.js";
import { Spark } from "../parts/spark.js";
import { Table } from "../parts/table.js";
import { written } from "../filters.js";
import { address, change, ranged, shared } from "../state.js";

/** @param {import("../app.js").PageProps} props */
export function Jobs({ query, revision }) {
  const { data, error } = useAnswer("jobs", ranged(query), revision);
  useRowKeys();
  if (error && !data) return html`<${Trouble} error=${error} />`;
  if (!data) return html`<div class="verdict"><h1>Jobs</h1></div><${Waiting} rows=${8} className="tall" />`;
  const common = shared(query);
  if (!data.jobs.length && !data.syncs.length && !data.queues.length) return html`<${Start} />`;
  return html`
    <div class="verdict"><h1>Jobs</h1><p><${Sentence} data=${data} /></p></div>
    <${Cards} cards=${timed(data, { label: "Runs", count: "runs", variable: "--job" })} partial=${data.range.partial_last} />
    <div class="row">
      <${Over} data=${data} />
      <${Panel} title="How they fail" link=${html`<${OfNewest} looked=${data.errors} noun="failures" />`}>
        <${Failed} rows=${data.errors.rows.slice(0, 6)} noun="job" query=${common} />
        ${!data.errors.rows.length && html`<${Nothing} title="No job failed in this range" />`}
      <//>
    </div>
    ${data.jobs.length > 0 && html`<${Panel} title="Jobs" className="gap">
      <${Table} columns=${columns("job", "Job", data)} rows=${data.jobs} keyOf=${({ job }) => job} to=${({ job }) => tracesOf("run_job", job, common)} /><//>`}
    ${data.queues.length > 0 && html`<${Panel} title="Queues" className="gap" link=${html`<span class="dim">as last reported</span>`}>
      <${Table} columns=${QUEUES} rows=${data.queues} keyOf=${({ system, queue }) => `${system}/${queue}`} /><//>`}
    ${data.syncs.length > 0 && html`<${Panel} title="Syncs" className="gap">
      <${Table} columns=${columns("integration", "Integration", data)} rows=${data.syncs} keyOf=${({ integration }) => integration}
        to=${({ integration }) => tracesOf("sync", integration, common)} /><//>`}`;
}

const Start = () => html`<div class="verdict"><h1>Jobs</h1></div>
  <section class="panel">
    <${Nothing} title="No job has run yet">Celery, RQ, arq, APScheduler and BackgroundTasks appear here by themselves
      when their worker is started with <span class="mono">otelkit run</span>; a function of your own with <span
      class="mono">@traced_job</span>, a sync with <span class="mono">sync("calendar")</span>.<//></section>`;

/** What is wrong, in words. @param {{data: any}} props */
function Sentence({ data: { total, jobs, syncs, queues } }) {
  const late = [...jobs, ...syncs].filter(({ overdue }) => overdue).map(({ job, integration }) => job ?? integration);
  const failing = jobs.find(({ errors }) => errors > 0);
  const waiting = queues.filter(({ length }) => length > 0);
  return html`${plural(total.runs, "run")} of ${plural(jobs.length, "job")} · ${late.length > 0 && html`<${Late} names=${late} />`}
    ${failing
      ? html`<b class="bad">${percent(total.error_ratio)}</b> failed, most in <b><bdi>${failing.job}</bdi></b>`
      : "none failed"}
    ${waiting.length > 0 && html` · <b>${whole(waiting.reduce((sum, { length }) => sum + length, 0))}</b> waiting`}`;
}

/** @param {{names: string[]}} props */
const Late = ({ names }) => html`<b class="bad"><bdi>${names.slice(0, 2).join(", ")}</bdi></b>${
  names.length > 2 ? ` and ${names.length - 2} more are` : names.length > 1 ? " are" : " is"} late · `;

/**
 * The traces with one step, by the name it has.
 * @param {string} step
 * @param {string} name
 * @param {import("../state.js").Query} query
 */
const tracesOf = (step, name, query) => address("traces", { ...query, filter: written("step", `${step} ${name}`) });

/** Runs over time, failed ones on top. @param {{data: any}} props */
function Over({ data }) {
  const { runs, errors } = data.series;
  const layers = [{ key: "ok", label: "ok", variable: "--job", values: runs.map((value, at) => value - errors[at]) },
    { key: "failed", label: "failed", variable: "--err", values: errors }];
  return html`
    <section class="panel chart" aria-label="Runs over time">
      <div class="h"><h2>Runs</h2><span class="dim">${whole(data.total.runs)} in all</span></div>
      <${Stack} times=${data.times} step=${data.range.step_ms} layers=${layers} bars height=${190} partial=${data.range.partial_last} write=${whole}
        label=${`Runs over time: ${data.total.runs}, ${data.total.errors} failed`} onZoom=${(from, to) => change({ from, to, range: null })} />
    </section>`;
}

/** @param {{row: any}} props */
const Success = ({ row }) => html`<span class=${cls(row.overdue ? "err" : "dim")} title=${told(row)}>${
  row.last_success === null ? "not known" : ago(row.last_success)}${row.overdue && html`<span class="sr">, late</span>`}</span>`;

/** @param {any} row */
const told = (row) => [row.last_success === null ? "" : moment(row.last_success),
  row.usual_s === null ? "" : `usually every ${duration(row.usual_s * 1000)} or sooner`].filter(Boolean).join("; ");

/** @param {any} row */
const where = (row) => (row.queue ? `${row.system} · ${row.queue}` : row.system || row.services.join(", "));

/** @param {"job"|"integration"} key @param {string} head @param {any} data @returns {import("../parts/table.js").Column[]} */
const columns = (key, head, data) => [
  { head, cell: (row) => html`<${Mark} kind="job" /><bdi>${row[key]}</bdi><small><bdi>${where(row)}</bdi></small>` },
  { head: "Runs", num: true, cell: (row) => whole(row.runs) },
  { head: "Failed", num: true, cell: (row) => html`<span class=${cls(row.errors > 0 && "err")}>${percent(row.error_ratio)}</span>` },
  { head: "Before", num: true, wide: true, cell: (row) => html`<span class="dim">${percent(row.previous?.error_ratio)}</span>` },
  ...(key === "job" ? [{ head: "Retries", num: true, wide: true, cell: (row) => html`<span class="dim">${whole(row.retries)}</span>` }] : []),
  { head: "Median", num: true, wide: true, cell: (row) => html`<${Duration} ms=${row.p50_ms} />` },
  { head: "p95", num: true, wide: true, cell: (row) => html`<${Duration} ms=${row.p95_ms} />` },
  { head: "Last success", num: true, cell: (row) => html`<${Success} row=${row} />` },
  { head: "Over time", wide: true, cell: (row) => html`<${Spark} values=${row.series.runs} variable="--job" partial=${data.range.partial_last} />` },
];

/** @type {import("../parts/table.js").Column[]} */
const QUEUES = [
  { head: "Queue", cell: (row) => html`<${Mark} kind="job" /><bdi>${row.queue}</bdi><small><bdi>${row.system}</bdi></small>` },
  { head: "Waiting", num: true, cell: (row) => (row.length === null ? html`<span class="dim">not known</span>` : whole(row.length)) },
  { head: "Oldest for", num: true, cell: (row) => (row.length === 0 ? html`<span class="dim">empty</span>` : row.oldest_s === null
    ? html`<span class="dim">not known</span>` : html`<${Duration} ms=${row.oldest_s * 1000} />`) },
  { head: "Reported", num: true, wide: true, cell: (row) => html`<span class="dim">${ago(row.at)}</span>` },
];
