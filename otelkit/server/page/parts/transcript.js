/** A trace as a conversation reads: each turn with what was said, what it took and what it cost. */

import { useAnswer } from "../api.js";
import { count, duration, money, plural, pretty } from "../format.js";
import { cls, html } from "../html.js";
import { address } from "../state.js";
import { Copy, Duration, Mark, Nothing, Trouble, Waiting } from "./common.js";
import { Body } from "./messages.js";

const NAMES = { human: "user", ai: "assistant", model: "assistant", function: "tool" };

/** @param {{id: string, query: import("../state.js").Query, revision: unknown}} props */
export function Transcript({ id, query, revision }) {
  const { data, error } = useAnswer(`traces/${id}/transcript`, {}, revision);
  if (error && !data) return html`<${Trouble} error=${error} />`;
  if (!data) return html`<${Waiting} rows=${10} />`;
  if (!data.turns.length) return html`<${Nothing} title="Nobody talks in this trace">A transcript is made of model calls, tools and retrievals.<//>`;
  const agents = data.turns.filter(({ step }) => step === "agent").length;
  return html`
    <div class="talk">
      ${!data.captured
        && html`<div class="notice warn off">
          <span>
            <b>What was said was not recorded.</b> Content is off unless the service sets <code>OTELKIT_CAPTURE_CONTENT=true</code>. Times,
              tokens and cost are below.</span>
          <${Copy} className="btn" text="OTELKIT_CAPTURE_CONTENT=true" /></div>`}
      ${data.turns.filter(({ step }) => step !== "agent" || agents > 1).map((turn) => html`<${Turn} key=${turn.span_id} turn=${turn} query=${query} />`)}
      ${data.total > data.turns.length && html`<p class="dim pad">The first ${data.turns.length} of ${plural(data.total, "turn")} are shown.</p>`}
    </div>`;
}

/** @param {{turn: any, query: import("../state.js").Query}} props */
function Turn({ turn, query }) {
  const to = address("traces", { ...query, span: turn.span_id, view: null, tab: null });
  if (turn.step === "agent") return html`<a class="agent" href=${to}><${Mark} kind="app" />
    <bdi>${turn.name}</bdi> <span class="dim">at ${duration(turn.offset_ms)}, <${Duration} ms=${turn.duration_ms} /></span></a>`;
  return html`
    <article class=${cls("turn", `k-${turn.kind}`, turn.status === "error" && "bad")} aria-label=${turn.name}>
      <div class="said">
        ${turn.step === "llm" ? turn.messages.map((message, at) => html`<${Said} key=${at} message=${message} />`) : html`<${Work} turn=${turn} />`}
        ${turn.status === "error" && html`<p class="err" dir="auto">${turn.status_message || "failed"}</p>`}
        ${!turn.messages.length && turn.step === "llm" && html`<p class="dim">nothing new was recorded in this call</p>`}
      </div>
      <a class="meta" href=${to} title="Open the span">
        <span><${Mark} kind=${turn.kind} /><bdi>${turn.model || turn.tool || turn.name}</bdi></span>
        <span class="dim">at ${duration(turn.offset_ms)} · <${Duration} ms=${turn.duration_ms} /></span>
        ${turn.first_token_ms !== null && html`<span class="dim">first token after ${duration(turn.first_token_ms)}</span>`}
        ${turn.step === "llm"
          && html`<span class="dim">
            ${turn.tokens?.total === null || !turn.tokens
              ? "tokens not reported"
              : `${count(turn.tokens.input)} → ${count(turn.tokens.output)} tokens`} · ${money(turn.cost_usd, turn.unpriced ? "not priced"
                : "cost unknown")}</span>`}
      </a>
    </article>`;
}

/** @param {{message: any}} props */
function Said({ message }) {
  const role = NAMES[message.role] || message.role;
  if (role === "system") return html`<details class="msg system"><summary>system instructions</summary><${Body} text=${message.text} /></details>`;
  if (role === "tool") return html`<${Folded} label="result" text=${message.text} />`;
  return html`
    <div class=${cls("msg", role === "assistant" && "answer")}>
      <div class="r">${role}</div>
      ${message.text && html`<${Body} text=${message.text} />`}
      ${message.tool_calls.map((call, at) => html`<div class="call" key=${at}><span class="r">calls <bdi>${call.name}</bdi></span></div>`)}
    </div>`;
}

/** A tool or a retrieval: what it was asked and what it found, folded. @param {{turn: any}} props */
function Work({ turn }) {
  const labels = turn.step === "retrieval"
    ? { input: "query", user: "query", documents: "documents" }
    : { input: "arguments", tool: "result", output: "result" };
  return html`
    <div class="work"><b><bdi>${turn.tool || turn.name}</bdi></b>
      ${turn.messages.map((message, at) => html`<${Folded} key=${at} label=${labels[message.role] || message.role} text=${message.text} />`)}
      ${!turn.messages.length && html`<p class="dim">its arguments and result were not recorded</p>`}
    </div>`;
}

const SHORT = 90;

/** A text that stands on one line until it is opened. @param {{label: string, text: string}} props */
function Folded({ label, text }) {
  const line = text.replace(/\s+/g, " ");
  if (pretty(text).length <= SHORT) return html`<div class="fact"><span class="r">${label}</span> <${Body} text=${text} /></div>`;
  return html`<details class="fact"><summary><span class="r">${label}</span> <span class="line">${line.slice(0, 160)}</span></summary>
    <${Body} text=${text} /></details>`;
}
