/** Values of metrics in the unit that OpenTelemetry names (UCUM), as people write them. Pure. */

import { bytes, count, duration, percent } from "../format.js";

/** @param {number} value */
const plain = (value) => (Math.abs(value) >= 0.01 || value === 0 ? count(value) : value.toPrecision(2));

/** Milliseconds in each unit of time. */
const TIMES = { s: 1000, ms: 1, us: 0.001, ns: 1e-6, min: 60_000, h: 3_600_000 };

/**
 * @param {string} unit as the API gives it
 * @returns {(value: number|null) => string}
 */
export function writer(unit) {
  const [own, per] = unit.endsWith("/s") ? [unit.slice(0, -2), "/s"] : [unit, ""];
  const word = own.replace(/[{}]/g, "");
  const write = own in TIMES && !per ? (value) => duration(value * TIMES[own])
    : own === "By" ? (value) => `${value < 0 ? "−" : ""}${bytes(Math.abs(value) < 1000 ? Math.round(Math.abs(value)) : Math.abs(value))}${per}`
    : own === "%" ? (value) => percent(value / 100)
    : (value) => `${plain(value)}${word && word !== "1" ? ` ${word}` : ""}${per}`;
  return (value) => (value === null || value === undefined ? "–" : write(value));
}
