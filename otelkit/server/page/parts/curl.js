/** Requests as commands for a shell. Pure. */

/** A word for a shell, whatever is in it. @param {string} text */
export const quoted = (text) => `'${String(text).replaceAll("'", `'\\''`)}'`;

/** What asks this server. @param {string} url */
export const curlOf = (url) => `curl -s ${quoted(url)}`;

/** The providers whose chat interface is OpenAI's, as far as their address says so. */
const ALIKE = new Set(["openai", "azure.ai.openai", "groq", "mistral_ai", "deepseek", "x_ai", "perplexity", "openrouter", "ollama", "vllm", "local"]);

/**
 * The request that a span stands for, as far as it was recorded; empty where it was not.
 * @param {any} span
 */
export function requestOf(span) {
  const of = span.attributes;
  if (!of) return "";
  const method = of["http.request.method"] || of["http.method"];
  const url = of["url.full"] || of["http.url"];
  if (method && url) return `curl ${method === "GET" ? "" : `-X ${quoted(method)} `}${quoted(url)}`;
  return span.step === "llm" && span.input ? chatRequest(span, of) : "";
}

/** @param {any} span @param {any} of */
function chatRequest(span, of) {
  if (!ALIKE.has(span.provider || "") || (of["gen_ai.operation.name"] && of["gen_ai.operation.name"] !== "chat")) return "";
  const host = of["server.address"];
  const port = Number(of["server.port"] || 443);
  // What a sender named is quoted: it is a word for the shell, never a command.
  const url = host
    ? quoted(`${port === 443 ? "https:" : "http:"}//${host}${[80, 443].includes(port) ? "" : `:${port}`}/v1/chat/completions`)
    : '"$OPENAI_BASE_URL/chat/completions"';
  const body = { model: of["gen_ai.request.model"] || span.model, messages: span.input.map(message) };
  for (const name of ["temperature", "top_p", "max_tokens", "seed"]) {
    if (of[`gen_ai.request.${name}`] !== undefined) body[name] = of[`gen_ai.request.${name}`];
  }
  return `curl ${url} -H "Authorization: Bearer $OPENAI_API_KEY" -H 'Content-Type: application/json' -d ${quoted(JSON.stringify(body))}`;
}

/** @param {any} given */
function message({ role, text, tool_calls: calls, tool_call_id: answered }) {
  return {
    role, content: text,
    ...(answered ? { tool_call_id: answered } : {}),
    ...(calls.length ? { tool_calls: calls.map(({ id, name, arguments: given }) => ({ id, type: "function", function: { name, arguments: given } })) } : {}),
  };
}
