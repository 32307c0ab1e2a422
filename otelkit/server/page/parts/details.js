/** Everything about one span: its messages, attributes, logs, and the record itself. */

import { ask } from "../api.js";
import { exactTime, duration, money, plural, short, whole } from "../format.js";
import { cls, html, useEffect, useState } from "../html.js";
import { address, change, shared } from "../state.js";
import { TokenBar } from "./bars.js";
import { Copy, Duration, Mark, Trouble, Waiting } from "./common.js";
import { curlOf, requestOf } from "./curl.js";
import { Attributes, Facts } from "./keyvalue.js";
import { LogRows } from "./logrows.js";
import { Body, Messages } from "./messages.js";

const TABS = { messages: "Messages", attributes: "Attributes", logs: "Logs", raw: "Raw" };

/**
 * @param {{trace: any, span: any, logs: any[], linked: any[], errors: any[], query: import("../state.js").Query}} props
 */
export function Details({ trace, span: given, logs, linked, errors, query }) {
  const { span, error } = useWhole(trace.trace_id, given);
  const mine = logs.filter((log) => log.span_id === given.span_id);
  const talks = span.input || span.output || ["llm", "tool", "retrieval"].includes(span.kind);
  const tab = query.tab in TABS ? query.tab : talks ? "messages" : "attributes";
  const counts = { logs: mine.length || "" };
  return html`
    <div class="dh">
      <h2><${Mark} kind=${span.kind} /><bdi>${span.name}</bdi></h2><span class="dim nowrap"><${Duration} ms=${span.duration_ms} /></span>
    </div>
    <div class="tabs" role="tablist" aria-label="About this span">
      ${Object.entries(TABS).map(([id, name]) => html`
        <button type="button" role="tab" key=${id} id=${`tab-${id}`} aria-controls="tab-panel" aria-selected=${tab === id} class=${cls(tab === id && "on")}
          onClick=${() => change({ tab: id, span: given.span_id }, { replace: true, keepScroll: true })}>${name}
            ${counts[id] && html` <small>${counts[id]}</small>`}</button>`)}
    </div>
    <div class="db" id="tab-panel" role="tabpanel" aria-labelledby=${`tab-${tab}`} tabindex="0">
      ${error && html`<${Trouble} error=${error} />`}
      ${span.attributes === null && !error ? html`<${Waiting} rows=${5} />` : html`
        ${tab === "messages" && html`<${MessagesTab} span=${span} errors=${errors} query=${query} />`}
        ${tab === "attributes" && html`<${AttributesTab} span=${span} errors=${errors} query=${query}
          linked=${linked.filter(({ to_span_id: id }) => id === given.span_id)} />`}
        ${tab === "logs" && html`<${LogsTab} trace=${trace} mine=${mine} all=${logs} />`}
        ${tab === "raw" && html`<${RawTab} trace=${trace} span=${span} />`}`}
    </div>`;
}

/** Long traces come without the contents of their spans: those are fetched one at a time. @param {string} traceId @param {any} given */
function useWhole(traceId, given) {
  const [more, setMore] = useState({ id: "", span: null, error: null });
  const missing = given.attributes === null;
  useEffect(() => {
    if (!missing) return undefined;
    const abort = new AbortController();
    ask(`traces/${traceId}/spans/${given.span_id}`, {}, abort.signal).then(
      ({ span }) => setMore({ id: given.span_id, span, error: null }),
      (error) => !abort.signal.aborted && setMore({ id: given.span_id, span: null, error }),
    );
    return () => abort.abort();
  }, [traceId, given.span_id, missing]);
  const mine = more.id === given.span_id;
  return { span: mine && more.span ? { ...given, ...more.span } : given, error: mine ? more.error : null };
}

/** @param {{span: any, errors: any[], query: import("../state.js").Query}} props */
const MessagesTab = ({ span, errors, query }) => html`
  ${failed(span) && html`<${Failure} span=${span} errors=${errors} query=${query} />`}
  <${Messages} span=${span} />
  ${span.model && span.kind === "llm" && html`<${TokenBar} tokens=${span.tokens} cost=${span.cost_usd} unpriced=${span.unpriced} />`}
  <${Facts} rows=${facts(span)} />`;

/** @param {any} span @returns {Array<[string, any]>} */
function facts(span) {
  const of = span.attributes || {};
  const streamed = span.first_token_ms !== null ? span.duration_ms - span.first_token_ms : span.duration_ms;
  const output = span.tokens?.output;
  const scores = of["otelkit.retrieval.score.max"];
  return [
    ["First token", span.first_token_ms === null ? "" : duration(span.first_token_ms)],
    ["Speed", output && streamed > 0 ? `${Math.round(output / (streamed / 1000))} tokens/s` : ""],
    ["Finish", [of["gen_ai.response.finish_reasons"] || []].flat().join(", ")],
    ["Model", span.model && `${span.model}${span.provider ? `, ${span.provider}` : ""}`],
    ["Tool", span.tool && !span.model ? span.tool : ""],
    ["Results", of["otelkit.retrieval.result_count"] ?? ""],
    ["Best score", scores === undefined ? "" : Number(scores).toPrecision(3)],
    ["Own time", span.children ? duration(span.self_ms) : ""],
  ];
}

/** Whether there is anything to tell of a failure; an exception may have been handled. @param {any} span */
const failed = (span) => span.status === "error" || (span.events || []).some(({ name }) => name === "exception");

/** The exception of a span, or what its status says. @param {{span: any, errors: any[], query: import("../state.js").Query}} props */
function Failure({ span, errors, query }) {
  const raised = (span.events || []).filter(({ name }) => name === "exception");
  const type = raised[0]?.attributes["exception.type"] || span.attributes?.["error.type"];
  return html`
    <div class="failure">
      <b title=${type ? String(type) : undefined}>${type ? String(type).split(".").at(-1) : "Failed"}</b>
        ${span.status_message && html`<p dir="auto">${span.status_message}</p>`}
      ${raised.map(({ attributes }, at) => html`<${Raised} key=${at} attributes=${attributes} said=${span.status_message}
        group=${errors.find((one) => one.fingerprint === attributes["otelkit.error.fingerprint"] && one.service === span.service)} query=${query} />`)}
    </div>`;
}

/** @param {{attributes: any, said: string|null, group: any, query: import("../state.js").Query}} props */
const Raised = ({ attributes, said, group, query }) => html`
  ${attributes["exception.message"] && !said?.includes(attributes["exception.message"]) && html`<p dir="auto">${String(attributes["exception.message"])}</p>`}
  ${group && html`<p><a class="link" href=${address("errors", { ...shared(query), id: group.id })}>
    ${group.count > 1 ? `Seen ${whole(group.count)} times` : "Seen this once"}${group.resolved ? ", resolved" : ""}</a></p>`}
  ${attributes["exception.stacktrace"] && html`<details open><summary>Stack</summary><pre>${String(attributes["exception.stacktrace"])}</pre></details>`}`;

/** @param {{span: any, errors: any[], linked: any[], query: import("../state.js").Query}} props */
const AttributesTab = ({ span, errors, linked, query }) => html`
  ${failed(span) && html`<${Failure} span=${span} errors=${errors} query=${query} />`}
  <${Facts} rows=${[
    ["Started", exactTime(span.start)], ["Service", span.service], ["Does", span.step], ["Kind", span.otel_kind],
      ["Own time", span.self_ms === undefined ? "" : duration(span.self_ms)],
    ["Waited for", span.critical?.length ? `${duration(span.critical.reduce((sum, [, length]) => sum + length, 0))} of the critical path` : ""],
    ["Clock", span.clock_ms ? `differs by ${duration(Math.abs(span.clock_ms))}; moved into the call that started it` : ""],
    ["Span", html`<${Copy} className="id" text=${span.span_id} label="Copy the span id">${span.span_id}<//>`],
  ]} />
  ${span.duplicate && html`<p class="dim">Another span already counts this call: its tokens and cost are in that one.</p>`}
  <${Attributes} title="Attributes" attributes=${span.attributes} />
  ${(span.events || []).length > 0 && html`<h3>Events</h3>${span.events.map((event, at) => html`
    <div class="event" key=${at}><b>${event.name}</b> <span class="dim">at ${duration(event.offset_ms)}</span>
      <${Attributes} attributes=${event.attributes} /></div>`)}`}
  ${(span.links || []).length > 0 && html`<h3>Links</h3>${span.links.map((link, at) => html`
    <p key=${at}>
      <a class="link mono" href=${address("traces", { ...query, trace: link.trace_id, span: link.span_id, tab: null })}>
        ${short(link.trace_id)} / ${short(link.span_id)}</a></p>`)}`}
  ${linked.length > 0 && html`<h3>Linked from</h3>${linked.map((link, at) => html`
    <p key=${at}>
      <a class="link" href=${address("traces", { ...query, trace: link.trace_id, span: link.span_id, tab: null })}>
        <bdi>${link.name}</bdi></a> <span class="dim">${link.service}, ${exactTime(link.start)}</span></p>`)}`}
  <${Attributes} title="Resource" attributes=${span.resource} />
  ${span.scope?.name && html`<p class="dim small">Recorded by ${span.scope.name} ${span.scope.version}</p>`}`;

/** @param {{trace: any, mine: any[], all: any[]}} props */
const LogsTab = ({ trace, mine, all }) => html`
  ${mine.length ? html`<${LogRows} rows=${mine} brief />` : html`<p class="dim pad">No logs came from this span.</p>`}
  ${all.length > mine.length
    && html`<p>
      <a class="link" href=${address("logs", { trace_id: trace.trace_id })}>${`All ${plural(all.length, "log record")} of this trace`}</a></p>`}`;

/** @param {{trace: any, span: any}} props */
function RawTab({ trace, span }) {
  const { parent, ...record } = span; // a place in a list, not part of the record
  const text = JSON.stringify(record, null, 2);
  const request = requestOf(span);
  return html`
    <div class="raw-tools">
      <${Copy} text=${text} label="Copy JSON" />
        <${Copy} text=${curlOf(`${location.origin}/api/traces/${trace.trace_id}/spans/${span.span_id}`)} label="Copy as curl" />
      ${request && html`<${Copy} text=${request} label="Copy its request" />`}
    </div>
    <${Body} text=${text} />`;
}

/**
 * Equal steps in a row: what they took together, and the ones worth a look.
 * @param {{run: import("./rows.js").Run, spans: any[], onSelect: (id: string) => void}} props
 */
export function RunDetails({ run, spans, onSelect }) {
  const members = run.places.map((at) => spans[at]);
  const lengths = members.map(({ duration_ms: length }) => length).sort((one, other) => one - other);
  const slowest = [...members].sort((one, other) => other.duration_ms - one.duration_ms).slice(0, 5);
  const failed = members.filter(({ status }) => status === "error").slice(0, 5);
  const cost = members.reduce((sum, { cost_usd: usd }) => (usd === null ? sum : (sum || 0) + usd), null);
  const list = (some) => some.map((span) => html`<button type="button" class="member" key=${span.span_id} onClick=${() => onSelect(span.span_id)}>
    <span class="dim">at ${duration(span.offset_ms)}</span><span class="num"><${Duration} ms=${span.duration_ms} /></span></button>`);
  return html`
    <div class="dh"><h2><${Mark} kind=${run.kind} /><bdi>${members.length} × ${run.name}</bdi></h2>
      <span class="dim nowrap"><${Duration} ms=${run.total} /> in all</span></div>
    <${Facts} rows=${[
      ["Service", run.service], ["From, to", `${duration(run.from)} – ${duration(run.to)}`], ["Median", duration(lengths[Math.floor(lengths.length / 2)])],
      ["Longest", duration(lengths.at(-1))], ["Failed", run.failed ? plural(run.failed, "span") : "none"], ["Cost", cost === null ? "" : money(cost)],
    ]} />
    ${failed.length > 0 && html`<h3>Failed</h3>${list(failed)}`}
    <h3>Longest</h3>${list(slowest)}`;
}
