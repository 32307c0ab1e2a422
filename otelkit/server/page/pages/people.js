/** Support's view of one user. Every look is an entry of the audit trail: it is asked when somebody says why, and never by itself. */

import { order } from "../api.js";
import { ago, countParts, exactTime, moment, money, plural, short, whole } from "../format.js";
import { cls, html, useRef, useState } from "../html.js";
import { Cards } from "../parts/cards.js";
import { Nothing, Panel, Trouble, Waiting, useRowKeys } from "../parts/common.js";
import { address, shared } from "../state.js";

const PSEUDONYM = /^[0-9a-f]{32}$/;
/** How the id that was given is meant: the API's field, and its name. */
const KNOWN_BY = { id: "Application's id", user: "Pseudonym" };
const KINDS = { trace: "Traces", job: "Jobs", event: "Events", log: "Logs", error: "Errors", audit: "Audit" };
/** What can succeed, and therefore fail. */
const SUCCEEDS = ["trace", "job", "audit"];

/** @param {import("../app.js").PageProps} props */
export function People({ query }) {
  const [told, setTold] = useState(/** @type {{busy?: boolean, found?: any, error?: any}} */ ({}));
  useRowKeys();
  const look = async (asked) => {
    setTold({ busy: true });
    try {
      setTold({ found: await order("POST", "people", asked) });
    } catch (error) {
      setTold({ error });
    }
  };
  const { busy, found, error } = told;
  return html`
    <div class="people">
      <div class="verdict"><h1>People</h1><p>What one user did, of all that is stored. That you looked, and why, is kept in the audit trail.</p></div>
      <${Form} given=${query.user || ""} busy=${busy} look=${look} />
      ${error && (error.status === 403 ? html`<${NotAllowed} />` : html`<${Trouble} error=${error} />`)}
      ${busy && html`<${Waiting} rows=${8} />`}
      ${found && html`<${Found} key=${found.user} found=${found} query=${query} />`}
    </div>`;
}

/** @param {{given: string, busy?: boolean, look: (asked: Record<string, string>) => void}} props */
function Form({ given, busy, look }) {
  const [by, setBy] = useState(given ? "user" : "id");
  const form = useRef(null);
  const submit = (event) => {
    event.preventDefault();
    const { who, reason } = /** @type {Record<string, string>} */ (Object.fromEntries(new FormData(form.current)));
    const id = who.trim();
    const field = PSEUDONYM.test(id) ? "user" : by; // nobody's own id looks like that
    setBy(field);
    look({ [field]: id, reason: reason.trim() });
  };
  return html`
    <form class="price" ref=${form} onSubmit=${submit} aria-label="Look at a user">
      <div class="by"><span id="known-by">Known by</span>
        <span class="switch" role="group" aria-labelledby="known-by">
          ${Object.entries(KNOWN_BY).map(([field, name]) => html`
            <button type="button" key=${field} aria-pressed=${by === field} onClick=${() => setBy(field)}>${name}</button>`)}</span></div>
      <label>User <input name="who" required maxlength="200" defaultValue=${given} spellcheck=${false} autocomplete="off"
        pattern=".*\\S.*" title="The user's id" placeholder=${by === "id" ? "u-17" : "915a3238b506fd65…"} /></label>
      <label class="why">Why you look <input name="reason" required maxlength="200" autocomplete="off" pattern=".*\\S.*" title="Why you look"
        placeholder="ticket 4711" /></label>
      <span class="act"><button type="submit" class="btn primary" disabled=${busy}>${busy ? "Looking…" : "Look"}</button></span>
    </form>`;
}

const NotAllowed = () => html`
  <div class="notice bad" role="alert"><b>Not allowed</b>
    <span>Only the admin's token may look at a user. Log out on Settings and in again with that one.</span></div>`;

/** @param {{found: any, query: import("../state.js").Query}} props */
function Found({ found, query }) {
  const [kind, setKind] = useState("");
  const counts = Object.keys(KINDS).map((name) => ({ name, times: found.deeds.filter((deed) => deed.kind === name).length }));
  const present = counts.filter(({ times }) => times > 0);
  const deeds = kind ? found.deeds.filter((deed) => deed.kind === kind) : found.deeds;
  const entry = address("audit", { ...shared(query), action: "person.viewed", target: `user:${found.user}` });
  if (!found.deeds.length && !found.figures.traces) return html`<${Stranger} found=${found} entry=${entry} />`;
  return html`
    <${Whom} found=${found} entry=${entry} />
    <${Cards} cards=${cards(found.figures)} />
    <section class="panel gap" aria-label="What they did">
      <div class="h"><h2>What they did</h2>
        ${present.length > 1 && html`<span class="switch" role="group" aria-label="Kind">
          <button type="button" aria-pressed=${!kind} onClick=${() => setKind("")}>All</button>
          ${present.map(({ name, times }) => html`
            <button type="button" key=${name} aria-pressed=${kind === name} onClick=${() => setKind(name)}>
              ${KINDS[name]} <small>${times}</small></button>`)}</span>`}
      </div>
      <div class="trail deeds">
        <div class="tr heads" aria-hidden="true"><span>When</span><span>Kind</span><span>What</span><span class="over">Where</span></div>
        ${deeds.map((deed, at) => html`<${Deed} key=${`${deed.kind}${deed.time}${at}`} deed=${deed} user=${found.user} query=${query} />`)}
      </div>
    </section>
    ${found.more && html`<p class="dim">The newest ${whole(found.deeds.length)}. Older traces are on
      <a class="link" href=${address("traces", { ...shared(query), user: found.user, range: "all" })}>Traces</a>.</p>`}`;
}

/** @param {{found: any, entry: string}} props */
const Stranger = ({ found, entry }) => html`
  <section class="panel gap"><${Nothing} title="Nothing is known of this user">Pseudonym <span class="mono">${short(found.user, 12)}</span>. Where the
    id is right, the services may use another salt, or their telemetry names users only with consent.
    <a class="link" href=${entry}>This look</a> is in the audit trail.<//></section>`;

/** @param {{found: any, entry: string}} props */
const Whom = ({ found, entry }) => html`
  <${Panel} title="User" className="gap" link=${html`<a class="link" href=${entry}>who looked</a>`}>
    <dl class="kv">
      <dt>Known as</dt><dd class="mono"><bdi>${found.user}</bdi></dd>
      <dt>Consent</dt><dd>${found.consent
        ? html`<${Consent} consent=${found.consent} />`
        : html`<span class="dim">unknown: none of their events says</span>`}</dd>
      ${found.figures.first !== null && html`
        <dt>Seen</dt><dd title=${`${moment(found.figures.first)} – ${moment(found.figures.last)}`}>
          first ${ago(found.figures.first)}, last ${ago(found.figures.last)}</dd>`}
    </dl>
  <//>`;

/** @param {{consent: any}} props */
const Consent = ({ consent }) => html`${consent.categories.length ? consent.categories.join(", ") : "nothing granted"}${" "}
  <span class="dim">${consent.policy_version ? `policy ${consent.policy_version}, ` : ""}as of their event <span title=${moment(consent.seen)}>
    ${ago(consent.seen)}</span></span>`;

/** @param {any} figures @returns {import("../parts/cards.js").Card[]} */
const cards = (figures) => [
  { label: "Traces", parts: countParts(figures.traces), note: figures.errors ? `${plural(figures.errors, "error")}` : "no errors" },
  { label: "Conversations", parts: countParts(figures.conversations) },
  { label: "Model calls", parts: countParts(figures.llm_calls) },
  {
    label: "Tokens",
    parts: figures.input_tokens === null && figures.output_tokens === null
      ? null
      : countParts((figures.input_tokens ?? 0) + (figures.output_tokens ?? 0)),
    missing: "not reported",
  },
  { label: "Cost", parts: figures.cost_usd === null ? null : { value: money(figures.cost_usd), unit: "" }, missing: "unknown" },
];

/** @param {{deed: any, user: string, query: import("../state.js").Query}} props */
function Deed({ deed, user, query }) {
  const to = target(deed, user, query);
  const said = html`<bdi>${deed.what || "(nothing was said)"}</bdi>`;
  return html`
    <div class="tr">
      <span class="dim" title=${`${moment(deed.time)} ${exactTime(deed.time)}`}>${ago(deed.time)}</span>
      <span><span class=${cls("badge", deed.failed && "failure")}>${deed.kind}</span></span>
      <span class="what"><span class="q">
        ${to ? html`<a data-row href=${to}>${said}</a>` : said}
        ${deed.failed && SUCCEEDS.includes(deed.kind) && html` <span class="bad">failed</span>`}</span></span>
      <span class="over dim"><bdi>${deed.service}</bdi>
        ${deed.trace_id && deed.kind !== "trace" && deed.kind !== "job"
          && html` <a class="link" href=${address("traces", { ...shared(query), trace: deed.trace_id })}>trace</a>`}
        ${deed.conversation && html` <a class="link" href=${address("conversations", { ...shared(query), id: deed.conversation })}>conversation</a>`}</span>
    </div>`;
}

/** Where a deed leads. @param {any} deed @param {string} user @param {import("../state.js").Query} query */
function target(deed, user, query) {
  if (deed.kind === "error") return address("errors", { ...shared(query), id: deed.error });
  if (deed.kind === "audit") return address("audit", { ...shared(query), actor: user, action: deed.what.split(" ")[0] });
  return deed.trace_id ? address("traces", { ...shared(query), trace: deed.trace_id }) : "";
}
