/** All traces that match, newest first unless asked otherwise; and beside a trace the list it came from. */

import { useAnswer } from "../api.js";
import { apiParams, chips } from "../filters.js";
import { plural, whole } from "../format.js";
import { cls, html } from "../html.js";
import { Nothing, Trouble, Waiting, useRowKeys } from "../parts/common.js";
import { Facets } from "../parts/facets.js";
import { usePages } from "../parts/paging.js";
import { TraceList } from "../parts/tracelist.js";
import { address, change, shared, useMedia } from "../state.js";
import { Trace } from "./trace.js";

const SORTS = { newest: "Newest", slowest: "Slowest", dearest: "Dearest", errors: "Failing first" };
const FACETS = ["status", "service", "environment", "model", "provider", "tool", "kind", "name", "route", "user", "group", "session", "conversation"];

/** @param {import("../app.js").PageProps} props */
export function Traces(props) {
  const beside = useMedia("(min-width: 2000px)");
  if (!props.query.trace) return html`<${List} ...${props} />`;
  if (!beside) return html`<${Trace} key=${props.query.trace} ...${props} />`;
  return html`<div class="beside"><${List} ...${props} narrow /><div><${Trace} key=${props.query.trace} ...${props} /></div></div>`;
}

/** @param {import("../app.js").PageProps & {narrow?: boolean}} props */
function List({ query, revision, narrow }) {
  const params = apiParams("traces", query);
  const { data, error, loading } = useAnswer("traces", params, revision);
  const { rows, waiting, show, more, end, failed } = usePages("traces", params, { data, loading, list: "traces", id: "trace_id" });
  useRowKeys(!narrow);
  const sort = query.sort in SORTS ? query.sort : "newest";
  return html`
    <div class=${cls("listing", loading && "asking", !narrow && "faceted")}>
      ${!narrow && html`<${Facets} page="traces" query=${query} names=${FACETS} />`}
      <div>
      <div class="verdict"><h1>Traces</h1>
        <p>
          ${data
            && `${data.total_exact
              ? plural(data.total, "trace")
              : `more than ${whole(data.total)} traces`}${chips("traces", query).length || query.q
              ? " match"
              : ""}`}</p>
        <span class="switch" role="group" aria-label="Order">
          ${Object.entries(SORTS)
            .map(([id, name]) =>
              html`<button type="button" key=${id} aria-pressed=${sort === id}
                onClick=${() => change({ sort: id === "newest" ? null : id })}>${name}</button>`)}</span>
      </div>
      ${(error || failed) && html`<${Trouble} error=${error || failed} />`}
      <section class="panel" aria-label="Traces">
        ${!rows && !error && html`<${Waiting} rows=${12} className="two-lines" />`}
        ${rows?.length > 0 && html`<${TraceList} rows=${rows} query=${query} selected=${query.trace} heads=${!narrow} narrow=${narrow} />`}
        ${rows?.length === 0 && html`<${NoTraces} query=${query} />`}
      </section>
      ${waiting > 0 && html`<button type="button" class="pill" onClick=${show}>${waiting} new</button>`}
      ${rows?.length > 0 && !end && html`<button type="button" class="btn wide" onClick=${more}>Show more</button>`}
      </div>
    </div>`;
}

/** @param {{query: import("../state.js").Query}} props */
const NoTraces = ({ query }) => html`
  <${Nothing} title="No trace matches">
    ${chips("traces", query).length || query.q
      ? html`<a class="link" href=${address("traces", { ...shared(query), service: null, environment: null })}>Remove the filters</a> or ${" "}
        <a class="link" href=${address("traces", { ...query, range: "all", from: null, to: null })}>look in all of time</a>.`
      : html`<a class="link"
        href=${address("traces", { ...query, range: "all", from: null, to: null })}>Look in all of time</a>, or see the <a class="link"
        href="/">overview</a> for what the receiver has heard.`}
  <//>`;
