/** A table whose rows lead somewhere. */

import { cls, html } from "../html.js";
import { go } from "../state.js";

/**
 * @typedef {{head: string, cell: (row: any) => any, num?: boolean, wide?: boolean, name?: string}} Column
 *   `wide` columns go where there is no room; `name` is what screen readers are told where the head is empty
 * @param {{columns: Column[], rows: any[], keyOf: (row: any) => string, to?: (row: any) => string}} props
 */
export const Table = ({ columns, rows, keyOf, to }) => html`
  <div class="scroll"><table class="grid">
    <thead>
      <tr>
        ${columns.map(({ head, num, wide, name }) =>
          html`<th key=${head || name} scope="col" class=${cls(num && "num", wide && "wide")}>
            ${head || html`<span class="sr">${name}</span>`}</th>`)}</tr></thead>
    <tbody>${rows.map((row) => html`
      <tr key=${keyOf(row)} class=${cls(to && "leads")} onClick=${to && ((event) => !event.target.closest("a, button") && go(to(row)))}>
        ${columns.map(({ head, cell, num, wide, name }, at) =>
          html`<td key=${head || name} class=${cls(num && "num", wide && "wide", at === 0 && "first")}>
            ${at === 0 && to ? html`<a href=${to(row)} data-row>${cell(row)}</a>` : cell(row)}</td>`)}
      </tr>`)}</tbody>
  </table></div>`;
