// A stand-in for Stripe (crates/stripe-double): its API, its webhooks, and the Stripe.js that it serves.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

const WEBHOOK_SECRET = "whsec_of_the_browser_tests";

/** What its Stripe.js makes of a number (crates/stripe-double/src/cards.rs). */
export const CARDS = {
  good: "4242 4242 4242 4242",
  declined: "4000 0000 0000 0002",
  /** The bank asks in the page. */
  asks: "4000 0027 6000 3184",
  /** The bank asks on a page of its own. */
  leadsAway: "4000 0000 0000 3220",
} as const;

export class StripeDouble {
  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
  ) {}

  static async start(): Promise<StripeDouble> {
    const binary = join(dirname(process.env.PORTICO_BIN ?? ""), "portico-stripe-double");
    if (!existsSync(binary)) throw new Error(`there is no ${binary}: run the tests with \`make e2e\``);
    // It ends with its standard input: with these tests, however they end.
    const child = spawn(binary, [], { stdio: ["pipe", "pipe", "inherit"] });
    const ended = once(child, "exit").then(() => {
      throw new Error(`${binary} has ended`);
    });
    const [line] = await Promise.race([once(child.stdout!, "data"), ended]);
    return new StripeDouble(child, String(line).trim());
  }

  /** Settings with which Portico and its pages find it. */
  get settings(): Record<string, string> {
    return {
      "stripe.secret_key": "sk_test_double",
      "stripe.publishable_key": "pk_test_double",
      "stripe.webhook_secrets": WEBHOOK_SECRET,
      "stripe.url": this.url,
      "stripe.script_url": this.url,
    };
  }

  /** From now on it tells Portico there what happens. */
  async tell(portico: string): Promise<void> {
    const body = new URLSearchParams({ url: `${portico}/api/v1/webhooks/stripe`, secret: WEBHOOK_SECRET });
    const answer = await fetch(`${this.url}/_double/webhook`, { method: "POST", body });
    if (!answer.ok) throw new Error(`the double answered ${answer.status}`);
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, "exit");
    this.child.kill("SIGTERM");
    await exited;
  }
}
