// What Portico talks to outside: a push service with a browser behind it, and the receiver of a webhook. Both check what they
// get with Node's own cryptography.

import { createDecipheriv, createECDH, createHmac, createPublicKey, hkdfSync, randomBytes, verify, type ECDH } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

async function listen(answer: (request: IncomingMessage, body: Buffer) => number): Promise<{ server: Server; url: string }> {
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => response.writeHead(answer(request, Buffer.concat(parts))).end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** A push service (RFC 8030) with one browser. */
export class PushService {
  readonly messages: unknown[] = [];
  private readonly keys: ECDH = createECDH("prime256v1");
  private readonly auth = randomBytes(16);
  private constructor(private server?: Server, public endpoint = "") {
    this.keys.generateKeys();
  }

  static async start(): Promise<PushService> {
    const service = new PushService();
    const { server, url } = await listen((request, body) => {
      if (!service.isProved(request)) return 401;
      service.messages.push(JSON.parse(service.decrypt(body)));
      return 201;
    });
    service.server = server;
    service.endpoint = `${url}/push/${randomBytes(8).toString("hex")}`;
    return service;
  }

  /** What the browser hands to the page: `PushSubscription.toJSON()`. */
  get subscription() {
    return { endpoint: this.endpoint, keys: { p256dh: this.keys.getPublicKey("base64url"), auth: this.auth.toString("base64url") } };
  }

  stop(): void {
    this.server?.close();
  }

  /** RFC 8291 with RFC 8188: salt, record size, and the sender's key stand in front. */
  private decrypt(body: Buffer): string {
    const salt = body.subarray(0, 16);
    const senderKey = body.subarray(21, 21 + body[20]);
    const own = this.keys.getPublicKey();
    const info = Buffer.concat([Buffer.from("WebPush: info\0"), own, senderKey]);
    const secret = Buffer.from(hkdfSync("sha256", this.keys.computeSecret(senderKey), this.auth, info, 32));
    const key = Buffer.from(hkdfSync("sha256", secret, salt, "Content-Encoding: aes128gcm\0", 16));
    const nonce = Buffer.from(hkdfSync("sha256", secret, salt, "Content-Encoding: nonce\0", 12));
    const record = body.subarray(21 + body[20]);
    const decipher = createDecipheriv("aes-128-gcm", key, nonce);
    decipher.setAuthTag(record.subarray(-16));
    const padded = Buffer.concat([decipher.update(record.subarray(0, -16)), decipher.final()]);
    return padded.subarray(0, padded.lastIndexOf(2)).toString("utf8");
  }

  /** VAPID (RFC 8292). */
  private isProved(request: IncomingMessage): boolean {
    const [, token, key] = request.headers.authorization?.match(/^vapid t=([^,]+), k=(.+)$/) ?? [];
    if (!token || !key) return false;
    const [header, claims, signature] = token.split(".");
    const point = Buffer.from(key, "base64url");
    const jwk = { kty: "EC", crv: "P-256", x: point.subarray(1, 33).toString("base64url"), y: point.subarray(33).toString("base64url") };
    const publicKey = createPublicKey({ key: jwk, format: "jwk" });
    const signed = Buffer.from(`${header}.${claims}`);
    const isSigned = verify("sha256", signed, { key: publicKey, dsaEncoding: "ieee-p1363" }, Buffer.from(signature, "base64url"));
    const { aud } = JSON.parse(Buffer.from(claims, "base64url").toString());
    return isSigned && aud === new URL(this.endpoint).origin;
  }
}

/** Another system with an address for webhooks. */
export class Receiver {
  readonly requests: { event: string; body: string; signature: string }[] = [];
  /** What it answers. */
  status = 204;
  private constructor(private server?: Server, public url = "") {}

  static async start(): Promise<Receiver> {
    const receiver = new Receiver();
    const { server, url } = await listen((request, body) => {
      const header = (name: string) => String(request.headers[name] ?? "");
      receiver.requests.push({ event: header("portico-event"), body: body.toString(), signature: header("portico-signature") });
      return receiver.status;
    });
    receiver.server = server;
    receiver.url = `${url}/hook`;
    return receiver;
  }

  stop(): void {
    this.server?.close();
  }

  /** Whether the newest request was signed with this secret. */
  isSignedWith(secret: string): boolean {
    const { body, signature } = this.requests.at(-1)!;
    const [time, ...signatures] = signature.split(",");
    const expected = createHmac("sha256", secret).update(`${time.slice(2)}.${body}`).digest("hex");
    return signatures.includes(`v1=${expected}`);
  }
}
