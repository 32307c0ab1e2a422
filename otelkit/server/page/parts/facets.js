/** Beside a list: the values it can be narrowed to, with how often each occurs. */

import { useAnswer } from "../api.js";
import { chips, toggled } from "../filters.js";
import { count, plural } from "../format.js";
import { cls, html, useState } from "../html.js";
import { change, useMedia } from "../state.js";

const SHOWN = 6;
const FIXED = { status: [{ value: "error" }, { value: "ok" }] };
/** Facets that tell little at first sight: closed until asked for. */
const CLOSED = ["environment", "provider", "kind", "name", "route", "session", "conversation"];

/**
 * @param {{page: string, query: import("../state.js").Query, names: string[]}} props `page` is a list
 */
export function Facets({ page, query, names }) {
  const wide = useMedia("(min-width: 1280px)");
  const { range, from, to, service, environment } = query;
  const params = { of: page === "logs" ? "logs" : null, range, from, to, service, environment };
  const { data } = useAnswer("facets", Object.fromEntries(Object.entries(params).filter(([, value]) => value)));
  const on = chips(page, query);
  const groups = names.map((name) => ({ name, values: FIXED[name] || data?.[name] || [] }))
    .filter(({ name, values }) => values.length > 1 || on.some((chip) => chip.key === name));
  const body = groups.map(({ name, values }) =>
    html`<${Group} key=${name} name=${name} values=${values} page=${page} query=${query} on=${on.filter((chip) => chip.key === name)} />`);
  if (wide) return html`<aside class="facets" aria-label="Narrow down">${body}</aside>`;
  return html`<aside class="facets" aria-label="Narrow down">
    <details><summary>Narrow down${on.length > 0 ? `: ${plural(on.length, "filter")}` : ""}</summary>${body}</details></aside>`;
}

/** @param {{name: string, values: any[], page: string, query: import("../state.js").Query, on: any[]}} props */
function Group({ name, values, page, query, on }) {
  const [all, setAll] = useState(false);
  const listed = [...on.filter(({ value }) => !values.some((one) => one.value === value)).map(({ value }) => ({ value })), ...values];
  const top = Math.max(...values.map((one) => one.count || 0), 1);
  return html`
    <details class="facet" open=${on.length > 0 || !CLOSED.includes(name)}>
      <summary>${name}</summary>
      <ul>${listed.slice(0, all ? listed.length : SHOWN).map((one) => {
        const chip = on.find(({ value }) => value === one.value);
        return html`
          <li key=${one.value} class=${cls(chip && "on", chip?.negated && "not")}>
            <button type="button" class="value" aria-pressed=${Boolean(chip && !chip.negated)} title=${one.value}
              onClick=${() => change(toggled(page, query, name, one.value))}>
              <bdi>${one.value}</bdi>
                ${one.count !== undefined
                  && html`<small>${count(one.count)}</small><i aria-hidden="true" style=${{ width: `${(one.count / top) * 100}%` }}></i>`}</button>
            <button type="button" class="without" aria-pressed=${Boolean(chip?.negated)} aria-label=${`Without ${name} ${one.value}`}
              title="Without" onClick=${() => change(toggled(page, query, name, one.value, true))}>≠</button>
          </li>`;
      })}</ul>
      ${listed.length > SHOWN
        && html`<button type="button" class="link small" onClick=${() => setAll(!all)}>${all ? "Fewer" : `${listed.length - SHOWN} more`}</button>`}
    </details>`;
}
