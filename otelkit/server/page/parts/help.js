/** The keys of a page, shown over it. */

import { html, useEffect, useRef } from "../html.js";
import { useKeys } from "../state.js";

/** @param {{title: string, keys: Array<[string, string]>, onClose: () => void}} props keys are separated by spaces */
export function Help({ title, keys, onClose }) {
  const dialog = useRef(null);
  useEffect(() => {
    dialog.current.showModal();
  }, []);
  useKeys((event) => {
    if (event.key === "Escape") dialog.current.close();
    return event.key === "Escape" || event.key.length === 1; // letters are not commands for what lies below
  });
  return html`
    <dialog class="help" ref=${dialog} aria-label=${title} onClose=${onClose} onClick=${(event) => event.target === dialog.current && dialog.current.close()}>
      <div class="dh"><h2>${title}</h2><button type="button" class="btn" onClick=${() => dialog.current.close()}>Close</button></div>
      <dl>
        ${keys.map(([names, meaning]) =>
          html`<dt key=${names}>${names.split(" ").map((name, at) => html`<kbd key=${at}>${name}</kbd>`)}</dt>
            <dd key=${`${names}=`}>${meaning}</dd>`)}</dl>
    </dialog>`;
}
