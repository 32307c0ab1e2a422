/** The box on top of every page: what is filtered by, and how to filter more. / goes there. */

import { ask } from "../api.js";
import { chips, read, sectionOf, written } from "../filters.js";
import { whole } from "../format.js";
import { cls, html, useEffect, useMemo, useRef, useState } from "../html.js";
import { address, change, go, shared, useKeys, writing } from "../state.js";

const HINTS = {
  logs: "Filter: severity:error logger:shop.orders -event:ping, or words of the message",
  conversations: "Filter: user:u-17 turns:>3 cost:>0.05, or words that were said",
  traces: "Filter: model:gpt-4o -status:ok duration:>2s cost:>0.01, or words of question and answer",
};
const SIZES = ["duration", "money", "number"];
const MOST = 9;
/** @type {Record<string, Promise<any>>} */
const languages = {};

/** The keys that a section can be filtered by, asked for once. @param {string} section */
const languageOf = (section) => (languages[section] ??= ask("filter", { section }).then(({ keys }) => keys, () => {
  delete languages[section];
  return [];
}));

/** @param {{page: string, query: import("../state.js").Query}} props */
export function FilterBar({ page, query }) {
  const [text, setText] = useState(query.q || "");
  const [open, setOpen] = useState(false);
  const [chosen, setChosen] = useState(-1);
  const [error, setError] = useState(null);
  const [facets, setFacets] = useState({});
  const [keys, setKeys] = useState([]);
  const input = useRef(null);
  const section = sectionOf(page);
  useEffect(() => setText(query.q || ""), [query.q, page]);
  useEffect(() => setError(null), [page]);
  useKeys((event) => {
    const wanted = event.key === "/" && !writing(event);
    if (wanted) input.current.focus();
    return wanted;
  });
  useEffect(() => {
    if (!open) return;
    const { range, from, to, service, environment } = query;
    ask("facets", { of: section === "logs" ? "logs" : null, range, from, to, service, environment }).then(setFacets, () => setFacets({}));
    languageOf(section).then(setKeys);
  }, [open, section]);
  const offers = useMemo(() => (open ? suggestions(text, keys, facets) : []), [open, text, keys, facets]);

  const submit = async (typed) => {
    setChosen(-1);
    if (/^[0-9a-f]{32}$/i.test(typed.trim())) return go(address("traces", { ...shared(query), trace: typed.trim().toLowerCase() }));
    try {
      const { changes, page: target } = await read(typed, page, query);
      setError(null);
      setText(changes.q || "");
      if (target === page) change({ ...changes, trace: null, span: null, tab: null, id: null });
      else go(address(target, { ...shared(query), ...changes }));
    } catch (wrong) {
      setError(wrong.at === null ? { message: wrong.message } : { message: wrong.message, allowed: wrong.allowed, typed, at: wrong.at, until: wrong.until });
      if (wrong.at !== null) input.current.setSelectionRange(wrong.at, wrong.until);
    }
    return undefined;
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
      else submit(text);
    } else if (event.key === "Escape") {
      event.stopPropagation();
      input.current.blur();
    } else if (event.key === "Backspace" && !text) {
      const last = chips(page, query).at(-1);
      if (last) change(last.without);
    }
  };
  return html`
    <div class="filter">
      <div class=${cls("search", error && "wrong")} onClick=${() => input.current.focus()}>
        ${chips(page, query).map(({ key: name, value, negated, without }) => html`
          <span class=${cls("chip", negated && "not")} key=${`${negated}${name}${value}`}>${negated && "not "}${name} <b title=${value}>${value}</b>
            <button type="button" aria-label=${`Remove the filter ${name}`}
              onClick=${(event) => (event.stopPropagation(), change(without))}>×</button></span>`)}
        <input ref=${input} type="text" value=${text} placeholder=${HINTS[section]} aria-label="Filter" spellcheck=${false}
          autocomplete="off" role="combobox" aria-expanded=${open && offers.length > 0} aria-controls="offers" aria-autocomplete="list"
          aria-invalid=${error ? "true" : undefined} aria-describedby=${error ? "filter-error" : undefined}
          aria-activedescendant=${chosen >= 0 ? `offer-${chosen}` : undefined}
          onInput=${(event) => (setText(event.target.value), setError(null), setChosen(-1))} onKeyDown=${key}
          onFocus=${() => setOpen(true)} onBlur=${() => setOpen(false)} />
        <kbd>/</kbd>
      </div>
      ${error && html`<${Wrong} error=${error} />`}
      ${!error && offers.length > 0 && html`
        <ul class="offers" id="offers" role="listbox" aria-label="Filters">
          ${offers.map((offer, at) => html`
            <li key=${offer.text} id=${`offer-${at}`} role="option" aria-selected=${at === chosen} class=${cls(at === chosen && "on")}
              onMouseDown=${(event) => (event.preventDefault(), accept(offer))}><span>${offer.text}</span><small>${offer.note}</small></li>`)}
        </ul>`}
    </div>`;
}

/** What cannot be read, underlined where it stands. @param {{error: any}} props */
const Wrong = ({ error }) => html`
  <div class="hint bad" role="alert" id="filter-error">
    ${error.typed
      && html`<span class="mono typed">${error.typed.slice(0, error.at)}<u>${error.typed.slice(error.at, error.until) || "\u00a0"}</u>
        ${error.typed.slice(error.until)}</span>`}
    ${sentence(error.message)}${error.allowed ? ` Known: ${error.allowed.slice(0, 24).join(", ")}.` : ""}
  </div>`;

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;

/**
 * What could stand where the writer is: keys first, then values of a key with how often they occur.
 * @param {string} text
 * @param {Array<{key: string, kind: string, about: string, values: string[]|null, facet: string|null}>} keys
 * @param {any} facets
 * @returns {Array<{text: string, note: string, whole: boolean}>}
 */
function suggestions(text, keys, facets) {
  const word = text.match(/\S*$/)[0];
  const no = word.startsWith("-") ? "-" : "";
  const pair = word.match(/^-?([a-z_]+):"?(.*)$/);
  const key = pair && keys.find((known) => known.key === pair[1]);
  if (key) {
    const values = key.values ? key.values.map((value) => ({ value })) : facets[key.facet] || [];
    return values.filter(({ value }) => value.toLowerCase().includes(pair[2].toLowerCase()) && value !== pair[2]).slice(0, MOST)
      .map(({ value, count }) => ({ text: no + written(key.key, value), note: count === undefined ? "" : whole(count), whole: true }));
  }
  if (word && !/^-?[a-z_]*$/.test(word)) return [];
  return keys.filter((known) => known.key.startsWith(word.slice(no.length))).map((known) => ({
    text: `${no}${known.key}:${SIZES.includes(known.kind) ? ">" : ""}`,
    note: SIZES.includes(known.kind)
      ? known.about
      : (known.values || (facets[known.facet] || []).map(({ value }) => value)).slice(0, 3).join(", ") || known.about,
    whole: false,
  }));
}
