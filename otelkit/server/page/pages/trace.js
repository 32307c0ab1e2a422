/** One trace: what was asked and answered, its spans in time, and everything about the one that is selected. */

import { ask, useAnswer } from "../api.js";
import { plural, short } from "../format.js";
import { cls, html, useEffect, useMemo, useRef, useState } from "../html.js";
import { Copy, Nothing, Trouble, Waiting } from "../parts/common.js";
import { curlOf } from "../parts/curl.js";
import { Details, RunDetails } from "../parts/details.js";
import { Help } from "../parts/help.js";
import { Minimap } from "../parts/minimap.js";
import { nextPlace, shapeOf } from "../parts/rows.js";
import { spansOf } from "../parts/spans.js";
import { Heading, Ways } from "../parts/tracehead.js";
import { listAddress } from "../parts/tracelist.js";
import { Transcript } from "../parts/transcript.js";
import { Waterfall } from "../parts/waterfall.js";
import { change, go, useKeys, writing } from "../state.js";

const VIEWS = { "": "Spans", transcript: "Transcript", json: "JSON" };
const HEATS = { "": "Time", tokens: "Tokens", cost: "Cost" };
const MAPPED = 12;
/** A trace that ended so long ago is not asked again whenever anything arrives. */
const SETTLED_MS = 600_000;
/** @type {Array<[string, string]>} */
const KEYS = [
  ["j ↓", "next span"], ["k ↑", "span before"], ["→", "show what is below"], ["←", "hide it, or go to what started it"], ["Enter", "to the details"],
  ["e", "next failed span"], ["E", "failed span before"], ["/", "find in this trace"], ["z", "zoom to the selected span"], ["0", "see the whole trace"],
  ["c", "critical path"], ["]", "next trace of the list"], ["[", "trace before"], ["Esc", "back to the list"], ["?", "these keys"],
];
const HOW = { replace: true, keepScroll: true };

/** @param {import("../app.js").PageProps} props */
export function Trace({ query, revision }) {
  const settled = useRef(false);
  const { data, error } = useAnswer(`traces/${encodeURIComponent(query.trace)}`, {}, settled.current ? "settled" : revision);
  if (data) settled.current = data.trace.complete && Date.now() - data.start - data.length_ms > SETTLED_MS;
  const [help, setHelp] = useState(false);
  useKeys((event) => {
    if (writing(event) || event.metaKey || event.ctrlKey || event.altKey || help) return false;
    if (event.key === "Escape") go(listAddress(query));
    else if (event.key === "?") setHelp(true);
    else return false;
    return true;
  });
  if (error && !data) return html`<${Ways} query=${query} /><${error.status === 404 ? Gone : Trouble} error=${error} id=${query.trace} />`;
  const view = query.view in VIEWS ? query.view : "";
  return html`
    <${Ways} query=${query} />
    ${!data
      ? html`<${Waiting} rows=${12} className="tall" />`
      : html`<${Opened} data=${data} query=${query} view=${view} revision=${revision} onHelp=${() => setHelp(true)} />`}
    ${help && html`<${Help} title="Keys for a trace" keys=${KEYS} onClose=${() => setHelp(false)} />`}`;
}

/** @param {{data: any, query: import("../state.js").Query, view: string, revision: unknown, onHelp: () => void}} props */
function Opened({ data, query, view, revision, onHelp }) {
  const spans = useMemo(() => spansOf(data), [data]);
  return html`
    <section class="panel trace" aria-label="Trace">
      <${Heading} trace=${data.trace} spans=${spans} logs=${data.logs} linked=${data.linked_from} query=${query} />
      <div class="views">
        <span class="switch" role="group" aria-label="View">
          ${Object.entries(VIEWS)
            .map(([id, name]) =>
              html`<button type="button" key=${id} aria-pressed=${view === id} onClick=${() => change({ view: id || null }, HOW)}>
                ${name}</button>`)}</span>
        <button type="button" class="btn step" aria-label="Keys" title="Keys, ?" onClick=${onHelp}>?</button>
      </div>
      ${view === "transcript" && html`<${Transcript} id=${data.trace.trace_id} query=${query} revision=${revision} />`}
      ${view === "json" && html`<${Raw} data=${data} />`}
      ${view === "" && html`<${Spans} data=${data} spans=${spans} query=${query} />`}
    </section>`;
}

/** The waterfall and the details beside it. @param {{data: any, spans: any[], query: import("../state.js").Query}} props */
function Spans({ data, spans, query }) {
  const shape = useMemo(() => shapeOf(spans), [spans]);
  const run = query.span?.startsWith("run-") ? shape.runs.get(shape.place.get(query.span.slice(4))) : undefined;
  const selected = run ? run.id : shape.place.has(query.span) ? query.span : data.focus;
  const span = run ? null : spans[shape.place.get(selected) ?? 0];
  const select = (id) => change({ span: id, tab: null }, HOW);
  const length = data.length_ms || 1;
  const zoomed = windowOf(query.zoom, length);
  const zoom = (seen) => change({ zoom: seen ? seen.map((edge) => Math.round(edge * 1000) / 1000).join("~") : null }, HOW);
  const { hits, failed } = useHits(data.trace.trace_id, query.find);
  const details = useRef(null);
  useKeys((event) => {
    if (writing(event) || event.metaKey || event.ctrlKey || event.altKey) return false;
    if (event.key === "z") zoom(around(run ? { offset_ms: run.from, duration_ms: run.to - run.from } : span, length));
    else if (event.key === "0") zoom(null);
    else if (event.key === "c") change({ path: query.path ? null : "on" }, HOW);
    else return false;
    return true;
  });
  const errors = useMemo(() => spans.filter(({ status }) => status === "error").length, [spans]);
  const jump = (wanted, step) => {
    const next = nextPlace(spans.length, shape.place.get(span?.span_id) ?? -1, step, wanted);
    if (next >= 0) select(spans[next].span_id);
  };
  return html`
    <div class="split-view">
      <div class="left">
        <div class="tools">
          <${Find} text=${query.find || ""} hits=${hits} failed=${failed} at=${hits && span ? [...hits].indexOf(span.span_id) : -1}
            onJump=${(step) => jump((at) => hits.has(spans[at].span_id), step)} />
          ${errors > 0
            && html`<button type="button" class="btn bad" title="Go to the next one, key e"
              onClick=${() => jump((at) => spans[at].status === "error", 1)}>${plural(errors, "error")}</button>`}
          <button type="button" class="btn" aria-pressed=${Boolean(query.path)} title="What the end of the trace waited for, key c"
            onClick=${() => change({ path: query.path ? null : "on" }, HOW)}>Critical path</button>
          <span class="switch" role="group" aria-label="Column">
            ${Object.entries(HEATS)
              .map(([id, name]) =>
                html`<button type="button" key=${id} aria-pressed=${(query.heat || "") === id}
                  onClick=${() => change({ heat: id || null }, HOW)}>${name}</button>`)}</span>
        </div>
        ${spans.length > MAPPED && html`<${Minimap} spans=${spans} length=${length} window=${zoomed} onZoom=${zoom} />`}
        ${zoomed && html`<button type="button" class="link whole" onClick=${() => zoom(null)}>See the whole trace</button>`}
        <${Waterfall} spans=${spans} shape=${shape} window=${zoomed || [0, length]} selected=${selected} hits=${hits}
          heat=${query.heat in HEATS ? query.heat : ""} path=${Boolean(query.path)}
          onSelect=${select} onEnter=${() => details.current.focus()} />
      </div>
      <div class="det" ref=${details} tabindex="-1" role="region" aria-label="Details">
        ${run ? html`<${RunDetails} run=${run} spans=${spans} onSelect=${select} />`
          : span
            ? html`<${Details} key=${span.span_id} trace=${data.trace} span=${span} logs=${data.logs} linked=${data.linked_from}
              errors=${data.errors} query=${query} />`
            : html`<${Nothing} title="No spans yet" />`}
      </div>
    </div>`;
}

/**
 * Looks for a text in everything the spans say.
 * @param {{text: string, hits: Set<string>|null, failed: any, at: number, onJump: (step: 1|-1) => void}} props
 */
function Find({ text, hits, failed, at, onJump }) {
  const [typed, setTyped] = useState(text);
  const input = useRef(null);
  useEffect(() => {
    if (typed === text) return undefined;
    const timer = setTimeout(() => change({ find: typed || null }, HOW), 200);
    return () => clearTimeout(timer);
  }, [typed]);
  useKeys((event) => {
    if (event.key !== "/" || writing(event)) return false;
    input.current.focus();
    return true;
  });
  const key = (event) => {
    if (event.key === "Enter" && hits?.size) onJump(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape") {
      setTyped("");
      input.current.blur();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const told = failed ? "did not work" : !text ? "" : !hits ? "…" : !hits.size ? "nothing" : at >= 0 ? `${at + 1} of ${hits.size}` : plural(hits.size, "span");
  return html`
    <span class=${cls("find", text && hits && !hits.size && "wrong")}>
      <input ref=${input} type="search" value=${typed} placeholder="Find in this trace" aria-label="Find in this trace" spellcheck=${false} autocomplete="off"
        onInput=${(event) => setTyped(event.target.value)} onKeyDown=${key} />
      <small role="status">${told}</small>
    </span>`;
}

/** @param {string} id @param {string|undefined} text @returns {{hits: Set<string>|null, failed: any}} */
function useHits(id, text) {
  const { data, error, stale } = useAnswer(text ? `traces/${id}/search` : null, { q: text });
  const hits = useMemo(() => (text && data && !stale ? new Set(data.spans) : null), [data, stale, text]);
  return { hits, failed: text ? error : null };
}

/**
 * A stretch of the axis as it stands in the address; null for all of it.
 * @param {string|undefined} text
 * @param {number} length
 * @returns {[number, number]|null}
 */
function windowOf(text, length) {
  const [from, to] = (text || "").split("~").map(Number);
  return from >= 0 && to > from && to <= length * 1.001 ? [from, to] : null;
}

/** A span with some room on both sides. @param {any} span @param {number} length @returns {[number, number]|null} */
function around(span, length) {
  if (!span) return null;
  const room = Math.max(span.duration_ms * 0.1, length / 1e4);
  return [Math.max(0, span.offset_ms - room), Math.min(length, span.offset_ms + span.duration_ms + room)];
}

const MOST_SHOWN = 200_000;

/** The record as the API gives it. @param {{data: any}} props */
function Raw({ data }) {
  const path = `/api/traces/${data.trace.trace_id}${data.detail ? "" : "?detail=full"}`;
  const text = useMemo(() => JSON.stringify(data, null, 2), [data]);
  const copyAll = data.detail ? async () => text : async () => JSON.stringify(await ask(`traces/${data.trace.trace_id}`, { detail: "full" }), null, 2);
  return html`
    <div class="raw">
      <div class="raw-tools">
        <a class="btn" href=${path} download=${`trace-${short(data.trace.trace_id, 16)}.json`}>Download</a>
        <${Copy} text=${copyAll} label="Copy JSON" /><${Copy} text=${curlOf(location.origin + path)} label="Copy as curl" />
      </div>
      ${!data.detail
        && html`<p class="dim pad">A trace of so many spans is told column by column, without what the spans say. The download holds everything.</p>`}
      <pre class="text" tabindex="0" aria-label="The trace as JSON">${text.slice(0, MOST_SHOWN)}</pre>
      ${text.length > MOST_SHOWN && html`<p class="dim pad">The rest is in the download.</p>`}
    </div>`;
}

/** @param {{id: string}} props */
const Gone = ({ id }) => html`<${Nothing} title="There is no such trace">${`${short(id, 32)} has not arrived, or was deleted.`}<//>`;
