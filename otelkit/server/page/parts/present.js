/** Who is here, in one line: asked for after the page has been drawn. */

import { useAnswer } from "../api.js";
import { plural, whole } from "../format.js";
import { html } from "../html.js";
import { address } from "../state.js";

const LONGER = [["1h", "last hour"], ["24h", "24 hours"], ["7d", "7 days"]];

/** A revision for what need not be asked again with every commit: drawn anew with each, it changes four times a minute. */
export const seldom = () => Math.floor(Date.now() / 15_000);

/** @param {{query: import("../state.js").Query, revision: unknown}} props */
export function Present({ query }) {
  const { data } = useAnswer("present", { service: query.service, environment: query.environment }, seldom());
  return html`<p class="here">${data && html`<${Told} data=${data} query=${query} />`}</p>`;
}

/** @param {{data: any, query: import("../state.js").Query}} props */
function Told({ data: { users, sessions, websockets }, query }) {
  const sockets = websockets === null ? "" : html` · <b>${whole(websockets)}</b> ${websockets === 1 ? "WebSocket" : "WebSockets"} open`;
  if (!users && !sessions) return html`<span>Who is here is not known: no span names a user or a session</span>${sockets}`;
  const href = address("conversations", { ...query, by: "user" });
  return html`
    <span>Here now: ${users ? html`<a class="link" href=${href}>${plural(users["5m"], "user")}</a>` : "users not known"}
      ${sessions && html` in <b>${plural(sessions["5m"], "session")}</b>`}</span>${sockets}
    ${users && LONGER.map(([key, words]) => html`<span key=${key} class="dim"> · ${words} <b>${whole(users[key])}</b></span>`)}`;
}
