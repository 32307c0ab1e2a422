/** One trace: what was asked and answered, its spans in time, and everything about the one that is selected. */

import { useAnswer } from "../api.js";
import { moment, money, plural, short, whole } from "../format.js";
import { html, useEffect, useMemo } from "../html.js";
import { SplitBar } from "../parts/bars.js";
import { Copy, Dot, Duration, Nothing, Trouble, Waiting } from "../parts/common.js";
import { Details } from "../parts/details.js";
import { spansOf } from "../parts/spans.js";
import { costOf, listAddress, started, tokensOf } from "../parts/tracelist.js";
import { Waterfall } from "../parts/waterfall.js";
import { address, change, go, useKeys, writing } from "../state.js";

/** @param {import("../app.js").PageProps} props */
export function Trace({ query, revision }) {
  const { data, error } = useAnswer(`traces/${encodeURIComponent(query.trace)}`, {}, revision);
  const spans = useMemo(() => (data ? spansOf(data) : []), [data]);
  const selected = spans.some(({ span_id: id }) => id === query.span) ? query.span : data?.focus;
  const select = (id) => change({ span: id, tab: null }, { replace: true, keepScroll: true });
  useKeys((event) => {
    if (writing(event) || event.metaKey || event.ctrlKey || event.altKey) return false;
    if (event.key === "Escape") {
      go(listAddress(query));
      return true;
    }
    const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
    const inTree = document.activeElement?.closest(".wf") || document.activeElement === document.body;
    if (!step || (event.key.startsWith("Arrow") && !inTree)) return false;
    const next = spans[spans.findIndex(({ span_id: id }) => id === selected) + step];
    if (next) select(next.span_id);
    return Boolean(next);
  });
  useEffect(() => {
    if (document.activeElement?.closest(".wf")) /** @type {HTMLElement|null} */ (document.querySelector(".sp.on"))?.focus({ preventScroll: true });
  }, [selected]);
  const back = html`<a class="back" href=${listAddress(query)}>← Traces</a>`;
  if (error && !data) return html`${back}<${error.status === 404 ? Gone : Trouble} error=${error} id=${query.trace} />`;
  if (!data) return html`${back}<${Waiting} rows=${12} className="tall" />`;
  const span = spans.find(({ span_id: id }) => id === selected) || spans[0];
  return html`
    ${back}
    <section class="panel trace" aria-label="Trace">
      <${Heading} trace=${data.trace} query=${query} />
      <div class="split-view">
        <div class="left"><${Waterfall} spans=${spans} total=${data.length_ms || 1} selected=${selected} onSelect=${select} service=${spans[0]?.service} /></div>
        <div class="det">${span ? html`<${Details} key=${span.span_id} trace=${data.trace} span=${span} logs=${data.logs} query=${query} />` : html`<${Nothing} title="No spans yet" />`}</div>
      </div>
    </section>`;
}

/** @param {{trace: any, query: import("../state.js").Query}} props */
function Heading({ trace, query }) {
  const bad = trace.status === "error";
  const narrowed = (more) => address("traces", { ...query, trace: null, span: null, tab: null, ...more });
  const facts = [
    html`<span class="strong"><${Duration} ms=${trace.duration_ms} /></span>`,
    plural(trace.spans, "span"),
    tokensOf(trace) && (trace.tokens?.total === null || trace.tokens?.total === undefined ? "tokens not reported" : `${tokensOf(trace)} tokens`),
    costOf(trace) && html`<span title=${trace.cost_usd === null ? undefined : `$${trace.cost_usd}`}>${trace.cost_usd === null ? (trace.unpriced.length ? "not priced" : "cost unknown") : `${money(trace.cost_usd)}${trace.unpriced.length ? ", partial" : ""}`}</span>`,
    trace.user && html`<a class="plain" href=${narrowed({ user: trace.user })}>user ${short(trace.user)}</a>`,
    trace.conversation && html`<a class="plain" href=${narrowed({ conversation: trace.conversation })}>conversation ${short(trace.conversation)}</a>`,
    html`<span title=${moment(trace.start)}>${started(trace.start)}</span>`,
  ].filter(Boolean);
  return html`
    <div class="th">
      <h1><${Dot} tone=${bad ? "bad" : trace.complete ? "good" : "open"} label=${bad ? "failed" : trace.complete ? "ok" : "not complete"} />
        <bdi>${trace.input ? `“${trace.input}”` : trace.title}</bdi>${trace.output && html`<span class="a"> → <bdi>“${trace.output}”</bdi></span>`}</h1>
      <div class="facts">${facts.map((fact, at) => html`${at > 0 && html`<span class="sep" key=${`s${at}`} aria-hidden="true"> · </span>`}<span key=${at}>${fact}</span>`)}</div>
      <div class="facts dim">
        ${bad && html`<span class="err">${trace.error || "failed"}</span><span class="sep"> · </span>`}
        <bdi>${[trace.name === trace.title ? "" : trace.name, trace.services.join(", "), trace.environment, trace.models.join(", ")].filter(Boolean).join(" · ")}</bdi>
        <span class="sep"> · </span><${Copy} className="id" text=${trace.trace_id} label="Copy the trace id">${short(trace.trace_id)}<//>
        ${!trace.complete && html`<span class="sep"> · </span>not complete yet: its first span has not arrived`}
        ${trace.unreported_calls > 0 && html`<span class="sep"> · </span>${plural(trace.unreported_calls, "call")} reported no tokens`}
        ${trace.spans > 20_000 && html`<span class="sep"> · </span>the first 20,000 of ${whole(trace.spans)} spans are shown`}
      </div>
      <${SplitBar} split=${trace.split} />
    </div>`;
}

/** @param {{id: string}} props */
const Gone = ({ id }) => html`<${Nothing} title="There is no such trace">${`${short(id, 32)} has not arrived, or was deleted.`}<//>`;
