/** Models whose cost is unknown, said instead of a total that looks complete. */

import { count, plural } from "../format.js";
import { html } from "../html.js";

/** @param {{unpriced: Array<{provider: string, model: string, calls: number, tokens: number|null}>, unreported?: number}} props */
export function Unpriced({ unpriced, unreported = 0 }) {
  if (!unpriced.length && !unreported) return null;
  const calls = unpriced.reduce((sum, { calls: more }) => sum + more, 0);
  const tokens = unpriced.reduce((sum, { tokens: more }) => sum + (more || 0), 0);
  const names = unpriced.slice(0, 3);
  return html`
    <div class="notice warn"><span aria-hidden="true">⚠</span><span>
      ${unpriced.length > 0 && html`
        <b>${unpriced.length === 1 ? "1 model has no price:" : `${unpriced.length} models have no price:`}</b>${" "}
        ${names.map(({ provider, model }, at) => html`<span key=${`${provider}/${model}`}>${at > 0 && ", "}<span class="mono">${provider ? `${provider}/` : ""}${model}</span></span>`)}
        ${unpriced.length > names.length && ` and ${unpriced.length - names.length} more`}, ${plural(calls, "call")}, ${count(tokens)} tokens.
        Their cost is unknown and not in the totals. Set a price in the file named by <span class="mono">OTELKIT_PRICES</span>.${" "}`}
      ${unreported > 0 && html`<b>${plural(unreported, "call")}</b> reported no tokens, so tokens and cost are higher than shown.`}
    </span></div>`;
}
