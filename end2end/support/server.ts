// Starts and stops the real program, the way an operator would.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const FOR_TESTS = {
  // All tests come from one address, and faster than people do.
  ...Object.fromEntries(["sign_in", "register", "address", "user", "device"].map((what) => [`http.rate_limits.${what}_per_minute`, "100000"])),
  // The tests of a worker share one browser's session as it was at the start: renewed by one of them, it would be over for
  // the others.
  "identity.browser_token_s": "14400",
};

const START_DEADLINE_MS = 120_000;

interface Addresses {
  http: string;
  mqtt: string;
}

export class Portico {
  private child?: ChildProcess;
  private readonly folder = mkdtempSync(join(tmpdir(), "portico-e2e-"));
  private addresses: Addresses = { http: "127.0.0.1:0", mqtt: "127.0.0.1:0" };
  /** Everything that the program printed, for when something goes wrong. */
  log = "";

  /** `settings` go beside the defaults, as with `--set`. */
  constructor(private readonly settings: Record<string, string> = {}) {}

  /** Starts a new Portico with an empty data directory, on free ports. */
  static async start(settings: Record<string, string> = {}): Promise<Portico> {
    const portico = new Portico(settings);
    await portico.start();
    return portico;
  }

  get url(): string {
    return `http://${this.addresses.http}`;
  }

  /** By a host name: what belongs to one, such as passkeys, works there alone. */
  get namedUrl(): string {
    return `http://localhost:${this.addresses.http.split(":").pop()}`;
  }

  get mqttPort(): string {
    return this.addresses.mqtt.split(":").pop()!;
  }

  /** The one-time link that the first start prints. */
  async setupLink(): Promise<string> {
    for (let waited = 0; waited < 60_000; waited += 50) {
      const link = this.log.match(/https?:\/\/\S+\/setup\?token=[^\s"]+/)?.[0];
      if (link) return link;
      await sleep(50);
    }
    throw new Error(`no set-up link was printed:\n${this.log}`);
  }

  /** Starts it, after `kill` or `stop` on the same ports and data as before. */
  async start(): Promise<void> {
    const binary = process.env.PORTICO_BIN;
    if (!binary) throw new Error("PORTICO_BIN names no program: run the tests with `make e2e`");
    const ready = join(this.folder, "ready.json");
    rmSync(ready, { force: true });
    const settings = Object.entries({ ...FOR_TESTS, ...this.settings }).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
    const child = spawn(binary, ["serve", "--ready-file", ready, ...settings], {
      cwd: this.folder,
      env: {
        ...process.env,
        PORTICO_HTTP_ADDR: this.addresses.http,
        PORTICO_MQTT_ADDR: this.addresses.mqtt,
        PORTICO_DATA_DIR: join(this.folder, "data"),
        NO_COLOR: "1",
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child = child;
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (this.log += text));
    for (const deadline = Date.now() + START_DEADLINE_MS; Date.now() < deadline; await sleep(25)) {
      if (child.exitCode !== null) throw new Error(`portico ended with ${child.exitCode}:\n${this.log}`);
      if (!existsSync(ready)) continue;
      const text = readFileSync(ready, "utf8");
      if (!text.trim().endsWith("}")) continue;
      this.addresses = JSON.parse(text);
      return;
    }
    child.kill("SIGKILL");
    throw new Error(`portico was not ready in ${START_DEADLINE_MS} ms:\n${this.log}`);
  }

  /** As a power cut would. */
  async kill(): Promise<void> {
    await this.end("SIGKILL");
  }

  /** Stops it for good and removes its data. */
  async stop(): Promise<void> {
    await this.end("SIGTERM");
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = this.child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill(signal);
    const hardKill = setTimeout(() => child.kill("SIGKILL"), 15_000);
    await exited;
    clearTimeout(hardKill);
  }
}
