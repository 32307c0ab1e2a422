/** uPlot in the page's colours: stacks and lines over time, read by hovering, zoomed by dragging. */

import { html, useEffect, useRef, useState } from "../html.js";
import { hour, time } from "../format.js";
import { useDark } from "../theme.js";
import plain from "../vendor/uplot.js";

/** @type {any} the vendored file has no types */
const uPlot = plain;

const AXIS = 26;
const SCALE = 58;

/**
 * @typedef {{key: string, label: string, variable: string, values: Array<number|null>}} Layer
 * @typedef {{time: number, value: number, href?: string, told: string}} Dot  one measurement that leads somewhere
 * @typedef {{times: number[], step: number, layers: Layer[], height?: number, bars?: boolean, lines?: boolean, dots?: Dot[], partial?: boolean,
 *   write: (value: number) => string, label: string, onZoom?: (from: number, to: number) => void}} StackProps
 *   `times` and `step` in milliseconds; `lines`: side by side with a scale, not on each other; `partial`: the last step is still filling up
 */

/** The shortest stretch that a drag zooms into, in milliseconds. */
const SHORTEST = 12_000;

/** Layers stacked on each other, or lines. @param {StackProps} props */
export function Stack(props) {
  const box = useRef(null);
  const plot = useRef(null);
  const latest = useRef(props);
  latest.current = props;
  const dark = useDark();
  const [at, setAt] = useState(-1);
  const [spots, setSpots] = useState([]);
  const shape = `${props.layers.map((layer) => layer.key)}|${props.step}|${props.bars}|${props.lines}|${props.height}|${dark}`;
  useEffect(() => {
    const element = box.current;
    const drawn = new uPlot(options(latest, element, setAt, setSpots), drawnData(latest.current), element);
    plot.current = drawn;
    const watch = new ResizeObserver(() => element.isConnected && drawn.setSize({ width: element.clientWidth, height: latest.current.height || 190 }));
    watch.observe(element);
    return () => {
      watch.disconnect();
      drawn.destroy();
      plot.current = null;
    };
  }, [shape]);
  useEffect(() => {
    plot.current?.setData(drawnData(props));
  }, [props.times, props.layers, props.dots]);
  const shown = at >= 0 && at < props.times.length ? at : -1;
  return html`
    <div class="legend" aria-live="off">
      <span class="when">
        ${shown < 0 ? "" : `${clock(props.step)(props.times[shown])}${props.partial && shown === props.times.length - 1 ? ", so far" : ""}`}</span>
      ${[...props.layers].reverse().map((layer) => html`
        <span key=${layer.key}><i style=${{ background: `var(${layer.variable})` }}></i>${layer.label}
          ${shown < 0 ? "" : html` <b>${told(props, layer.values[shown])}</b>`}</span>`)}
    </div>
    <div class="plot-box">
      <div class="plot" ref=${box} role="img" aria-label=${props.label} style=${{ height: `${props.height || 190}px` }}></div>
      ${spots.map(({ left, top, dot }, at) =>
        html`<a class="spot" key=${at} href=${dot.href} style=${{ left: `${left}px`, top: `${top}px` }} title=${dot.told}
          aria-label=${dot.told}></a>`)}
    </div>`;
}

/** Where measurements stand on the plot; what is beyond its top stands at the top. @param {any} drawn @param {StackProps} props */
function spotsOf(drawn, { dots = [] }) {
  const scale = devicePixelRatio || 1;
  const { left, top, width, height } = drawn.bbox;
  return dots.map((dot) => ({ dot, left: left / scale + drawn.valToPos(dot.time / 1000, "x"), top: top / scale + Math.max(4, drawn.valToPos(dot.value, "y")) }))
    .filter((spot) => spot.left >= left / scale && spot.left <= (left + width) / scale && spot.top <= (top + height) / scale);
}

/** @param {StackProps} props @param {number|null} value */
const told = ({ lines, write }, value) => (lines && (value === null || value === undefined) ? "–" : write(value || 0));

/** @param {StackProps} props */
const drawnData = (props) => (props.lines
  ? [props.times.map((time) => time / 1000), ...[...props.layers].reverse().map(({ values }) => values)]
  : stacked(props));

/** Running sums, top layer first: uPlot draws in order, so lower layers cover the higher ones. @param {StackProps} props */
function stacked({ times, layers }) {
  const sums = [];
  let below = times.map(() => 0);
  for (const layer of layers) {
    below = below.map((sum, at) => sum + (layer.values[at] || 0));
    sums.unshift(below);
  }
  return [times.map((time) => time / 1000), ...sums];
}

/**
 * @param {{current: StackProps}} latest
 * @param {HTMLElement} box
 * @param {(at: number) => void} hover
 * @param {(spots: any[]) => void} place
 */
function options(latest, box, hover, place) {
  const { layers, bars, lines, height = 190, step, write } = latest.current;
  const style = getComputedStyle(box);
  const colour = (name) => style.getPropertyValue(name).trim();
  const surface = colour("--panel");
  const line = colour("--line2");
  const paths = bars ? uPlot.paths.bars({ size: [0.78, 96], align: 1 }) : uPlot.paths.linear();
  const zoom = Boolean(latest.current.onZoom);
  return {
    width: Math.max(1, box.clientWidth),
    height,
    padding: [10, lines ? 12 : 0, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: zoom, y: false, setScale: false }, focus: { prox: -1 } },
    scales: { x: { time: true, range: (_, low, high) => [low, bars ? high + step / 1000 : high] },
      y: { range: (_, low, high) => [Math.min(0, low ?? 0), (high || 0) * 1.06 || 1] } },
    axes: [
      {
        stroke: colour("--ink3"), font: `11px ${style.fontFamily}`, size: AXIS, gap: 6, space: 90,
        grid: { show: false }, ticks: { show: false },
        values: (drawn, splits) => splits.map((second) => (atEdge(drawn, second) ? "" : clock(step)(second * 1000))),
      },
      {
        show: true, size: lines ? SCALE : 0, gap: 6, stroke: colour("--ink3"), font: `11px ${style.fontFamily}`,
        values: (_, splits) => (lines ? splits.map((value) => write(value)) : []), grid: { stroke: line, width: 1 }, ticks: { show: false }, space: 46,
      },
    ],
    series: [
      {},
      ...[...layers].reverse().map((layer) => (lines
        ? { label: layer.label, points: { show: lonely }, width: 1.6, stroke: colour(layer.variable), spanGaps: false }
        : { label: layer.label, paths, points: { show: false }, width: bars ? 0 : 0.6, stroke: surface,
          fill: mixed(colour(layer.variable), surface), spanGaps: true })),
    ],
    hooks: {
      setCursor: [(drawn) => hover(drawn.cursor.idx ?? -1)],
      setSelect: [
        (drawn) => {
          const { left, width } = drawn.select;
          if (width < 6 || !latest.current.onZoom) return;
          const [from, to] = [left, left + width].map((place) => Math.round(drawn.posToVal(place, "x") * 1000));
          drawn.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
          latest.current.onZoom(from, Math.max(to, from + SHORTEST));
        },
      ],
      draw: [(drawn) => latest.current.partial && veil(drawn, latest.current, surface),
        (drawn) => latest.current.dots && place(spotsOf(drawn, latest.current))],
    },
  };
}

/** A value between two gaps is no line: it is drawn as a point. @param {any} drawn @param {number} place */
function lonely(drawn, place) {
  const values = drawn.data[place];
  const known = (value) => value !== null && value !== undefined;
  return values.flatMap((value, at) => (known(value) && !known(values[at - 1]) && !known(values[at + 1]) ? [at] : [])).length > 0;
}

/** How a moment is written where steps are this long. @param {number} step milliseconds */
export const clock = (step) => (step < 60_000 ? time : hour);

/** Whether a label there would be cut off. @param {any} drawn @param {number} second */
const atEdge = (drawn, second) => {
  const place = drawn.valToPos(second, "x");
  const width = drawn.bbox.width / (devicePixelRatio || 1) || drawn.width;
  return place < 18 - drawn.bbox.left / (devicePixelRatio || 1) || place > width - 18;
};

/** Pale what is still filling up. @param {any} drawn @param {StackProps} props @param {string} surface */
function veil(drawn, { times, bars, step }, surface) {
  if (times.length < 2) return;
  const start = times.at(-1) / 1000 - (bars ? 0 : step / 1000);
  const left = drawn.valToPos(start, "x", true);
  const { top, height, left: edge, width } = drawn.bbox;
  drawn.ctx.save();
  drawn.ctx.globalAlpha = 0.55;
  drawn.ctx.fillStyle = surface;
  drawn.ctx.fillRect(left, top, edge + width - left, height);
  drawn.ctx.restore();
}

/** A colour at four fifths over the surface, opaque so that layers can cover each other. @param {string} hex @param {string} surface */
function mixed(hex, surface) {
  const read = (text) => [1, 3, 5].map((at) => parseInt((text.length === 4 ? text.replace(/[^#]/g, "$&$&") : text).slice(at, at + 2), 16));
  const [over, under] = [read(hex), read(surface)];
  return `rgb(${over.map((part, at) => Math.round(part * 0.8 + under[at] * 0.2)).join(" ")})`;
}
