/** Dark or light: as the system says unless the reader chose; the choice stays in this browser. */

import { useEffect, useState } from "./html.js";

export const THEMES = { "": "As the system", light: "Light", dark: "Dark" };
const KEY = "otelkit.theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set();

/** @returns {string} one of THEMES */
export function theme() {
  try {
    const found = localStorage.getItem(KEY) || "";
    return found in THEMES ? found : "";
  } catch {
    return ""; // a browser that keeps nothing
  }
}

/** @param {string} chosen one of THEMES */
export function choose(chosen) {
  try {
    if (chosen) localStorage.setItem(KEY, chosen);
    else localStorage.removeItem(KEY);
  } catch {
    /* it lasts until the page is left, then */
  }
  apply(chosen);
}

/** @param {string} chosen */
function apply(chosen) {
  if (chosen) document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
  for (const listener of listeners) listener(dark());
}

const dark = () => (document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : system.matches);

/** Whether the page is dark, for what is drawn in colours that were read. */
export function useDark() {
  const [is, setIs] = useState(dark);
  useEffect(() => {
    listeners.add(setIs);
    return () => void listeners.delete(setIs);
  }, []);
  return is;
}

apply(theme());
system.addEventListener("change", () => apply(theme()));
