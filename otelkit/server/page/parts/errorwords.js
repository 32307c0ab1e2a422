/** How errors are called on every page. */

import { html } from "../html.js";

export const CATEGORIES = { bug: "Bug", dependency: "Dependency", timeout: "Timeout", client: "Client", limit: "Limit" };

const BADGES = { new: ["New", "first seen in this range"], regressed: ["Regressed", "seen again after it was resolved"],
  resolved: ["Resolved", "not seen since it was resolved"] };

/** What is particular about an error; nothing for one that has been known for long. @param {{group: any}} props */
export const Badges = ({ group }) => BADGES[group.state]
  && html`<span class=${`badge ${group.state}`} title=${BADGES[group.state][1]}>${BADGES[group.state][0]}</span>`;

/** Where it was raised, or that it was only logged. @param {any} group */
export const placeOf = (group) => group.place || (group.type ? "" : "logged");
