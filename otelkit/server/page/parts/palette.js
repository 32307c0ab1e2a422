/** ⌘K: every page, range and thing that can be filtered by, a few letters away. */

import { ask } from "../api.js";
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../html.js";
import { address, change, go, here, ranged, shared, useKeys } from "../state.js";
import { RANGES } from "./rangemenu.js";

/** @typedef {{group: string, name: string, hint?: string, act: () => void}} Entry */

const MOST = 12;
/** What a facet's values lead to: the page, and the parameter that narrows it. */
const FACETS = {
  service: ["", "Service"], model: ["traces", "Model"], tool: ["traces", "Tool"], route: ["traces", "Route"],
  user: ["traces", "User"], group: ["traces", "Group"], conversation: ["traces", "Conversation"],
};

/** @param {{pages: Array<{path: string, name: string}>}} props */
export function Palette({ pages }) {
  const [open, setOpen] = useState(false);
  useKeys((event) => {
    if (event.key.toLowerCase() !== "k" || !(event.metaKey || event.ctrlKey) || event.altKey) return false;
    setOpen(!open);
    return true;
  });
  return html`
    <button type="button" class="btn jump" aria-haspopup="dialog" title="Go anywhere"
      onClick=${() => setOpen(true)}>Go to <kbd>${/Mac|iP/.test(navigator.platform) ? "⌘" : "Ctrl "}K</kbd></button>
    ${open && html`<${Sheet} pages=${pages} onClose=${() => setOpen(false)} />`}`;
}

function Sheet({ pages, onClose }) {
  const dialog = useRef(null);
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const [facets, setFacets] = useState({});
  useLayoutEffect(() => { // before the next key is heard
    dialog.current.showModal();
    dialog.current.querySelector("input").focus();
    ask("facets", ranged(here().query)).then(setFacets, () => {});
  }, []);
  const offered = (/** @type {string} */ wanted) => found([...idEntries(wanted), ...allEntries(pages, facets)], wanted);
  const entries = useMemo(() => offered(text), [text, facets]);
  const chosen = Math.min(at, entries.length - 1);
  const act = (entry) => {
    dialog.current.close();
    entry.act();
  };
  useKeys((event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      setAt((chosen + (event.key === "ArrowDown" ? 1 : entries.length - 1)) % Math.max(1, entries.length));
      return true;
    }
    if (event.key === "Escape") {
      dialog.current.close();
      return true;
    }
    if (event.key === "Enter") {
      // Whoever types fast is ahead of what is drawn.
      const typed = dialog.current.querySelector("input").value;
      const entry = typed === text ? entries[chosen] : offered(typed)[0];
      if (entry) act(entry);
      return true;
    }
    return false;
  });
  useEffect(() => dialog.current.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" }), [chosen]);
  return html`
    <dialog class="palette" ref=${dialog} aria-label="Go to" onClose=${onClose} onClick=${(event) => event.target === dialog.current && dialog.current.close()}>
      <input type="text" placeholder="A page, a model, a tool, a user, a trace id …" aria-label="Go to" role="combobox" aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant=${entries[chosen] ? `palette-${chosen}` : undefined} spellcheck=${false} autocomplete="off"
        value=${text} onInput=${(event) => (setText(event.currentTarget.value), setAt(0))} />
      <div id="palette-list" role="listbox" aria-label="Where to">
        ${entries.map((entry, place) => html`
          <div key=${entry.group + entry.name} id=${`palette-${place}`} role="option" aria-selected=${place === chosen}
            onMouseMove=${() => setAt(place)} onClick=${() => act(entry)}>
            <span class="dim">${entry.group}</span><b>${entry.name}</b>${entry.hint && html`<span class="dim">${entry.hint}</span>`}
          </div>`)}
      </div>
      ${entries.length === 0 && html`<p class="dim">Nothing here is called that. Enter a word in the filter to search inside traces.</p>`}
    </dialog>`;
}

/** @returns {Entry[]} */
function allEntries(pages, facets) {
  const { query } = here();
  return [
    ...pages.map(({ path, name }) => ({ group: "Page", name, act: () => go(address(path, shared(query))) })),
    ...Object.entries(RANGES).map(([range, name]) => ({ group: "Time", name, act: () => change({ range, from: null, to: null }) })),
    { group: "Do", name: query.live === "off" ? "Go on live" : "Pause",
      act: () => change({ live: query.live === "off" ? null : "off" }, { replace: true, keepScroll: true }) },
    { group: "Do", name: "Copy this address", act: () => void navigator.clipboard?.writeText(location.href) },
    ...Object.entries(FACETS).flatMap(([facet, [page, group]]) => (facets[facet] || []).map(({ value, count: times }) => ({
      group, name: value, hint: `${times}×`, act: () => go(address(page, { ...shared(query), [facet]: value })),
    }))),
  ];
}

/** A pasted id leads straight to what it names. @param {string} text @returns {Entry[]} */
function idEntries(text) {
  const id = text.trim().toLowerCase();
  return /^[0-9a-f]{32}$/.test(id) ? [{ group: "Trace", name: id, act: () => go(address("traces", { ...shared(here().query), trace: id })) }] : [];
}

/**
 * The entries that hold every letter in order; whole beginnings first.
 * @param {Entry[]} entries @param {string} text
 */
function found(entries, text) {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return entries.filter(({ group }) => group === "Page" || group === "Do").slice(0, MOST);
  return entries
    .map((entry) => ({ entry, rank: rankOf(`${entry.name} ${entry.group}`.toLowerCase(), wanted) }))
    .filter(({ rank }) => rank >= 0)
    .sort((left, right) => left.rank - right.rank)
    .slice(0, MOST)
    .map(({ entry }) => entry);
}

/** @param {string} name @param {string} wanted */
function rankOf(name, wanted) {
  const place = name.indexOf(wanted);
  if (place >= 0) return place === 0 ? 0 : name[place - 1] === " " ? 1 : 2;
  let from = 0;
  for (const letter of wanted) {
    from = name.indexOf(letter, from) + 1;
    if (!from) return -1;
  }
  return 3;
}
