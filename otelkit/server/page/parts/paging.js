/** Lists that come page by page: what is new waits while the reader has scrolled, further pages are added below. */

import { ask } from "../api.js";
import { useEffect, useRef, useState } from "../html.js";

/**
 * @param {string} path the question, asked again with a cursor for further pages
 * @param {Record<string, string>} params
 * @param {{data: any, loading: boolean, list: string, id: string}} answer the first page, newest answer; `list` names its
 *   rows and `id` what tells them apart
 * @returns {{rows: any[]|null, waiting: number, show: () => void, more: () => Promise<void>, end: boolean, failed: any}}
 */
export function usePages(path, params, { data, loading, list, id }) {
  const key = JSON.stringify(params);
  const [state, setState] = useState({ key: "", first: null, older: [], cursor: null, failed: null });
  const held = useRef(null);
  const [waiting, setWaiting] = useState(0);
  const merged = (first, then) => {
    const known = new Set(first.map((row) => row[id]));
    return [...first, ...then.filter((row) => !known.has(row[id]))];
  };
  const take = (answer) => {
    held.current = null;
    setWaiting(0);
    setState((old) => (old.key === key && old.older.length
      ? { ...old, first: merged(answer[list], old.first), failed: null }
      : { key, first: answer[list], older: [], cursor: answer.next_cursor, failed: null }));
  };
  useEffect(() => {
    if (!data || loading) return;
    const known = new Set((state.first || []).concat(state.older).map((row) => row[id]));
    const fresh = data[list].filter((row) => !known.has(row[id])).length;
    if (state.key === key && fresh && scrollY > 60) {
      held.current = data;
      setWaiting(fresh);
    } else take(data);
  }, [data, loading]);
  const more = async () => {
    try {
      const page = await ask(path, { ...params, cursor: state.cursor });
      setState((old) => (old.key === key ? { ...old, older: [...old.older, ...page[list]], cursor: page.next_cursor, failed: null } : old));
    } catch (failed) {
      setState((old) => ({ ...old, failed }));
    }
  };
  const show = () => {
    scrollTo({ top: 0 });
    if (held.current) take(held.current);
  };
  return { rows: state.key && state.first ? merged(state.first, state.older) : null, waiting, show, more, end: !state.cursor, failed: state.failed };
}
