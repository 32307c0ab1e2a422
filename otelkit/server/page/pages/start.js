/** The first thirty seconds: nothing has arrived yet, and this is how it does. */

import { order } from "../api.js";
import { ago, count, plural } from "../format.js";
import { html, useState } from "../html.js";
import { Copy, Dot, Trouble } from "../parts/common.js";
import { address, go } from "../state.js";

const CODE = `import otelkit
from fastapi import FastAPI

app = FastAPI()
otelkit.init(app, service="my-service")`;

/** @param {{status: any}} props */
export const Start = ({ status }) => html`
  <div class="start">
    <div class="verdict"><h1>Waiting for the first trace</h1><p>This page opens by itself when something arrives.</p></div>
    <${Receiver} status=${status} />
    <${Try} />
    <section class="panel"><div class="h"><h2>Any service with an OpenTelemetry SDK</h2><${Copy} text=${status.snippet} /></div>
      <pre class="snippet" tabindex="0">${status.snippet}</pre></section>
    <section class="panel"><div class="h"><h2>A FastAPI service, one line</h2><${Copy} text=${CODE} /></div>
      <pre class="snippet" tabindex="0">${CODE}</pre></section>
    <section class="panel"><div class="h"><h2>A service you cannot change</h2><${Copy} text="otelkit run -- uvicorn app:app" /></div>
      <pre class="snippet" tabindex="0">otelkit run -- uvicorn app:app</pre></section>
  </div>`;

/** Something to look at before a service sends anything; it takes the same way in as everything else. */
export function Try() {
  const [doing, setDoing] = useState("");
  const [error, setError] = useState(null);
  const [told, setTold] = useState("");
  const have = async (name, method, path, next) => {
    setDoing(name);
    try {
      next(await order(method, path));
      setError(null);
    } catch (wrong) {
      setError(wrong);
    }
    setDoing("");
  };
  const button = (name, busy, method, path, next) => html`
    <button type="button" class="btn" disabled=${Boolean(doing)} onClick=${() => have(name, method, path, next)}>${doing === name ? busy : name}</button>`;
  return html`
    <section class="panel" aria-label="Try it">
      <div class="h"><h2>Try it</h2><span class="buttons">
        ${button("Send a test trace", "Sending…", "POST", "demo/trace", (sent) => go(address("traces", { trace: sent.trace_id })))}
        ${button("Load demo data", "Sending…", "POST", "demo", () => go(address("", { environment: "demo" })))}
        ${button("Remove demo data", "Removing…", "DELETE", "demo", ({ traces }) => setTold(traces ? `Removed ${plural(traces, "trace")}.` : "There is none."))}
      </span></div>
      ${error && html`<${Trouble} error=${error} />`}
      <p class="chg dim">The demo is two hours of a made-up assistant. All of it is marked environment demo, so that the filter tells it from your own. <span
        role="status">${told}</span></p>
    </section>`;
}

/** @param {{spans: number, logs: number, points: number}} received */
export const heard = ({ spans, logs, points }) => `${count(spans)} spans, ${count(logs)} logs, ${count(points)}`;

/** What came in and what was refused. @param {{status: any}} props */
export const Receiver = ({ status }) => html`
  <section class="panel" aria-label="Receiver">
    <div class="h"><h2>Receiver</h2><span class="dim">otelkit ${status.version}</span></div>
    <p class="chg"><${Dot} tone=${status.store.state === "ok" ? "good" : "bad"} label=${status.store.state} />
      <span><b>${status.store.state === "ok" ? "Listening" : "Cannot store"}</b> at <span class="mono">${status.otlp_endpoint}</span>, OTLP over HTTP<br />
      <span class="dim">
        ${status.store.message
          || `last heard ${ago(status.received.last)} · ${heard(status.received)} metric points received`}</span></span></p>
    ${status.rejected.map(({ signal, reason, count: times }) => html`
      <p class="chg" key=${signal + reason}><${Dot} tone="bad" label="rejected" />
        <span><b>${plural(times, signal.replace(/s$/, ""))} rejected</b><br /><span class="dim">${reason}</span></span></p>`)}
    ${status.hints.map((hint) => html`<p class="chg" key=${hint}><${Dot} tone="warn" label="hint" /><span>${hint}</span></p>`)}
  </section>`;
