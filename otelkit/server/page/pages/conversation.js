/** One conversation: who said what in which order, what each turn cost and how long it took. */

import { ask, useAnswer } from "../api.js";
import { duration, exactTime, moment, plural, whole } from "../format.js";
import { cls, html, useEffect, useState } from "../html.js";
import { SplitBar } from "../parts/bars.js";
import { Copy, Dot, Duration, Nothing, Trouble, Waiting, useRowKeys } from "../parts/common.js";
import { Body } from "../parts/messages.js";
import { costOf, tokensOf } from "../parts/tracelist.js";
import { address, shared } from "../state.js";

/** @param {import("../app.js").PageProps} props */
export function Conversation({ query, revision }) {
  const path = `conversations/${encodeURIComponent(query.id)}`;
  const { data, error } = useAnswer(path, {}, revision);
  const [later, setLater] = useState({ turns: [], cursor: undefined, failed: null });
  useRowKeys();
  useEffect(() => {
    document.title = `${data?.conversation.first_question || "Conversation"} · otelkit`;
  }, [data]);
  const list = address("conversations", { ...query, id: null });
  if (!data) return html`<a class="back" href=${list}>← Conversations</a>
    ${error
      ? (error.status === 404
        ? html`<${Nothing} title="There is no such conversation">It may have been deleted by age, or its traces have not arrived yet.<//>`
        : html`<${Trouble} error=${error} />`)
      : html`<${Waiting} rows=${10} className="tall" />`}`;
  const cursor = later.cursor === undefined ? data.next_cursor : later.cursor;
  const more = async () => {
    try {
      const page = await ask(path, { cursor });
      setLater((old) => ({ turns: [...old.turns, ...page.turns], cursor: page.next_cursor, failed: null }));
    } catch (failed) {
      setLater((old) => ({ ...old, failed }));
    }
  };
  const known = new Set(data.turns.map(({ trace_id: id }) => id));
  const turns = [...data.turns, ...later.turns.filter(({ trace_id: id }) => !known.has(id))];
  return html`
    <a class="back" href=${list}>← Conversations</a>
    ${(error || later.failed) && html`<${Trouble} error=${error || later.failed} />`}
    <section class="panel dialogue" aria-label="Conversation">
      <${Head} row=${data.conversation} query=${query} />
      <ol>${turns.map((turn, at) => html`<${Turn} key=${turn.trace_id} turn=${turn} before=${turns[at - 1]} query=${query} />`)}</ol>
    </section>
    ${cursor && html`<button type="button" class="btn wide" onClick=${more}>Show more turns</button>`}`;
}

/** @param {{row: any, query: import("../state.js").Query}} props */
function Head({ row, query }) {
  const traces = (filter) => address("traces", { ...shared(query), range: "all", from: null, to: null, ...filter });
  return html`
    <div class="th">
      <h1><${Dot} tone=${row.failed_turns ? "bad" : "good"} label=${row.failed_turns ? "a turn failed" : "ok"} />
        <bdi>${row.first_question || row.name}</bdi></h1>
      <p class="facts">
        <b>${plural(row.turns, "turn")}</b>
          ${row.failed_turns > 0 && html`, <span class="err">${row.failed_turns} failed</span>`} over ${duration(row.length_ms)}
        <span class="sep"> · </span>slowest ${duration(row.slowest_ms)}<span class="sep"> · </span>
          ${row.tokens.total === null ? "tokens not reported" : `${tokensOf(row)} tokens`}
        <span class="sep"> · </span>
          <span class=${cls(row.unpriced.length > 0 && "warn")}
            title=${row.unpriced.length ? `no price for ${row.unpriced.join(", ")}` : undefined}>
            ${costOf(row) ? `cost ${costOf(row)}` : ""}</span>
      </p>
      <p class="facts dim">
        ${row.user && html`user <a class="link" href=${traces({ user: row.user })}><bdi>${row.user}</bdi></a><span class="sep"> · </span>`}
        ${row.group && html`group <a class="link" href=${traces({ group: row.group })}><bdi>${row.group}</bdi></a><span class="sep"> · </span>`}
        ${row.models.length > 0 && html`<bdi>${row.models.join(", ")}</bdi><span class="sep"> · </span>`}
        <${Copy} text=${row.conversation} label="Copy the id" className="id">${row.conversation}<//>
        <span class="sep"> · </span><a class="link" href=${traces({ conversation: row.conversation })}>its traces</a>
      </p>
    </div>`;
}

/** @param {{turn: any, before: any, query: import("../state.js").Query}} props */
function Turn({ turn, before, query }) {
  const pause = before ? turn.start - before.start - before.duration_ms : 0;
  const bad = turn.status === "error";
  const facts = [turn.models.join(", "), turn.tools.length ? turn.tools.join(", ") : "", turn.tokens.total === null
    ? (turn.llm_calls ? "tokens not reported" : "") : `${whole(turn.tokens.total)} tokens`,
    costOf(turn) && `cost ${costOf(turn)}`].filter(Boolean);
  return html`
    <li class=${cls("exchange", bad && "bad")}>
      ${pause > 60_000 && html`<p class="later"><span>${duration(pause)} later</span></p>`}
      ${turn.input
        ? html`<div class="said by-user"><span class="r">${turn.user ? "user" : "asked"}</span><${Body} text=${turn.input} /></div>`
        : html`<div class="said by-user off"><span class="r">asked</span><span class="dim">${turn.name}: no content was recorded</span></div>`}
      <div class="said by-model">
        <span class="r">answered</span>
        ${bad && html`<p class="err">${turn.error || "failed"}</p>`}
        ${turn.output
          ? html`<${Body} text=${turn.output} />`
          : !bad && html`<span class="dim">${turn.complete ? "no content was recorded" : "not answered yet"}</span>`}
        <a class="under" data-row href=${address("traces", { ...shared(query), trace: turn.trace_id })}>
          <span class="when" title=${moment(turn.start)}>${exactTime(turn.start).replace(/\.\d+$/, "")}</span>
            <b><${Duration} ms=${turn.duration_ms} /></b><${SplitBar} split=${turn.split} /><bdi>${facts.join(" · ")}</bdi>
            <span class="link">open the trace</span>
        </a>
      </div>
    </li>`;
}
