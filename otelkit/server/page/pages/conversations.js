/** Conversations, newest first unless asked otherwise; the people and groups behind them; one of them turn by turn. */

import { useAnswer } from "../api.js";
import { apiParams, chips } from "../filters.js";
import { ago, moment, plural, short, whole } from "../format.js";
import { cls, html } from "../html.js";
import { Dot, Duration, Nothing, Trouble, Waiting, useRowKeys } from "../parts/common.js";
import { Facets } from "../parts/facets.js";
import { usePages } from "../parts/paging.js";
import { Ranked } from "../parts/ranked.js";
import { costOf, tokensOf } from "../parts/tracelist.js";
import { address, change, shared } from "../state.js";
import { Conversation } from "./conversation.js";

const SORTS = { newest: "Newest", slowest: "Slowest", dearest: "Dearest", errors: "Failing first", longest: "Longest" };
const FACETS = ["status", "service", "model", "tool", "user", "group", "name"];
const VIEWS = { "": "Conversations", user: "Users", group: "Groups" };

/** @param {import("../app.js").PageProps} props */
export function Conversations(props) {
  if (props.query.id) return html`<${Conversation} key=${props.query.id} ...${props} />`;
  const by = props.query.by in VIEWS ? props.query.by : "";
  return by ? html`<${People} key=${by} by=${by} ...${props} />` : html`<${List} ...${props} />`;
}

/** @param {{query: import("../state.js").Query, by: string}} props */
const Views = ({ query, by }) => html`
  <span class="choice" role="group" aria-label="Show">${Object.entries(VIEWS).map(([id, name]) => html`
    <a key=${id} href=${address("conversations", { ...shared(query), by: id })} aria-current=${id === by ? "page" : undefined}>${name}</a>`)}</span>`;

/** @param {import("../app.js").PageProps} props */
function List({ query, revision }) {
  const { q, ...params } = apiParams("conversations", query);
  const asked = q ? { ...params, filter: [params.filter, q].filter(Boolean).join(" ") } : params;
  const { data, error, loading } = useAnswer("conversations", asked, revision);
  const { rows, waiting, show, more, end, failed } = usePages("conversations", asked, { data, loading, list: "conversations", id: "conversation" });
  useRowKeys();
  const sort = query.sort in SORTS ? query.sort : "newest";
  const filtered = chips("conversations", query).length > 0 || query.q;
  return html`
    <div class=${cls("listing faceted", loading && "asking")}>
      <${Facets} page="conversations" query=${query} names=${FACETS} />
      <div>
        <div class="verdict"><h1>Conversations</h1><p>${data && `${plural(data.total, "conversation")}${filtered ? " match" : ""}`}</p>
          <${Views} query=${query} by="" />
          <span class="switch" role="group" aria-label="Order">
            ${Object.entries(SORTS)
              .map(([id, name]) =>
                html`<button type="button" key=${id} aria-pressed=${sort === id}
                  onClick=${() => change({ sort: id === "newest" ? null : id })}>${name}</button>`)}</span></div>
        ${(error || failed) && html`<${Trouble} error=${error || failed} />`}
        <section class="panel" aria-label="Conversations">
          ${!rows && !error && html`<${Waiting} rows=${12} className="two-lines" />`}
          ${rows?.length > 0 && html`<${Rows} rows=${rows} query=${query} />`}
          ${rows?.length === 0 && html`<${None} query=${query} filtered=${filtered} />`}
        </section>
        ${waiting > 0 && html`<button type="button" class="pill" onClick=${show}>${waiting} new</button>`}
        ${rows?.length > 0 && !end && html`<button type="button" class="btn wide" onClick=${more}>Show more</button>`}
      </div>
    </div>`;
}

/** @param {{query: import("../state.js").Query, filtered: any}} props */
const None = ({ query, filtered }) => html`
  <${Nothing} title=${filtered ? "No conversation matches" : "No conversation in this range"}>
    ${filtered
      ? html`<a class="link" href=${address("conversations", shared({ ...query, service: "", environment: "" }))}>Remove the filters</a> or ${" "}`
      : html`A conversation is the traces whose spans carry <span class="mono">gen_ai.conversation.id</span>, as <span
        class="mono">otelkit.session(conversation_id=…)</span> sets it. `}
    <a class="link" href=${address("conversations", { ...query, range: "all", from: null, to: null })}>
      ${filtered ? "look in all of time" : "Look in all of time"}</a>.
  <//>`;

/** @param {{rows: any[], query: import("../state.js").Query}} props */
const Rows = ({ rows, query }) => html`
  <div class="talks">
    <div class="tr heads" aria-hidden="true"><span></span><span>First question and last answer</span><span class="num">Turns</span>
      <span class="num">Slowest</span><span class="num">Tokens</span><span class="num">Cost</span>
      <span class="num when">Last turn</span></div>
    ${rows.map((row) => html`<${Row} key=${row.conversation} row=${row} query=${query} />`)}
  </div>`;

/** @param {{row: any, query: import("../state.js").Query}} props */
function Row({ row, query }) {
  const about = [row.models.join(", "), row.user ? `user ${short(row.user)}` : "", row.group ? `group ${short(row.group, 16)}` : "",
    short(row.conversation, 16)].filter(Boolean);
  return html`
    <a class="tr" data-row href=${address("conversations", { ...query, id: row.conversation })}>
      <${Dot} tone=${row.failed_turns ? "bad" : "good"} label=${row.failed_turns ? `${plural(row.failed_turns, "turn")} failed` : "ok"} />
      <span class="what">
        <span class="q"><bdi>${row.first_question || row.name}</bdi>${row.last_answer && html`<span class="a"> → <bdi>${row.last_answer}</bdi></span>`}</span>
        <span class="m">
          ${row.failed_turns > 0 && html`<span class="err">${row.failed_turns === row.turns ? "all failed" : `${row.failed_turns} failed`}</span>`}
          <bdi>${about.join(" · ")}</bdi></span>
      </span>
      <span class="num strong">${whole(row.turns)}</span>
      <span class="num dim"><${Duration} ms=${row.slowest_ms} /></span>
      <span class="num dim" title=${row.unreported_calls ? `${plural(row.unreported_calls, "call")} reported no tokens` : undefined}>${tokensOf(row)}</span>
      <span class="num dim" title=${row.unpriced.length ? `no price for ${row.unpriced.join(", ")}` : undefined}>${costOf(row)}</span>
      <span class="num dim when" title=${moment(row.last)}>${ago(row.last)}</span>
    </a>`;
}

/** @param {import("../app.js").PageProps & {by: string}} props */
function People({ query, revision, by }) {
  const { service, environment, range, from, to } = query;
  const sort = query.sort || "cost";
  const { data, error } = useAnswer("top", { by, sort, limit: 100, service, environment, range, from, to }, revision);
  useRowKeys();
  return html`
    <div class="verdict"><h1>${VIEWS[by]}</h1>
      <p>${data && `${plural(data.total, by)}${data.total > data.top.length ? `, the first ${data.top.length}` : ""}`}</p>
      <${Views} query=${query} by=${by} /></div>
    ${error && html`<${Trouble} error=${error} />`}
    <section class="panel" aria-label=${VIEWS[by]}>
      ${!data && !error && html`<${Waiting} rows=${12} />`}
      ${data?.top.length > 0
        && html`<${Ranked} data=${data} noun=${by} sort=${sort} counted="Traces"
          to=${(value) => address("conversations", { ...shared(query), filter: `${by}:${JSON.stringify(value)}` })} />`}
      ${data?.top.length === 0
        && html`<${Nothing}
          title=${`No ${by} is known in this range`}>Spans say whom they are for with <span class="mono">
            ${by === "user" ? "user.id" : "otelkit.group.id"}</span>; user ids leave the service only with consent or by the operator's setting.<//>`}
    </section>`;
}
