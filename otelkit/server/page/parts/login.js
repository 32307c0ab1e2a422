/** Where the server wants a token: asked for once, kept by nobody but the server's own cookie. */

import { logIn } from "../api.js";
import { html, useState } from "../html.js";

/** What stands in place of every page until somebody has logged in. */
export function Login() {
  const [trouble, setTrouble] = useState("");
  const [busy, setBusy] = useState(false);
  /** @param {SubmitEvent} event */
  const submit = async (event) => {
    event.preventDefault();
    const token = new FormData(/** @type {HTMLFormElement} */ (event.target)).get("token");
    setBusy(true);
    try {
      await logIn(String(token).trim());
      location.reload();
    } catch (error) {
      setTrouble(error.status === 401 ? "That is not a token of this server." : error.message);
      setBusy(false);
    }
  };
  return html`
    <form class="login" onSubmit=${submit}>
      <h1>Log in</h1>
      <p
        class="dim">This server answers to whoever holds its token:
          the value of <code>OTELKIT_TOKEN</code> or <code>OTELKIT_READ_TOKEN</code> where it was started.</p>
      <input type="text" name="username" value="otelkit" autocomplete="username" hidden />
      <label>Token <input name="token" type="password" autocomplete="current-password" required minlength="16" autofocus
        aria-describedby="login-trouble" /></label>
      <p id="login-trouble" class="err" role="alert">${trouble}</p>
      <button class="btn" disabled=${busy}>Log in</button>
    </form>`;
}
