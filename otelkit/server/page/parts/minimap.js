/** The whole trace as a strip: every span a line in its kind's colour. Drag to look closer, double-click to see all again. */

import { duration } from "../format.js";
import { html, useEffect, useRef, useState } from "../html.js";
import { useMedia } from "../state.js";
import { kindVariable } from "./kinds.js";

const HEIGHT = 40;
const LEAST = 4; // pixels: anything shorter is a click

/**
 * @typedef {[number, number]} Window  from and to, milliseconds on the trace's axis
 * @param {{spans: any[], length: number, window: Window|null, onZoom: (window: Window|null) => void}} props
 */
export function Minimap({ spans, length, window: seen, onZoom }) {
  const canvas = useRef(null);
  const [drag, setDrag] = useState(/** @type {[number, number]|null} */ (null));
  const dark = useMedia("(prefers-color-scheme: dark)");
  useEffect(() => {
    const draw = () => paint(canvas.current, spans, length);
    draw();
    const watch = new ResizeObserver(draw);
    watch.observe(canvas.current);
    return () => watch.disconnect();
  }, [spans, length, dark]);
  const place = (event) => {
    const box = canvas.current.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  };
  const down = (event) => {
    if (event.button) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    setDrag([place(event), place(event)]);
  };
  const up = (event) => {
    if (!drag) return;
    const [from, to] = [drag[0], place(event)].sort((one, other) => one - other);
    setDrag(null);
    if ((to - from) * canvas.current.clientWidth >= LEAST) onZoom([from * length, to * length]);
  };
  const shown = drag ? [...drag].sort((one, other) => one - other) : seen && [seen[0] / length, seen[1] / length];
  return html`
    <div class="minimap" role="img"
      aria-label=${`The whole trace, ${duration(length)}${seen ? `; shown is ${duration(seen[0])} to ${duration(seen[1])}` : ""}`}
      title="Drag to look closer, double-click to see all"
      onPointerDown=${down} onPointerMove=${(event) => drag && setDrag([drag[0], place(event)])} onPointerUp=${up}
        onPointerCancel=${() => setDrag(null)} onDblClick=${() => onZoom(null)}>
      <canvas ref=${canvas} height=${HEIGHT}></canvas>
      ${shown
        && html`<i class="veil" style=${{ left: 0, width: `${shown[0] * 100}%` }}></i>
          <i class="veil" style=${{ left: `${shown[1] * 100}%`, right: 0 }}></i>
        <i class="seen" style=${{ left: `${shown[0] * 100}%`, width: `${(shown[1] - shown[0]) * 100}%` }}></i>`}
    </div>`;
}

/** @param {HTMLCanvasElement|null} canvas @param {any[]} spans @param {number} length */
function paint(canvas, spans, length) {
  if (!canvas?.isConnected || !canvas.clientWidth) return;
  const scale = devicePixelRatio || 1;
  const width = canvas.clientWidth;
  canvas.width = width * scale;
  canvas.height = HEIGHT * scale;
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  const style = getComputedStyle(canvas);
  const colours = {};
  const colour = (name) => (colours[name] ??= style.getPropertyValue(name).trim());
  const room = HEIGHT - 6;
  const thick = Math.max(1, Math.min(4, room / spans.length - 1));
  const draw = (span, at) => {
    pen.fillStyle = colour(span.status === "error" ? "--err" : kindVariable(span.kind));
    pen.fillRect((span.offset_ms / length) * width, 3 + (at / spans.length) * room, Math.max(1.5, (span.duration_ms / length) * width), thick);
  };
  spans.forEach((span, at) => span.status !== "error" && draw(span, at));
  spans.forEach((span, at) => span.status === "error" && draw(span, at)); // on top: one in twenty thousand is seen
}
