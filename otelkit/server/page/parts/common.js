/** Small pieces that every page uses. */

import { cls, html, useEffect, useState } from "../html.js";
import { durationParts } from "../format.js";
import { useKeys, writing } from "../state.js";
import { kindClass } from "./kinds.js";

/** A value and its unit in smaller grey. @param {{parts: import("../format.js").Parts}} props */
export const Amount = ({ parts }) => html`${parts.value}${parts.unit && html`<small> ${parts.unit}</small>`}`;

/** @param {{ms: number|null|undefined}} props */
export const Duration = ({ ms }) => html`<${Amount} parts=${durationParts(ms)} />`;

/**
 * A quiet box with a heading; `link` explains what is in it.
 * @param {{title: any, link?: any, className?: string, children: any, label?: string}} props
 */
export const Panel = ({ title, link, className, label, children }) => html`
  <section class=${cls("panel", className)} aria-label=${label || (typeof title === "string" ? title : undefined)}>
    <div class="h"><h2>${title}</h2>${link}</div>
    ${children}
  </section>`;

/** The coloured square of a kind. @param {{kind: string}} props */
export const Mark = ({ kind }) => html`<i class=${cls("mark", kindClass(kind))} aria-hidden="true"></i>`;

/** A state as a dot with words for those who do not see colours. @param {{tone: string, label: string}} props */
export const Dot = ({ tone, label }) => html`<i class=${`dot ${tone}`} role="img" aria-label=${label} title=${label}></i>`;

/**
 * A button that copies a text and says so.
 * @param {{text: string|(() => Promise<string>), label?: string, className?: string, children?: any}} props
 */
export function Copy({ text, label = "Copy", className = "btn", children }) {
  const [done, setDone] = useState("");
  useEffect(() => {
    const timer = done ? setTimeout(() => setDone(""), 1600) : 0;
    return () => clearTimeout(timer);
  }, [done]);
  const copy = async (event) => {
    event.preventDefault();
    event.stopPropagation();
    try {
      await navigator.clipboard.writeText(typeof text === "string" ? text : await text());
      setDone("Copied");
    } catch {
      setDone("Not allowed by the browser");
    }
  };
  return html`<button type="button" class=${className} onClick=${copy} title=${children ? `${label}: ${text}` : undefined} aria-live="polite">
    ${done || children || label}
  </button>`;
}

/** Something to wait for, in the shape of what will come. @param {{rows?: number, className?: string}} props */
export const Waiting = ({ rows = 6, className }) => html`
  <div class=${cls("waiting", className)} role="status" aria-label="Loading">${Array.from({ length: rows }, (_, at) => html`<i key=${at}></i>`)}</div>`;

/** What went wrong, in words. @param {{error: import("../api.js").ApiError}} props */
export const Trouble = ({ error }) => html`
  <div class="notice bad" role="alert">
    <b>${error.status === 0 ? "No connection" : error.status === 404 ? "Not found" : "That did not work"}</b>
    <span>${error.parameter ? html`<span class="mono">${error.parameter}</span>: ` : ""}${error.message}
      ${error.allowed ? ` Allowed: ${error.allowed.slice(0, 12).join(", ")}.` : ""}</span>
  </div>`;

/** Nothing here, and what to do about it. @param {{title: string, children?: any}} props */
export const Nothing = ({ title, children }) => html`<div class="nothing"><b>${title}</b>${children && html`<p>${children}</p>`}</div>`;

/**
 * Move the focus among the rows of a list, so that j, k and Enter work on links and buttons alike.
 * @param {1|-1} step
 */
export function moveFocus(step) {
  const rows = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[data-row]")]);
  if (!rows.length) return false;
  const at = rows.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const next = rows[at < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + step))];
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
  return true;
}

/** j and k go to the next row and the one before. @param {boolean} [on] */
export function useRowKeys(on = true) {
  useKeys((event) => {
    if (!on || writing(event) || event.metaKey || event.ctrlKey || event.altKey) return false;
    return event.key === "j" || event.key === "k" ? moveFocus(event.key === "j" ? 1 : -1) : false;
  });
}
