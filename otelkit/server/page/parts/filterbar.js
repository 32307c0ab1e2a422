/** The box on top of every page: what is filtered by, and how to filter more. ⌘K or / goes there. */

import { ask } from "../api.js";
import { chips, keysOf, parse, written } from "../filters.js";
import { whole } from "../format.js";
import { cls, html, useEffect, useMemo, useRef, useState } from "../html.js";
import { address, change, go, shared, useKeys, writing } from "../state.js";

const HINTS = {
  logs: "Filter: severity:error logger:shop.orders, or words of the message",
  traces: "Filter: model:gpt-4o status:error duration>2s, or words of question and answer",
};
const MOST = 9;

/** @param {{page: string, query: import("../state.js").Query}} props */
export function FilterBar({ page, query }) {
  const [text, setText] = useState(query.q || "");
  const [open, setOpen] = useState(false);
  const [chosen, setChosen] = useState(-1);
  const [error, setError] = useState("");
  const [facets, setFacets] = useState({});
  const input = useRef(null);
  useEffect(() => setText(query.q || ""), [query.q, page]);
  useEffect(() => setError(""), [page]);
  useKeys((event) => {
    const wanted = (event.key === "k" && (event.metaKey || event.ctrlKey)) || (event.key === "/" && !writing(event));
    if (wanted) input.current.focus();
    return wanted;
  });
  useEffect(() => {
    if (!open) return;
    const { range, from, to, service, environment } = query;
    ask("facets", { range, from, to, service, environment }).then(setFacets, () => setFacets({}));
  }, [open]);
  const offers = useMemo(() => (open ? suggestions(text, page, facets) : []), [open, text, page, facets]);

  const submit = (typed) => {
    const read = parse(typed, page);
    setError(read.error);
    if (read.error) return;
    setText(read.changes.q || "");
    setChosen(-1);
    if (read.page === page) change({ ...read.changes, trace: null, span: null, tab: null });
    else go(address(read.page, { ...shared(query), ...read.changes }));
  };
  const accept = (offer) => {
    const typed = text.replace(/\S*$/, "") + offer.text;
    if (offer.whole) submit(typed);
    else setText(typed);
    input.current.focus();
    setChosen(-1);
  };
  const key = (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      // -1 is the text itself: one place more than there are offers.
      setChosen(((chosen + 1 + step + offers.length + 1) % (offers.length + 1)) - 1);
    } else if (event.key === "Enter") {
      if (offers[chosen]) accept(offers[chosen]);
      else {
        submit(text);
        input.current.blur();
      }
    } else if (event.key === "Escape") {
      event.stopPropagation();
      input.current.blur();
    } else if (event.key === "Backspace" && !text) {
      const last = chips(page, query).at(-1);
      if (last) change({ [last.param]: null });
    }
  };
  return html`
    <div class="filter">
      <div class=${cls("search", error && "wrong")} onClick=${() => input.current.focus()}>
        ${chips(page, query).map(({ key: name, value, param }) => html`
          <span class="chip" key=${param}>${name} <b title=${value}>${value}</b>
            <button type="button" aria-label=${`Remove the filter ${name}`} onClick=${(event) => (event.stopPropagation(), change({ [param]: null }))}>×</button></span>`)}
        <input ref=${input} type="text" value=${text} placeholder=${HINTS[page] || HINTS.traces} aria-label="Filter" spellcheck=${false}
          autocomplete="off" role="combobox" aria-expanded=${open && offers.length > 0} aria-controls="offers" aria-autocomplete="list"
          aria-activedescendant=${chosen >= 0 ? `offer-${chosen}` : undefined}
          onInput=${(event) => (setText(event.target.value), setError(""), setChosen(-1))} onKeyDown=${key}
          onFocus=${() => setOpen(true)} onBlur=${() => setOpen(false)} />
        <kbd>⌘K</kbd>
      </div>
      ${error && html`<div class="hint bad" role="alert">${error}</div>`}
      ${offers.length > 0 && html`
        <ul class="offers" id="offers" role="listbox" aria-label="Filters">
          ${offers.map((offer, at) => html`
            <li key=${offer.text} id=${`offer-${at}`} role="option" aria-selected=${at === chosen} class=${cls(at === chosen && "on")}
              onMouseDown=${(event) => (event.preventDefault(), accept(offer))}><span>${offer.text}</span><small>${offer.note}</small></li>`)}
        </ul>`}
    </div>`;
}

/**
 * What could stand where the writer is: keys first, then values of a key with how often they occur.
 * @param {string} text
 * @param {string} page
 * @param {any} facets
 * @returns {Array<{text: string, note: string, whole: boolean}>}
 */
function suggestions(text, page, facets) {
  const word = text.match(/\S*$/)[0];
  const keys = keysOf(page === "logs" ? "logs" : "traces");
  const pair = word.match(/^([a-z_]+):"?(.*)$/);
  const key = pair && keys.find((known) => known.key === pair[1]);
  if (key) {
    const values = key.values ? key.values.map((value) => ({ value })) : facets[key.facet] || [];
    return values.filter(({ value }) => value.toLowerCase().includes(pair[2].toLowerCase()) && value !== pair[2]).slice(0, MOST)
      .map(({ value, count }) => ({ text: written(key.key, value), note: count === undefined ? "" : whole(count), whole: true }));
  }
  if (word && !/^[a-z_]+$/.test(word)) return [];
  const offered = keys.filter((known) => known.key.startsWith(word)).map((known) => ({ text: `${known.key}:`, note: (known.values || (facets[known.facet] || []).map(({ value }) => value)).slice(0, 3).join(", "), whole: false }));
  if (page !== "logs" && "duration".startsWith(word)) offered.push({ text: "duration>", note: "2s, 300ms", whole: false });
  return offered;
}
