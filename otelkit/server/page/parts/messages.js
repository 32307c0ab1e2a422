/** What went in and came out of a step, as a transcript; and the line that says why there is none. */

import { pretty, short } from "../format.js";
import { html, useState } from "../html.js";
import { Copy } from "./common.js";

const LONG = 1600;
/** What the roles are called where nothing but the direction is known. */
const DIRECTIONS = {
  tool: { input: "arguments", output: "result", tool: "result" },
  llm: { input: "user", output: "assistant" },
  agent: { input: "asked", output: "answered" },
};
const ROLES = { human: "user", ai: "assistant", model: "assistant", function: "tool" };

/**
 * @param {{span: any}} props a span of `/api/traces/{trace_id}`
 */
export function Messages({ span }) {
  const given = span.input || [];
  const returned = span.output || [];
  if (!given.length && !returned.length) return html`<${ContentOff} span=${span} />`;
  // A tool's result names only the call; the call before it knows the tool's name.
  const called = Object.fromEntries([...given, ...returned].flatMap(({ tool_calls: calls }) => calls.map(({ id, name }) => [id, name])));
  const system = given.filter(({ role }) => role === "system");
  const told = given.filter(({ role }) => role !== "system");
  return html`
    <div class="transcript">
      ${system.length > 0
        && html`<details class="msg system"><summary>system instructions</summary>
          ${system.map((message, at) => html`<${Body} key=${at} text=${message.text} />`)}</details>`}
      ${told.map((message, at) => html`<${Message} key=${`in${at}`} message=${message} called=${called} span=${span} />`)}
      ${returned.map((message, at) => html`<${Message} key=${`out${at}`} message=${message} called=${called} span=${span} answer />`)}
    </div>`;
}

/** @param {{message: any, called: Record<string, string>, span: any, answer?: boolean}} props */
function Message({ message, called, span, answer }) {
  const role = DIRECTIONS[span.step]?.[message.role] || ROLES[message.role] || message.role;
  const name = role === "tool" ? called[message.tool_call_id] : "";
  return html`
    <div class=${`msg ${answer ? "answer" : ""}`}>
      <div class="r">${role}${name && html` · <bdi>${name}</bdi>`}</div>
      ${message.text && html`<${Body} text=${message.text} />`}
      ${message.tool_calls.map((call, at) => html`
        <div class="call" key=${at}>
          <span class="r">calls <bdi>${call.name}</bdi>${call.id && html` <span class="dim">${short(call.id, 12)}</span>`}</span>
          <${Body} text=${call.arguments || "{}"} /></div>`)}
    </div>`;
}

/** A text as it is; JSON is set in a fixed width, and what is very long is folded. @param {{text: string}} props */
export function Body({ text }) {
  const [open, setOpen] = useState(false);
  const laid = pretty(text);
  const json = laid !== text || /^\s*[[{]/.test(text);
  const shown = open || laid.length <= LONG ? laid : `${laid.slice(0, LONG)}…`;
  return html`
    <div class=${json ? "text mono" : "text"} dir="auto">${shown}</div>
    ${laid.length > LONG
      && html`<span class="more">
        <button type="button" class="link" onClick=${() => setOpen(!open)}>
          ${open ? "Show less" : `Show all ${laid.length.toLocaleString("en")} characters`}</button> · <${Copy} className="link"
          text=${text} /></span>`}`;
}

/** @param {{span: any}} props */
function ContentOff({ span }) {
  const talks = ["llm", "tool", "retrieval"].includes(span.kind) || ["agent", "workflow"].includes(span.step);
  if (!talks) return html`<p class="dim pad">This step has no messages. Its attributes say what it did.</p>`;
  return html`
    <div class="off">
      <p><b>What was said was not recorded.</b> Content is off unless the service turns it on:</p>
      <div class="code"><code>OTELKIT_CAPTURE_CONTENT=true</code><${Copy} text="OTELKIT_CAPTURE_CONTENT=true" /></div>
      <p class="dim">Set it where the service starts. Sizes, counts, times and cost are recorded either way.</p>
    </div>`;
}
