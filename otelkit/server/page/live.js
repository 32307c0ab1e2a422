/** The receiver's status, told by the server after every commit; asked for where no socket can be had. */

import { ask } from "./api.js";
import { useEffect, useState } from "./html.js";

const ASK_MS = 2_000;
const SILENT_MS = 10_000; // the server says something every two seconds
const RETRY_MS = [0, 2_000, 5_000, 15_000, 60_000];

/**
 * The receiver's status while `live` and while someone looks; asked for once where not.
 * @param {boolean} live
 * @returns {{data: any, error: import("./api.js").ApiError|null}}
 */
export function useStatus(live) {
  const [state, setState] = useState({ data: null, error: null });
  useEffect(() => {
    const told = (data) => setState({ data, error: null });
    const failed = (error) => setState((old) => ({ ...old, error }));
    if (!live) {
      ask("status").then(told, failed);
      return undefined;
    }
    const pulse = new Pulse(told, failed);
    const look = () => (document.hidden ? pulse.stop() : pulse.start());
    look();
    document.addEventListener("visibilitychange", look);
    return () => {
      pulse.stop();
      document.removeEventListener("visibilitychange", look);
    };
  }, [live]);
  return state;
}

/** Listens, and asks every two seconds for as long as nothing is heard. */
class Pulse {
  /** @param {(status: any) => void} told @param {(error: any) => void} failed */
  constructor(told, failed) {
    this.told = told;
    this.failed = failed;
    this.timer = 0;
    this.tries = 0;
    this.connectAt = 0;
    /** @type {WebSocket|null} */
    this.socket = null;
    this.hears = false;
    this.running = false;
  }

  start() {
    if (this.running) return;
    this.running = true;
    this.tries = this.connectAt = 0;
    this.ask();
  }

  stop() {
    this.running = this.hears = false;
    clearTimeout(this.timer);
    const { socket } = this;
    this.socket = null;
    socket?.close();
  }

  async ask() {
    try {
      const status = await ask("status");
      if (!this.running || this.hears) return;
      this.told(status);
      // Only where an answer came: who finds no server, or must log in first, would get nothing but messages.
      if (!this.socket && Date.now() >= this.connectAt) this.connect();
    } catch (error) {
      if (!this.running || this.hears) return;
      this.failed(error);
      if (error.status === 401) return;
    }
    this.timer = setTimeout(() => this.ask(), ASK_MS);
  }

  connect() {
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/live`);
    this.socket = socket;
    socket.onmessage = ({ data }) => {
      if (this.socket !== socket) return;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => socket.close(), SILENT_MS);
      this.hears = true;
      this.tries = 0;
      this.told(JSON.parse(data));
    };
    socket.onclose = () => {
      if (this.socket !== socket) return;
      this.socket = null;
      this.hears = false;
      this.tries += 1;
      this.connectAt = Date.now() + RETRY_MS[Math.min(this.tries, RETRY_MS.length - 1)];
      clearTimeout(this.timer);
      this.ask();
    };
  }
}
