/** Models whose cost is unknown, said instead of a total that looks complete; and the way to make it known. */

import { count, plural } from "../format.js";
import { html, useState } from "../html.js";
import { PriceForm } from "./priceform.js";

/** @param {{unpriced: Array<{provider: string, model: string, calls: number, tokens: number|null}>, unreported?: number}} props */
export function Unpriced({ unpriced, unreported = 0 }) {
  const [setting, setSetting] = useState(null);
  if (!unpriced.length && !unreported) return null;
  const calls = unpriced.reduce((sum, { calls: more }) => sum + more, 0);
  const tokens = unpriced.reduce((sum, { tokens: more }) => sum + (more || 0), 0);
  return html`
    <div class="notice warn unpriced"><span aria-hidden="true">⚠</span><div class="grow">
      ${unpriced.length > 0 && html`
        <p><b>${unpriced.length === 1 ? "1 model has no price:" : `${unpriced.length} models have no price:`}</b>${" "}
          ${plural(calls, "call")}, ${count(tokens)} tokens. Their cost is unknown and not in the totals.</p>
        <p class="names">${unpriced.slice(0, 12).map((one) => html`
          <button type="button" class="btn" key=${`${one.provider}/${one.model}`} aria-expanded=${setting === one}
            onClick=${() => setSetting(setting === one ? null : one)}>
            <span class="mono"><bdi>${one.provider ? `${one.provider}/` : ""}${one.model}</bdi></span> <span class="link">Set a price</span></button>`)}</p>
        ${setting && html`<${PriceForm} key=${`${setting.provider}/${setting.model}`} price=${setting} onDone=${() => setSetting(null)} />`}`}
      ${unreported > 0 && html`<p><b>${plural(unreported, "call")}</b> reported no tokens, so tokens and cost are higher than shown.</p>`}
    </div></div>`;
}
