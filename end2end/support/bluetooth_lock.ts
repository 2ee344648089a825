// A lock with Bluetooth, in miniature: it speaks the GATT service of docs/firmware.md and trusts nothing but Portico's
// public key, its own clock and its own challenge, checked with Node's own cryptography. `bringBluetooth` puts an adapter
// into the browser, as a phone has one; which locks are nearby is up to the test.

import { createPublicKey, randomBytes, verify } from "node:crypto";
import { execFileSync } from "node:child_process";
import { expect, type APIRequestContext, type BrowserContext } from "@playwright/test";
import type { Portico } from "./server";

const GRANT_BYTES = 161;
const SIGNED_BYTES = 97;
const REQUEST_BYTES = GRANT_BYTES + 64 + 1;
const [WAITS, DONE, REFUSED, JAMMED] = [0, 1, 2, 3];

export interface Use {
  grant: string;
  user: string;
  wish: "lock" | "unlock";
  at: number;
}

/** An id as Portico writes it. */
const idOf = (bytes: Buffer) => bytes.toString("hex");

function isSigned(key: Buffer, text: Buffer, signature: Buffer): boolean {
  const jwk = { kty: "OKP", crv: "Ed25519", x: key.toString("base64url") };
  return verify(null, text, createPublicKey({ key: jwk, format: "jwk" }), signature);
}

export class BluetoothLock {
  bolt: "locked" | "unlocked" = "locked";
  /** What it did. */
  readonly uses: Use[] = [];
  /** Why it did not, in the words of the firmware (`lock_core::grant::Denial`). */
  readonly refusals: string[] = [];
  /** What was written to it, as somebody nearby overhears it. */
  readonly written: Buffer[] = [];
  readonly revoked = new Set<string>();
  /** How far its clock is ahead. */
  clockAheadMs = 0;
  isStuck = false;
  /** It hears and does nothing more. */
  isSilent = false;
  /** A challenge of before, given out instead of its own: somebody stands between. */
  staleChallenge?: Buffer;
  private challenge = randomBytes(32);

  constructor(
    readonly id: string,
    readonly name: string,
    private readonly apiKey: string,
    private readonly portico: Buffer,
  ) {}

  /** Registered with Portico, whose public key it fetches while there is network. */
  static async register(request: APIRequestContext, url: string, name: string): Promise<BluetoothLock> {
    const answer = await request.post(`${url}/api/v1/locks`, { data: { name }, headers: { Origin: url } });
    expect(answer.status(), await answer.text()).toBe(201);
    const { lock, api_key } = await answer.json();
    const key = await request.get(`${url}/api/v1/devices/signing-key`, { headers: { "X-API-Key": api_key } });
    expect(key.status(), await key.text()).toBe(200);
    const { device_id, grant_key } = await key.json();
    expect(device_id).toBe(lock.id);
    return new BluetoothLock(lock.id, name, api_key, Buffer.from(grant_key, "hex"));
  }

  readChallenge(): Buffer {
    return this.staleChallenge ?? this.challenge;
  }

  /** Grant, proof and wish; what it says then, one after the other. */
  write(request: Buffer): number[] {
    if (this.isSilent) return [];
    this.written.push(request);
    const denial = this.deny(request);
    // Good for one try, however it ended.
    this.challenge = randomBytes(32);
    if (denial) {
      this.refusals.push(denial);
      return [REFUSED];
    }
    if (this.isStuck) return [WAITS, JAMMED];
    const wish = request[REQUEST_BYTES - 1] === 1 ? "unlock" : "lock";
    this.bolt = wish === "unlock" ? "unlocked" : "locked";
    this.uses.push({ grant: idOf(request.subarray(1, 17)), user: idOf(request.subarray(33, 49)), wish, at: Date.now() });
    return [WAITS, DONE];
  }

  /** Says over MQTT, having network again, what was done meanwhile, and where the bolt is. */
  tell(portico: Portico): void {
    for (const { grant, wish, at } of this.uses) {
      this.publish(portico, "event", { type: "bluetooth_used", grant, wish, ts: at, result: "ok" });
    }
    this.publish(portico, "status", { status: "online", state: this.bolt });
  }

  /** Hears from Portico which grants no longer count. */
  async hearRevocations(request: APIRequestContext, url: string): Promise<void> {
    const headers = { "X-API-Key": this.apiKey };
    let commands: { id: string; name: string; args: { grant: string } }[] = [];
    await expect
      .poll(async () => {
        commands = await (await request.get(`${url}/api/v1/devices/commands`, { headers })).json();
        return commands.filter(({ name }) => name === "revoke_grant").length;
      })
      .toBeGreaterThan(0);
    for (const { id, name, args } of commands) {
      if (name !== "revoke_grant") continue;
      this.revoked.add(args.grant);
      const ack = await request.post(`${url}/api/v1/devices/commands/${id}/ack`, { data: { result: "ok" }, headers });
      expect(ack.ok(), await ack.text()).toBeTruthy();
    }
  }

  private publish(portico: Portico, topic: string, message: object): void {
    const login = ["-i", this.id, "-u", this.id, "-P", this.apiKey];
    const what = ["-q", "1", "-t", `devices/${this.id}/${topic}`, "-m", JSON.stringify(message)];
    execFileSync("mosquitto_pub", ["-h", "127.0.0.1", "-p", portico.mqttPort, ...login, ...what], { timeout: 60_000 });
  }

  private deny(request: Buffer): string | undefined {
    if (request.length !== REQUEST_BYTES || request[0] !== 1) return "unreadable";
    const [grant, proof] = [request.subarray(0, GRANT_BYTES), request.subarray(GRANT_BYTES, REQUEST_BYTES - 1)];
    const [id, lock, holder] = [grant.subarray(1, 17), grant.subarray(17, 33), grant.subarray(49, 81)];
    if (!isSigned(this.portico, grant.subarray(0, SIGNED_BYTES), grant.subarray(SIGNED_BYTES))) return "forged";
    if (idOf(lock) !== this.id) return "other_lock";
    if (BigInt(Date.now() + this.clockAheadMs) >= grant.readBigUInt64BE(89)) return "expired";
    if (this.revoked.has(idOf(id))) return "revoked";
    const wish = request.subarray(REQUEST_BYTES - 1);
    const text = Buffer.concat([Buffer.from("portico-proof-1"), lock, this.challenge, id, wish]);
    return isSigned(holder, text, proof) ? undefined : "not_proven";
  }
}

/** What is nearby; the first is the one that the person picks. */
export interface Nearby {
  locks: BluetoothLock[];
  isSwitchedOn: boolean;
}

/** Gives every page of this browser a Bluetooth adapter. It is no network: it works offline, too. */
export async function bringBluetooth(context: BrowserContext): Promise<Nearby> {
  const nearby: Nearby = { locks: [], isSwitchedOn: true };
  const of = (id: string) => nearby.locks.find((lock) => lock.id === id)!;
  const inAir = () => (nearby.isSwitchedOn ? nearby.locks.map(({ id, name }) => ({ id, name })) : null);
  await context.exposeFunction("airNearby", inAir);
  await context.exposeFunction("airRead", (id: string) => [...of(id).readChallenge()]);
  await context.exposeFunction("airWrite", (id: string, bytes: number[]) => of(id).write(Buffer.from(bytes)));
  await context.addInitScript(adapter);
  return nearby;
}

/** Web Bluetooth as the page sees it; runs in the page. */
function adapter(): void {
  const air = window as unknown as {
    airNearby(): Promise<{ id: string; name: string }[] | null>;
    airRead(id: string): Promise<number[]>;
    airWrite(id: string, bytes: number[]): Promise<number[]>;
  };
  const uuid = (last: number) => `6f70656e-706f-7274-6963-6f000000000${last}`;
  class Characteristic extends EventTarget {
    value?: DataView;
  }
  const connect = (id: string) => {
    const server = { connected: true, disconnect: () => void (server.connected = false), getPrimaryService };
    const online = () => {
      if (!server.connected) throw new DOMException("GATT Server is disconnected.", "NetworkError");
    };
    let isTold = false;
    const challenge = Object.assign(new Characteristic(), {
      readValue: async () => (online(), new DataView(Uint8Array.from(await air.airRead(id)).buffer)),
    });
    const result = Object.assign(new Characteristic(), {
      startNotifications: async () => (online(), (isTold = true), result),
    });
    const request = Object.assign(new Characteristic(), {
      writeValueWithResponse: async (value: Uint8Array) => {
        online();
        const codes = await air.airWrite(id, [...value]);
        if (!isTold) return;
        for (const [i, code] of codes.entries()) {
          setTimeout(() => {
            if (!server.connected) return;
            result.value = new DataView(Uint8Array.of(code).buffer);
            result.dispatchEvent(new Event("characteristicvaluechanged"));
          }, 50 * i);
        }
      },
    });
    const known: Record<string, Characteristic> = { [uuid(2)]: challenge, [uuid(3)]: request, [uuid(4)]: result };
    async function getPrimaryService(service: string) {
      online();
      if (service !== uuid(1)) throw new DOMException("No Services found in device.", "NotFoundError");
      const getCharacteristic = async (name: string) => {
        if (!known[name]) throw new DOMException(`No Characteristics matching ${name} found.`, "NotFoundError");
        return known[name];
      };
      return { getCharacteristic };
    }
    return server;
  };
  // A browser's own mark of a press is gone after five seconds, which a busy machine needs for less.
  let isPressed = false;
  addEventListener("click", ({ isTrusted }) => void (isPressed ||= isTrusted), true);
  const bluetooth = {
    getAvailability: async () => (await air.airNearby()) !== null,
    requestDevice: async ({ filters }: { filters: { services: string[] }[] }) => {
      // As in a browser: only upon a press.
      if (!isPressed) throw new DOMException("Must be handling a user gesture", "SecurityError");
      isPressed = false;
      const isAsked = filters.some(({ services }) => services.includes(uuid(1)));
      const [picked] = (isAsked && (await air.airNearby())) || [];
      if (!picked) throw new DOMException("User cancelled the requestDevice() chooser.", "NotFoundError");
      return { ...picked, gatt: { connect: async () => connect(picked.id) } };
    },
  };
  Object.defineProperty(navigator, "bluetooth", { value: bluetooth, configurable: true });
}
