/** What each model did, how fast, and what it cost. */

import { useAnswer } from "../api.js";
import { apiParams } from "../filters.js";
import { count, money, percent, plural, whole } from "../format.js";
import { cls, html } from "../html.js";
import { Share } from "../parts/bars.js";
import { Stack } from "../parts/chart.js";
import { Amount, Duration, Mark, Nothing, Trouble, Waiting, moveFocus } from "../parts/common.js";
import { Spark } from "../parts/spark.js";
import { Unpriced } from "../parts/unpriced.js";
import { address, change, go, shared, useKeys, writing } from "../state.js";

/** @param {import("../app.js").PageProps} props */
export function Models({ query, revision }) {
  const { data, error } = useAnswer("models", apiParams("models", query), revision);
  useKeys((event) => !writing(event) && !event.metaKey && !event.ctrlKey && (event.key === "j" || event.key === "k") && moveFocus(event.key === "j" ? 1 : -1));
  if (error && !data) return html`<${Trouble} error=${error} />`;
  if (!data) return html`<div class="verdict"><h1>Models</h1></div><${Waiting} rows=${8} className="tall" />`;
  return html`
    <${Summary} data=${data} />
    <${Unpriced} unpriced=${data.unpriced} unreported=${data.total.unreported_calls} />
    ${data.models.length > 0 && html`<${Cost} data=${data} />`}
    <section class="panel gap" aria-label="Models">
      ${data.models.length ? html`<${Table} data=${data} query=${shared(query)} />` : html`<${Nothing} title="No model was called in this range">Calls appear here when spans carry <span class="mono">gen_ai.request.model</span>.<//>`}
    </section>`;
}

/** @param {{data: any}} props */
function Summary({ data }) {
  const { total, models } = data;
  const names = new Set(models.map(({ model }) => model)).size;
  const known = total.cost_usd !== null;
  return html`
    <div class="verdict"><h1>Models</h1>
      <p>${names ? html`${plural(names, "model")}, ${plural(total.calls, "call")} · <b>${known ? money(total.cost_usd) : "cost unknown"}</b>${known && (total.unpriced_calls || total.unreported_calls) ? " for what has a price" : ""} · ${total.tokens.total === null ? "tokens not reported" : html`<b>${count(total.tokens.total)}</b> tokens`} · ${percent(total.calls ? total.errors / total.calls : null)} failed` : ""}</p></div>`;
}

/** Cost by step where any is known, calls otherwise. @param {{data: any}} props */
function Cost({ data }) {
  const priced = data.models.some(({ cost_usd: cost }) => cost);
  const series = (row) => (priced ? row.cost_series : row.calls_series);
  const values = data.times.map((_, at) => data.models.reduce((sum, row) => sum + (series(row)[at] || 0), 0));
  const layers = [{ key: "llm", label: priced ? "Cost" : "Calls", variable: "--llm", values }];
  return html`
    <section class="panel chart gap" aria-label=${priced ? "Cost over time" : "Calls over time"}>
      <div class="h"><h2>${priced ? "Cost over time" : "Calls over time"}</h2></div>
      <${Stack} times=${data.times} step=${data.range.step_ms} layers=${layers} bars height=${130} partial=${data.range.partial_last} write=${priced ? money : whole}
        label=${priced ? `Cost over time, ${money(data.total.cost_usd)} in all` : `Calls over time, ${data.total.calls} in all`}
        onZoom=${(from, to) => change({ from, to, range: null })} />
    </section>`;
}

const HEADS = ["Model", "Calls", "Failed", "Input", "Output", "Cached", "p50", "p95", "First token", "Tokens/s", "Calls over time", "Cost", ""];

/** @param {{data: any, query: import("../state.js").Query}} props */
const Table = ({ data, query }) => html`
  <div class="scroll"><table class="models">
    <thead><tr>${HEADS.map((head, at) => html`<th key=${at} scope="col" class=${cls(at > 0 && at !== 10 && "num", `c${at}`)}>${head || html`<span class="sr">Share of the cost</span>`}</th>`)}</tr></thead>
    <tbody>${data.models.map((row) => html`<${Row} key=${`${row.provider}/${row.model}/${row.operation}`} row=${row} query=${query} partial=${data.range.partial_last} />`)}</tbody>
  </table></div>`;

/** @param {{row: any, query: import("../state.js").Query, partial: boolean}} props */
function Row({ row, query, partial }) {
  const to = address("traces", { ...query, model: row.model });
  const silent = row.unreported_calls === row.calls;
  const tokens = (value) => (value === null ? (silent ? "not reported" : "–") : count(value));
  const cells = [
    html`<${Mark} kind="llm" /><a href=${to} data-row><bdi>${row.model || "unnamed model"}</bdi></a><small><bdi>${[row.provider || "unknown provider", row.operation].filter(Boolean).join(" · ")}</bdi></small>`,
    whole(row.calls),
    html`<span class=${cls(row.errors > 0 && "err")}>${percent(row.error_ratio)}</span>`,
    tokens(row.tokens.input), tokens(row.tokens.output), row.tokens.cached === null ? "–" : count(row.tokens.cached),
    html`<${Duration} ms=${row.p50_ms} />`, html`<${Duration} ms=${row.p95_ms} />`, html`<${Duration} ms=${row.first_token_p50_ms} />`,
    row.tokens_per_s === null ? "–" : html`<${Amount} parts=${{ value: String(Math.round(row.tokens_per_s)), unit: "" }} />`,
    html`<${Spark} values=${row.calls_series} variable="--llm" partial=${partial} />`,
    html`<span title=${row.cost_usd === null ? undefined : `$${row.cost_usd}`}>${money(row.cost_usd, row.unpriced_calls ? "not priced" : "unknown")}${row.cost_usd !== null && row.unpriced_calls ? " +" : ""}</span>`,
    html`<${Share} ratio=${row.share} />`,
  ];
  return html`<tr onClick=${(event) => !event.target.closest("a") && go(to)}>${cells.map((cell, at) => html`<td key=${at} class=${cls(at > 0 && at !== 10 && "num", `c${at}`)}>${cell}</td>`)}</tr>`;
}
