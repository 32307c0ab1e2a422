/** The shell: which page is shown, what every page shares, and the receiver's pulse. */

import { ask } from "./api.js";
import { ago, bytes, count } from "./format.js";
import { cls, html, render, useEffect, useRef, useState } from "./html.js";
import { useStatus } from "./live.js";
import { Login } from "./parts/login.js";
import { Trouble } from "./parts/common.js";
import { FilterBar } from "./parts/filterbar.js";
import { Palette } from "./parts/palette.js";
import { RangeMenu } from "./parts/rangemenu.js";
import { address, change, here, listen, listenKeys, shared, usePlace, useKeys } from "./state.js";

/**
 * @typedef {{query: import("./state.js").Query, status: any, revision: unknown}} PageProps
 *   `revision` changes when something new was stored, or time has moved the range on
 */

/** Every page: its path, its name, the group it stands in, and what brings it when it is first looked at. */
const PAGES = [
  { path: "", name: "Overview", group: "", load: () => import("./pages/overview.js").then((at) => at.Overview) },
  { path: "traces", name: "Traces", group: "", load: () => import("./pages/traces.js").then((at) => at.Traces) },
  { path: "conversations", name: "Conversations", group: "", load: () => import("./pages/conversations.js").then((at) => at.Conversations) },
  { path: "models", name: "Models and cost", group: "Measure", load: () => import("./pages/models.js").then((at) => at.Models) },
  { path: "retrieval", name: "Retrieval", group: "Measure", load: () => import("./pages/retrieval.js").then((at) => at.Retrieval) },
  { path: "tools", name: "Tools", group: "Measure", load: () => import("./pages/tools.js").then((at) => at.Tools) },
  { path: "databases", name: "Databases", group: "Measure", load: () => import("./pages/databases.js").then((at) => at.Databases) },
  { path: "metrics", name: "Metrics", group: "Measure", load: () => import("./pages/metrics.js").then((at) => at.Metrics) },
  { path: "errors", name: "Errors", group: "Operate", load: () => import("./pages/errors.js").then((at) => at.Errors) },
  { path: "logs", name: "Logs", group: "Operate", load: () => import("./pages/logs.js").then((at) => at.Logs) },
  { path: "jobs", name: "Jobs", group: "Operate", load: () => import("./pages/jobs.js").then((at) => at.Jobs) },
  { path: "system", name: "System", group: "Operate", load: () => import("./pages/system.js").then((at) => at.System) },
  { path: "services", name: "Services", group: "Operate", load: () => import("./pages/services.js").then((at) => at.Services) },
  { path: "people", name: "People", group: "Operate", load: () => import("./pages/people.js").then((at) => at.People) },
  { path: "audit", name: "Audit", group: "Operate", load: () => import("./pages/audit.js").then((at) => at.Audit) },
  { path: "settings", name: "Settings", group: "Operate", load: () => import("./pages/settings.js").then((at) => at.Settings) },
];
const AGAIN_MS = 30_000;

/** @param {string} wanted */
const pageAt = (wanted) => PAGES.find(({ path }) => path === wanted) || PAGES[0];

function App() {
  const { page, query } = usePlace();
  const live = query.live !== "off";
  const { data: status, error } = useStatus(live);
  const revision = useRevision(status, live);
  const current = pageAt(page);
  useEffect(() => {
    document.title = current.path ? `${current.name} · otelkit` : "otelkit";
    // On a phone the pages stand in a row that is wider than the screen.
    document.querySelector("nav [aria-current]").scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [current]);
  useKeys((event) => {
    const at = document.activeElement;
    if (event.key !== "Escape" || at === document.body || !(at instanceof HTMLElement)) return false;
    at.blur();
    return true;
  });
  return html`
    <a class="skip" href="#main"
      onClick=${(event) => (event.preventDefault(), event.stopPropagation(), document.getElementById("main").focus())}>Skip to the page</a>
    <nav aria-label="Main">
      <a class="brand" href=${address("", shared(query))}><i aria-hidden="true"></i>otelkit</a>
      ${PAGES.map(({ path, name, group }, at) => html`
        ${group && PAGES[at - 1]?.group !== group && html`<div class="sec" key=${group}>${group}</div>`}
        <a key=${path} class=${cls(path === current.path && "on")} aria-current=${path === current.path ? "page" : undefined}
          href=${address(path, shared(query))}>${name}</a>`)}
      <${Foot} status=${status} error=${error} />
    </nav>
    <div class="rest">
      <header>
        <${FilterBar} page=${current.path} query=${query} />
        <${Palette} pages=${PAGES} />
        <${RangeMenu} query=${query} />
        <button type="button" class=${cls("btn live", live && "on")} aria-pressed=${live}
          title=${live ? "New data appears by itself" : "Paused: nothing changes"}
          onClick=${() => change({ live: live ? "off" : null }, { replace: true, keepScroll: true })}>${live ? "Live" : "Paused"}</button>
      </header>
      <main id="main" tabindex="-1">
        ${error && error.status !== 401 && html`<${Trouble} error=${error} />`}
        ${error?.status === 401
    ? html`<${Login} />`
    : html`<${Page} key=${current.path} load=${current.load} query=${query} status=${status} revision=${revision} />`}
      </main>
    </div>`;
}

/**
 * A page, once its files are here.
 * @param {PageProps & {load: () => Promise<any>}} props
 */
function Page({ load, ...props }) {
  const [drawn, setDrawn] = useState(/** @type {{by?: any, error?: any}} */ ({}));
  useEffect(() => {
    load().then((by) => setDrawn({ by }), (error) => setDrawn({ error }));
  }, []);
  if (drawn.error) return html`<${Trouble} error=${drawn.error} />`;
  return drawn.by && html`<${drawn.by} ...${props} />`;
}

/**
 * Changes with every commit, and every half minute because ranges move with the clock.
 * @param {any} status
 * @param {boolean} live
 */
function useRevision(status, live) {
  const [turn, setTurn] = useState(0);
  const first = useRef(null);
  first.current ??= status?.revision ?? null; // what a page asks first has seen this one already
  useEffect(() => {
    if (!live) return undefined;
    const timer = setInterval(() => !document.hidden && setTurn((old) => old + 1), AGAIN_MS);
    return () => clearInterval(timer);
  }, [live]);
  const since = status && status.revision !== first.current ? status.revision : "";
  const seen = useRef("");
  if (live) seen.current = `${since}/${turn}`;
  return seen.current;
}

/** @param {{status: any, error: any}} props */
function Foot({ status, error }) {
  if (!status) return html`<div class="foot">${error ? "No connection" : "\u00a0"}</div>`;
  const { received, stored, store, rejected } = status;
  const trouble = error || store.state !== "ok";
  const now = received.spans_per_s >= 0.5
    ? `Receiving · ${count(received.spans_per_s)} spans/s`
    : received.last
    ? `Last heard ${ago(received.last)}`
    : "Listening";
  const refused = rejected.reduce((sum, { count: times }) => sum + times, 0);
  return html`
    <div class="foot" title=${store.path}>
      <i class=${cls("pulse", trouble && "bad")} aria-hidden="true"></i>
        ${error ? "No connection" : store.state === "full" ? "The disk is full" : store.state === "ok" ? now : "Cannot store"}<br />
      <span class="dim">${status.address.replace(/^https?:\/\//, "")} · ${count(stored.spans)} spans · ${bytes(store.bytes)}</span>
      ${refused > 0
        && html`<br />
          <span class="warn" title=${rejected.map(({ reason, count: times }) => `${times} × ${reason}`).join("\n")}>
            ${count(refused)} records rejected</span>`}
    </div>`;
}

/** Asked before anything else, so that nobody who must log in is refused a dozen questions first. */
async function start() {
  pageAt(here().page).load().catch(() => {}); // on its way while access is asked; the page itself says what failed
  const { login, may } = await ask("access").catch(() => ({ login: false, may: [] }));
  listen();
  listenKeys();
  const locked = login && !may.includes("read");
  render(locked ? html`<main id="main"><${Login} /></main>` : html`<${App} />`, document.getElementById("app"));
}

start();
