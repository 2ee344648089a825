// Turns pushes on and off in this browser (`<portico-push>` on /notifications): asks for permission, subscribes at the
// browser's push service, and tells the server. When something has changed it says so with a `change` event, and the app
// loads the list anew. `data-key` is the server's public key, `data-known` the ids of the browsers on the list.

const ID_KEY = "portico-push-id";
const API = "/api/v1/notifications/browsers";
const READY_PATIENCE_MS = 10_000;

const remembered = {
  get: () => {
    try {
      return localStorage.getItem(ID_KEY);
    } catch {
      return null;
    }
  },
  set: (id) => {
    try {
      if (id) localStorage.setItem(ID_KEY, id);
      else localStorage.removeItem(ID_KEY);
    } catch {
      // Without a memory this browser only does not know itself on the list.
    }
  },
};

const bytes = (base64url) => {
  const base64 = base64url.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
};

const same = (a, b) => {
  const [left, right] = [new Uint8Array(a), new Uint8Array(b)];
  return left.length === right.length && left.every((byte, at) => byte === right[at]);
};

const workerReady = () =>
  Promise.race([
    navigator.serviceWorker.ready,
    new Promise((_, fail) => setTimeout(() => fail(new Error("The page's service worker does not start. Reload the page.")), READY_PATIENCE_MS)),
  ]);

const call = async (path, init) => {
  const response = await fetch(path, { ...init, headers: { "content-type": "application/json", accept: "application/json" } });
  if (response.ok) return response.status === 204 ? null : response.json();
  const problem = await response.json().catch(() => ({}));
  throw new Error(problem.detail ?? "Portico did not take it. Try again shortly.");
};

const TEXTS = {
  unsupported: "This browser cannot get pushes. On an iPhone or iPad, add Portico to the home screen and open it from there.",
  denied: "Notifications are blocked for this site. Allow them in the browser's settings for it, then reload the page.",
  off: "Turn pushes on to be told in this browser even when no page of Portico is open.",
  on: "This browser gets your pushes.",
};

class PushSwitch extends HTMLElement {
  connectedCallback() {
    this.refresh();
  }

  async state() {
    if (!("serviceWorker" in navigator) || !("PushManager" in window) || !("Notification" in window)) return "unsupported";
    if (Notification.permission === "denied") return "denied";
    const registration = await navigator.serviceWorker.getRegistration();
    const subscription = await registration?.pushManager.getSubscription();
    const isKnown = (this.dataset.known ?? "").split(" ").includes(remembered.get() ?? "-");
    return subscription && isKnown ? "on" : "off";
  }

  async refresh(trouble) {
    const state = await this.state().catch(() => "unsupported");
    this.dataset.state = state;
    const text = document.createElement("p");
    text.setAttribute("role", "status");
    text.textContent = TEXTS[state];
    const parts = [text];
    if (trouble) {
      const error = document.createElement("p");
      error.className = "form-error";
      error.setAttribute("role", "alert");
      error.textContent = trouble;
      parts.push(error);
    }
    if (state === "on") parts.push(this.button("Turn off here", "button", () => this.turnOff()));
    if (state === "off") parts.push(this.button("Turn on pushes in this browser", "button button-primary", () => this.turnOn()));
    this.replaceChildren(...parts);
  }

  button(label, className, act) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = className;
    button.textContent = label;
    button.addEventListener("click", async () => {
      button.disabled = true;
      button.setAttribute("aria-busy", "true");
      try {
        await act();
      } catch (error) {
        await this.refresh(error instanceof Error ? error.message : String(error));
      }
    });
    return button;
  }

  async turnOn() {
    // The browser asks only in answer to a click; who closes its question can be asked again.
    if ((await Notification.requestPermission()) !== "granted") return this.refresh();
    const { pushManager } = await workerReady();
    const key = bytes(this.dataset.key);
    let subscription = await pushManager.getSubscription();
    const boundTo = subscription?.options?.applicationServerKey;
    if (subscription && boundTo && !same(boundTo, key)) {
      await subscription.unsubscribe();
      subscription = null;
    }
    subscription ??= await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
    const { endpoint, keys } = subscription.toJSON();
    const { id } = await call(API, { method: "POST", body: JSON.stringify({ endpoint, keys, name: browserName() }) });
    remembered.set(id);
    this.changed();
  }

  async turnOff() {
    const registration = await navigator.serviceWorker.getRegistration();
    await (await registration?.pushManager.getSubscription())?.unsubscribe();
    const id = remembered.get();
    remembered.set(null);
    if (id) await call(`${API}/${id}`, { method: "DELETE" });
    this.changed();
  }

  changed() {
    this.dispatchEvent(new Event("change", { bubbles: true }));
  }
}

// What a person calls it; the texts of user agents all name each other, so the order matters.
const browserName = () => {
  const agent = navigator.userAgent;
  const first = (pairs) => pairs.find(([mark]) => agent.includes(mark))?.[1];
  const browser = first([["Edg/", "Edge"], ["Firefox/", "Firefox"], ["Chrome/", "Chrome"], ["Safari/", "Safari"]]) ?? "Browser";
  const system = first([["Android", "Android"], ["iPhone", "iPhone"], ["iPad", "iPad"], ["Windows", "Windows"], ["Mac OS X", "macOS"], ["Linux", "Linux"]]);
  return system ? `${browser} on ${system}` : browser;
};

customElements.define("portico-push", PushSwitch);
