/** What goes wrong: each error once, with how often, since when, for how many; and one of them in full. */

import { useAnswer } from "../api.js";
import { ago, moment, plural, whole } from "../format.js";
import { cls, html } from "../html.js";
import { Stack } from "../parts/chart.js";
import { Nothing, Trouble, Waiting, useRowKeys } from "../parts/common.js";
import { Badges, CATEGORIES, placeOf } from "../parts/errorwords.js";
import { usePages } from "../parts/paging.js";
import { Spark } from "../parts/spark.js";
import { address, change, ranged, shared } from "../state.js";
import { ErrorGroup } from "./error.js";

const STATES = { "": "Unresolved", new: "New", regressed: "Regressed", open: "Known", resolved: "Resolved" };
const SORTS = { last: "Last seen", count: "Most", users: "Most users", first: "First seen" };

/** @param {import("../app.js").PageProps} props */
export function Errors(props) {
  return props.query.id ? html`<${ErrorGroup} key=${props.query.id} ...${props} />` : html`<${List} ...${props} />`;
}

/** @param {import("../app.js").PageProps} props */
function List({ query, revision }) {
  const { state, category, sort, find } = query;
  const known = (value, choices) => (value in choices ? value : "");
  const params = { ...ranged(query), state: known(state, STATES), category: known(category, CATEGORIES), sort: known(sort, SORTS), q: find };
  const { data, error, loading } = useAnswer("errors/groups", params, revision);
  const { rows, waiting, show, more, end, failed } = usePages("errors/groups", params, { data, loading, list: "groups", id: "id" });
  useRowKeys();
  return html`
    <div class=${cls("listing", loading && "asking")}>
      <div class="verdict"><h1>Errors</h1><p>${data && html`<${Verdict} data=${data} query=${query} />`}</p>
        <span class="switch" role="group" aria-label="Order">
          ${Object.entries(SORTS).map(([id, name]) => html`
            <button type="button" key=${id} aria-pressed=${(params.sort || "last") === id}
              onClick=${() => change({ sort: id === "last" ? null : id })}>${name}</button>`)}</span></div>
      ${(error || failed) && html`<${Trouble} error=${error || failed} />`}
      ${data && data.occurrences > 0 && html`<${Over} data=${data} />`}
      <div class="narrowing"><${Choice} name="state" label="State" choices=${STATES} chosen=${params.state} counts=${data?.states} query=${query} />
        <${Choice} name="category" label="Category" choices=${{ "": "Any category", ...CATEGORIES }} chosen=${params.category}
          counts=${data?.categories} query=${query} />
        <input type="search" class="find" aria-label="Find an error" placeholder="Type, message or place" value=${find || ""} spellcheck=${false}
          onChange=${(event) => change({ find: event.target.value.trim() || null }, { keepScroll: true })} /></div>
      <section class="panel" aria-label="Errors">
        ${!rows && !error && html`<${Waiting} rows=${10} className="two-lines" />`}
        ${rows?.length > 0 && html`<${Rows} rows=${rows} query=${query} data=${data} />`}
        ${rows?.length === 0 && html`<${None} query=${query} filtered=${params.state || params.category || find} />`}
      </section>
      ${waiting > 0 && html`<button type="button" class="pill" onClick=${show}>${waiting} new</button>`}
      ${rows?.length > 0 && !end && html`<button type="button" class="btn wide" onClick=${more}>Show more</button>`}
    </div>`;
}

/** @param {{data: any, query: import("../state.js").Query}} props */
function Verdict({ data, query }) {
  const { new: fresh, regressed } = data.states;
  const to = (state, words) => html`<a class="link" href=${address("errors", { ...query, state })}>${words}</a>`;
  if (!data.total) return "";
  return html`${plural(data.total, "error")}, seen ${plural(data.occurrences, "time")}
    ${fresh > 0 && html` · ${to("new", `${whole(fresh)} new`)}`}
    ${regressed > 0 && html` · <b class="bad">${to("regressed", `${whole(regressed)} back after being resolved`)}</b>`}`;
}

/** @param {{data: any}} props */
const Over = ({ data }) => html`
  <section class="panel chart" aria-label="Errors over time">
    <div class="h"><h2>Over time</h2><span class="dim">each once a trace</span></div>
    <${Stack} times=${data.times} step=${data.range.step_ms} height=${96} bars partial=${data.range.partial_last} write=${whole}
      layers=${[{ key: "errors", label: "Errors", variable: "--err", values: data.series }]}
      label=${`${plural(data.occurrences, "error")} in this range`} onZoom=${(from, to) => change({ from, to, range: null })} />
  </section>`;

/**
 * @param {{name: string, label: string, choices: Record<string, string>, chosen: string, counts: Record<string, number>|undefined,
 *   query: import("../state.js").Query}} props
 */
const Choice = ({ name, label, choices, chosen, counts, query }) => html`
  <span class="choice" role="group" aria-label=${label}>
    ${Object.entries(choices).filter(([id]) => !id || id === chosen || !counts || counts[id] > 0).map(([id, words]) => html`
    <a key=${id} href=${address("errors", { ...query, [name]: id })} data-keep aria-current=${id === chosen ? "page" : undefined}>${words}
      ${id && counts?.[id] > 0 && html` <small>${whole(counts[id])}</small>`}</a>`)}</span>`;

/** @param {{query: import("../state.js").Query, filtered: any}} props */
const None = ({ query, filtered }) => html`
  <${Nothing} title=${filtered ? "No error matches" : "No errors in this range"}>
    ${filtered
      ? html`<a class="link" href=${address("errors", { ...shared(query), service: "", environment: "" })}>Remove the filters</a> or ${" "}`
      : "Exceptions of spans and log records, and what is logged as an error, appear here by themselves. "}
    <a class="link" href=${address("errors", { ...query, range: "all", from: null, to: null })}>${filtered ? "look" : "Look"} in all of time</a>.
  <//>`;

/** @param {{rows: any[], query: import("../state.js").Query, data: any}} props */
const Rows = ({ rows, query, data }) => html`
  <div class="errors">
    <div class="tr heads" aria-hidden="true"><span>Error</span><span class="over">Over time</span><span class="num">Times</span>
      <span class="num users">Users</span><span class="num">Last seen</span></div>
    ${rows.map((row) => html`<${Row} key=${row.id} row=${row} query=${query} partial=${data?.range.partial_last} />`)}
  </div>`;

/** @param {{row: any, query: import("../state.js").Query, partial: boolean}} props */
const Row = ({ row, query, partial }) => html`
  <a class="tr" data-row href=${address("errors", { ...query, id: row.id })}>
    <span class="what">
      <span class="q"><${Badges} group=${row} /> <b><bdi>${row.title}</bdi></b>
        ${row.type && row.message && html` <span class="a"><bdi>${row.message}</bdi></span>`}</span>
      <span class="m"><bdi>${[CATEGORIES[row.category], placeOf(row), row.service, row.environment].filter(Boolean).join(" · ")}</bdi></span></span>
    <span class="over"><${Spark} values=${row.series} variable="--err" partial=${partial} /></span>
    <span class="num strong" title=${`${whole(row.total)} in all, ${whole(row.unhandled)} of them unhandled`}>${whole(row.count)}</span>
    <span class="num dim users">${row.users ? whole(row.users) : "–"}</span>
    <span class="num dim" title=${`${moment(row.last)}; first seen ${moment(row.first)}`}>${ago(row.last)}</span>
  </a>`;
