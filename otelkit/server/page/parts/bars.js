/** Bars that divide a whole: where a trace's time went, and what its tokens were. */

import { cls, html } from "../html.js";
import { duration, money, percent, whole } from "../format.js";
import { ORDER, kindClass, kindName } from "./kinds.js";

/**
 * Where the time of a trace went, by kind.
 * @param {{split: Array<{kind: string, ms: number}>}} props
 */
export function SplitBar({ split }) {
  const parts = ORDER.map((kind) => split.find((part) => part.kind === kind)).filter((part) => part && part.ms > 0);
  const total = parts.reduce((sum, part) => sum + part.ms, 0);
  const told = parts.map((part) => `${kindName(part.kind)} ${duration(part.ms)}`).join(" · ");
  return html`<span class="split" role="img" aria-label=${`Time by kind: ${told || "nothing"}`} title=${told}>
    ${parts.map((part) => html`<i key=${part.kind} class=${kindClass(part.kind)} style=${{ width: `${(part.ms / total) * 100}%` }}></i>`)}
  </span>`;
}

/**
 * @typedef {{input: number|null, output: number|null, cached: number|null, cache_write: number|null, reasoning: number|null, total: number|null}} Tokens
 */

/**
 * Cached, other input and output tokens as one bar in three strengths, with the figures below.
 * @param {{tokens: Tokens|null, cost: number|null, unpriced?: boolean}} props
 */
export function TokenBar({ tokens, cost, unpriced }) {
  if (!tokens) return html`<p class="dim small">Tokens not reported by this call, so its cost is unknown.</p>`;
  const cached = tokens.cached || 0;
  const fresh = Math.max(0, (tokens.input || 0) - cached);
  const total = cached + fresh + (tokens.output || 0);
  /** @type {Array<[string, number]>} */
  const parts = [["cached", cached], ["input", fresh], ["output", tokens.output || 0]];
  const extra = [
    tokens.reasoning ? `${whole(tokens.reasoning)} of the output for reasoning` : "",
    tokens.cache_write ? `${whole(tokens.cache_write)} written to the cache` : "",
  ].filter(Boolean);
  return html`
    <div class="tokens" aria-hidden="true">
      ${parts.map(([name, amount]) => amount > 0 && html`<i key=${name} class=${name} style=${{ width: `${(amount / total) * 100}%` }}></i>`)}
    </div>
    <p class="dim small">
      ${tokens.cached !== null && `${whole(tokens.cached)} cached · `}${tokens.input === null ? "input not reported" : `${whole(fresh)} input`}
      ${" · "}${tokens.output === null ? "output not reported" : `${whole(tokens.output)} output`} tokens · ${" "}
      <span class=${cls(cost === null && "warn")} title=${cost === null ? undefined : `$${cost}`}>
        ${money(cost, unpriced ? "not priced" : "cost unknown")}</span>
      ${extra.length > 0 && html`<br />${extra.join(" · ")}`}
    </p>`;
}

/** A ratio as a short bar beside its figure. @param {{ratio: number|null}} props */
export const Share = ({ ratio }) => html`
  <span class="share" title=${percent(ratio)}><i style=${{ width: `${Math.min(1, ratio || 0) * 100}%` }}></i></span>`;
