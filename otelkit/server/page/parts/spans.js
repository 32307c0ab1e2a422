/** The spans of a trace as a list of records, whether they came one by one or column by column. Pure. */

/** What columns do not hold: the span's own route knows it. */
const APART = { otel_kind: null, status_message: null, input: null, output: null, attributes: null, events: null, links: null, resource: null, scope: null };
const NO_CALL = { first_token_ms: null, tokens: null, cost_usd: null, unpriced: false };

/**
 * @param {any} data an answer of `/api/traces/{trace_id}`
 * @returns {any[]} spans in waterfall order; `parent` is the place of the parent among them, below 0 for none
 */
export function spansOf(data) {
  return data.columns ? fromColumns(data) : withParents(data.spans);
}

/** @param {any[]} spans */
function withParents(spans) {
  const place = new Map(spans.map(({ span_id: id }, at) => [id, at]));
  return spans.map((span, at) => {
    const parent = span.depth > 0 ? place.get(span.parent_id) ?? -1 : -1;
    return { ...span, parent: parent < at ? parent : -1 };
  });
}

/** @param {any} data */
function fromColumns({ columns, start }) {
  const failed = new Set(columns.failed);
  const duplicates = new Set(columns.duplicates);
  const spans = [];
  columns.span_id.forEach((id, at) => {
    const parent = columns.parent[at];
    const above = parent >= 0 && parent < at ? spans[parent] : null;
    if (above) above.children++;
    const clock = columns.clock_ms[at] ?? null;
    spans.push({
      ...APART, ...columns.steps[columns.step[at]], ...(columns.calls[at] || NO_CALL),
      span_id: id, parent_id: above?.span_id ?? null, parent: above ? parent : -1, missing_parent: parent === -2,
      depth: above ? above.depth + 1 : 0, children: 0,
      start: start + columns.offset_ms[at] - (clock || 0), offset_ms: columns.offset_ms[at], duration_ms: columns.duration_ms[at], self_ms: columns.self_ms[at],
      status: failed.has(at) ? "error" : "ok", duplicate: duplicates.has(at), clock_ms: clock, critical: columns.critical[at] || [],
    });
  });
  return spans;
}
