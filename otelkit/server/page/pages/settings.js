/** What this server is set to: prices, how long records stay, where it listens, how it looks here. */

import { order, useAnswer } from "../api.js";
import { ago, bytes, duration, moment, plural, whole } from "../format.js";
import { html, useState } from "../html.js";
import { Copy, Nothing, Panel, Trouble, Waiting } from "../parts/common.js";
import { Facts } from "../parts/keyvalue.js";
import { PriceForm, Recomputing } from "../parts/priceform.js";
import { Table } from "../parts/table.js";
import { THEMES, choose, theme } from "../theme.js";
import { Receiver, Try, heard } from "./start.js";

/** @param {import("../app.js").PageProps} props */
export const Settings = ({ status, revision }) => html`
  <div class="verdict"><h1>Settings</h1><p>${status && `otelkit ${status.version}, up for ${duration(status.uptime_s * 1000)}`}</p></div>
  <div class="settings">
    <${Prices} revision=${revision} />
    ${status ? html`<${Kept} status=${status} /><${Receiver} status=${status} /><${Try} /><${Addresses} status=${status} />` : html`<${Waiting} rows=${8} />`}
    <${Looks} />
  </div>`;

const dollars = (rate) => (rate === null ? "–" : `$${Number(rate.toPrecision(6))}`);

/** @param {{revision: unknown}} props */
function Prices({ revision }) {
  const [turn, setTurn] = useState(0);
  const [editing, setEditing] = useState(null);
  const [failed, setFailed] = useState(null);
  const { data, error } = useAnswer("prices", {}, `${revision}/${turn}`);
  const done = () => {
    setEditing(null);
    setTurn((old) => old + 1);
  };
  const remove = async ({ provider, model }) => {
    try {
      await order("DELETE", "prices", { provider, model });
      setFailed(null);
    } catch (wrong) {
      setFailed(wrong);
    }
    done();
  };
  const columns = [
    { head: "Model",
      cell: (row) =>
        html`<b><bdi>${row.model === "*" ? "any model" : row.model}</bdi></b> <small>
          <bdi>${row.provider === "*" ? "any provider" : row.provider}</bdi></small>` },
    ...[["Input", "input"], ["Output", "output"], ["Cached", "cache_read"],
      ["Cache write",
        "cache_write"]].map(([head, name], at) => ({ head, num: true, wide: at > 1,
          cell: (row) => (row.free ? (at ? "" : "free") : dollars(row[name])) })),
    { head: "From", wide: true,
      cell: (row) => (row.source === "file"
        ? (row.overridden ? "price file, overridden" : "price file")
        : html`<span title=${moment(row.set_at)}>set ${ago(row.set_at)}</span>`) },
    { head: "", name: "Change", num: true,
      cell: (row) => row.source === "page"
        && html`<span class="nowrap">
          <button type="button" class="link" aria-label=${`Edit the price of ${row.model}`}
            onClick=${() => setEditing(row)}>Edit</button> · <button type="button" class="link"
            aria-label=${`Remove the price of ${row.model}`} onClick=${() => remove(row)}>Remove</button></span>` },
  ];
  const add = html`<button type="button" class="btn" onClick=${() => setEditing({ provider: "", model: "" })}>Add a price</button>`;
  return html`
    <${Panel} title="Prices" link=${add}>
      <p
        class="dim">US dollars per million tokens. A price set here wins over the price file,
          and both over the published prices, which are not listed.${data?.free_providers.length > 0
          && ` Free by the settings: ${data.free_providers.join(", ")}.`}</p>
      <${Recomputing} revision=${`${revision}/${turn}`} />
      ${(error || failed) && html`<${Trouble} error=${error || failed} />`}
      ${editing && html`<${PriceForm} key=${`${editing.provider}/${editing.model}`} price=${editing} named=${!editing.model} onDone=${done} />`}
      ${!data && !error && html`<${Waiting} rows=${3} />`}
      ${data
        && (data.prices.length
          ? html`<${Table} columns=${columns} rows=${data.prices} keyOf=${(row) => `${row.source}/${row.provider}/${row.model}`} />`
          : html`<${Nothing}
            title="No price is set">Models that the published price list knows are priced by it. Those it does not know are named on the page Models.<//>`)}
    <//>`;
}

/** @param {{status: any}} props */
function Kept({ status: { store, stored, retention } }) {
  const gone = retention ? Object.values(retention.deleted).reduce((sum, one) => sum + one, 0) : 0;
  return html`
    <${Panel} title="What is kept">
      <${Facts} rows=${[
        ["Store", html`<span class="mono">${store.path}</span>, ${bytes(store.bytes)}`],
        ["Records",
          `${plural(stored.spans, "span")} in ${plural(stored.traces, "trace")}, ${plural(stored.logs,
            "log record")}, ${plural(stored.points, "metric point")}`],
        ["Deleted by age", retention && (retention.keep_s ? `after ${duration(retention.keep_s * 1000)}` : "never")],
        ["Deleted by size", retention && (retention.max_bytes ? `beyond ${bytes(retention.max_bytes)}, oldest first` : "never")],
        ["Oldest record", retention?.oldest ? html`<span title=${moment(retention.oldest)}>${ago(retention.oldest)}</span>` : retention && "none"],
        ["Deleted so far",
          retention
            && (gone
              ? Object.entries(retention.deleted).filter(([, one]) => one).map(([name, one]) => `${whole(one)} ${name}`).join(", ")
              : "nothing")],
        ["Figures", "by hour for ever, by minute for 6 h, by 2 s for 15 min"],
      ]} />
    <//>`;
}

/** @param {{status: any}} props */
const Addresses = ({ status }) => html`
  <${Panel} title="Addresses" link=${html`<${Copy} text=${status.snippet} label="Copy the lines" />`}>
    <${Facts}
      rows=${[["Page and API", html`<${Copy} text=${status.address} className="id">${status.address}<//>`],
        ["OTLP over HTTP", html`<${Copy} text=${status.otlp_endpoint} className="id">${status.otlp_endpoint}<//>`],
        ["Received",
          `${heard(status.received)} points since ${moment(status.started)}`]]} />
    <pre class="snippet" tabindex="0">${status.snippet}</pre>
  <//>`;

function Looks() {
  const [chosen, setChosen] = useState(theme);
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return html`
    <${Panel} title="This browser">
      <${Facts} rows=${[
        ["Looks",
          html`<span class="switch" role="group" aria-label="Looks">
            ${Object.entries(THEMES)
              .map(([id, name]) =>
                html`<button type="button" key=${id} aria-pressed=${chosen === id} onClick=${() => (choose(id), setChosen(id))}>
                  ${name}</button>`)}</span>`],
        ["Times", `in this browser's zone, ${zone}`],
      ]} />
    <//>`;
}
