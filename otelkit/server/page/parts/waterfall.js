/** The spans of a trace on one time axis. Only rows in sight are drawn, so that 20,000 spans scroll as well as ten. */

import { duration } from "../format.js";
import { cls, html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../html.js";
import { Duration, Mark } from "./common.js";
import { kindClass } from "./kinds.js";

const ROW = 28;
const SPARE = 12;
const DEEPEST = 12;

/**
 * @typedef {{spans: any[], total: number, selected: string, onSelect: (id: string) => void, service: string}} Props
 *   `total` is the length of the axis in milliseconds; `service` is not repeated in rows that share it
 */

/** @param {Props} props */
export function Waterfall({ spans, total, selected, onSelect, service }) {
  const [closed, setClosed] = useState(() => new Set());
  const rows = useMemo(() => visible(spans, closed), [spans, closed]);
  const box = useRef(null);
  const [first, last] = useRowsInSight(box, rows.length);
  const at = rows.findIndex((span) => span.span_id === selected);
  useEffect(() => bringIntoSight(box.current, at), [at]);
  const toggle = (id) => {
    const next = new Set(closed);
    if (!next.delete(id)) next.add(id);
    setClosed(next);
  };
  return html`
    <div class="ruler" aria-hidden="true"><span></span><span class="ticks">${[0, 0.25, 0.5, 0.75].map((part) => html`<i key=${part} style=${{ left: `${part * 100}%` }}>${part ? duration(total * part) : "0"}</i>`)}</span><span></span></div>
    <div class="wf" ref=${box} role="tree" aria-label="Spans">
      <div style=${{ height: `${rows.length * ROW}px`, paddingTop: `${first * ROW}px` }}>
        ${rows.slice(first, last).map((span) => html`
          <${Row} key=${span.span_id} span=${span} total=${total} on=${span.span_id === selected} closed=${closed.has(span.span_id)}
            service=${service} onSelect=${onSelect} onToggle=${toggle} />`)}
      </div>
    </div>`;
}

/** @param {any[]} spans in waterfall order @param {Set<string>} closed */
function visible(spans, closed) {
  if (!closed.size) return spans;
  const rows = [];
  let hiddenBelow = Infinity;
  for (const span of spans) {
    if (span.depth > hiddenBelow) continue;
    hiddenBelow = closed.has(span.span_id) ? span.depth : Infinity;
    rows.push(span);
  }
  return rows;
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

/** @param {{span: any, total: number, on: boolean, closed: boolean, service: string, onSelect: (id: string) => void, onToggle: (id: string) => void}} props */
function Row({ span, total, on, closed, service, onSelect, onToggle }) {
  const bad = span.status === "error";
  return html`
    <div class=${cls("sp", on && "on", bad && "bad", span.duplicate && "twin")} role="treeitem" tabindex=${on ? 0 : -1} aria-level=${span.depth + 1}
      aria-selected=${on} aria-expanded=${span.children ? !closed : undefined} id=${`span-${span.span_id}`} onClick=${() => onSelect(span.span_id)}>
      <span class="n" style=${{ paddingLeft: `calc(${Math.min(span.depth, DEEPEST)} * var(--wf-step))` }} title=${span.name}>
        <${Mark} kind=${span.kind} />${bad && html`<b class="err"><span aria-hidden="true">!</span><span class="sr">failed</span></b>`}<bdi>${span.name}</bdi>
        ${span.service !== service && html`<em>${span.service}</em>`}
        ${span.missing_parent && html`<em title="The span that started this one has not arrived">parent missing</em>`}
        ${span.duplicate && html`<em title="Another span already counts this call">restated</em>`}
        ${span.children > 0 && html`<button type="button" class="fold" tabindex="-1" aria-label=${closed ? "Show the steps below" : "Hide the steps below"}
          onClick=${(event) => (event.stopPropagation(), onToggle(span.span_id))}>${closed ? `+${span.children}` : "−"}</button>`}
      </span>
      <span class="b"><${Bar} span=${span} total=${total} /></span>
      <span class="num dim"><${Duration} ms=${span.duration_ms} /></span>
    </div>`;
}

/** The wait before the first token is plain, what streamed after it is hatched. @param {{span: any, total: number}} props */
function Bar({ span, total }) {
  const left = Math.min(99.7, Math.max(0, (span.offset_ms / total) * 100));
  const width = Math.max(0, Math.min(100 - left, (span.duration_ms / total) * 100));
  const wait = span.first_token_ms === null || !span.duration_ms ? null : Math.min(1, span.first_token_ms / span.duration_ms) * 100;
  return html`<u class=${kindClass(span.kind)} style=${{ left: `${left}%`, width: `${width}%` }}
    title=${wait === null ? undefined : `first token after ${duration(span.first_token_ms)}`}>${wait !== null && html`<s style=${{ left: `${wait}%` }}></s>`}</u>`;
}
