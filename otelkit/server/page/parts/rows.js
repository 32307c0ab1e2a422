/** From the spans of a trace to the rows of its waterfall: what is folded, runs of equal steps, sums below. Pure. */

/** So many equal steps in a row are told as one. */
const RUN = 5;

/**
 * @typedef {{id: string, places: number[], name: string, service: string, kind: string, from: number, to: number,
 *   total: number, failed: number, parent: number}} Run
 * @typedef {{id: string, span: any|null, run: Run|null, at: number, depth: number, open: boolean|null}} Row
 *   `at` is the place of the span, or of the run's first one; `open` is null where there is nothing below
 * @typedef {{children: number[][], runs: Map<number, Run>, tokens: Array<number|null>, cost: Array<number|null>, place: Map<string, number>}} Shape
 *   `runs` by the place of every member; `tokens` and `cost` of a span and all below it
 */

/** @param {any[]} spans see `spansOf` @returns {Shape} */
export function shapeOf(spans) {
  const children = spans.map(() => []);
  const top = [];
  spans.forEach((span, at) => (span.parent >= 0 ? children[span.parent] : top).push(at));
  const runs = new Map();
  for (const siblings of [top, ...children]) findRuns(spans, siblings, runs);
  return {
    children: [...children, top], runs, place: new Map(spans.map(({ span_id: id }, at) => [id, at])),
    tokens: sums(spans, (span) => (span.duplicate ? null : span.tokens?.total ?? null)),
    cost: sums(spans, (span) => (span.duplicate ? null : span.cost_usd)),
  };
}

/** @param {any[]} spans @param {number[]} siblings @param {Map<number, Run>} runs */
function findRuns(spans, siblings, runs) {
  const alike = (one, other) => one.name === other.name && one.service === other.service && one.kind === other.kind;
  for (let first = 0, next = 0; first < siblings.length; first = next) {
    for (next = first + 1; next < siblings.length && alike(spans[siblings[first]], spans[siblings[next]]); ) next++;
    if (next - first < RUN) continue;
    const places = siblings.slice(first, next);
    const members = places.map((at) => spans[at]);
    const { span_id: id, name, service, kind, parent } = members[0];
    const run = {
      id: `run-${id}`, places, name, service, kind, parent,
      from: members[0].offset_ms, to: members.reduce((end, { offset_ms: at, duration_ms: length }) => Math.max(end, at + length), 0),
      total: members.reduce((sum, { duration_ms: length }) => sum + length, 0),
      failed: members.filter(({ status }) => status === "error").length,
    };
    for (const at of places) runs.set(at, run);
  }
}

/** Add up towards the root; unknown stays unknown. @param {any[]} spans @param {(span: any) => number|null} of */
function sums(spans, of) {
  const found = spans.map(of);
  for (let at = spans.length - 1; at >= 0; at--) {
    const parent = spans[at].parent;
    if (parent >= 0 && found[at] !== null) found[parent] = (found[parent] || 0) + found[at];
  }
  return found;
}

/** Every place from a span to the top, itself included. @param {any[]} spans @param {number} at */
export function lineage(spans, at) {
  const found = new Set();
  for (let up = at; up >= 0; up = spans[up].parent) found.add(up);
  return found;
}

/**
 * The rows to draw: nothing that leads to the selected span stays folded.
 * @param {any[]} spans
 * @param {Shape} shape
 * @param {{closed: Set<string>, opened: Set<string>, selected: number}} how ids of folded spans and of unfolded runs
 * @returns {Row[]}
 */
export function rowsOf(spans, shape, { closed, opened, selected }) {
  const towards = selected < 0 ? new Set() : lineage(spans, selected);
  const rows = [];
  /** @type {Array<[number|Run, number]>} */
  const stack = [];
  const below = (siblings, depth) => {
    for (let at = siblings.length - 1; at >= 0; at--) {
      const run = shape.runs.get(siblings[at]);
      if (!run) stack.push([siblings[at], depth]);
      else {
        stack.push([run, depth]);
        at -= run.places.length - 1;
      }
    }
  };
  below(shape.children[spans.length], 0);
  while (stack.length) {
    const [item, depth] = stack.pop();
    if (typeof item === "number") {
      const span = spans[item];
      const inside = shape.children[item];
      const open = inside.length ? !closed.has(span.span_id) || (towards.has(item) && item !== selected) : null;
      rows.push({ id: span.span_id, span, run: null, at: item, depth, open });
      if (open) below(inside, depth + 1);
    } else {
      const open = opened.has(item.id) || item.places.some((at) => towards.has(at));
      rows.push({ id: item.id, span: null, run: item, at: item.places[0], depth, open });
      if (open) for (let at = item.places.length - 1; at >= 0; at--) stack.push([item.places[at], depth + 1]);
    }
  }
  return rows;
}

/**
 * The place after (or before) `at` whose span is wanted, around the end; -1 for none.
 * @param {number} count
 * @param {number} at
 * @param {1|-1} step
 * @param {(at: number) => boolean} wanted
 */
export function nextPlace(count, at, step, wanted) {
  for (let far = 1; far <= count; far++) {
    const place = (((at + far * step) % count) + count) % count;
    if (wanted(place)) return place;
  }
  return -1;
}
