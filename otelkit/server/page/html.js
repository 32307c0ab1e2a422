/** One place for the drawing library: `html` templates, and the hooks. Text in a template is text, never markup. */

import { h } from "./vendor/preact.js";
import htm from "./vendor/htm.js";

/** @type {(strings: TemplateStringsArray, ...values: any[]) => any} */
export const html = /** @type {any} */ (htm).bind(h);
export { render } from "./vendor/preact.js";
export { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/hooks.js";

/**
 * Join class names, leaving out what is false.
 * @param {...(string|false|null|undefined)} names
 * @returns {string}
 */
export const cls = (...names) => names.filter(Boolean).join(" ");
