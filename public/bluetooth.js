// Opens and closes a lock over Bluetooth, with or without network (`<portico-bluetooth data-lock="ID">` on the page of a
// lock). Where the browser lacks what it takes, it says so. While there is network it fetches a grant, which this browser
// keeps with a key of its own that cannot be read out; the lock gives a challenge, and the key answers it. Whoever signs in
// or out makes it forget its grants (public/sw.js). What goes over the air is in docs/firmware.md.

const SERVICE = "6f70656e-706f-7274-6963-6f0000000001";
const CHALLENGE = "6f70656e-706f-7274-6963-6f0000000002";
const REQUEST = "6f70656e-706f-7274-6963-6f0000000003";
const RESULT = "6f70656e-706f-7274-6963-6f0000000004";

const PROOF_PREFIX = new TextEncoder().encode("portico-proof-1");
const WISHES = { lock: 0, unlock: 1 };
const ANSWER_PATIENCE_MS = 10_000;

/** Whoever stands at a door does not wait longer for a server before the grant that is kept is taken. */
const SERVER_PATIENCE_MS = 4_000;

/** A grant is fetched anew when less than this is left of it. */
const RENEW_BEFORE_MS = 6 * 3_600_000;

const NONE_YET = "This browser has no permission for the lock yet.";

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

/**
 * The grant for a lock; fetched when there is none, when little is left of it, or when the lock did not accept it, if there
 * is network.
 */
const grantFor = async (lock) => {
  const entry = await kept.get(lock);
  const left = entry ? entry.expiresAt - Date.now() : 0;
  if ((left > RENEW_BEFORE_MS && !entry.refused) || (left > 0 && !navigator.onLine)) return entry;
  const pair = entry?.pair ?? (await crypto.subtle.generateKey({ name: "Ed25519" }, false, ["sign", "verify"]));
  const publicKey = toHex(await crypto.subtle.exportKey("raw", pair.publicKey));
  const response = await fetch(`/api/v1/locks/${lock}/offline-grant`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify({ public_key: publicKey }),
    signal: AbortSignal.timeout(SERVER_PATIENCE_MS),
  }).catch(() => null);
  const answer = await response?.json().catch(() => null);
  if (response?.ok && answer) {
    const fresh = { lock, pair, grant: answer.grant, expiresAt: Date.parse(answer.expires_at) };
    await kept.put(fresh);
    return fresh;
  }
  // It is not shared with this person any more, or nobody is signed in: nothing of it stays.
  if ([401, 403, 404].includes(response?.status) && answer?.code !== "step_up_required") await kept.delete(lock);
  else if (left > 0) return entry;
  if (response) throw new Error(answer?.detail ?? "Portico gives no permission for this lock.");
  const state = entry ? "This browser's permission for the lock has expired." : NONE_YET;
  throw new Error(`${state} It gets one when there is network.`);
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

const WAITS = 0;
const DONE = 1;
const REFUSED = 2;
const RESULTS = {
  [REFUSED]: "The lock refused: it is another lock than this page's, or the permission has expired or was taken back.",
  3: "The lock is jammed.",
};

/** What the lock says in the end. */
const answerOf = (results) =>
  new Promise((resolve, reject) => {
    const tooLate = () => reject(new Error("The lock does not answer; it may have done it all the same."));
    const patience = setTimeout(tooLate, ANSWER_PATIENCE_MS);
    results.addEventListener("characteristicvaluechanged", (event) => {
      const code = event.target.value.getUint8(0);
      if (code === WAITS) return;
      clearTimeout(patience);
      resolve(code);
    });
  });

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
    await results.startNotifications();
    const answer = answerOf(results);
    // When it cannot be written, that is what is told.
    answer.catch(() => {});
    await requests.writeValueWithResponse(join(grant, proof, wishByte));
    const code = await answer;
    // Whether it was another lock is not known here: another grant is fetched when there is network.
    if (code === REFUSED) await kept.put({ ...entry, refused: true });
    if (code !== DONE) throw new Error(RESULTS[code] ?? "The lock did not do it.");
  } finally {
    server.disconnect();
  }
};

/** What this browser lacks, in words; empty: nothing. */
const lack = async () => {
  if (!globalThis.isSecureContext) return "Bluetooth works only on a page that comes over HTTPS.";
  if (!navigator.bluetooth)
    return "This browser has no Web Bluetooth: without network it cannot operate the lock. Chrome on Android and Windows has it.";
  try {
    await crypto.subtle.generateKey({ name: "Ed25519" }, false, ["sign", "verify"]);
    await database();
    return "";
  } catch {
    return "This browser cannot keep a key for the lock: without network it cannot operate it.";
  }
};

/** What is told of a try that failed. */
const failure = async (error) => {
  if (error?.name !== "NotFoundError") return error?.message || "It did not work.";
  const isOn = await navigator.bluetooth.getAvailability?.().catch(() => true);
  return isOn === false ? "Bluetooth is off, or this device has none." : "No lock was chosen.";
};

class BluetoothLock extends HTMLElement {
  async connectedCallback() {
    const lock = this.dataset.lock;
    if (this.childElementCount > 0 || !lock) return;
    const words = document.createElement("p");
    words.className = "quiet";
    words.setAttribute("role", "status");
    this.replaceChildren(words);
    const lacking = await lack();
    words.textContent = lacking;
    if (lacking) return;
    const buttons = Object.entries({ unlock: "Unlock over Bluetooth", lock: "Lock over Bluetooth" }).map(([wish, label]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "button";
      button.textContent = label;
      button.addEventListener("click", () => this.press(wish, words));
      return button;
    });
    words.before(...buttons);
    // So that it is there when the network is not.
    const told = await grantFor(lock).then(
      ({ expiresAt }) => {
        const until = new Date(expiresAt).toLocaleString(navigator.language, { dateStyle: "medium", timeStyle: "short" });
        return `Nearby, this browser can operate the lock over Bluetooth, also without network, until ${until}.`;
      },
      (error) => error.message,
    );
    // Whoever was quicker is told of that instead.
    if (!words.textContent) words.textContent = told;
  }

  async press(wish, words) {
    const buttons = this.querySelectorAll("button");
    for (const button of buttons) button.disabled = true;
    words.textContent = "Looking for the lock…";
    try {
      await operate(this.dataset.lock, wish);
      words.textContent = wish === "unlock" ? "The lock says: unlocked." : "The lock says: locked.";
    } catch (error) {
      words.textContent = await failure(error);
    } finally {
      for (const button of buttons) button.disabled = false;
    }
  }
}

if (!customElements.get("portico-bluetooth")) customElements.define("portico-bluetooth", BluetoothLock);
