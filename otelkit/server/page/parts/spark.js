/** A line as small as a word. */

import { html, useMemo } from "../html.js";

const WIDTH = 200;
const HEIGHT = 34;

/**
 * @param {{values: Array<number|null>, variable: string, partial?: boolean, baseline?: number|null}} props `partial`: the
 *   last value is still growing, so the last stretch is dashed; gaps in the data are gaps in the line; `baseline`: what a
 *   value was on average in the period before
 */
export function Spark({ values, variable, partial = false, baseline = null }) {
  const { line, area, last, dots, level } = useMemo(() => paths(values, partial, baseline), [values, partial, baseline]);
  const colour = { "--c": `var(${variable})` };
  return html`
    <svg class="spark" viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true" style=${colour}>
      ${level !== null && html`<path class="base" d=${`M0 ${level}H${WIDTH}`} />`}
      <path class="area" d=${area} /><path class="line" d=${line} /><path class="line last" d=${last} />
      ${dots.map(([x, y]) => html`<path class="line dotted" key=${x} d=${`M${x} ${y}h.01`} />`)}
    </svg>`;
}

/**
 * @param {Array<number|null>} values
 * @param {boolean} partial
 * @param {number|null} baseline
 */
function paths(values, partial, baseline) {
  const known = [...values, baseline].filter((value) => value !== null);
  const top = Math.max(...known, 0) || 1;
  const low = Math.min(...known, top);
  const floor = low > top * 0.7 ? low - (top - low || top) * 0.5 : 0; // a narrow band would look flat from zero
  const height = (value) => round(HEIGHT - 3 - ((value - floor) / (top - floor || 1)) * (HEIGHT - 8));
  const place = (value, at) => [round((at / Math.max(1, values.length - 1)) * WIDTH), height(value)];
  const runs = [];
  let run = [];
  values.forEach((value, at) => {
    if (value === null) {
      if (run.length) runs.push(run);
      run = [];
    } else run.push(place(value, at));
  });
  if (run.length) runs.push(run);
  let last = "";
  const ending = runs.at(-1);
  if (partial && values.at(-1) !== null && ending?.length > 1) {
    last = `M${ending.at(-2).join(" ")}L${ending.at(-1).join(" ")}`;
    ending.pop();
  }
  const long = runs.filter((points) => points.length > 1);
  return {
    level: baseline === null ? null : height(baseline),
    last,
    dots: runs.filter((points) => points.length === 1).map((points) => points[0]),
    line: long.map((points) => `M${points.map((point) => point.join(" ")).join("L")}`).join(""),
    area: long.map((points) => `M${points.map((point) => point.join(" ")).join("L")}L${points.at(-1)[0]} ${HEIGHT}L${points[0][0]} ${HEIGHT}Z`).join(""),
  };
}

const round = (number) => Math.round(number * 10) / 10;
