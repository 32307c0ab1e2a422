/** Setting what a model costs, and how far stored calls have followed. */

import { order, useAnswer } from "../api.js";
import { percent, plural } from "../format.js";
import { html, useEffect, useRef, useState } from "../html.js";
import { Trouble } from "./common.js";

const RATES = [["input", "Input", "as on the price list"], ["output", "Output", "0 where nothing is generated"],
  ["cache_read", "Cached input", "as input"], ["cache_write", "Cache write", "as input"]];

/**
 * @param {{price: {provider: string, model: string, [rate: string]: any}, onDone: () => void, named?: boolean}} props
 *   `named` lets provider and model be written, too
 */
export function PriceForm({ price, onDone, named = false }) {
  const [free, setFree] = useState(Boolean(price.free));
  const [error, setError] = useState(null);
  const [saving, setSaving] = useState(false);
  const form = useRef(null);
  useEffect(() => form.current.querySelector("input").focus(), []);
  const save = async (event) => {
    event.preventDefault();
    const given = /** @type {Record<string, string>} */ (Object.fromEntries(new FormData(form.current)));
    const key = named ? { provider: given.provider.trim(), model: given.model.trim() } : { provider: price.provider || "*", model: price.model };
    const rates = Object.fromEntries(RATES.map(([name]) => [name, given[name] === "" || given[name] === undefined ? null : Number(given[name])]));
    setSaving(true);
    try {
      await order("PUT", "prices", free ? { ...key, free: true } : { ...key, ...rates });
      onDone();
    } catch (wrong) {
      setError(wrong);
      setSaving(false);
    }
  };
  return html`
    <form class="price" ref=${form} onSubmit=${save} aria-label=${named ? "Set a price" : `Price of ${price.model}`}
      onKeyDown=${(event) => event.key === "Escape" && (event.stopPropagation(), onDone())}>
      ${named
        ? [["provider", "Provider", "openai, or * for any"],
          ["model", "Model", "gpt-4o-mini, or * for any"]].map(([name, label, hint]) =>
            html`<label key=${name}>${label}
              <input name=${name} required maxlength="200" value=${price[name] || ""} placeholder=${hint} spellcheck=${false} /></label>`)
        : html`<p class="whom">
          <b><bdi>${price.model}</bdi></b> <span class="dim">
            <bdi>${price.provider || "any provider"}</bdi>, US dollars per million tokens</span></p>`}
      ${!free
        && RATES.map(([name, label, hint]) =>
          html`<label key=${name}>${label}
            <input name=${name} type="number" min="0" max="1000000" step="any" inputmode="decimal" required=${name === "input"}
              value=${price[name] ?? ""} placeholder=${hint} /></label>`)}
      <label class="check"><input type="checkbox" checked=${free} onChange=${(event) => setFree(event.target.checked)} /> Free, it runs here</label>
      <span class="act">
        <button type="submit" class="btn primary" disabled=${saving}>${saving ? "Saving…" : "Set the price"}</button> <button type="button"
          class="btn" onClick=${onDone}>Cancel</button></span>
      ${error && html`<${Trouble} error=${error} />`}
    </form>`;
}

/** How far the recomputation of stored calls is; nothing while none runs. @param {{revision: unknown}} props */
export function Recomputing({ revision }) {
  const [turn, setTurn] = useState(0);
  const { data } = useAnswer("prices", {}, `${revision}/${turn}`);
  const running = data?.recomputation;
  useEffect(() => {
    const timer = running ? setTimeout(() => setTurn((old) => old + 1), 400) : 0;
    return () => clearTimeout(timer);
  }, [running, turn]);
  if (!running) return null;
  return html`
    <div class="notice recomputing" role="status">
      <progress max="1" value=${running.done} aria-label="Recomputation"></progress>
      <span>Stored calls are priced again: <b>
        ${percent(running.done)}</b>, ${plural(running.changed_calls, "call")} changed so far. Figures move until it is done.</span>
    </div>`;
}
