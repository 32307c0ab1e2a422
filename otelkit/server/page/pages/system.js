/** The machine, the container and the processes: what they use of what there is. */

import { useAnswer } from "../api.js";
import { ago, bytes, countParts, duration, durationParts, moment, percent, percentParts, plural, short, whole } from "../format.js";
import { cls, html } from "../html.js";
import { Cards } from "../parts/cards.js";
import { Stack } from "../parts/chart.js";
import { Mark, Nothing, Panel, Trouble, Waiting, useRowKeys } from "../parts/common.js";
import { Table } from "../parts/table.js";
import { address, change, ranged, shared } from "../state.js";

/** @typedef {Array<number|null>} Values */

const SPENT = [["user", "--app"], ["nice", "--job"], ["system", "--llm"], ["iowait", "--tool"], ["interrupt", "--rag"], ["steal", "--err"]];
const HELD = [["used", "--app"], ["buffers", "--job"], ["cached", "--rag"]];
const FULL = 0.9;

/** @param {import("../app.js").PageProps} props */
export function System({ query, revision }) {
  const { data, error } = useAnswer("system", ranged(query), revision);
  useRowKeys();
  if (error && !data) return html`<${Trouble} error=${error} />`;
  if (!data) return html`<div class="verdict"><h1>System</h1></div><${Waiting} rows=${8} className="tall" />`;
  const machine = Object.keys(data.cpu.shares).length > 0 || Object.keys(data.memory.states).length > 0;
  if (!machine && !data.processes.length) return html`<${Start} />`;
  return html`
    <div class="verdict"><h1>System</h1><p><${Sentence} data=${data} /></p></div>
    <${Cards} cards=${cards(data)} partial=${data.range.partial_last} />
    ${machine && html`
    <div class="row">
      <${Plot} data=${data} title="Processors" about=${data.cpu.processors === null ? "" : plural(data.cpu.processors, "processor")} write=${percent}
        layers=${layers(data.cpu.shares, data.container ? [["used", "--app"]] : SPENT)} />
      <${Plot} data=${data} title="Memory" about=${data.memory.limit === null ? "" : `of ${bytes(data.memory.limit)}`} write=${bytes}
        layers=${layers(data.memory.states, HELD)} />
    </div>
    <div class="row">
      <${Plot} data=${data} title="Disk" about="read and written" lines write=${rate}
        layers=${layers(data.disk, [["read", "--app"], ["write", "--tool"]], true)} />
      <${Plot} data=${data} title="Network" about="received and sent" lines write=${rate}
        layers=${layers(data.network, [["receive", "--app"], ["transmit", "--tool"]], true)} />
    </div>`}
    ${data.lag && html`<div class="row">
      <${Plot} data=${data} title="Event loop" about="how late it runs what is due, p95" lines write=${seconds}
        layers=${[{ key: "lag", label: "late by", variable: "--llm", values: data.lag }]} />
      <${Files} rows=${data.filesystems} />
    </div>`}
    <${Panel} title="Processes" className="gap" link=${html`<span class="dim">as last reported</span>`}>
      ${data.processes.length > 0
        ? html`<${Table} columns=${PROCESSES} rows=${data.processes} keyOf=${({ instance }) => instance}
          to=${({ service }) => address("services", { ...shared(query), service })} />`
        : html`<${Nothing} title="No process has reported in the last five minutes" />`}
    <//>
    ${!data.lag && data.filesystems.length > 0 && html`<${Files} rows=${data.filesystems} />`}`;
}

const Start = () => html`<div class="verdict"><h1>System</h1></div>
  <section class="panel">
    <${Nothing} title="Nothing has been reported of a machine in this range">Services report their machine and themselves once the extra is
      installed: <span class="mono">pip install 'otelkit[system]'</span>. <span class="mono">OTELKIT_SYSTEM_METRICS=off</span> switches it off.<//></section>`;

/** @param {Values|undefined|null} values */
const last = (values) => values?.findLast((value) => value !== null) ?? null;

/** @param {number|null} value */
const seconds = (value) => duration(value === null ? null : value * 1000);

/** @param {number|null} value */
const rate = (value) => (value === null ? "–" : `${bytes(Math.round(value))}/s`);

/** What is used of the processors, by step. @param {any} data @returns {Values} */
function busy({ times, cpu, container }) {
  if (container && cpu.shares.used) return cpu.shares.used;
  const idle = cpu.shares.idle;
  return idle ? times.map((_, at) => (idle[at] === null ? null : Math.max(0, 1 - idle[at] - (cpu.shares.iowait?.[at] ?? 0)))) : [];
}

/** @param {any} data @returns {Values} */
const held = ({ memory }) => memory.states.used ?? [];

/** What is wrong, in words. @param {{data: any}} props */
function Sentence({ data }) {
  const [cpu, memory] = [last(busy(data)), last(held(data))];
  const part = memory === null || !data.memory.limit ? null : memory / data.memory.limit;
  const full = data.filesystems.filter((one) => one.used / (one.used + one.free) > FULL).map(({ mountpoint }) => mountpoint);
  const some = (share) => html`<b class=${cls(share > FULL && "bad")}>${percent(share)}</b>`;
  return html`${plural(data.processes.length, "process", "processes")}
    ${cpu !== null && html` · ${some(cpu)} of ${data.container ? "the container's" : "all"} processors`}
    ${part !== null && html` · ${some(part)} of ${bytes(data.memory.limit)} memory`}
    ${full.length > 0 && html` · <b class="bad"><bdi>${full.join(", ")}</bdi></b> nearly full`}`;
}

/** @param {any} data @returns {import("../parts/cards.js").Card[]} */
function cards(data) {
  const used = busy(data), memory = held(data), load = data.load["1m"];
  const share = last(used), size = last(memory), part = size === null || !data.memory.limit ? null : size / data.memory.limit;
  const lag = last(data.lag);
  const mine = data.processes.reduce((sum, one) => sum + (one.memory ?? 0), 0);
  return [
    { label: data.container ? "Processors, of the limit" : "Processors", parts: share === null ? null : percentParts(share), missing: "not reported",
      series: used, variable: "--app",
      note: [last(load) === null ? "" : `load ${Number(last(load).toFixed(2))}`, last(data.cpu.throttled) ? "held back" : ""].filter(Boolean).join(" · ") },
    { label: data.container ? "Memory, of the limit" : "Memory", parts: part === null ? null : percentParts(part), missing: "not reported",
      series: memory, variable: "--app", note: size === null ? "" : `${bytes(size)} of ${bytes(data.memory.limit)}` },
    { label: "Processes", parts: countParts(data.processes.length), note: mine ? `${bytes(mine)} memory` : "" },
    { label: "Event loop, late by", parts: lag === null ? null : durationParts(lag * 1000), missing: "no loop", series: data.lag ?? undefined,
      variable: "--llm", note: lag === null ? "" : "p95" },
  ];
}

/**
 * @param {Record<string, Values>} values
 * @param {string[][]} wanted names and their colours
 * @param {boolean} [zero] whether what was zero all the time is drawn
 * @returns {import("../parts/chart.js").Layer[]}
 */
const layers = (values, wanted, zero = false) =>
  wanted.filter(([name]) => values[name]?.some((value) => (zero ? value !== null : value)))
    .map(([name, variable]) => ({ key: name, label: name, variable, values: values[name] }));

/**
 * @param {{data: any, title: string, about: string, layers: import("../parts/chart.js").Layer[], write: (value: number|null) => string,
 *   lines?: boolean}} props
 */
const Plot = ({ data, title, about, layers: drawn, write, lines = false }) => html`
  <section class="panel chart" aria-label=${title}>
    <div class="h"><h2>${title}</h2><span class="dim">${about}</span></div>
    ${drawn.length > 0
      ? html`<${Stack} times=${data.times} step=${data.range.step_ms} layers=${drawn} lines=${lines} height=${190} partial=${data.range.partial_last}
        write=${write} label=${`${title}: ${drawn.map(({ label, values }) => `${label} ${write(last(values))}`).join(", ")}`}
        onZoom=${(from, to) => change({ from, to, range: null })} />`
      : html`<${Nothing} title="Nothing was reported in this range" />`}
  </section>`;

/** @param {{rows: any[]}} props */
const Files = ({ rows }) => html`
  <${Panel} title="File systems" link=${html`<span class="dim">as last reported</span>`}>
    ${rows.length > 0 ? html`<${Table} columns=${FILES} rows=${rows} keyOf=${({ mountpoint }) => mountpoint} />`
      : html`<${Nothing} title="None was reported" />`}
  <//>`;

/** @type {import("../parts/table.js").Column[]} */
const FILES = [
  { head: "Mounted at", cell: (row) => html`<bdi>${row.mountpoint}</bdi>` },
  { head: "Used", num: true, cell: (row) => html`<span class=${cls(row.used / (row.used + row.free) > FULL && "err")}>${
    percent(row.used / (row.used + row.free))}</span>` },
  { head: "Free", num: true, cell: (row) => bytes(row.free) },
];

/** @type {import("../parts/table.js").Column[]} */
const PROCESSES = [
  { head: "Process", cell: (row) => html`<${Mark} kind="app" /><bdi>${row.service}</bdi>
    <small class="mono"><bdi>${short(row.instance) || "not told apart"}</bdi></small>` },
  { head: "Memory", num: true, cell: (row) => bytes(row.memory) },
  { head: "Virtual", num: true, wide: true, cell: (row) => html`<span class="dim">${bytes(row.virtual)}</span>` },
  { head: "Processors", num: true, cell: (row) => (row.cpu === null ? "–" : Number(row.cpu.toFixed(2))) },
  { head: "Open files", num: true, wide: true, cell: (row) => whole(row.files) },
  { head: "Threads", num: true, wide: true, cell: (row) => whole(row.threads) },
  { head: "Collections", num: true, wide: true, cell: (row) => html`<span class="dim">${whole(row.collections)}</span>` },
  { head: "Started", num: true, cell: (row) => html`<span class="dim" title=${row.started === null ? undefined : moment(row.started * 1000)}>${
    row.started === null ? "–" : ago(row.started * 1000)}</span>` },
];
