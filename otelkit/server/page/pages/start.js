/** The first thirty seconds: nothing has arrived yet, and this is how it does. */

import { ago, count, plural } from "../format.js";
import { html } from "../html.js";
import { Copy, Dot } from "../parts/common.js";

const CODE = `import otelkit
from fastapi import FastAPI

app = FastAPI()
otelkit.init(app, service="my-service")`;

/** @param {{status: any}} props */
export const Start = ({ status }) => html`
  <div class="start">
    <div class="verdict"><h1>Waiting for the first trace</h1><p>This page opens by itself when something arrives.</p></div>
    <${Receiver} status=${status} />
    <section class="panel"><div class="h"><h2>Any service with an OpenTelemetry SDK</h2><${Copy} text=${status.snippet} /></div><pre class="snippet" tabindex="0">${status.snippet}</pre></section>
    <section class="panel"><div class="h"><h2>A FastAPI service, one line</h2><${Copy} text=${CODE} /></div><pre class="snippet" tabindex="0">${CODE}</pre></section>
    <section class="panel"><div class="h"><h2>A service you cannot change</h2><${Copy} text="otelkit run -- uvicorn app:app" /></div><pre class="snippet" tabindex="0">otelkit run -- uvicorn app:app</pre></section>
  </div>`;

/** What came in and what was refused. @param {{status: any}} props */
export const Receiver = ({ status }) => html`
  <section class="panel" aria-label="Receiver">
    <div class="h"><h2>Receiver</h2><span class="dim">otelkit ${status.version}</span></div>
    <p class="chg"><${Dot} tone=${status.store.state === "ok" ? "good" : "bad"} label=${status.store.state} />
      <span><b>${status.store.state === "ok" ? "Listening" : "Cannot store"}</b> at <span class="mono">${status.otlp_endpoint}</span>, OTLP over HTTP<br />
      <span class="dim">${status.store.message || `last heard ${ago(status.received.last)} · ${count(status.received.spans)} spans, ${count(status.received.logs)} logs, ${count(status.received.points)} metric points received`}</span></span></p>
    ${status.rejected.map(({ signal, reason, count: times }) => html`
      <p class="chg" key=${signal + reason}><${Dot} tone="bad" label="rejected" /><span><b>${plural(times, signal.replace(/s$/, ""))} rejected</b><br /><span class="dim">${reason}</span></span></p>`)}
    ${status.hints.map((hint) => html`<p class="chg" key=${hint}><${Dot} tone="warn" label="hint" /><span>${hint}</span></p>`)}
  </section>`;
