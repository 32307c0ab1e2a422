/** The first few of something, each leading to what explains it; asked for after the page has been drawn. */

import { useAnswer } from "../api.js";
import { apiParams } from "../filters.js";
import { ago, count, duration, money, percent, plural, short } from "../format.js";
import { html } from "../html.js";
import { address } from "../state.js";
import { Dot, Mark, Nothing, Panel, Trouble, Waiting } from "./common.js";

const SHOWN = 5;

/**
 * @typedef {{key: string, href: string, mark: any, head: any, about: any, figure?: any}} Line
 * @typedef {{query: import("../state.js").Query, revision: unknown}} Asked
 * @param {Asked & {title: string, path: string, params?: Record<string, string|number>, link: any, lines: (data: any) => Line[], none: any}} props
 */
function Brief({ title, path, params, query, revision, link, lines, none }) {
  const { data, error } = useAnswer(path, { ...apiParams("overview", query), ...params }, revision);
  const shown = data && lines(data).slice(0, SHOWN);
  return html`
    <${Panel} title=${title} link=${link} className="brief">
      ${!data && (error ? html`<${Trouble} error=${error} />` : html`<${Waiting} rows=${SHOWN} className="two-lines" />`)}
      ${shown?.map(({ key, href, mark, head, about, figure }) => html`
        <a class="chg" key=${key} href=${href}>${mark}
          <span class="grow"><b><bdi>${head}</bdi></b><br /><span class="dim">${about}</span></span>
          <span class="num dim">${figure}</span></a>`)}
      ${shown?.length === 0 && none}
    <//>`;
}

/** @param {import("../state.js").Query} query @param {string} page @param {Record<string, string>} more @param {string} words */
const all = (query, page, more, words) => html`<a class="dim" href=${address(page, { ...query, ...more })}>${words}</a>`;

/** Each error once, the newest first. @param {Asked} props */
export const NewestErrors = ({ query, revision }) => html`
  <${Brief} title="Newest errors" path="errors" query=${query} revision=${revision} link=${all(query, "errors", {}, "All errors")}
    none=${html`<${Nothing} title="Nothing failed in this range" />`}
    lines=${(data) => data.errors.map((one) => ({
      key: `${one.error}/${one.name}`, href: address("traces", { ...query, status: "error", trace: one.trace_id }),
      mark: html`<${Dot} tone="bad" label="error" />`, head: one.error || "failed without a word", about: html`<bdi>${one.name}</bdi> · ${ago(one.last)}`,
      figure: html`<span title=${data.looked_at.complete ? undefined : "of the newest 500 failing traces"}>${one.count} ×</span>`,
    }))} />`;

/** What is asked most. @param {Asked} props */
export const Routes = ({ query, revision }) => html`
  <${Brief} title="Routes and jobs" path="top" params=${{ by: "name", sort: "count", limit: SHOWN }} query=${query} revision=${revision}
    link=${all(query, "services", {}, "All services")} none=${html`<${Nothing} title="No requests in this range" />`}
    lines=${(data) => data.top.map((row) => ({
      key: row.value, href: address("traces", { ...query, name: row.value }), mark: html`<${Mark} kind="app" />`, head: row.value || "not named",
      about: html`${plural(row.count, "request")} · <span class=${row.errors ? "err" : ""}>${percent(row.error_ratio)} failed</span>`,
      figure: row.p95_ms === null ? "" : `p95 ${duration(row.p95_ms)}`,
    }))} />`;

/** @param {Asked} props */
export const TopModels = ({ query, revision }) => html`
  <${Brief} title="Models" path="models" query=${query} revision=${revision} link=${all(query, "models", {}, "All models")}
    none=${html`<${Nothing} title="No model was called in this range" />`}
    lines=${(data) => data.models.map((row) => ({
      key: `${row.provider}/${row.model}/${row.operation}`, href: address("traces", { ...query, model: row.model }), mark: html`<${Mark} kind="llm" />`,
      head: row.model || "unnamed model",
        about: `${plural(row.calls, "call")} · ${row.tokens.total === null ? "tokens not reported" : `${count(row.tokens.total)} tokens`}`,
      figure: money(row.cost_usd, row.unpriced_calls ? "not priced" : "unknown"),
    }))} />`;

/** Who causes the cost. @param {Asked} props */
export const TopUsers = ({ query, revision }) => html`
  <${Brief} title="Who causes the cost" path="top" params=${{ by: "user", sort: "cost", limit: SHOWN }} query=${query} revision=${revision}
    link=${all(query, "conversations", { by: "user" }, "All users")} none=${html`<${Nothing} title="No user is known in this range" />`}
    lines=${(data) => data.top.map((row) => ({
      key: row.value, href: address("conversations", { ...query, filter: `user:${JSON.stringify(row.value)}` }),
        mark: html`<${Mark} kind="app" />`, head: short(row.value, 24),
      about: `${plural(row.count, "trace")} · ${row.tokens === null ? "tokens not reported" : `${count(row.tokens)} tokens`}`,
        figure: money(row.cost_usd, "unknown"),
    }))} />`;
