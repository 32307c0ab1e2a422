/** Numbers and times as people write them. Everything here is pure; what is unknown (null) comes back as an en dash. */

export const UNKNOWN = "–";

/**
 * @typedef {{value: string, unit: string}} Parts  a figure and its unit, to be drawn in two strengths
 */

/** @param {Parts} parts */
export const joined = ({ value, unit }) => (unit ? `${value} ${unit}` : value);

/** Three figures that count: 0.042, 1.9, 18.4, 640. @param {number} value @param {number} [digits] */
function figures(value, digits = 3) {
  const size = Math.abs(value);
  const places = size === 0 || size >= 100 ? 0 : size >= 10 ? Math.max(0, digits - 2) : size >= 1 ? digits - 2 : digits - 1;
  return String(Number(value.toFixed(places)));
}

/** A duration; `rough` keeps two figures that count. @param {number|null|undefined} ms @param {boolean} [rough] @returns {Parts} */
export function durationParts(ms, rough = false) {
  if (ms === null || ms === undefined) return { value: UNKNOWN, unit: "" };
  const size = Math.abs(ms);
  if (size < 0.001) return { value: "0", unit: "ms" };
  if (size < 1) return { value: figures(ms * 1000), unit: "µs" };
  if (size < 999.5) return { value: size < 10 ? figures(ms) : String(Math.round(ms)), unit: "ms" };
  if (size < 9_995) return { value: (ms / 1000).toFixed(rough ? 1 : 2), unit: "s" };
  if (size < 119_500) return { value: figures(ms / 1000), unit: "s" };
  if (size < 7_170_000) return { value: figures(ms / 60_000), unit: "min" };
  if (size < 172_000_000) return { value: figures(ms / 3_600_000), unit: "h" };
  return { value: figures(ms / 86_400_000), unit: "d" };
}

/** @param {number|null|undefined} ms */
export const duration = (ms) => joined(durationParts(ms));

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** A whole number in full: 4,120. @param {number|null|undefined} value */
export const whole = (value) => (value === null || value === undefined ? UNKNOWN : grouped.format(value));

/** A large number shortened: 18.4 k, 1.1 M. @param {number|null|undefined} value @returns {Parts} */
export function countParts(value) {
  if (value === null || value === undefined) return { value: UNKNOWN, unit: "" };
  const size = Math.abs(value);
  if (size < 9_999.5) return { value: size < 100 ? figures(value) : whole(value), unit: "" };
  if (size < 999_500) return { value: figures(value / 1e3), unit: "k" };
  if (size < 999_500_000) return { value: figures(value / 1e6), unit: "M" };
  return { value: figures(value / 1e9), unit: "G" };
}

/** @param {number|null|undefined} value */
export const count = (value) => joined(countParts(value));

/** US dollars: $38, $1.61, $0.013, $0.0009. @param {number|null|undefined} usd @param {string} [unknown] */
export function money(usd, unknown = UNKNOWN) {
  if (usd === null || usd === undefined) return unknown;
  if (usd === 0) return "$0";
  const size = Math.abs(usd);
  if (size >= 1000) return `$${whole(usd)}`;
  if (size >= 0.995) return `$${usd.toFixed(2)}`;
  if (size >= 0.0995) return `$${usd.toFixed(2)}`;
  if (size >= 0.00995) return `$${usd.toFixed(3)}`;
  if (size >= 0.00005) return `$${usd.toFixed(4)}`;
  return "< $0.0001";
}

/** A ratio as a percentage. @param {number|null|undefined} ratio @returns {Parts} */
export function percentParts(ratio) {
  if (ratio === null || ratio === undefined) return { value: UNKNOWN, unit: "" };
  const value = ratio * 100;
  if (value !== 0 && Math.abs(value) < 0.05) return { value: "< 0.1", unit: "%" };
  return { value: Math.abs(value) < 9.95 ? String(Number(value.toFixed(1))) : String(Math.round(value)), unit: "%" };
}

/** @param {number|null|undefined} ratio */
export const percent = (ratio) => joined(percentParts(ratio));

/** A rate in the unit that keeps it readable. @param {number|null|undefined} perSecond @returns {Parts} */
export function rateParts(perSecond) {
  if (perSecond === null || perSecond === undefined) return { value: UNKNOWN, unit: "" };
  const [value, unit] = perSecond >= 1 || perSecond === 0 ? [perSecond, "s"] : perSecond * 60 >= 1 ? [perSecond * 60, "min"] : [perSecond * 3600, "h"];
  const parts = countParts(value);
  return { value: parts.value, unit: `${parts.unit}/${unit}` };
}

/** A difference with its sign: +4 %, −36 %, +0.5 pt. @param {number|null|undefined} change @param {"ratio"|"points"} unit */
export function difference(change, unit) {
  if (change === null || change === undefined) return "";
  const size = Math.abs(change * 100);
  const text = size < 9.95 ? String(Number(size.toFixed(unit === "points" ? 1 : 0))) : whole(Math.round(size));
  const sign = text === "0" ? "±" : change > 0 ? "+" : "−";
  return unit === "ratio" && size >= 1000 ? `× ${figures(change + 1)}` : `${sign}${text} ${unit === "points" ? "pt" : "%"}`;
}

/** @param {number|null|undefined} size bytes */
export function bytes(size) {
  if (size === null || size === undefined) return UNKNOWN;
  if (size < 1000) return `${size} B`;
  const [value, unit] = size < 1e6 ? [size / 1e3, "kB"] : size < 1e9 ? [size / 1e6, "MB"] : [size / 1e9, "GB"];
  return `${figures(value)} ${unit}`;
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const minutes = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" });

/** Time of day, with the day where it is not today. @param {number|null|undefined} ms @param {number} [now] */
export function time(ms, now = Date.now()) {
  if (ms === null || ms === undefined) return UNKNOWN;
  const at = new Date(ms);
  return sameDay(at, new Date(now)) ? clock.format(at) : `${day.format(at)}, ${clock.format(at)}`;
}

/** Like `time`, to the millisecond. @param {number} ms */
export const exactTime = (ms) => `${time(ms)}.${String(Math.floor(ms % 1000)).padStart(3, "0")}`;

/** Hours and minutes. @param {number} ms */
export function hour(ms) {
  const at = new Date(ms);
  return sameDay(at, new Date()) ? minutes.format(at) : `${day.format(at)}, ${minutes.format(at)}`;
}

/** Date, time and zone in full, for hovering. @param {number|null|undefined} ms */
export const moment = (ms) => (ms === null || ms === undefined ? "" : full.format(new Date(ms)));

/** @param {Date} one @param {Date} other */
const sameDay = (one, other) => one.toDateString() === other.toDateString();

/** How long ago. @param {number|null|undefined} ms @param {number} [now] */
export function ago(ms, now = Date.now()) {
  if (ms === null || ms === undefined) return "never";
  const seconds = Math.max(0, (now - ms) / 1000);
  if (seconds < 5) return "just now";
  if (seconds < 90) return `${Math.round(seconds)} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86_400)} d ago`;
}

/** The beginning of an id. @param {string|null|undefined} id @param {number} [length] */
export const short = (id, length = 8) => (!id ? "" : id.length > length + 2 ? `${id.slice(0, length)}…` : id);

/** One and many: plural(1, "span") is "1 span". @param {number} number @param {string} noun @param {string} [many] */
export const plural = (number, noun, many = `${noun}s`) => `${whole(number)} ${number === 1 ? noun : many}`;

/** An attribute's value as text. @param {unknown} value */
export const asText = (value) => (typeof value === "string" ? value : JSON.stringify(value));

const ONE_LINE = 76;

/** JSON in a text, on one line where it is short and indented otherwise; any other text as it is. @param {string} text */
export function pretty(text) {
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    const laid = JSON.stringify(JSON.parse(text), null, 2);
    const line = laid.replace(/\n\s*/g, " ").replace(/([[{]) /g, "$1").replace(/ ([\]}])/g, "$1");
    return line.length <= ONE_LINE && !/\\/.test(line) ? line : laid;
  } catch {
    return text;
  }
}
