/** How long retrieval takes, how much it finds, and how well that fits. */

import { useAnswer } from "../api.js";
import { duration, durationParts, percent, percentParts, plural, whole, countParts } from "../format.js";
import { cls, html } from "../html.js";
import { Calls } from "../parts/calls.js";
import { Cards } from "../parts/cards.js";
import { Stack } from "../parts/chart.js";
import { Duration, Mark, Nothing, Panel, Trouble, Waiting, useRowKeys } from "../parts/common.js";
import { Spark } from "../parts/spark.js";
import { Table } from "../parts/table.js";
import { address, change, ranged, shared } from "../state.js";

/** @param {import("../app.js").PageProps} props */
export function Retrieval({ query, revision }) {
  const { data, error } = useAnswer("retrieval", ranged(query), revision);
  useRowKeys();
  if (error && !data) return html`<${Trouble} error=${error} />`;
  if (!data) return html`<div class="verdict"><h1>Retrieval</h1></div><${Waiting} rows=${8} className="tall" />`;
  const { total } = data;
  if (!total.calls) return html`<div class="verdict"><h1>Retrieval</h1></div>
    <section class="panel">
      <${Nothing}
        title="Nothing was retrieved in this range">Searches appear here when functions carry <span
          class="mono">@traced_retrieval</span>, or spans <span class="mono">gen_ai.operation.name=retrieval</span>.<//></section>`;
  return html`
    <div class="verdict"><h1>Retrieval</h1>
      <p>${plural(total.calls, "search", "searches")} in ${plural(data.sources.length, "source")}
        ${total.empty_ratio === null ? "" : html` · <b>${percent(total.empty_ratio)}</b> found nothing`} · 95 of 100 took less than <b>
          ${duration(total.p95_ms)}</b></p></div>
    <${Cards} cards=${cards(data)} partial=${data.range.partial_last} />
    <div class="row">
      <${Times} data=${data} variable="--rag" />
      <${Results} total=${total} found=${data.found} />
    </div>
    <${Panel} title="Data sources" className="gap">
      <${Table} columns=${COLUMNS(data)} rows=${data.sources} keyOf=${({ source }) => source}
        to=${() => address("traces", { ...shared(query), kind: "retrieval" })} /><//>
    <${Panel} title="Slowest searches" className="gap" link=${html`<span class="dim">where content is captured, the query is shown</span>`}>
      <${Calls} calls=${data.slowest} query=${shared(query)}
        about=${({ results, score }) => [results === null ? "results not reported" : plural(results, "result"), score === null ? ""
          : `best score ${figure(score)}`].filter(Boolean)
          .join(" · ")} />
    <//>`;
}

/** @param {number} score */
const figure = (score) => String(Number(score.toPrecision(3)));

/** What stands for a score that there is none of. @param {any} row figures with `scored` and `other_scale` */
const unscored = (row) => (row.other_scale ? "other scale" : "not reported");

/** @param {any} data @returns {import("../parts/cards.js").Card[]} */
function cards({ total, previous, series }) {
  const best = total.score_p50;
  const note = best !== null ? `worst tenth below ${figure(total.score_p10)}` : total.other_scale ? "scores outside 0 … 1" : "set otelkit.retrieval.score.max";
  return [
    { label: "Searches", parts: countParts(total.calls), now: total.calls, before: previous?.calls, series: series.calls, variable: "--rag" },
    { label: "Found nothing", parts: total.empty_ratio === null ? null : percentParts(total.empty_ratio), missing: "not reported",
      now: total.empty_ratio, before: previous?.empty_ratio, points: true, better: "lower", series: series.empty, variable: "--tool",
      note: total.empty ? `${whole(total.empty)} in all` : "" },
    { label: "Latency, median", parts: durationParts(total.p50_ms), now: total.p50_ms, before: previous?.p50_ms, better: "lower",
      series: series.p50_ms, variable: "--rag" },
    { label: "Latency, p95", parts: durationParts(total.p95_ms), now: total.p95_ms, before: previous?.p95_ms, better: "lower",
      series: series.p95_ms, variable: "--rag" },
    { label: "Failed", parts: percentParts(total.error_ratio), now: total.error_ratio, before: previous?.error_ratio, points: true,
      better: "lower", series: series.errors, variable: "--err" },
    { label: "Best score, median", parts: best === null ? null : { value: figure(best), unit: "" }, missing: unscored(total), now: best,
      before: previous?.score_p50, better: "higher", note,
      series: total.scored ? series.score_p50 : undefined, variable: "--rag", title: total.other_scale
        ? `${plural(total.other_scale, "search", "searches")} with scores outside 0 … 1 left out` : undefined },
  ];
}

/** Median and p95 over time. @param {{data: any, variable: string}} props */
export const Times = ({ data, variable }) => html`
  <section class="panel chart" aria-label="Latency over time">
    <div class="h"><h2>Latency</h2><span class="dim">median and p95</span></div>
    <${Stack} times=${data.times} step=${data.range.step_ms} lines height=${190} partial=${data.range.partial_last} write=${duration}
      layers=${[{ key: "p50", label: "median", variable, values: data.series.p50_ms },
        { key: "p95", label: "p95", variable: "--accent", values: data.series.p95_ms }]}
      label=${`Latency over time: median ${duration(data.total.p50_ms)}, p95 ${duration(data.total.p95_ms)}`}
        onZoom=${(from, to) => change({ from, to, range: null })} />
  </section>`;

/** How many searches found how much. @param {{total: any, found: any[]}} props */
function Results({ total, found }) {
  const most = Math.max(...found.map(({ calls }) => calls), 1);
  const silent = total.calls - total.counted;
  const name = ({ from, to }) => (to === null ? `more than ${from - 1}` : from === to ? (from === 0 ? "nothing" : whole(from)) : `${from} – ${to}`);
  return html`
    <${Panel} title="Results found" link=${html`<span class="dim">${total.counted ? `${figure(total.results_mean)} on average` : ""}</span>`}>
      ${total.counted ? html`<div class="bars">${found.map((one) => html`
        <div class="bar" key=${one.from}>
          <span class=${cls("dim", one.from === 0 && one.to === 0 && one.calls > 0 && "warn")}>${name(one)}</span>
          <i class=${cls(one.to === 0 ? "k-tool" : "k-retrieval", !one.calls && "none")} style=${{ width: `${(one.calls / most) * 100}%` }}></i>
          <span class="num">${one.calls ? whole(one.calls) : ""}</span></div>`)}</div>
        ${silent > 0 && html`<p class="dim small pad-in">${plural(silent, "search", "searches")} did not say how much they found.</p>`}`
        : html`<${Nothing} title="Result counts are not reported">They come with <span class="mono">otelkit.retrieval.result_count</span>.<//>`}
    <//>`;
}

const unreported = () => html`<span class="dim">not reported</span>`;

/** @param {any} data @returns {import("../parts/table.js").Column[]} */
const COLUMNS = (data) => [
  { head: "Source", cell: (row) => html`<${Mark} kind="retrieval" /><bdi>${row.source}</bdi><small><bdi>${row.services.join(", ")}</bdi></small>` },
  { head: "Searches", num: true, cell: (row) => whole(row.calls) },
  { head: "Found nothing", num: true, cell: (row) => (row.empty_ratio === null ? unreported() : percent(row.empty_ratio)) },
  { head: "Results", num: true, wide: true, cell: (row) => (row.results_mean === null ? unreported() : figure(row.results_mean)) },
  { head: "Failed", num: true, wide: true, cell: (row) => html`<span class=${cls(row.errors > 0 && "err")}>${percent(row.error_ratio)}</span>` },
  { head: "Median", num: true, wide: true, cell: (row) => html`<${Duration} ms=${row.p50_ms} />` },
  { head: "p95", num: true, cell: (row) => html`<${Duration} ms=${row.p95_ms} />` },
  { head: "p95 before", num: true, wide: true, cell: (row) => html`<span class="dim"><${Duration} ms=${row.previous?.p95_ms} /></span>` },
  { head: "Best score", num: true, wide: true,
    cell: (row) => (row.score_p50 === null ? html`<span class="dim">${unscored(row)}</span>` : figure(row.score_p50)) },
  { head: "Over time", wide: true, cell: (row) => html`<${Spark} values=${row.series.calls} variable="--rag" partial=${data.range.partial_last} />` },
];
