/** One of the six figures: label, value, change, line. */

import { cls, html } from "../html.js";
import { countParts, difference, duration, durationParts, money, percentParts, rateParts, whole } from "../format.js";
import { address } from "../state.js";
import { Amount } from "./common.js";
import { Spark } from "./spark.js";

/** How each figure is written, coloured, and what explains it. */
const FIGURES = {
  requests: { parts: (figure) => rateParts(figure.value), variable: "--app", to: { page: "traces" } },
  errors: { parts: (figure) => percentParts(figure.value), variable: "--err", to: { page: "traces", status: "error" } },
  latency_p95: { parts: (figure) => durationParts(figure.value, true), variable: "--app", to: { page: "traces", sort: "slowest" } },
  first_token_p50: { parts: (figure) => durationParts(figure.value, true), variable: "--llm", to: { page: "models" } },
  tokens: { parts: (figure) => ({ ...countParts(figure.value), unit: figure.value === null ? "" : `${countParts(figure.value).unit}/min` }),
    variable: "--llm", to: { page: "models" } },
  cost: { parts: (figure, range) => ({ value: money(figure.value), unit: figure.value === null ? "" : inRange(range) }), variable: "--tool",
    to: { page: "models" } },
};
const MISSING = { errors: "no requests", latency_p95: "no requests", first_token_p50: "no streams", tokens: "not reported", cost: "not priced" };

/** @param {{label: string, from: number, to: number}} range */
const inRange = (range) => (range.label === "custom" || range.label === "all"
  ? ""
  : range.label === "auto"
  ? `in ${duration(range.to - range.from)}`
  : `in ${range.label.replace(/(\d+)(\w+)/, "$1 $2").replace(" m", " min")}`);

/**
 * @param {{figure: any, range: any, query: import("../state.js").Query}} props a figure of `/api/overview`
 */
export function Figure({ figure, range, query }) {
  const how = FIGURES[figure.id];
  const { page, ...more } = how.to;
  const unknown = figure.value === null;
  return html`
    <a class="card" href=${address(page, { ...query, ...more })} title=${exact(figure)}>
      <span class="k">${figure.label}</span>
      <span class=${cls("v", unknown && "unknown")}>${unknown ? MISSING[figure.id] || "unknown" : html`<${Amount} parts=${how.parts(figure, range)} />`}</span>
      <span class=${cls("c", tone(figure))}>${below(figure)}</span>
      <${Spark} values=${figure.series} variable=${how.variable} partial=${range.partial_last} baseline=${baseline(figure)} />
    </a>`;
}

/** What a step would be at the pace of the period before: only cost is a sum and not a rate. @param {any} figure */
const baseline = ({ id, previous, series }) => (previous !== null && id === "cost" ? previous / series.length : previous);

/** @param {any} figure */
function below(figure) {
  const changed = difference(figure.change, figure.change_unit);
  const total = figure.total === null || figure.value === null
    ? ""
    : `${countParts(figure.total).value}${countParts(figure.total).unit && ` ${countParts(figure.total).unit}`} in all`;
  return [changed, total].filter(Boolean).join(" · ") || "\u00a0";
}

/** @param {any} figure */
function tone(figure) {
  const least = figure.change_unit === "points" ? 0.005 : 0.1;
  if (figure.change === null || figure.better === "none" || Math.abs(figure.change) < least) return "";
  return figure.change < 0 === (figure.better === "lower") ? "better" : "worse";
}

/** @param {any} figure */
function exact(figure) {
  const now = figure.value === null ? "unknown" : `${Number(figure.value.toPrecision(6))} ${figure.unit}`;
  const then = figure.previous === null ? "" : `; in the period before ${Number(figure.previous.toPrecision(6))}`;
  return `${figure.label}: ${now}${then}${figure.total === null ? "" : `; ${whole(figure.total)} in all`}`;
}
