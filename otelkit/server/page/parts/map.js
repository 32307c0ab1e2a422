/** Who calls whom: services from left to right, what they use outside of themselves on the right. */

import { duration, joined, percent, plural, rateParts } from "../format.js";
import { cls, html, useMemo, useState } from "../html.js";
import { address } from "../state.js";
import { Mark } from "./common.js";

const ROW = 66;
const BAD = 0.01; // from this share of failures on a line is red
const KINDS = { entry: "app", service: "app", llm: "llm", retrieval: "retrieval", tool: "tool", db: "db", external: "app" };
const WORDS = { entry: "from outside", service: "service", llm: "model provider", retrieval: "data source", tool: "tool", db: "database",
  external: "called, sends no spans" };
const OUTSIDE = ["external", "db", "retrieval", "tool", "llm"];

/**
 * @param {{map: any, query: import("../state.js").Query}} props an answer of `/api/services/map`
 */
export function Map({ map, query }) {
  const { places, columns, rows } = useMemo(() => layout(map), [map]);
  const [near, setNear] = useState("");
  const height = rows * ROW + 16;
  const spot = (id) => {
    const { column, row, of } = places.get(id);
    return [((column + 0.5) / columns) * 100, ((row + 0.5) / of) * height];
  };
  const most = Math.max(...map.edges.map(({ calls }) => calls), 1);
  return html`
    <div class="map" style=${{ height: `${height}px` }} onMouseLeave=${() => setNear("")}>
      <svg viewBox=${`0 0 100 ${height}`} preserveAspectRatio="none" aria-hidden="true">
        ${map.edges.map((edge) => {
          const [[x1, y1], [x2, y2]] = [spot(edge.from), spot(edge.to)];
          const bend = Math.max(4, Math.abs(x2 - x1) / 2);
          const lit = near && (edge.from === near || edge.to === near);
          return html`<path key=${`${edge.from}>${edge.to}`}
            class=${cls(edge.error_ratio >= BAD && "bad", lit && "lit", near && !lit && "far")}
            style=${{ strokeWidth: 1 + 2.5 * Math.sqrt(edge.calls / most) }}
            d=${`M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`} />`;
        })}
      </svg>
      ${map.nodes.map((node) => html`<${Node} key=${node.id} node=${node} at=${spot(node.id)} map=${map} query=${query} near=${near} onNear=${setNear} />`)}
    </div>`;
}

/** @param {{node: any, at: number[], map: any, query: import("../state.js").Query, near: string, onNear: (id: string) => void}} props */
function Node({ node, at, map, query, near, onNear }) {
  const { called } = node;
  const beside = near && near !== node.id && !map.edges.some(({ from, to }) => (from === near && to === node.id) || (to === near && from === node.id));
  const told = called
    ? `${nameOf(node)}, ${WORDS[node.kind]}: ${plural(called.calls, "call")}, ${percent(called.error_ratio)} failed, p95 ${duration(called.p95_ms)}`
    : "Requests from outside";
  return html`
    <a class=${cls("node", node.kind, called?.error_ratio >= BAD && "bad", beside && "far")}
      style=${{ left: `${at[0]}%`, top: `${at[1]}px` }} href=${leads(node, query)} title=${told}
      onMouseEnter=${() => onNear(node.id)} onFocus=${() => onNear(node.id)} onBlur=${() => onNear("")}>
      <span class="q"><${Mark} kind=${KINDS[node.kind]} /><bdi>${nameOf(node)}</bdi></span>
      <small>
        ${called
          ? html`${joined(rateParts(called.per_s))}
            ${called.errors > 0
              && html` · <span class=${cls(called.error_ratio >= BAD && "err")}>${percent(called.error_ratio)}</span>`} · ${duration(called.p95_ms)}`
          : WORDS.entry}</small>
    </a>`;
}

/** @param {{kind: string, label: string}} node */
export const nameOf = (node) => (node.kind === "entry" ? "Requests" : node.label);

/** Where a node leads. @param {any} node @param {import("../state.js").Query} query */
export function leads(node, query) {
  if (node.kind === "service") return address("", { ...query, service: node.label });
  const by = { tool: { tool: node.label }, llm: { kind: "llm" }, retrieval: { kind: "retrieval" }, db: { kind: "db" } }[node.kind] || {};
  return address("traces", { ...query, ...by });
}

/** Columns by how far from outside a service is; whatever is not a service stands last. @param {any} map */
function layout({ nodes, edges }) {
  const depth = new globalThis.Map(nodes.filter(({ kind }) => kind === "entry").map(({ id }) => [id, 0]));
  const services = nodes.filter(({ kind }) => kind === "service");
  for (let turn = 0; turn < services.length + 1; turn++) {
    for (const { from, to } of edges) {
      if (depth.has(from) && to.startsWith("service:") && !depth.has(to)) depth.set(to, depth.get(from) + 1);
    }
  }
  for (const { id } of services) if (!depth.has(id)) depth.set(id, 1);
  const last = Math.max(0, ...depth.values()) + 1;
  const columns = Array.from({ length: last + 1 }, () => []);
  const order = (node) => OUTSIDE.indexOf(node.kind);
  for (const node of [...nodes].sort((one, other) => order(one) - order(other))) columns[depth.get(node.id) ?? last].push(node.id);
  const used = columns.filter((ids) => ids.length);
  const rows = Math.max(...used.map((ids) => ids.length), 1);
  const places = new globalThis.Map(used.flatMap((ids, column) => ids.map((id, row) => [id, { column, row, of: ids.length }])));
  return { places, columns: used.length, rows };
}

/** The same as a table: for narrow screens, and for reading. @param {{map: any}} props @returns {Array<any>} */
export function edgesOf({ map }) {
  const nodes = new globalThis.Map(map.nodes.map((node) => [node.id, node]));
  return map.edges.map((edge) => ({ ...edge, source: nodes.get(edge.from), target: nodes.get(edge.to) }));
}
