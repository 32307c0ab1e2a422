/** Log records, newest first, with how many there were when. */

import { ask, useAnswer } from "../api.js";
import { apiParams } from "../filters.js";
import { whole } from "../format.js";
import { html, useEffect, useState } from "../html.js";
import { Stack } from "../parts/chart.js";
import { Nothing, Trouble, Waiting, moveFocus } from "../parts/common.js";
import { LogRows } from "../parts/logrows.js";
import { address, change, shared, useKeys, writing } from "../state.js";

const LEVELS = { "": "All", info: "Info and up", warn: "Warnings and up", error: "Errors" };
const LAYERS = { trace: "--line", debug: "--db", info: "--app", warn: "--tool", error: "--err", fatal: "--err" };

/** @param {import("../app.js").PageProps} props */
export function Logs({ query, revision }) {
  const params = apiParams("logs", query);
  const key = JSON.stringify(params);
  const [held, setHeld] = useState({ key: "", first: null, older: [], cursor: null, waiting: null });
  const { data, error, loading } = useAnswer("logs", params, revision);
  useEffect(() => {
    if (!data || loading) return;
    setHeld((old) => {
      const same = old.key === key && old.first;
      const fresh = same ? data.logs.filter(({ id }) => id > (old.first[0]?.id ?? 0)).length : 0;
      if (fresh && scrollY > 60) return { ...old, waiting: { data, fresh } };
      return same && old.older.length
        ? { ...old, first: [...data.logs, ...old.first.filter(({ id }) => !data.logs.some((log) => log.id === id))], waiting: null }
        : { key, first: data.logs, older: [], cursor: data.next_cursor, waiting: null };
    });
  }, [data, loading]);
  const show = () => {
    scrollTo({ top: 0 });
    setHeld((old) => ({ ...old, first: old.waiting.data.logs, older: [], cursor: old.waiting.data.next_cursor, waiting: null }));
  };
  const more = async () => {
    const page = await ask("logs", { ...params, cursor: held.cursor });
    setHeld((old) => ({ ...old, older: [...old.older, ...page.logs], cursor: page.next_cursor }));
  };
  useKeys((event) => {
    if (writing(event) || event.metaKey || event.ctrlKey) return false;
    return event.key === "j" || event.key === "k" ? moveFocus(event.key === "j" ? 1 : -1) : false;
  });
  const rows = held.key === key && held.first ? [...held.first, ...held.older] : null;
  const total = data?.histogram?.reduce((sum, { counts }) => sum + counts.reduce((all, one) => all + one, 0), 0);
  return html`
    <div class="verdict"><h1>Logs</h1><p>${total !== undefined && `${whole(total)} ${total === 1 ? "record" : "records"}${query.severity ? " at this level and above" : ""}`}</p>
      <span class="switch" role="group" aria-label="Level">${Object.entries(LEVELS).map(([id, name]) => html`<button type="button" key=${id} aria-pressed=${(query.severity || "") === id} onClick=${() => change({ severity: id || null })}>${name}</button>`)}</span></div>
    ${error && html`<${Trouble} error=${error} />`}
    ${data?.histogram && total > 0 && html`<${Histogram} data=${data} />`}
    <section class="panel gap" aria-label="Log records">
      ${!rows && !error && html`<${Waiting} rows=${14} />`}
      ${rows?.length > 0 && html`<${LogRows} rows=${rows} />`}
      ${rows?.length === 0 && html`<${Nothing} title="No log record matches"><a class="link" href=${address("logs", { ...shared(query), service: null, environment: null, range: "all", from: null, to: null })}>Look at all logs of all time</a><//>`}
    </section>
    ${held.waiting && html`<button type="button" class="pill" onClick=${show}>${held.waiting.fresh} new</button>`}
    ${rows?.length > 0 && held.cursor && html`<button type="button" class="btn wide" onClick=${more}>Show more</button>`}`;
}

/** @param {{data: any}} props */
function Histogram({ data }) {
  const layers = Object.keys(LAYERS).map((severity) => data.histogram.find((layer) => layer.severity === severity)).filter((layer) => layer?.counts.some(Boolean))
    .map(({ severity, counts }) => ({ key: severity, label: severity, variable: LAYERS[severity], values: counts }));
  return html`
    <section class="panel chart" aria-label="Records over time">
      <${Stack} times=${data.times} step=${data.range.step_ms} layers=${layers} bars height=${110} partial=${data.range.partial_last} write=${whole}
        label=${`Records over time: ${layers.map(({ label, values }) => `${label} ${values.reduce((sum, one) => sum + one, 0)}`).join(", ")}`}
        onZoom=${(from, to) => change({ from, to, range: null })} />
    </section>`;
}
