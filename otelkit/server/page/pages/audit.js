/** Who did what, newest first, and whether all of it is still what was written. */

import { ask, useAnswer } from "../api.js";
import { ago, exactTime, moment, plural, whole } from "../format.js";
import { cls, html, useState } from "../html.js";
import { Nothing, Trouble, Waiting, useRowKeys } from "../parts/common.js";
import { usePages } from "../parts/paging.js";
import { address, change, shared } from "../state.js";

const OUTCOMES = { "": "All", success: "Succeeded", failure: "Failed", denied: "Denied" };
/** What narrows the list by its exact value. */
const FIELDS = ["actor", "action", "target", "session", "request_id"];
const PSEUDONYM = /^[0-9a-f]{32}$/;

/** @param {import("../app.js").PageProps} props */
export function Audit({ query, revision }) {
  const outcome = query.outcome in OUTCOMES ? query.outcome : "";
  const chosen = FIELDS.filter((name) => query[name]);
  const params = { ...Object.fromEntries(chosen.map((name) => [name, query[name]])), outcome, service: query.service, q: query.find };
  const { data, error, loading } = useAnswer("audit", params, revision);
  const { rows, waiting, show, more, end, failed } = usePages("audit", params, { data, loading, list: "entries", id: "id" });
  useRowKeys();
  const filtered = chosen.length || outcome || query.find || query.service;
  return html`
    <div class=${cls("listing", loading && "asking")}>
      <div class="verdict"><h1>Audit</h1><p>${data && (data.total ? `${plural(data.total, "entry", "entries")}${filtered ? " match" : ""}` : "")}</p>
        <span class="switch" role="group" aria-label="Outcome">
          ${Object.entries(OUTCOMES).map(([id, name]) => html`
            <button type="button" key=${id} aria-pressed=${outcome === id} onClick=${() => change({ outcome: id || null })}>${name}</button>`)}</span></div>
      ${(error || failed) && html`<${Trouble} error=${error || failed} />`}
      <div class="narrowing">
        ${chosen.map((name) => html`
          <a key=${name} class="chip" data-keep href=${address("audit", { ...query, [name]: "" })} aria-label=${`Remove ${name} ${query[name]}`}>
            ${name.replace("_id", "")} <b class="mono"><bdi>${short(query[name])}</bdi></b> <span aria-hidden="true">×</span></a>`)}
        <input type="search" class="find" aria-label="Find an entry" placeholder="Action, target or value" value=${query.find || ""} spellcheck=${false}
          onChange=${(event) => change({ find: event.target.value.trim() || null }, { keepScroll: true })} />
        <${Whole} /></div>
      <section class="panel" aria-label="Entries">
        ${!rows && !error && html`<${Waiting} rows=${12} />`}
        ${rows?.length > 0 && html`<${Rows} rows=${rows} query=${query} />`}
        ${rows?.length === 0 && html`<${None} filtered=${filtered} query=${query} />`}
      </section>
      ${waiting > 0 && html`<button type="button" class="pill" onClick=${show}>${waiting} new</button>`}
      ${rows?.length > 0 && !end && html`<button type="button" class="btn wide" onClick=${more}>Show more</button>`}
    </div>`;
}

/** A pseudonym is told from others by its beginning. @param {string} id */
const short = (id) => (PSEUDONYM.test(id) ? id.slice(0, 8) : id);

/** Looks through the whole trail when asked: with years of entries that takes a while. */
function Whole() {
  const [told, setTold] = useState(/** @type {{busy?: boolean, found?: any, error?: any}} */ ({}));
  const look = async () => {
    setTold({ busy: true });
    try {
      setTold({ found: await ask("audit/verify") });
    } catch (error) {
      setTold({ error });
    }
  };
  const { busy, found, error } = told;
  return html`<span class="whole"><span role="status">
      ${found?.whole && html`<span class="ok" title=${`newest hash ${found.head}`}>Nothing changed, nothing missing: ${whole(found.entries)} entries</span>`}
      ${found && !found.whole && html`<b class="bad">Not what was written: ${found.why}</b>`}
      ${error && html`<span class="bad">${error.message}</span>`}</span>
    <button type="button" class="btn" disabled=${busy} onClick=${look}>${busy ? "Looking…" : "Verify"}</button>
    <a class="btn" href="/api/audit/export" download="audit.jsonl">Export</a></span>`;
}

/** @param {{filtered: any, query: import("../state.js").Query}} props */
const None = ({ filtered, query }) => html`
  <${Nothing} title=${filtered ? "No entry matches" : "Nothing has been recorded yet"}>
    ${filtered
      ? html`<a class="link" href=${address("audit", { ...shared(query), service: "" })}>Remove the filters</a>.`
      : html`A service records what is done with <span class="mono">otelkit.audit("project.deleted", target="project:42")</span>.`}<//>`;

/** @param {{rows: any[], query: import("../state.js").Query}} props */
const Rows = ({ rows, query }) => html`
  <div class="trail">
    <div class="tr heads" aria-hidden="true"><span>When</span><span>Who</span><span>What</span><span class="over">Where</span></div>
    ${rows.map((row) => html`<${Row} key=${row.id} row=${row} query=${query} />`)}
  </div>`;

/** @param {{row: any, query: import("../state.js").Query}} props */
function Row({ row, query }) {
  const only = (name) => address("audit", { ...query, [name]: row[name] });
  const values = changes(row);
  return html`
    <div class="tr">
      <span class="dim" title=${`${moment(row.time)} ${exactTime(row.time)}; entry ${row.id}, hash ${row.hash}`}>${ago(row.time)}</span>
      <a class="mono" data-row href=${only("actor")} title=${row.actor}><bdi>${short(row.actor || "unknown")}</bdi></a>
      <span class="what"><span class="q">
          ${row.outcome !== "success" && html`<span class=${`badge ${row.outcome}`}>${row.outcome}</span> `}
          <a href=${only("action")}><b><bdi>${row.action}</bdi></b></a>
          ${row.target && html` <a class="a" href=${only("target")} title=${row.target}><bdi>${targetOf(row.target)}</bdi></a>`}</span>
        ${values.length > 0 && html`<span class="m"><bdi>${values.join(" · ")}</bdi></span>`}</span>
      <span class="over dim"><bdi>${[row.service, row.environment].filter(Boolean).join(" · ")}</bdi>
        ${row.trace_id && html` <a class="link" href=${address("traces", { ...shared(query), trace: row.trace_id, span: row.span_id })}>trace</a>`}</span>
    </div>`;
}

/** @param {string} target kind:id */
function targetOf(target) {
  const [kind, ...id] = target.split(":");
  return id.length ? `${kind}:${short(id.join(":"))}` : target;
}

/** What changed, in words. @param {any} row @returns {string[]} */
function changes({ before, after, details }) {
  const names = [...new Set([...Object.keys(before || {}), ...Object.keys(after || {})])];
  const told = names.map((name) => {
    const [old, now] = [before, after].map((side) => (side && name in side ? written(side[name]) : null));
    return old === null ? `${name}: ${now}` : now === null ? `${name}: ${old}` : old === now ? `${name}: same` : `${name}: ${old} → ${now}`;
  });
  return [...told, ...Object.entries(details || {}).map(([name, value]) => `${name}: ${written(value)}`)];
}

/** @param {unknown} value */
const written = (value) => (typeof value === "string" ? value.replace(/^fingerprint:(.{6}).*/, "#$1") : JSON.stringify(value));
