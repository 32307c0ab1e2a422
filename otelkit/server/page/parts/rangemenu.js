/** Which stretch of time the page is about. */

import { hour } from "../format.js";
import { cls, html, useEffect, useRef, useState } from "../html.js";
import { address, here, useKeys } from "../state.js";

/** Every range that has a name, as the API calls it. */
export const RANGES = {
  "": "Latest hour", "15m": "Last 15 minutes", "1h": "Last hour", "3h": "Last 3 hours", "6h": "Last 6 hours",
  "24h": "Last 24 hours", "7d": "Last 7 days", "30d": "Last 30 days", all: "All time",
};

/** @param {{query: import("../state.js").Query}} props */
export function RangeMenu({ query }) {
  const [open, setOpen] = useState(false);
  const box = useRef(null);
  useEffect(() => {
    if (!open) return undefined;
    const outside = (event) => !box.current.contains(event.target) && setOpen(false);
    for (const left of ["mousedown", "focusin"]) document.addEventListener(left, outside);
    return () => {
      for (const left of ["mousedown", "focusin"]) document.removeEventListener(left, outside);
    };
  }, [open]);
  useKeys((event) => {
    if (!open || event.key !== "Escape") return false;
    setOpen(false);
    return true;
  });
  const custom = query.from && query.to;
  const label = custom ? `${hour(Number(query.from))} – ${hour(Number(query.to))}` : query.range in RANGES ? RANGES[query.range] : RANGES[""];
  return html`
    <div class="menu" ref=${box}>
      <button type="button" class="btn" title=${custom || query.range ? undefined : "The last hour that holds data"} aria-haspopup="true"
        aria-expanded=${open} onClick=${() => setOpen(!open)}>${label}</button>
      ${open && html`<div class="sheet">
        ${Object.entries(RANGES).map(([range, name]) => html`
          <a key=${range} class=${cls(!custom && (query.range || "") === range && "on")} onClick=${() => setOpen(false)}
            href=${address(here().page, { ...query, range, from: null, to: null })}>${name}</a>`)}
        <p>Drag over a chart to zoom in.</p>
      </div>`}
    </div>`;
}
