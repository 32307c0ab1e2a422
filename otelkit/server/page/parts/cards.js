/** Figures side by side, each against the period before. */

import { countParts, difference, durationParts, percentParts, whole } from "../format.js";
import { cls, html } from "../html.js";
import { Amount } from "./common.js";
import { Spark } from "./spark.js";

/**
 * @typedef {{label: string, parts: import("../format.js").Parts|null, missing?: string, now?: number|null, before?:
 *   number|null, points?: boolean, better?: "lower"|"higher",
 *   series?: Array<number|null>, variable?: string, note?: string, title?: string}} Card
 *   `parts` null is unknown, said as `missing`; `points`: a ratio, compared by difference; `note` stands below where nothing is compared
 * @param {{cards: Card[], partial?: boolean}} props
 */
export const Cards = ({ cards, partial }) => html`
  <div class=${`cards of${cards.length}`}>${cards.map((card) => html`<${One} key=${card.label} card=${card} partial=${partial} />`)}</div>`;

/**
 * What every kind of call is judged by: how many, how many failed, how long they took.
 * @param {any} data `total`, `previous` and `series`
 * @param {{label: string, count: string, variable: string, slow?: string}} kind `count` names the figure that is `label`;
 *   `variable` is the kind's colour, `slow` that of its slowest
 * @returns {Card[]}
 */
export function timed({ total, previous, series }, { label, count, variable, slow = variable }) {
  const missing = `no ${label.toLowerCase()}`;
  const time = (name, key, colour) => ({ label: name, parts: total[count] ? durationParts(total[key]) : null, missing, now: total[key],
    before: previous?.[key], better: /** @type {"lower"} */ ("lower"), series: series[key], variable: colour });
  return [
    { label, parts: countParts(total[count]), now: total[count], before: previous?.[count], series: series[count], variable },
    { label: "Failed", parts: total[count] ? percentParts(total.error_ratio) : null, missing, now: total.error_ratio,
      before: previous?.error_ratio, points: true, better: "lower", series: series.errors, variable: "--err",
      note: total.errors ? `${whole(total.errors)} in all` : "" },
    time("Time, median", "p50_ms", variable),
    time("Time, p95", "p95_ms", slow),
  ];
}

/** @param {{card: Card, partial: boolean|undefined}} props */
function One({ card, partial }) {
  const change = changeOf(card);
  return html`
    <div class="card" title=${card.title}>
      <span class="k">${card.label}</span>
      <span class=${cls("v", !card.parts && "unknown")}>${card.parts ? html`<${Amount} parts=${card.parts} />` : card.missing || "unknown"}</span>
      <span class=${cls("c", toneOf(card, change))}>
        ${[difference(change, card.points ? "points" : "ratio"), card.note].filter(Boolean).join(" · ") || "\u00a0"}</span>
      ${card.series ? html`<${Spark} values=${card.series} variable=${card.variable || "--app"} partial=${partial} />` : html`<span class="spark"></span>`}
    </div>`;
}

/** @param {Card} card @returns {number|null} */
export function changeOf({ now, before, points }) {
  if (now === null || now === undefined || before === null || before === undefined) return null;
  if (points) return now - before;
  return before ? now / before - 1 : null;
}

/** @param {Card} card @param {number|null} change */
function toneOf({ better, points }, change) {
  if (change === null || !better || Math.abs(change) < (points ? 0.005 : 0.1)) return "";
  return change < 0 === (better === "lower") ? "better" : "worse";
}
