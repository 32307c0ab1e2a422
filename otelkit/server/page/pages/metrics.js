/** Any metric that arrived: the list of them, and one over time, split and filtered as the reader likes. */

import { useAnswer } from "../api.js";
import { exactTime, plural, short } from "../format.js";
import { cls, html, useMemo, useState } from "../html.js";
import { Stack } from "../parts/chart.js";
import { Nothing, Trouble, Waiting, useRowKeys } from "../parts/common.js";
import { writer } from "../parts/units.js";
import { address, change, ranged, shared } from "../state.js";

const KINDS = { gauge: "gauge", sum: "sum", histogram: "histogram", exponential_histogram: "exponential histogram", summary: "summary" };
const WAYS = { last: "Last", avg: "Average", min: "Least", max: "Most", sum: "Sum", rate: "Rate", increase: "Increase",
  percentiles: "Percentiles", p50: "Median", p95: "p95", p99: "p99", quantiles: "Quantiles" };
const COLOURS = ["--accent", "--tool", "--rag", "--llm", "--err", "--job", "--app", "--db", "--warn", "--ok"];
const HOW = { keepScroll: true };

/** @param {import("../app.js").PageProps} props */
export function Metrics({ query, revision }) {
  const { service, environment } = query;
  const { data, error } = useAnswer("metrics", { service, environment }, revision);
  useRowKeys();
  if (error && !data) return html`<${Trouble} error=${error} />`;
  if (!data) return html`<div class="verdict"><h1>Metrics</h1></div><${Waiting} rows=${8} className="tall" />`;
  if (!data.metrics.length) {
    return html`<div class="verdict"><h1>Metrics</h1></div>
      <section class="panel">
        <${Nothing}
          title="No metric has arrived">Every OpenTelemetry SDK sends them here when <span
            class="mono">OTEL_METRICS_EXPORTER=otlp</span> is set; otelkit does so by itself.<//></section>`;
  }
  const name = data.metrics.some((one) => one.name === query.metric) ? query.metric : data.metrics[0].name;
  return html`
    <div class="verdict"><h1>Metrics</h1><p>${plural(data.metrics.length, "metric")} ${data.metrics.length === 1 ? "has" : "have"} arrived</p></div>
    <div class="chosen">
      <${List} metrics=${data.metrics} name=${name} query=${query} />
      <${One} key=${name} name=${name} query=${query} revision=${revision} />
    </div>`;
}

/** @param {{metrics: any[], name: string, query: import("../state.js").Query}} props */
function List({ metrics, name, query }) {
  const [text, setText] = useState("");
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = metrics.filter((one) => words.every((word) => `${one.name} ${one.description} ${one.services.join(" ")}`.toLowerCase().includes(word)));
  return html`
    <section class="panel names" aria-label="All metrics">
      <div class="find">
        <input type="search" value=${text} placeholder="Find a metric" aria-label="Find a metric" spellcheck=${false} autocomplete="off"
          onInput=${(event) => setText(event.target.value)} />
        <small role="status">${text && plural(found.length, "metric")}</small></div>
      <div class="scrolled">${found.map((one) => html`
        <a key=${`${one.name}/${one.kind}`} class=${cls("name", one.name === name && "on")} data-row
          aria-current=${one.name === name ? "true" : undefined} title=${one.description || undefined}
          href=${address("metrics", { ...shared(query), metric: one.name })}><b><bdi>${one.name}</bdi></b>
            <small>
              ${[KINDS[one.kind] || one.kind, one.unit && one.unit !== "1" ? one.unit : "", plural(one.series, "series", "series")].filter(Boolean)
                .join(" · ")}</small></a>`)}
        ${!found.length && html`<${Nothing} title="None of that name" />`}
      </div>
    </section>`;
}

/** @param {{name: string, query: import("../state.js").Query, revision: unknown}} props */
function One({ name, query, revision }) {
  const { way, by, where } = query;
  const { data, error } = useAnswer("metrics/plot", { ...ranged(query), name, way, by, where }, revision);
  if (error && !data) return html`<${Trouble} error=${error} />`;
  if (!data) return html`<section class="panel"><${Waiting} rows=${8} /></section>`;
  const known = data.series.some(({ values }) => values.some((value) => value !== null));
  return html`
    <section class="panel chart one-metric" aria-label=${name}>
      <div class="mh"><h2><bdi>${name}</bdi></h2>
        <p class="dim">${[data.description, KINDS[data.kind], data.unit && `in ${data.unit}`].filter(Boolean).join(" · ")}</p></div>
      <${Choices} data=${data} where=${where} />
      ${error && html`<${Trouble} error=${error} />`}
      ${known
        ? html`<${Plot} data=${data} query=${query} />`
        : html`<${Nothing} title=${data.matching ? "Nothing was reported in this range" : "No series fits the filter"}>
        ${!data.matching
          ? html`<a class="link" href=${address("metrics", { ...query, where: null })}>Remove the filter</a>`
          : html`<a class="link" href=${address("metrics", { ...query, range: "24h", from: null, to: null })}>Look at the last 24 hours</a>`}<//>`}
      ${data.truncated && html`<p class="dim small pad-in">More than 400 series: the newest 400 are shown.</p>`}
    </section>`;
}

/** How to aggregate, split and filter. @param {{data: any, where: string|undefined}} props */
function Choices({ data, where }) {
  const [key, value] = where ? [where.slice(0, where.indexOf(":")), where.slice(where.indexOf(":") + 1)] : ["", ""];
  const several = data.attributes.filter(({ count }) => count > 1);
  const chosen = data.attributes.find((one) => one.key === key);
  const pick = (label, current, options, onPick) => html`
    <label class="pick"><span>${label}</span><select value=${current} onChange=${(event) => onPick(event.target.value || null)}>
      ${options.map(([id, text]) => html`<option key=${id} value=${id} selected=${id === current}>${text}</option>`)}</select></label>`;
  return html`
    <div class="choices">
      <span class="switch" role="group" aria-label="How">
        ${data.ways.map((way) =>
          html`<button type="button" key=${way} aria-pressed=${way === data.way}
            onClick=${() => change({ way: way === data.ways[0] && !data.by ? null : way }, HOW)}>${WAYS[way] || way}</button>`)}</span>
      ${several.length > 0
        && pick("Split by", data.by || "", [["", "nothing"], ...several.map((one) => [one.key, `${one.key} (${one.count})`])],
          (by) => change({ by }, HOW))}
      ${several.length > 0
        && pick("Only where", key, [["", "all"], ...several.map((one) => [one.key, one.key])],
          (of) => change({ where: of ? `${of}:${data.attributes.find((one) => one.key === of).values[0]}` : null }, HOW))}
      ${chosen && pick("is", value, chosen.values.map((one) => [one, one]), (of) => change({ where: `${key}:${of}` }, HOW))}
    </div>`;
}

/** @param {{data: any, query: import("../state.js").Query}} props */
function Plot({ data, query }) {
  const write = useMemo(() => writer(data.unit), [data.unit]);
  const layers = useMemo(() =>
    data.series.map((line, at) => ({ key: line.label || data.name, label: line.label || WAYS[data.way], variable: line.other ? "--ink3"
      : COLOURS[at % COLOURS.length], values: line.values })),
    [data]);
  const dots = useMemo(() =>
    data.exemplars.map((one) => ({ time: one.time, value: one.value,
      told: `${write(one.value)} at ${exactTime(one.time)}, trace ${short(one.trace_id)}`,
      href: address("traces", { ...shared(query), trace: one.trace_id, span: one.span_id }) })),
    [data]);
  return html`
    <${Stack} key=${data.way + data.by} times=${data.times} step=${data.range.step_ms} layers=${layers} lines dots=${dots} height=${320}
      partial=${data.range.partial_last} write=${write}
      label=${`${data.name}, ${WAYS[data.way]
        || data.way}: ${layers.map(({ label, values }) => `${label} ${write(values.findLast((value) => value !== null) ?? null)}`).join(", ")}`}
      onZoom=${(from, to) => change({ from, to, range: null })} />
    <${Figures} data=${data} layers=${layers} write=${write} />`;
}

/** The same in numbers. @param {{data: any, layers: any[], write: (value: number|null) => string}} props */
function Figures({ data, layers, write }) {
  return html`
    <div class="scroll"><table class="grid lines">
      <thead>
        <tr><th scope="col">${data.by || "Line"}</th><th scope="col" class="num">Now</th><th scope="col" class="num">Least</th>
          <th scope="col" class="num">Average</th><th scope="col" class="num">Most</th></tr></thead>
      <tbody>${layers.map(({ key, label, variable, values }) => {
        const known = values.filter((value) => value !== null);
        const average = known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
        return html`<tr key=${key}><td class="first"><i class="mark" style=${{ background: `var(${variable})` }}></i><bdi>${label}</bdi></td>
          ${[values.findLast((value) => value !== null) ?? null, known.length ? Math.min(...known) : null, average, known.length
            ? Math.max(...known) : null].map((value, at) => html`<td class="num" key=${at}>${write(value)}</td>`)}</tr>`;
      })}</tbody>
    </table></div>
    ${data.exemplars.length > 0 && html`<p class="dim small pad-in">Dots are single measurements: each leads to its trace.</p>`}`;
}
