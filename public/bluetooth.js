// Opens and closes a lock over Bluetooth, with or without network (`<portico-bluetooth data-lock="ID">` on the page of a
// lock). Shown only where the browser has Web Bluetooth and Ed25519. While there is network it fetches a grant, which
// this browser keeps with a key of its own that cannot be read out; the lock gives a challenge, and the key answers it.
// What goes over the air is in docs/firmware.md.

const SERVICE = "6f70656e-706f-7274-6963-6f0000000001";
const CHALLENGE = "6f70656e-706f-7274-6963-6f0000000002";
const REQUEST = "6f70656e-706f-7274-6963-6f0000000003";
const RESULT = "6f70656e-706f-7274-6963-6f0000000004";

const PROOF_PREFIX = new TextEncoder().encode("portico-proof-1");
const WISHES = { lock: 0, unlock: 1 };
const ANSWER_PATIENCE_MS = 10_000;

/** A grant is fetched anew when less than this is left of it. */
const RENEW_BEFORE_MS = 6 * 3_600_000;

const fromHex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
const toHex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");

const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

const database = async () => {
  const opening = indexedDB.open("portico-bluetooth", 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore("grants", { keyPath: "lock" });
  return done(opening);
};

const kept = {
  get: async (lock) => done((await database()).transaction("grants").objectStore("grants").get(lock)),
  put: async (entry) => done((await database()).transaction("grants", "readwrite").objectStore("grants").put(entry)),
  delete: async (lock) => done((await database()).transaction("grants", "readwrite").objectStore("grants").delete(lock)),
};

/** The grant for a lock; fetched when there is none, or when little is left of it and there is network. */
const grantFor = async (lock) => {
  const entry = await kept.get(lock);
  const left = entry ? entry.expiresAt - Date.now() : 0;
  if (left > RENEW_BEFORE_MS || (left > 0 && !navigator.onLine)) return entry;
  try {
    const pair = entry?.pair ?? (await crypto.subtle.generateKey({ name: "Ed25519" }, false, ["sign", "verify"]));
    const publicKey = toHex(await crypto.subtle.exportKey("raw", pair.publicKey));
    const response = await fetch(`/api/v1/locks/${lock}/offline-grant`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({ public_key: publicKey }),
    });
    if (!response.ok) {
      const problem = await response.json().catch(() => ({}));
      // It is not shared with this person any more: nothing of it stays.
      if (response.status === 403 || response.status === 404) await kept.delete(lock);
      throw new Error(problem.detail ?? problem.error ?? "Portico gives no permission for this lock.");
    }
    const answer = await response.json();
    const fresh = { lock, pair, grant: answer.grant, expiresAt: Date.parse(answer.expires_at) };
    await kept.put(fresh);
    return fresh;
  } catch (error) {
    if (left > 0 && error instanceof TypeError) return entry;
    if (error instanceof TypeError) throw new Error("This browser has no permission for the lock yet. It gets one when there is network.");
    throw error;
  }
};

const join = (...parts) => {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
};

const RESULTS = { 2: "The lock does not accept this browser's permission.", 3: "The lock is jammed." };

/** Asks for the lock nearby and has it do as is wished. */
const operate = async (lock, wish) => {
  const entry = await grantFor(lock);
  const device = await navigator.bluetooth.requestDevice({ filters: [{ services: [SERVICE] }] });
  const server = await device.gatt.connect();
  try {
    const service = await server.getPrimaryService(SERVICE);
    const [challenges, requests, results] = await Promise.all(
      [CHALLENGE, REQUEST, RESULT].map((id) => service.getCharacteristic(id)),
    );
    const view = await challenges.readValue();
    const challenge = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    const grant = fromHex(entry.grant);
    const wishByte = Uint8Array.of(WISHES[wish]);
    const text = join(PROOF_PREFIX, grant.subarray(17, 33), challenge, grant.subarray(1, 17), wishByte);
    const proof = new Uint8Array(await crypto.subtle.sign({ name: "Ed25519" }, entry.pair.privateKey, text));
    const answer = new Promise((resolve, reject) => {
      setTimeout(() => reject(new Error("The lock does not answer.")), ANSWER_PATIENCE_MS);
      results.addEventListener("characteristicvaluechanged", (event) => resolve(event.target.value.getUint8(0)));
    });
    await results.startNotifications();
    await requests.writeValueWithResponse(join(grant, proof, wishByte));
    const code = await answer;
    if (code !== 1) throw new Error(RESULTS[code] ?? "The lock did not do it.");
  } finally {
    server.disconnect();
  }
};

const isAble = async () => {
  if (!navigator.bluetooth || !globalThis.indexedDB || !globalThis.crypto?.subtle) return false;
  try {
    await crypto.subtle.generateKey({ name: "Ed25519" }, false, ["sign", "verify"]);
    return true;
  } catch {
    return false;
  }
};

class BluetoothLock extends HTMLElement {
  async connectedCallback() {
    const lock = this.dataset.lock;
    if (this.childElementCount > 0 || !lock || !(await isAble())) return;
    const words = document.createElement("p");
    words.setAttribute("role", "status");
    words.textContent = "Nearby and without network, this browser can operate the lock over Bluetooth.";
    const buttons = Object.entries({ unlock: "Unlock over Bluetooth", lock: "Lock over Bluetooth" }).map(([wish, label]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "button";
      button.textContent = label;
      button.addEventListener("click", () => this.press(wish, words));
      return button;
    });
    this.replaceChildren(...buttons, words);
    // So that it is there when the network is not.
    grantFor(lock).catch(() => {});
  }

  async press(wish, words) {
    const buttons = this.querySelectorAll("button");
    for (const button of buttons) button.disabled = true;
    words.textContent = "Looking for the lock…";
    try {
      await operate(this.dataset.lock, wish);
      words.textContent = wish === "unlock" ? "The lock says: unlocked." : "The lock says: locked.";
    } catch (error) {
      words.textContent = error?.name === "NotFoundError" ? "No lock was chosen." : (error?.message ?? "It did not work.");
    } finally {
      for (const button of buttons) button.disabled = false;
    }
  }
}

if (!customElements.get("portico-bluetooth")) customElements.define("portico-bluetooth", BluetoothLock);
