/** The head of a trace: what was asked and answered, its figures, where it belongs. */

import { useAnswer } from "../api.js";
import { apiParams } from "../filters.js";
import { duration, moment, money, plural, short, whole } from "../format.js";
import { html } from "../html.js";
import { address, go, shared, useKeys, writing } from "../state.js";
import { SplitBar } from "./bars.js";
import { Copy, Dot, Duration } from "./common.js";
import { ELSEWHERE, costOf, listAddress, started, tokensOf } from "./tracelist.js";

/** Where the list's neighbours are looked for. */
const NEAR = 200;
/** So many log records come with a trace. */
const MOST_LOGS = 200;
/** And so many spans that link to it. */
const MOST_LINKED = 50;

/** The way back to the list, and on to the traces before and after in it. @param {{query: import("../state.js").Query}} props */
export function Ways({ query }) {
  const { data } = useAnswer("traces", { ...apiParams("traces", query), limit: NEAR });
  const rows = data?.traces || [];
  const at = rows.findIndex(({ trace_id: id }) => id === query.trace);
  const to = (step) => (at >= 0 && rows[at + step] ? address("traces", { ...query, trace: rows[at + step].trace_id, ...ELSEWHERE }) : "");
  useKeys((event) => {
    if (writing(event) || event.metaKey || event.ctrlKey || event.altKey) return false;
    const place = { "[": to(-1), "]": to(1) }[event.key];
    if (place) go(place);
    return Boolean(place);
  });
  const step = (place, sign, name) => (place
    ? html`<a class="btn step" href=${place} aria-label=${name} title=${name}>${sign}</a>`
    : html`<span class="btn step gone" aria-hidden="true">${sign}</span>`);
  return html`
    <div class="ways">
      <a class="back" href=${listAddress(query)}>← Traces</a>
      ${at >= 0 && html`<span class="dim small">${whole(at + 1)} of ${data.total_exact ? whole(data.total) : `more than ${whole(data.total)}`}</span>
        ${step(to(-1), "‹", "The trace before, key [")}${step(to(1), "›", "The next trace, key ]")}`}
    </div>`;
}

/** @param {{trace: any, spans: any[], logs: any[], linked: any[], query: import("../state.js").Query}} props */
export function Heading({ trace, spans, logs, linked, query }) {
  const bad = trace.status === "error";
  return html`
    <div class="th">
      <h1><${Dot} tone=${bad ? "bad" : trace.complete ? "good" : "open"} label=${bad ? "failed" : trace.complete ? "ok" : "not complete"} />
        <bdi>${trace.input ? `“${trace.input}”` : trace.title}</bdi>${trace.output && html`<span class="a"> → <bdi>“${trace.output}”</bdi></span>`}</h1>
      <div class="facts">${listed(figures(trace, logs, query))}</div>
      <div class="facts dim">${listed(about(trace, spans, linked, query))}</div>
      <${SplitBar} split=${trace.split} />
    </div>`;
}

/** @param {any[]} facts */
const listed = (facts) => facts.filter(Boolean)
  .map((fact, at) => html`${at > 0 && html`<span class="sep" key=${`s${at}`} aria-hidden="true"> · </span>`}<span key=${at}>${fact}</span>`);

/** @param {any} trace @param {any[]} logs @param {import("../state.js").Query} query */
function figures(trace, logs, query) {
  const narrowed = (more) => address("traces", { ...query, trace: null, ...ELSEWHERE, view: null, ...more });
  const tokens = trace.tokens?.total ?? null;
  return [
    html`<span class="strong"><${Duration} ms=${trace.duration_ms} /></span>`,
    plural(trace.spans, "span"),
    tokensOf(trace) && (tokens === null ? "tokens not reported" : `${tokensOf(trace)} tokens`),
    costOf(trace)
      && html`<span title=${trace.cost_usd === null ? undefined : `$${trace.cost_usd}`}>
        ${trace.cost_usd === null
          ? (trace.unpriced.length ? "not priced" : "cost unknown")
          : `${money(trace.cost_usd)}${trace.unpriced.length ? ", partial" : ""}`}</span>`,
    trace.user && html`<a class="plain" href=${narrowed({ user: trace.user })}>user ${short(trace.user)}</a>`,
    trace.conversation
      && html`<a class="plain"
        href=${address("conversations", { ...shared(query), id: trace.conversation })}>conversation ${short(trace.conversation)}</a>`,
    logs.length > 0
      && html`<a class="plain" href=${address("logs", { trace_id: trace.trace_id })}>
        ${logs.length < MOST_LOGS ? plural(logs.length, "log record") : `${MOST_LOGS} log records or more`}</a>`,
    html`<span title=${moment(trace.start)}>${started(trace.start)}</span>`,
  ];
}

/**
 * To the first traces of a list, and how many more there are: null says more than these.
 * @param {any[]} links
 * @param {import("../state.js").Query} query
 * @param {number|null} count
 */
const ways = (links, query, count) => html`
  ${links.slice(0, 3)
    .map((link, at) =>
      html`${at > 0 && ", "}
        <a class="link mono" key=${at} title=${link.title}
          href=${address("traces", { ...query, trace: link.trace_id, ...ELSEWHERE, span: link.span_id })}>${short(link.trace_id)}</a>`)}
    ${count === null ? " and many more" : count > 3 && ` and ${count - 3} more`}`;

/** @param {any} trace @param {any[]} spans @param {any[]} linked @param {import("../state.js").Query} query */
function about(trace, spans, linked, query) {
  const lost = spans.filter(({ missing_parent: missing }) => missing).length;
  const moved = new Map();
  for (const { clock_ms: clock, service } of spans) if (clock >= 1) moved.set(service, Math.max(moved.get(service) || 0, clock));
  const links = spans.flatMap(({ links: some }) => some || []);
  return [
    trace.status === "error" && html`<span class="err">${trace.error || "failed"}</span>`,
    html`<bdi>
      ${[trace.name === trace.title ? "" : trace.name, trace.services.join(", "), trace.environment, trace.models.join(", ")].filter(Boolean)
        .join(" · ")}</bdi>`,
    html`<${Copy} className="id" text=${trace.trace_id} label="Copy the trace id">${short(trace.trace_id)}<//>`,
    !trace.complete && "not complete yet: its first span has not arrived",
    lost > 0 && trace.complete && `${plural(lost, "span")} whose parent has not arrived`,
    moved.size > 0
      && html`<span title="Spans that began before they were called, by their own clock, are moved into the call that started them">
        ${[...moved].map(([service, by]) => `the clock of ${service} differs by ${duration(by)}`).join(", ")}</span>`,
    links.length > 0 && html`linked to ${ways(links, query, links.length)}`,
    linked.length > 0 && html`linked from ${ways(linked, query, linked.length < MOST_LINKED ? linked.length : null)}`,
    trace.unreported_calls > 0 && `${plural(trace.unreported_calls, "call")} reported no tokens`,
    trace.spans > 20_000 && `the first 20,000 of ${whole(trace.spans)} spans are shown`,
  ];
}
