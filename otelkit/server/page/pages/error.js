/** One error: how often, since when and for whom, the stack, and the newest traces that tell of it. */

import { order, useAnswer } from "../api.js";
import { ago, exactTime, moment, plural, whole } from "../format.js";
import { cls, html, useEffect, useState } from "../html.js";
import { Stack } from "../parts/chart.js";
import { Copy, Dot, Duration, Nothing, Panel, Trouble, Waiting, useRowKeys } from "../parts/common.js";
import { Badges, CATEGORIES } from "../parts/errorwords.js";
import { address, change, shared } from "../state.js";

const ASKED = { bug: "ours to mend", dependency: "something we asked failed", timeout: "it took too long",
  client: "whoever asked did it wrong", limit: "a limit was hit" };

/** @param {import("../app.js").PageProps} props */
export function ErrorGroup({ query, revision }) {
  const [turn, setTurn] = useState(0);
  const { range, from, to } = query;
  const { data, error } = useAnswer(`errors/groups/${encodeURIComponent(query.id)}`, { range, from, to }, `${revision}/${turn}`);
  useRowKeys();
  useEffect(() => {
    document.title = `${data?.group.title || "Error"} · otelkit`;
  }, [data]);
  const back = html`<a class="back" href=${address("errors", { ...query, id: null })}>← Errors</a>`;
  if (!data) return html`${back}
    ${error
      ? (error.status === 404
        ? html`<${Nothing} title="There is no such error">It may not have been seen for so long that it was deleted.<//>`
        : html`<${Trouble} error=${error} />`)
      : html`<${Waiting} rows=${10} className="tall" />`}`;
  return html`
    ${back}${error && html`<${Trouble} error=${error} />`}
    <${Head} group=${data.group} onChanged=${() => setTurn((old) => old + 1)} />
    <div class="row of-error">
      <div><${Trace} data=${data} /></div>
      <div>
        <${Over} data=${data} />
        <${Samples} data=${data} query=${query} />
        <${Where} data=${data} query=${query} />
      </div>
    </div>`;
}

/** @param {{group: any, onChanged: () => void}} props */
function Head({ group, onChanged }) {
  const [failed, setFailed] = useState(null);
  const [busy, setBusy] = useState(false);
  const resolved = group.state === "resolved";
  const set = async () => {
    setBusy(true);
    setFailed(null);
    await order("POST", `errors/groups/${group.id}/${resolved ? "reopen" : "resolve"}`).then(onChanged, setFailed);
    setBusy(false);
  };
  return html`
    <section class="panel error-head" aria-label="Error">
      <div>
        <h1><bdi>${group.title}</bdi> <${Badges} group=${group} /></h1>
        ${group.type && group.message && html`<p class="words"><bdi>${group.message}</bdi></p>`}
        <p class="facts dim">${group.place && html`<span class="mono">${group.place}</span><span class="sep"> · </span>`}
          <span title=${ASKED[group.category]}>${CATEGORIES[group.category]}: ${ASKED[group.category]}</span><span class="sep"> · </span>
          <bdi>${group.service}</bdi>${group.environment && html`, <bdi>${group.environment}</bdi>`}<span class="sep"> · </span>
          <${Copy} text=${group.fingerprint} label="Copy the fingerprint" className="id">${group.fingerprint}<//></p>
      </div>
      <button type="button" class=${cls("btn", !resolved && "primary")} disabled=${busy} onClick=${set}>${resolved ? "Reopen" : "Resolve"}</button>
      <dl>
        <${Fact} name="In this range" value=${plural(group.count, "time")} />
        <${Fact} name="In all" value=${whole(group.total)} note=${group.unhandled ? `${whole(group.unhandled)} unhandled` : "all handled"}
          title="Unhandled: a request, a job or another first span ended by it" />
        <${Fact} name="Users" value=${group.users ? whole(group.users) : "unknown"} title="Of this range, as far as spans say who they are" />
        <${Fact} name="First seen" value=${ago(group.first)} note=${group.first_version && `in ${group.first_version}`} title=${moment(group.first)} />
        <${Fact} name="Last seen" value=${ago(group.last)} note=${group.last_version && `in ${group.last_version}`} title=${moment(group.last)} />
        ${group.resolved && html`<${Fact} name="Resolved" value=${ago(group.resolved)} title=${moment(group.resolved)}
          note=${group.regressed ? html`<span class="err">back ${ago(group.regressed)}</span>` : ""} />`}
      </dl>
      ${failed && html`<${Trouble} error=${failed} />`}
    </section>`;
}

/** @param {{name: string, value: any, note?: any, title?: string}} props */
const Fact = ({ name, value, note, title }) => html`
  <div title=${title}><dt>${name}</dt><dd>${value}${note && html` <small>${note}</small>`}</dd></div>`;

/** @param {{data: any}} props */
const Over = ({ data }) => html`
  <section class="panel chart" aria-label="Over time">
    <div class="h"><h2>Over time</h2><span class="dim">each once a trace</span></div>
    ${data.group.count > 0
      ? html`<${Stack} times=${data.times} step=${data.range.step_ms} height=${110} bars partial=${data.range.partial_last} write=${whole}
        layers=${[{ key: "times", label: "Times", variable: "--err", values: data.group.series }]} label=${plural(data.group.count, "time")}
        onZoom=${(from, to) => change({ from, to, range: null })} />`
      : html`<${Nothing} title="Not seen in this range" />`}
  </section>`;

/** The traceback: the application's own calls stand out, others are folded away. @param {{data: any}} props */
function Trace({ data }) {
  const [all, setAll] = useState(false);
  const foreign = data.stack.some(({ frames }) => frames.some(({ app }) => !app));
  const tools = html`<span>
    ${foreign && html`<button type="button" class="link" aria-pressed=${all} onClick=${() => setAll(!all)}>
      ${all ? "Only our own calls" : "All calls"}</button> <span class="dim"> · </span>`}
    ${data.stacktrace && html`<${Copy} text=${data.stacktrace} label="Copy" className="link" />`}</span>`;
  if (!data.stacktrace) return html`<${Panel} title="Stack"><${Nothing} title="No stack was recorded">
    ${data.group.type ? "The exception came without its traceback." : "It was logged without an exception."}<//><//>`;
  if (!data.stack.length) return html`<${Panel} title="Stack" link=${tools}><pre class="stack-text" tabindex="0">${data.stacktrace}</pre><//>`;
  return html`<${Panel} title="Stack" link=${tools} className="stack">
    ${[...data.stack].reverse().map((raised, at) => html`<${Raised} key=${at} raised=${raised} all=${all} />`)}<//>`;
}

const LINKS = { cause: "raised from", context: "raised while handling", member: "one of the group" };

/** @param {{raised: any, all: boolean}} props */
function Raised({ raised, all }) {
  const own = raised.frames.some(({ app }) => app);
  const shown = all || !own ? raised.frames : raised.frames.filter(({ app }) => app);
  const hidden = raised.frames.length - shown.length;
  return html`
    <div class="raised">
      ${raised.link && html`<p class="dim small">${LINKS[raised.link]}</p>`}
      <h3><bdi>${raised.type}</bdi></h3>${raised.message && html`<p><bdi>${raised.message}</bdi></p>`}
      <ol>${[...shown].reverse().map((frame, at) => html`
        <li key=${at} class=${cls(frame.app && "own")} title=${frame.file}>
          <span><b>${frame.function}</b> <span class="dim mono">${frame.place}:${frame.line}</span></span>
          ${frame.code && html`<code>${frame.code}</code>`}</li>`)}</ol>
      ${hidden > 0 && html`<p class="dim small">${plural(hidden, "call")} of libraries not shown</p>`}
    </div>`;
}

/** @param {{data: any, query: import("../state.js").Query}} props */
const Samples = ({ data, query }) => html`
  <${Panel} title="Newest times" className="gap">
    <div class="calls">${data.samples.map((sample, at) => html`<${Sample} key=${at} sample=${sample} query=${query} />`)}
      ${data.samples.length === 0 && html`<${Nothing} title="The traces have been deleted">Counts and the example stay.<//>`}</div><//>`;

/** @param {{sample: any, query: import("../state.js").Query}} props */
function Sample({ sample, query }) {
  const { trace } = sample;
  const inside = html`
    <${Dot} tone=${sample.unhandled ? "bad" : "warn"} label=${sample.unhandled ? "unhandled" : "handled"} />
    <span class="what"><span class="q"><bdi>${trace ? trace.title : sample.trace_id ? "a trace that is not stored" : "outside of any trace"}</bdi></span>
      <span class="m"><bdi>${[sample.unhandled ? "unhandled" : "handled", trace?.title === trace?.name ? "" : trace?.name, trace?.user && "a known user"]
        .filter(Boolean).join(" · ")}</bdi></span></span>
    <span class="num strong">${trace ? html`<${Duration} ms=${trace.duration_ms} />` : ""}</span>
    <span class="num dim when" title=${moment(sample.time)}>${exactTime(sample.time).replace(/\.\d+$/, "")}</span>`;
  return trace
    ? html`<a class="one" data-row href=${address("traces", { ...shared(query), trace: sample.trace_id, span: sample.span_id })}>${inside}</a>`
    : html`<div class="one">${inside}</div>`;
}

/** @param {{data: any, query: import("../state.js").Query}} props */
const Where = ({ data, query }) => (data.routes.length > 0 || data.elsewhere.length > 0) && html`
  <${Panel} title="Where" className="gap">
    ${data.routes.map(({ name, count }) => html`
      <a class="chg" key=${name} href=${address("traces", { ...shared(query), status: "error", name })}>
        <span class="grow"><bdi>${name}</bdi></span><span class="num dim">${whole(count)} ×</span></a>`)}
    ${data.elsewhere.map((other) => html`
      <a class="chg" key=${other.id} href=${address("errors", { ...query, id: other.id })}>
        <span class="grow">also in <b><bdi>${other.service}</bdi></b>${other.environment && html`, <bdi>${other.environment}</bdi>`}
          <br /><span class="dim">last ${ago(other.last)}</span></span><span class="num dim">${whole(other.total)} ×</span></a>`)}<//>`;
