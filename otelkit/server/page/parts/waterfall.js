/** The spans of a trace on one time axis. Only rows in sight are drawn, so that 20,000 spans scroll as well as ten. */

import { count, duration, durationParts, money, plural } from "../format.js";
import { cls, html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../html.js";
import { useKeys, writing } from "../state.js";
import { Amount, Duration, Mark } from "./common.js";
import { kindClass } from "./kinds.js";
import { nextPlace, rowsOf } from "./rows.js";

const ROW = 28;
const SPARE = 12;
const DEEPEST = 12;
const QUARTERS = [0, 0.25, 0.5, 0.75];
/** So many members of a run are drawn one by one. */
const TICKS = 60;
/** Clocks that differ by less are not worth a word. */
const CLOCK_MS = 1;

/**
 * @typedef {{spans: any[], shape: import("./rows.js").Shape, window: [number, number], selected: string, hits: Set<string>|null, heat: string, path: boolean,
 *   onSelect: (id: string) => void, onEnter: () => void}} Props
 *   `window` is what of the axis is shown, in milliseconds; `selected` a span or a run; `heat` is "", "tokens" or "cost"; `path`: draw the critical path
 */

/** @param {Props} props */
export function Waterfall(props) {
  const { spans, shape, window: seen, selected, hits, heat, path, onSelect } = props;
  const [folds, setFolds] = useState({ closed: new Set(), opened: new Set() });
  const place = shape.place.get(selected) ?? -1;
  const rows = useMemo(() => rowsOf(spans, shape, { ...folds, selected: place }), [spans, shape, folds, place]);
  const at = rows.findIndex(({ id }) => id === selected);
  const box = useRef(null);
  const [first, last] = useRowsInSight(box, rows.length);
  useEffect(() => bringIntoSight(box.current, at), [at]);
  useEffect(() => {
    if (document.activeElement?.closest(".wf")) /** @type {HTMLElement|null} */ (box.current.querySelector(".sp.on"))?.focus({ preventScroll: true });
  }, [selected]);
  /** @param {import("./rows.js").Row} row */
  const toggle = (row) => {
    const [closed, opened] = [new Set(folds.closed), new Set(folds.opened)];
    const set = row.run ? opened : closed;
    if (!set.delete(row.id)) set.add(row.id);
    // What is selected stays in sight: what is folded over it is selected instead.
    if (row.open) {
      if (row.run) opened.delete(row.id);
      onSelect(row.id);
    }
    setFolds({ closed, opened });
  };
  useKeys((event) => keys(event, props, rows, at, toggle));
  const hottest = useMemo(() => heat && Math.max(...spans.map((span) => ownHeat(span, heat) || 0)), [spans, heat]);
  const [from, to] = seen;
  const service = spans[0]?.service;
  return html`
    <div class="ruler" aria-hidden="true"><span></span>
      <span class="ticks">
        ${QUARTERS.map((part) =>
          html`<i key=${part} style=${{ left: `${part * 100}%` }}>${from + part ? duration(from + (to - from) * part) : "0"}</i>`)}</span>
      <span></span></div>
    <div class="wf" ref=${box} role="tree" aria-label="Spans">
      <div style=${{ height: `${rows.length * ROW}px`, paddingTop: `${first * ROW}px` }}>
        ${rows.slice(first, last).map((row) => html`
          <${row.run ? RunRow : SpanRow} key=${row.id} row=${row} window=${seen} on=${row.id === selected} hit=${isHit(row, spans, hits)}
            heat=${heat} hottest=${hottest} path=${path}
            shape=${shape} service=${service} spans=${spans} onSelect=${onSelect} onToggle=${toggle} />`)}
      </div>
    </div>`;
}

/** @param {import("./rows.js").Row} row @param {any[]} spans @param {Set<string>|null} hits */
const isHit = ({ run, id, open }, spans, hits) => Boolean(hits && (run ? !open && run.places.some((at) => hits.has(spans[at].span_id)) : hits.has(id)));

/**
 * @param {KeyboardEvent} event @param {Props} props @param {import("./rows.js").Row[]} rows @param {number} at
 * @param {(row: import("./rows.js").Row) => void} toggle
 */
function keys(event, { spans, onSelect, onEnter }, rows, at, toggle) {
  if (writing(event) || event.metaKey || event.ctrlKey || event.altKey) return false;
  const inTree = document.activeElement?.closest(".wf") || document.activeElement === document.body;
  const to = (place) => {
    if (!rows[place]) return false;
    onSelect(rows[place].id);
    return true;
  };
  if (event.key === "j") return to(at + 1);
  if (event.key === "k") return to(at - 1);
  if (event.key === "e" || event.key === "E") {
    const next = nextPlace(spans.length, rows[at]?.at ?? -1, event.key === "e" ? 1 : -1, (place) => spans[place].status === "error");
    if (next >= 0) onSelect(spans[next].span_id);
    return next >= 0;
  }
  if (!inTree) return false;
  const row = rows[at];
  switch (event.key) {
    case "ArrowDown": return to(at + 1);
    case "ArrowUp": return to(at - 1);
    case "Home": return to(0);
    case "End": return to(rows.length - 1);
    case "ArrowLeft": return row?.open ? (toggle(row), true) : to(above(row, rows, at));
    case "ArrowRight": return row?.open === false ? (toggle(row), true) : row?.open ? to(at + 1) : false;
    case "Enter": return onEnter(), true;
    default: return false;
  }
}

/** The row that a row stands below. @param {import("./rows.js").Row|undefined} row @param {import("./rows.js").Row[]} rows @param {number} at */
function above(row, rows, at) {
  let place = at - 1;
  while (place >= 0 && rows[place].depth >= (row?.depth ?? 0)) place--;
  return place;
}

/** @param {{current: HTMLElement|null}} box @param {number} length @returns {[number, number]} */
function useRowsInSight(box, length) {
  const [sight, setSight] = useState([0, 60]);
  useLayoutEffect(() => {
    const element = box.current;
    const look = () => {
      const first = Math.max(0, Math.floor(element.scrollTop / ROW) - SPARE);
      setSight([first, Math.min(length, first + Math.ceil(element.clientHeight / ROW) + 2 * SPARE)]);
    };
    look();
    const watch = new ResizeObserver(look);
    watch.observe(element);
    element.addEventListener("scroll", look, { passive: true });
    return () => {
      watch.disconnect();
      element.removeEventListener("scroll", look);
    };
  }, [length]);
  return [Math.min(sight[0], Math.max(0, length - 1)), Math.max(sight[1], Math.min(length, 60))];
}

/** @param {HTMLElement|null} box @param {number} at */
function bringIntoSight(box, at) {
  if (!box || at < 0) return;
  const top = at * ROW;
  if (top < box.scrollTop) box.scrollTop = Math.max(0, top - ROW * 2);
  else if (top + ROW > box.scrollTop + box.clientHeight) box.scrollTop = top - box.clientHeight + ROW * 3;
}

/**
 * @param {{row: import("./rows.js").Row, depth?: number, on: boolean, bad: boolean, className: string, open:
 *   boolean|null, onSelect: (id: string) => void, title: string, children: any}} props
 */
const Line = ({ row, on, bad, className, onSelect, title, children: [name, bar, amount] }) => html`
  <div class=${cls("sp", on && "on", bad && "bad", className)} role="treeitem" tabindex=${on ? 0 : -1} aria-level=${row.depth + 1}
    aria-selected=${on} aria-expanded=${row.open === null ? undefined : row.open} id=${`span-${row.id}`} onClick=${() => onSelect(row.id)}>
    <span class="n" style=${{ paddingLeft: `calc(${Math.min(row.depth, DEEPEST)} * var(--wf-step))` }} title=${title}>${name}</span>
    <span class="b">${bar}</span>
    ${amount}
  </div>`;

/** @param {any} props */
function SpanRow({ row, window: seen, on, hit, heat, hottest, path, shape, service, spans, onSelect, onToggle }) {
  const { span } = row;
  const bad = span.status === "error";
  const parent = span.parent >= 0 ? spans[span.parent] : null;
  const inside = shape.children[row.at].length;
  const name = html`
    <${Mark} kind=${span.kind} />${bad && html`<b class="err"><span aria-hidden="true">!</span><span class="sr">failed</span></b>`}
      <bdi class=${cls(hit && "hit")}>${span.name}</bdi>
    ${notes(span, parent, service).map(([text, why]) => html`<em key=${text} title=${why}>${text}</em>`)}
    ${inside > 0 && html`<${Fold} row=${row} onToggle=${onToggle}>${row.open ? "−" : `+${inside}`}<//>`}`;
  return html`
    <${Line} row=${row} on=${on} bad=${bad} className=${cls(span.duplicate && "twin")} onSelect=${onSelect} title=${span.name}>
      ${name}
      <${Bar} span=${span} window=${seen} path=${path} />
      <${Amounts} span=${span} sum=${heat && shape[heat][row.at]} heat=${heat} hottest=${hottest} />
    <//>`;
}

/**
 * What is unusual about a span, in two words and in full.
 * @param {any} span
 * @param {any} parent
 * @param {string} service
 * @returns {Array<[string, string|undefined]>}
 */
function notes(span, parent, service) {
  /** @type {Array<[string, string|undefined]>} */
  const found = [];
  if (span.service !== (parent ? parent.service : service)) found.push([span.service, undefined]);
  if (span.missing_parent) found.push(["parent missing", "The span that started this one has not arrived"]);
  if (span.duplicate) found.push(["restated", "Another span already counts this call"]);
  if (Math.abs(span.clock_ms || 0) >= CLOCK_MS && span.clock_ms !== parent?.clock_ms) {
    found.push([`clock differs by ${duration(Math.abs(span.clock_ms))}`, "By its own clock it began before it was called; here it is moved into the call"]);
  }
  if (parent
    && span.offset_ms > parent.offset_ms + parent.duration_ms + 0.001) found.push(["after its parent",
      "It began when the span that started it had ended"]);
  return found;
}

/** @param {{row: any, onToggle: (row: any) => void, children: any}} props */
const Fold = ({ row, onToggle, children }) => html`
  <button type="button" class="fold" tabindex="-1" aria-label=${row.open ? "Hide the steps below" : "Show the steps below"}
    onClick=${(event) => (event.stopPropagation(), onToggle(row))}>${children}</button>`;

/** Equal steps in a row, told as one. @param {any} props */
function RunRow({ row, window: seen, on, hit, heat, path, shape, service, spans, onSelect, onToggle }) {
  const { run } = row;
  const name = html`
    <${Mark} kind=${run.kind} />${run.failed > 0 && html`<b class="err"><span aria-hidden="true">!</span></b>`}
      <bdi class=${cls(hit && "hit")}><b>${run.places.length} ×</b> ${run.name}</bdi>
    ${run.failed > 0 && html`<em class="err">${run.failed} failed</em>`}
    ${run.service !== service && html`<em>${run.service}</em>`}
    <${Fold} row=${row} onToggle=${onToggle}>${row.open ? "−" : "+"}<//>`;
  const known = heat ? run.places.map((at) => shape[heat][at]).filter((value) => value !== null) : [];
  const sum = known.length ? known.reduce((total, value) => total + value, 0) : null;
  return html`
    <${Line} row=${row} on=${on} bad=${run.failed > 0} className="run" onSelect=${(id) => (onSelect(id), !row.open && on && onToggle(row))}
      title=${`${plural(run.places.length, "span")}, ${duration(run.total)} in all`}>
      ${name}
      <${RunBar} run=${run} spans=${spans} window=${seen} path=${path} />
      <span class="num dim">${heat ? written(sum, heat) : html`<${Duration} ms=${run.total} />`}</span>
    <//>`;
}

/** Where a stretch lies in what is shown, in per cent; null for out of sight. @param {number} start @param {number} end @param {[number, number]} seen */
function spot(start, end, [from, to]) {
  if (end < from || start > to) return null;
  const left = Math.min(99.7, Math.max(0, ((start - from) / (to - from)) * 100));
  const right = Math.min(100, ((end - from) / (to - from)) * 100);
  return { left: `${left}%`, width: `${Math.max(0, right - left)}%` };
}

/** The wait before the first token is plain, what streamed after it is hatched. @param {{span: any, window: [number, number], path: boolean}} props */
function Bar({ span, window: seen, path }) {
  const end = span.offset_ms + span.duration_ms;
  const bar = spot(span.offset_ms, end, seen);
  const streams = span.first_token_ms !== null && span.duration_ms > 0;
  const streamed = streams && spot(span.offset_ms + Math.min(span.first_token_ms, span.duration_ms), end, seen);
  return html`
    ${bar && html`<u class=${kindClass(span.kind)} style=${bar} title=${streams ? `first token after ${duration(span.first_token_ms)}` : undefined}></u>`}
    ${streamed && html`<s style=${streamed}></s>`}
    ${path
      && span.critical.map(([offset, length]) => spot(offset, offset + length, seen)).filter(Boolean)
        .map((line, at) => html`<i class="critical" key=${at} style=${line}></i>`)}`;
}

/**
 * Each member as a tick on the stretch of all; so many that they touch are one bar.
 * @param {{run: any, spans: any[], window: [number, number], path: boolean}} props
 */
function RunBar({ run, spans, window: seen, path }) {
  const whole = spot(run.from, run.to, seen);
  const few = run.places.length <= TICKS ? run.places.map((at) => spans[at]) : [];
  const drawn = (stretches) => stretches.map(([start, end]) => spot(start, end, seen)).filter(Boolean);
  return html`
    ${whole && html`<u class=${cls("whole", kindClass(run.kind))} style=${whole}></u>`}
    ${drawn(few.map(({ offset_ms: start, duration_ms: length }) => [start, start + length]))
      .map((bar, at) => html`<u class=${cls("tick", kindClass(run.kind))} key=${at} style=${bar}></u>`)}
    ${path
      && drawn(few.flatMap(({ critical }) => critical.map(([start, length]) => [start, start + length])))
        .map((bar, at) => html`<i class="critical" key=${`c${at}`} style=${bar}></i>`)}`;
}

/** @param {any} span @param {string} heat */
const ownHeat = (span, heat) => (span.duplicate ? null : heat === "tokens" ? span.tokens?.total ?? null : span.cost_usd);

/** @param {number|null} value @param {string} heat */
const written = (value, heat) => (value === null ? "" : heat === "tokens" ? count(value) : money(value));

/**
 * How long it took; or its tokens or cost, the stronger coloured the more, sums of what is below in grey.
 * @param {{span: any, sum: any, heat: string, hottest: any}} props
 */
function Amounts({ span, sum, heat, hottest }) {
  if (!heat) return html`<span class="num dim"><${Amount} parts=${durationParts(span.duration_ms)} /></span>`;
  const own = ownHeat(span, heat);
  const strength = own && hottest ? Math.round(8 + 34 * Math.sqrt(own / hottest)) : 0;
  const missing = span.kind === "llm" && own === null && !span.duplicate ? (heat === "cost" && span.unpriced ? "no price" : "unknown") : "";
  return html`<span class=${cls("num heat", own === null && "dim")} style=${strength ? { "--heat": `${strength}%` } : undefined}>
    ${own !== null ? written(own, heat) : missing || written(sum, heat)}</span>`;
}
