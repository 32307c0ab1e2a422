/** Names and values. */

import { asText } from "../format.js";
import { html } from "../html.js";
import { Body } from "./messages.js";

/** A few facts, those that are unknown left out. @param {{rows: Array<[string, any]>}} props */
export const Facts = ({ rows }) => html`
  <dl class="kv">
    ${rows.filter(([, value]) => value !== null && value !== undefined && value !== "")
      .map(([name, value]) => html`<dt key=${name}>${name}</dt><dd key=${`${name}=`}>${value}</dd>`)}</dl>`;

/** Attributes, sorted by name. @param {{title?: string, attributes: Record<string, unknown>|null}} props */
export function Attributes({ title, attributes }) {
  const names = Object.keys(attributes || {}).sort();
  if (!names.length) return null;
  return html`
    ${title && html`<h3>${title}</h3>`}
    <dl class="attrs">
      ${names.map((name) =>
        html`<dt key=${name}><bdi>${name}</bdi></dt><dd key=${`${name}=`}><${Body} text=${asText(attributes[name])} /></dd>`)}</dl>`;
}
