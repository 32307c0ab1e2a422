/** Is it all right? A sentence, six figures, where the time goes, what changed, and the traces that matter. */

import { useAnswer } from "../api.js";
import { apiParams } from "../filters.js";
import { duration, hour, plural } from "../format.js";
import { html } from "../html.js";
import { NewestErrors, Routes, TopModels, TopUsers } from "../parts/brief.js";
import { Exceeded } from "../parts/budgets.js";
import { Stack, clock } from "../parts/chart.js";
import { Dot, Nothing, Panel, Trouble, Waiting } from "../parts/common.js";
import { Figure } from "../parts/figure.js";
import { ORDER, kindName, kindVariable } from "../parts/kinds.js";
import { LogRows } from "../parts/logrows.js";
import { Present } from "../parts/present.js";
import { TraceList } from "../parts/tracelist.js";
import { Unpriced } from "../parts/unpriced.js";
import { address, change, shared, useMedia } from "../state.js";
import { Start } from "./start.js";

/** @param {import("../app.js").PageProps} props */
export function Overview({ query, status, revision }) {
  const { data, error } = useAnswer("overview", apiParams("overview", query), revision);
  const wide = useMedia("(min-width: 2000px)");
  const common = shared(query);
  if (status && !status.stored.spans && !status.stored.logs) return html`<${Start} status=${status} />`;
  if (error && !data) return html`<${Trouble} error=${error} />`;
  if (!data) return html`<${Coming} />`;
  if (data.verdict.level === "empty" && status) return html`<${Elsewhere} status=${status} query=${query} />`;
  const asked = { query: common, revision };
  const figures = data.figures.map((figure) => html`<${Figure} key=${figure.id} figure=${figure} range=${data.range} query=${common} />`);
  const traces = html`<a class="dim" href=${address("traces", { ...common, sort: "errors" })}>All traces</a>`;
  return html`
    ${error && html`<${Trouble} error=${error} />`}
    <${Verdict} verdict=${data.verdict} />
    <div class="cards">${figures}</div>
    <${Present} ...${asked} />
    <${Exceeded} ...${asked} />
    <${Unpriced} unpriced=${data.unpriced} unreported=${data.unreported_calls} />
    <div class="row">
      <${TimeSpent} data=${data} height=${wide ? 280 : 190} />
      <${Changes} data=${data} query=${common} />
      ${wide && html`<${NewestErrors} ...${asked} />`}
    </div>
    <div class=${wide ? "row two" : ""}>
      <${Panel} title=${`Slowest and failing, ${spoken(data.range)}`} className="gap" link=${traces}>
        ${data.slowest_and_failing.length
          ? html`<${TraceList} rows=${data.slowest_and_failing} query=${common} />`
          : html`<${Nothing} title="No traces in this range" />`}
      <//>
      ${wide && html`<${NewestLogs} ...${asked} />`}
    </div>
    <div class="row thirds">
      ${!wide && html`<${NewestErrors} ...${asked} />`}
      <${Routes} ...${asked} />
      <${TopModels} ...${asked} />
      ${wide && html`<${TopUsers} ...${asked} />`}
    </div>`;
}

/** The shape of what is being asked for, so that nothing jumps when it comes. */
const Coming = () => html`
  <div class="verdict looking dim">Looking…</div>
  <div class="cards coming" role="status" aria-label="Loading">${Array.from({ length: 6 }, (_, at) => html`<i key=${at}></i>`)}</div>
  <div class="row"><section class="panel"><${Waiting} rows=${8} /></section><section class="panel"><${Waiting} rows=${8} /></section></div>
  <section class="panel gap"><${Waiting} rows=${8} className="two-lines" /></section>`;

/** The first line: it says what to do before any number. @param {{verdict: any}} props */
const Verdict = ({ verdict }) => html`
  <div class=${`verdict ${verdict.level}`}>
    <h1>${verdict.headline}</h1>
    <p>
      ${verdict.parts.map(({ text, tone }, at) =>
        html`<span key=${at} class=${tone}>${text}</span>
          ${at === 1 && verdict.since && verdict.level === "bad" ? ` since ${hour(verdict.since)}` : ""}`)}</p>
  </div>`;

/** @param {any} range */
const spoken = (range) => ({ "15m": "last 15 minutes", "1h": "last hour", "3h": "last 3 hours", "6h": "last 6 hours",
  "24h": "last 24 hours", "7d": "last 7 days", "30d": "last 30 days", all: "all time" })[range.label]
  || `${clock(range.step_ms)(range.from)} – ${clock(range.step_ms)(range.to)}`;

const AS_BARS = 40;

/** @param {{data: any, height: number}} props */
function TimeSpent({ data, height }) {
  const layers = ORDER.map((kind) => data.time_by_kind.find((layer) => layer.kind === kind)).filter((layer) => layer && layer.total_ms > 0)
    .map((layer) => ({ key: layer.kind, label: kindName(layer.kind), variable: kindVariable(layer.kind), values: layer.values_ms }));
  const total = data.time_by_kind.reduce((sum, layer) => sum + layer.total_ms, 0);
  const told = `Time by kind: ${data.time_by_kind.map((layer) => `${layer.label} ${duration(layer.total_ms)}`).join(", ")}`;
  return html`
    <section class="panel chart" aria-label="Where the time goes">
      <div class="h"><h2>Where the time goes</h2>
        <span class="dim" title="Wall time of all traces in this range, each instant counted once">${duration(total)} in all</span></div>
      ${layers.length
        ? html`<${Stack} times=${data.times} step=${data.range.step_ms} layers=${layers} bars=${data.times.length <= AS_BARS}
          height=${height} partial=${data.range.partial_last} write=${duration} label=${told}
            onZoom=${(from, to) => change({ from, to, range: null })} />`
        : html`<${Nothing} title="No spans in this range" />`}
    </section>`;
}

/** @param {{data: any, query: import("../state.js").Query}} props */
const Changes = ({ data, query }) => html`
  <${Panel} title="What changed"
    link=${html`<span class="dim">
      ${data.figures.some(({ previous }) => previous !== null)
        ? `against the ${spoken(data.range).replace("last ", "")} before`
        : "no earlier data yet"}</span>`}>
    ${data.changes.map((one, at) => html`
      <a class="chg" key=${at} href=${address("traces", { ...query, ...one.filter })}>
        <${Dot} tone=${one.tone} label=${{ bad: "worse", warn: "look at it", good: "better" }[one.tone]} />
        <span><b><bdi>${one.subject}</bdi></b> ${one.text}
          ${(one.detail || one.since)
            && html`<br /><span class="dim">${[one.detail, one.since ? `first at ${hour(one.since)}` : ""].filter(Boolean).join(", ")}</span>`}</span>
      </a>`)}
    ${data.changes.length === 0
      && html`<${Nothing} title="Nothing worth mentioning">Steps that fail more, take longer or come back empty would be listed here.<//>`}
  <//>`;

/** Only on wide screens. @param {{query: import("../state.js").Query, revision: unknown}} props */
function NewestLogs({ query, revision }) {
  const { data } = useAnswer("logs", { ...apiParams("overview", query), severity: "warn", limit: 15 }, revision);
  const all = html`<a class="dim" href=${address("logs", { ...query, severity: "warn" })}>All logs</a>`;
  return html`
    <${Panel} title="Newest warnings and errors" className="gap" link=${all}>
      ${!data && html`<${Waiting} rows=${8} />`}
      ${data && (data.logs.length ? html`<${LogRows} rows=${data.logs} />` : html`<${Nothing} title="None in this range" />`)}
    <//>`;
}

/** Data is there, only not here. @param {{status: any, query: import("../state.js").Query}} props */
export const Elsewhere = ({ status, query }) => html`
  <${Nothing} title="Nothing in this range">
    ${plural(status.stored.traces, "trace")} and ${plural(status.stored.logs, "log record")} are stored. ${" "}
    <a class="link" href=${address("", { ...query, range: "all", from: null, to: null, service: null, environment: null })}>Show all of them</a>
  <//>`;
