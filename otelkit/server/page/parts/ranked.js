/** Who or what causes the most, with the period before. */

import { count, difference, money, percent, whole } from "../format.js";
import { cls, html } from "../html.js";
import { change } from "../state.js";
import { Share } from "./bars.js";
import { Duration } from "./common.js";

/**
 * How much a figure changed against the period before; nothing where that is unknown.
 * @param {{now: number|null, then: number|null|undefined, worse?: boolean}} props
 */
export function Change({ now, then, worse = false }) {
  if (now === null || then === null || then === undefined || (!then && !now)) return null;
  if (!then) return html`<small class="delta">new</small>`;
  const ratio = now / then - 1;
  return html`<small class=${cls("delta", worse && ratio > 0.1 && "worse", worse && ratio < -0.1 && "better")}
    title=${`${Number(then.toPrecision(4))} in the period before`}>${difference(ratio, "ratio")}</small>`;
}

/**
 * @param {{data: any, noun: string, sort: string, counted: string, to: (value: string) => string, brief?: boolean}} props an
 *   answer of `/api/top`; `brief` is for where there is little room, and is not sorted by the reader
 */
export function Ranked({ data, noun, sort, counted, to, brief = false }) {
  const most = Math.max(...data.top.map((row) => row.cost_usd || 0));
  const timed = !brief && data.top.some((row) => row.p95_ms !== null);
  const heads = [["", noun], ["count", counted], ["errors", "Failed"], ["", "Model calls"], ["tokens", "Tokens"], ["cost", "Cost"]];
  return html`
    <div class="scroll"><table class=${cls("ranked", brief && "brief")}>
      <thead><tr>${heads.map(([id, name], at) => html`
        <th key=${at} scope="col" class=${cls(at > 0 && "num", `c${at}`)} aria-sort=${!brief && id && id === sort ? "descending" : undefined}>
          ${id && !brief
            ? html`<button type="button" class=${cls(id === sort && "on")} onClick=${() => change({ sort: id })}>${name}
              ${id === sort ? " ↓" : ""}</button>`
            : at
            ? name
            : name[0].toUpperCase() + name.slice(1)}</th>`)}
        ${timed && html`<th scope="col" class="num">p95</th>`}<th scope="col"><span class="sr">Share of the largest cost</span></th></tr></thead>
      <tbody>${data.top.map((row) => html`
        <tr key=${row.value}>
          <td><a data-row href=${to(row.value)} title=${row.value}><bdi>${row.value ?? "not named"}</bdi></a></td>
          <td class="num">${whole(row.count)}<${Change} now=${row.count} then=${row.previous?.count} /></td>
          <td class="num c2"><span class=${cls(row.errors > 0 && "err")}>${percent(row.error_ratio)}</span></td>
          <td class="num c3">${whole(row.llm_calls)}</td>
          <td class="num c4">${row.tokens === null ? (row.llm_calls ? "not reported" : "–") : count(row.tokens)}</td>
          <td class="num" title=${row.cost_usd === null ? undefined : `$${row.cost_usd}`}>
            ${money(row.cost_usd, row.llm_calls ? "unknown" : "–")}
            <${Change} now=${row.cost_usd} then=${row.previous?.cost_usd} worse /></td>
          ${timed && html`<td class="num"><${Duration} ms=${row.p95_ms} /></td>`}
          <td><${Share} ratio=${most && row.cost_usd ? row.cost_usd / most : 0} /></td>
        </tr>`)}</tbody>
    </table></div>`;
}
