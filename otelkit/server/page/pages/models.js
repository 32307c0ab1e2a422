/** What each model did, how fast, what it cost, and for whom. */

import { useAnswer } from "../api.js";
import { apiParams } from "../filters.js";
import { count, countParts, money, percent, percentParts, plural, whole } from "../format.js";
import { cls, html } from "../html.js";
import { Share } from "../parts/bars.js";
import { Cards } from "../parts/cards.js";
import { Stack } from "../parts/chart.js";
import { Amount, Duration, Mark, Nothing, Panel, Trouble, Waiting, useRowKeys } from "../parts/common.js";
import { Recomputing } from "../parts/priceform.js";
import { Change, Ranked } from "../parts/ranked.js";
import { Spark } from "../parts/spark.js";
import { Unpriced } from "../parts/unpriced.js";
import { address, change, go, shared } from "../state.js";

const COLOURS = ["--llm", "--rag", "--tool", "--app", "--job"];

/** @param {import("../app.js").PageProps} props */
export function Models({ query, revision }) {
  const { data, error } = useAnswer("models", apiParams("models", query), revision);
  useRowKeys();
  if (error && !data) return html`<${Trouble} error=${error} />`;
  if (!data) return html`<div class="verdict"><h1>Models and cost</h1></div><${Waiting} rows=${8} className="tall" />`;
  return html`
    <${Summary} data=${data} />
    <${Unpriced} unpriced=${data.unpriced} unreported=${data.total.unreported_calls} />
    <${Recomputing} revision=${revision} />
    ${data.models.length > 0 && html`<${Figures} data=${data} /><${Cost} data=${data} />`}
    <section class="panel gap" aria-label="Models">
      ${data.models.length
        ? html`<${Table} data=${data} query=${shared(query)} />`
        : html`<${Nothing}
          title="No model was called in this range">Calls appear here when spans carry <span class="mono">gen_ai.request.model</span>.<//>`}
    </section>
    ${data.models.length > 0
      && html`<div class="row thirds">
        ${["provider", "user", "group"].map((by) => html`<${Causes} key=${by} by=${by} query=${query} revision=${revision} />`)}</div>`}`;
}

/** @param {{data: any}} props */
function Summary({ data }) {
  const { total, models } = data;
  const names = new Set(models.map(({ model }) => model)).size;
  const known = total.cost_usd !== null;
  return html`
    <div class="verdict"><h1>Models and cost</h1>
      <p>
        ${names
          ? html`${plural(names, "model")}, ${plural(total.calls, "call")} · <b>${known ? money(total.cost_usd) : "cost unknown"}</b>
            ${known && (total.unpriced_calls || total.unreported_calls)
              ? " for what has a price"
              : ""} · ${total.tokens.total === null
              ? "tokens not reported"
              : html`<b>${count(total.tokens.total)}</b> tokens`} · ${percent(total.calls ? total.errors / total.calls : null)} failed`
          : ""}</p></div>`;
}

/** @param {{data: any}} props */
function Figures({ data: { total, models, times, range } }) {
  const before = total.previous;
  const summed = (name) => times.map((_, at) => models.reduce((sum, row) => (row[name][at] === null ? sum : (sum ?? 0) + row[name][at]), null));
  const each = total.calls && total.cost_usd !== null ? total.cost_usd / total.calls : null;
  return html`<${Cards} partial=${range.partial_last} cards=${[
    { label: "Cost", parts: total.cost_usd === null ? null : { value: money(total.cost_usd), unit: "" }, missing: "not priced",
      now: total.cost_usd, before: before?.cost_usd, better: "lower", series: summed("cost_series"), variable: "--tool" },
    { label: "Cost a call", parts: each === null ? null : { value: money(each), unit: "" }, missing: "not priced", now: each,
      before: before?.calls && before.cost_usd !== null ? before.cost_usd / before.calls : null, better: "lower", note: total.unpriced_calls
      ? "some have no price" : "" },
    { label: "Tokens", parts: total.tokens.total === null ? null : countParts(total.tokens.total), missing: "not reported",
      now: total.tokens.total, before: before?.tokens },
    { label: "Calls", parts: countParts(total.calls), now: total.calls, before: before?.calls, series: summed("calls_series"), variable: "--llm" },
    { label: "Failed", parts: percentParts(total.calls ? total.errors / total.calls : null), now: total.calls ? total.errors / total.calls
      : null, before: before?.calls ? before.errors / before.calls : null, points: true, better: "lower" },
  ]} />`;
}

/** Cost by step where any is known, calls otherwise; a layer for each of the models that matter. @param {{data: any}} props */
function Cost({ data }) {
  const priced = data.models.some(({ cost_usd: cost }) => cost);
  const series = (row) => (priced ? row.cost_series : row.calls_series);
  const named = new Map();
  for (const row of data.models) {
    const sum = named.get(row.model) || data.times.map(() => 0);
    named.set(row.model, sum.map((value, at) => value + (series(row)[at] || 0)));
  }
  const all = [...named].filter(([, values]) => values.some(Boolean));
  const layers = all.slice(0, COLOURS.length)
    .map(([model, values], at) => ({ key: model || "", label: model || "unnamed model", variable: COLOURS[at], values }));
  const rest = all.slice(COLOURS.length);
  if (rest.length) layers.push({ key: "(others)", label: plural(rest.length, "other"), variable: "--db",
    values: data.times.map((_, at) => rest.reduce((sum, [, values]) => sum + values[at], 0)) });
  const what = priced ? "Cost over time, by model" : "Calls over time, by model";
  return html`
    <section class="panel chart gap" aria-label=${what}>
      <div class="h"><h2>${what}</h2></div>
      <${Stack} times=${data.times} step=${data.range.step_ms} layers=${layers.reverse()} bars height=${150}
        partial=${data.range.partial_last} write=${priced ? money : whole}
        label=${priced ? `${what}, ${money(data.total.cost_usd)} in all` : `${what}, ${data.total.calls} in all`}
        onZoom=${(from, to) => change({ from, to, range: null })} />
    </section>`;
}

const HEADS = ["Model", "Calls", "Failed", "Cached, input, output tokens", "p50", "p95", "First token", "Tokens/s", "Calls over time", "Cost", ""];
const PLAIN = [0, 3, 8];

/** @param {{data: any, query: import("../state.js").Query}} props */
const Table = ({ data, query }) => html`
  <div class="scroll"><table class="models">
    <thead>
      <tr>
        ${HEADS.map((head, at) =>
          html`<th key=${at} scope="col" class=${cls(!PLAIN.includes(at) && "num", `m${at}`)}>
            ${head || html`<span class="sr">Share of the cost</span>`}</th>`)}</tr></thead>
    <tbody>
      ${data.models.map((row) =>
        html`<${Row} key=${`${row.provider}/${row.model}/${row.operation}`} row=${row} query=${query} partial=${data.range.partial_last}
          most=${Math.max(...data.models.map((one) => one.tokens.total || 0))} />`)}</tbody>
  </table></div>`;

/** @param {{row: any, query: import("../state.js").Query, partial: boolean, most: number}} props */
function Row({ row, query, partial, most }) {
  const to = address("traces", { ...query, model: row.model });
  const then = row.previous;
  const cells = [
    html`<${Mark} kind="llm" /><a href=${to} data-row><bdi>${row.model || "unnamed model"}</bdi></a>
      <small><bdi>${[row.provider || "unknown provider", row.operation].filter(Boolean).join(" · ")}</bdi></small>`,
    html`${whole(row.calls)}<${Change} now=${row.calls} then=${then?.calls} />`,
    html`<span class=${cls(row.errors > 0 && "err")}>${percent(row.error_ratio)}</span>`,
    html`<${Tokens} row=${row} most=${most} />`,
    html`<${Duration} ms=${row.p50_ms} />`,
      html`<${Duration} ms=${row.p95_ms} /><${Change} now=${row.p95_ms} then=${then?.p95_ms} worse />`,
      html`<${Duration} ms=${row.first_token_p50_ms} />`,
    row.tokens_per_s === null ? "–" : html`<${Amount} parts=${{ value: String(Math.round(row.tokens_per_s)), unit: "" }} />`,
    html`<${Spark} values=${row.calls_series} variable="--llm" partial=${partial} />`,
    html`<span title=${row.cost_usd === null ? undefined : `$${row.cost_usd}`}>
      ${money(row.cost_usd, row.unpriced_calls ? "not priced" : "unknown")}${row.cost_usd !== null && row.unpriced_calls ? " +" : ""}</span>
      <${Change} now=${row.cost_usd} then=${then?.cost_usd} worse />`,
    html`<${Share} ratio=${row.share} />`,
  ];
  return html`<tr onClick=${(event) => !event.target.closest("a") && go(to)}>
    ${cells.map((cell, at) => html`<td key=${at} class=${cls(!PLAIN.includes(at) && "num", `m${at}`)}>${cell}</td>`)}</tr>`;
}

/** Cached, other input and output as one bar in three strengths, as long as the model's part of the largest. @param {{row: any, most: number}} props */
function Tokens({ row, most }) {
  const { tokens } = row;
  if (tokens.total === null) return html`<span class="dim">${row.unreported_calls === row.calls ? "not reported" : "–"}</span>`;
  const cached = tokens.cached || 0;
  const parts = [["cached", cached], ["input", Math.max(0, (tokens.input || 0) - cached)], ["output", tokens.output || 0]];
  const told = [tokens.cached === null ? "" : `${count(cached)} cached`, tokens.input === null ? "input not reported"
    : `${count(tokens.input - cached)} in`, tokens.output === null ? "output not reported" : `${count(tokens.output)} out`].filter(Boolean)
    .join(" · ");
  return html`
    <span class="tokens" aria-hidden="true">
      ${parts.map(([name, amount]) => amount > 0 && html`<i key=${name} class=${name} style=${{ width: `${(amount / most) * 100}%` }}></i>`)}</span>
    <small title=${parts.map(([name, amount]) => `${whole(amount)} ${name}`).join(", ")}>${told}${row.unreported_calls ? " +" : ""}</small>`;
}

/** Who or what causes the cost. @param {{by: string, query: import("../state.js").Query, revision: unknown}} props */
function Causes({ by, query, revision }) {
  const { service, environment, range, from, to } = query;
  const { data, error } = useAnswer("top", { by, limit: 5, service, environment, range, from, to }, revision);
  const people = by !== "provider";
  const all = people && html`<a class="link" href=${address("conversations", { ...shared(query), by })}>all ${by}s</a>`;
  return html`
    <${Panel} title=${`Cost by ${by}`} link=${all}>
      ${error ? html`<${Trouble} error=${error} />` : !data ? html`<${Waiting} rows=${5} />` : data.top.length
        ? html`<${Ranked} brief data=${data} noun=${by} sort="cost" counted=${people ? "Traces" : "Calls"}
          to=${(value) => address("traces", { ...shared(query), filter: `${by}:${JSON.stringify(value || "")}` })} />`
        : html`<${Nothing} title=${`No ${by} is known`} />`}
    <//>`;
}
