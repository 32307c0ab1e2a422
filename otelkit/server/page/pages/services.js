/** The services that send spans: a map of who calls whom, and each one's figures. */

import { useAnswer } from "../api.js";
import { ago, count, joined, money, percent, plural, rateParts, whole } from "../format.js";
import { cls, html } from "../html.js";
import { Budgets } from "../parts/budgets.js";
import { Duration, Mark, Nothing, Panel, Trouble, Waiting, useRowKeys } from "../parts/common.js";
import { Map, edgesOf, leads, nameOf } from "../parts/map.js";
import { Spark } from "../parts/spark.js";
import { Table } from "../parts/table.js";
import { address, ranged, shared, useMedia } from "../state.js";

const KINDS = { entry: "app", service: "app", external: "app" };

/** @param {import("../app.js").PageProps} props */
export function Services({ query, revision }) {
  const { data, error } = useAnswer("services", ranged(query), revision);
  const { data: map } = useAnswer("services/map", ranged(query), revision);
  const narrow = useMedia("(max-width: 900px)");
  useRowKeys();
  if (error && !data) return html`<${Trouble} error=${error} />`;
  if (!data) return html`<div class="verdict"><h1>Services</h1></div><${Waiting} rows=${8} className="tall" />`;
  if (!data.services.length) return html`<div class="verdict"><h1>Services</h1></div>
    <section class="panel">
      <${Nothing} title="No service sent spans in this range">A service names itself with <span class="mono">OTEL_SERVICE_NAME</span>.<//></section>`;
  const common = shared(query);
  const failing = data.services.filter(({ error_ratio: ratio }) => ratio >= 0.01);
  return html`
    <div class="verdict"><h1>Services</h1>
      <p>${plural(data.services.length, "service")}
        ${failing.length
          ? html` · <b class="bad">${failing.map(({ service }) => service).join(", ")}</b> ${failing.length === 1 ? "fails"
            : "fail"} in more than 1 % of requests`
          : " · none fails in more than 1 % of requests"}</p></div>
    <${Panel} title="Who calls whom"
      link=${map
        && html`<span class="dim">
          ${map.looked_at.complete
            ? `from all ${plural(map.looked_at.traces, "trace")}`
            : `from the newest ${whole(map.looked_at.traces)} traces`}</span>`}>
      ${!map
        ? html`<${Waiting} rows=${5} />`
        : !map.nodes.length
        ? html`<${Nothing} title="No traces in this range" />`
        : narrow
        ? html`<${Edges} map=${map} query=${common} />`
        : html`<${Map} map=${map} query=${common} />`}
    <//>
    <${Panel} title="Services" className="gap">
      <${Table} columns=${columns(data, map)} rows=${data.services} keyOf=${({ service, environment }) => `${service}/${environment}`}
      to=${({ service, environment }) => address("", { ...common, service, environment: environment || common.environment })} /><//>
    <${Budgets} query=${query} revision=${revision} />
    ${map?.edges.length > 0 && !narrow && html`<${Panel} title="Calls between them" className="gap"><${Edges} map=${map} query=${common} /><//>`}`;
}

/** @param {any} data @param {any} map @returns {import("../parts/table.js").Column[]} */
function columns(data, map) {
  const versions = (service) => map?.nodes.find(({ id }) => id === `service:${service}`)?.versions || [];
  return [
    { head: "Service",
      cell: (row) =>
        html`<${Mark} kind="app" /><bdi>${row.service}</bdi>
          <small><bdi>${[row.environment, ...versions(row.service)].filter(Boolean).join(" · ")}</bdi></small>` },
    { head: "Requests", num: true, cell: (row) => whole(row.requests) },
    { head: "Rate", num: true, wide: true, cell: (row) => joined(rateParts(row.requests_per_s)) },
    { head: "Failed", num: true, cell: (row) => html`<span class=${cls(row.errors > 0 && "err")}>${percent(row.error_ratio)}</span>` },
    { head: "Median", num: true, wide: true, cell: (row) => html`<${Duration} ms=${row.p50_ms} />` },
    { head: "p95", num: true, cell: (row) => html`<${Duration} ms=${row.p95_ms} />` },
    { head: "Tokens", num: true, wide: true,
      cell: (row) => (row.tokens === null ? html`<span class="dim">${row.llm_calls ? "not reported" : "–"}</span>` : count(row.tokens)) },
    { head: "Cost", num: true, wide: true, cell: (row) => (row.llm_calls ? money(row.cost_usd, "unknown") : html`<span class="dim">–</span>`) },
    { head: "Last seen", num: true, wide: true, cell: (row) => html`<span class="dim">${ago(row.last)}</span>` },
    { head: "Requests over time", wide: true,
      cell: (row) => html`<${Spark} values=${row.requests_series} variable="--app" partial=${data.range.partial_last} />` },
  ];
}

/** Every edge as a row. @param {{map: any, query: import("../state.js").Query}} props */
const Edges = ({ map, query }) =>
  html`<${Table} columns=${EDGES} rows=${edgesOf({ map })} keyOf=${({ from, to }) => `${from}>${to}`} to=${({ target }) => leads(target, query)} />`;

/** @type {import("../parts/table.js").Column[]} */
const EDGES = [
  { head: "Call",
    cell: ({ source, target }) =>
      html`<bdi>${nameOf(source)}</bdi> → <${Mark} kind=${KINDS[target.kind] || target.kind} /><bdi>${nameOf(target)}</bdi>` },
  { head: "Calls", num: true, cell: ({ calls }) => whole(calls) },
  { head: "Rate", num: true, wide: true, cell: ({ per_s: rate }) => joined(rateParts(rate)) },
  { head: "Failed", num: true, cell: ({ errors, error_ratio: ratio }) => html`<span class=${cls(errors > 0 && "err")}>${percent(ratio)}</span>` },
  { head: "Median", num: true, wide: true, cell: (row) => html`<${Duration} ms=${row.p50_ms} />` },
  { head: "p95", num: true, cell: (row) => html`<${Duration} ms=${row.p95_ms} />` },
];
