// The form with which parking is paid by card (`<portico-pay>` on /reservations/ID/pay and /park/pass/TOKEN): Stripe's own, in
// frames of Stripe's, so that no card number touches this page. `data-script` is where Stripe.js is; `data-ask` is posted to
// for the payment, `data-confirm` to look how it stands, both with `data-body` (JSON) if there is one; `data-label` is what the
// button says. When something has happened it says so with a `change` event, and the app looks how the reservation stands:
// that it is paid the server alone decides.

const NO_ANSWER = "The payment service cannot be reached. Check the connection and try again.";
// What Stripe adds to the address when it leads the payer back (https://docs.stripe.com/js/payment_intents/confirm_payment).
const RETURNED = ["payment_intent", "payment_intent_client_secret", "redirect_status", "source_type"];

class Refusal extends Error {
  constructor(code, text) {
    super(text);
    this.code = code;
  }
}

const post = async (address, body) => {
  const content = body && { "content-type": "application/json" };
  const response = await fetch(address, {
    method: "POST",
    headers: { ...content, accept: "application/json" },
    body,
  }).catch(() => {
    throw new Refusal("unreachable", "Portico cannot be reached. Check the connection and try again.");
  });
  if (response.ok) return response.json();
  if (response.status === 401) {
    location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
    return new Promise(() => {});
  }
  const problem = await response.json().catch(() => ({}));
  throw new Refusal(problem.code, problem.detail ?? "Portico did not take it. Try again shortly.");
};

let loading;
const loadStripe = (origin) =>
  (loading ??= new Promise((done, fail) => {
    const script = document.createElement("script");
    const failed = () => {
      loading = undefined;
      script.remove();
      fail(new Error(NO_ANSWER));
    };
    script.src = `${origin}/v3`;
    script.addEventListener("load", () => (window.Stripe ? done(window.Stripe) : failed()));
    script.addEventListener("error", failed);
    document.head.append(script);
  }));

// Stripe knows no OKLCH and no variables: the browser says what they come to.
const colours = (names) => {
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const found = Object.entries(names).map(([name, variable]) => {
    probe.style.color = `color-mix(in srgb, var(${variable}), var(${variable}))`;
    const text = getComputedStyle(probe).color;
    if (text.startsWith("rgb")) return [name, text];
    const parts = (text.match(/-?[\d.]+(e-?\d+)?/g) ?? []).slice(0, 3).map((part) => Math.round(Math.min(1, Math.max(0, Number(part))) * 255));
    return [name, `rgb(${parts.join(", ")})`];
  });
  probe.remove();
  return Object.fromEntries(found);
};

// https://docs.stripe.com/elements/appearance-api
const appearance = () => ({
  theme: getComputedStyle(document.documentElement).colorScheme.includes("dark") ? "night" : "stripe",
  variables: {
    ...colours({ colorPrimary: "--accent", colorBackground: "--surface", colorText: "--text", colorTextSecondary: "--text-quiet", colorDanger: "--danger" }),
    borderRadius: getComputedStyle(document.documentElement).getPropertyValue("--radius-small").trim(),
    fontFamily: getComputedStyle(document.body).fontFamily,
  },
});

// How the payer's bank sent him back, if it did. Out of the address with it: there is a secret of the payment in it.
const takeReturn = () => {
  const url = new URL(location.href);
  const status = url.searchParams.get("redirect_status");
  if (RETURNED.some((name) => url.searchParams.has(name))) {
    for (const name of RETURNED) url.searchParams.delete(name);
    history.replaceState(history.state, "", url);
  }
  return status;
};

// What a document may load was settled when it was loaded. Whoever came here inside the app has a document that may not load
// Stripe's script: it is loaded again, once.
const isOfAnotherPage = () => {
  const [loaded] = performance.getEntriesByType("navigation");
  return loaded && loaded.type !== "reload" && new URL(loaded.name).pathname !== location.pathname;
};

class CardForm extends HTMLElement {
  #stripe;
  #elements;
  #button;
  #status;
  #error;
  #host;
  #follower;

  connectedCallback() {
    if (isOfAnotherPage()) {
      location.reload();
      return;
    }
    const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
    this.#status = make("p", { className: "quiet" });
    this.#status.setAttribute("role", "status");
    this.#error = make("p", { className: "form-error", hidden: true });
    this.#error.setAttribute("role", "alert");
    this.#host = make("div", { className: "pay-host" });
    // Only what this element says itself is news for the app.
    this.#host.addEventListener("change", (event) => event.stopPropagation());
    this.#button = make("button", { type: "submit", className: "button button-primary button-wide", textContent: this.dataset.label, hidden: true });
    const form = make("form", { className: "form", noValidate: true });
    form.append(this.#host, this.#error, this.#button);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.pay();
    });
    this.replaceChildren(this.#status, form);
    this.begin(takeReturn());
  }

  disconnectedCallback() {
    if (this.#button) this.takeDown();
  }

  ask() {
    return post(this.dataset.ask, this.dataset.body);
  }

  confirm() {
    return post(this.dataset.confirm, this.dataset.body);
  }

  takeDown() {
    this.#follower?.abort();
    this.#elements?.getElement("payment")?.destroy();
    this.#elements = undefined;
    this.#button.hidden = true;
  }

  say(text) {
    this.#status.textContent = text;
    this.#status.hidden = !text;
  }

  complain(text) {
    this.#error.textContent = text;
    this.#error.hidden = !text;
  }

  changed() {
    this.dispatchEvent(new Event("change", { bubbles: true }));
  }

  // Mounts the form; or, for who comes back from his bank, looks first what came of it.
  async begin(returned) {
    this.complain("");
    this.say(returned ? "Asking how the payment stands…" : "Loading the form…");
    try {
      const payment = await (returned ? this.confirm() : this.ask());
      if (this.settled(payment) || !this.isConnected) return;
      await this.mount(payment);
      if (returned) await this.tellWhy(payment.client_secret);
    } catch (error) {
      this.failed(error, () => this.begin(returned));
    }
  }

  // Whether there is nothing more to do here.
  settled({ status }) {
    if (status !== "succeeded" && status !== "processing") return false;
    this.say(status === "succeeded" ? "It is paid." : "The payment is on its way. This page goes on when it has arrived.");
    this.takeDown();
    this.changed();
    return true;
  }

  async mount({ client_secret: clientSecret, publishable_key: key }) {
    const Stripe = await loadStripe(this.dataset.script);
    if (!this.isConnected) return;
    this.#stripe = Stripe(key, { locale: document.documentElement.lang || "auto" });
    this.#elements = this.#stripe.elements({ clientSecret, appearance: appearance() });
    const element = this.#elements.create("payment");
    this.#host.replaceChildren();
    await new Promise((done, fail) => {
      element.on("ready", done);
      element.on("loaderror", ({ error }) => fail(new Error(error?.message ?? NO_ANSWER)));
      element.mount(this.#host);
    });
    this.say("");
    this.#button.hidden = false;
    this.followTheme();
  }

  followTheme() {
    this.#follower?.abort();
    this.#follower = new AbortController();
    const { signal } = this.#follower;
    const update = () => this.#elements?.update({ appearance: appearance() });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", update, { signal });
    const observer = new MutationObserver(update);
    observer.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    signal.addEventListener("abort", () => observer.disconnect());
  }

  async tellWhy(clientSecret) {
    const { paymentIntent } = await this.#stripe.retrievePaymentIntent(clientSecret).catch(() => ({}));
    this.complain(paymentIntent?.last_payment_error?.message ?? "The payment was not made. Try again, or with another card.");
  }

  async pay() {
    if (this.#button.disabled || !this.#elements) return;
    this.busy(true);
    this.complain("");
    const return_url = location.origin + location.pathname;
    const request = { elements: this.#elements, confirmParams: { return_url }, redirect: "if_required" };
    const { error } = await this.#stripe.confirmPayment(request).catch(() => ({ error: {} }));
    if (error) {
      this.complain(error.message ?? NO_ANSWER);
      this.busy(false);
      // It can no longer be paid: the hold has ended, or another tab was faster.
      if (error.code === "payment_intent_unexpected_state") this.changed();
      return;
    }
    try {
      this.say("Asking whether it has arrived…");
      if (!this.settled(await this.confirm())) this.say("");
    } catch (problem) {
      // Stripe has it: what is to be said now the app finds out, at the latest when Stripe tells the server.
      this.failed(problem, () => this.begin("pending"));
    }
    this.busy(false);
  }

  busy(isBusy) {
    this.#button.disabled = isBusy;
    if (isBusy) this.#button.setAttribute("aria-busy", "true");
    else this.#button.removeAttribute("aria-busy");
  }

  failed(error, again) {
    this.say("");
    this.takeDown();
    if (error.code === "nothing_due") {
      // Paid meanwhile, or over: the app says so.
      this.changed();
      return;
    }
    this.complain(error instanceof Error ? error.message : String(error));
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button";
    button.textContent = "Try again";
    button.addEventListener("click", () => again());
    this.#host.replaceChildren(button);
  }
}

customElements.define("portico-pay", CardForm);
