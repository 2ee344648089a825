// The last lines of a run: what failed, and why, one line each. For who sees only the end of a log.

import type { FullConfig, Reporter, Suite, TestCase } from "@playwright/test/reporter";

const COLOUR = /\u001b\[[0-9;]*m/g;

export default class Summary implements Reporter {
  private suite?: Suite;

  onBegin(_config: FullConfig, suite: Suite): void {
    this.suite = suite;
  }

  // Not in `onEnd`: the other reporters write there.
  async onExit(): Promise<void> {
    const failed = this.suite?.allTests().filter((test) => test.outcome() === "unexpected") ?? [];
    for (const test of failed) console.log(`failed: ${place(test)} ${test.title}: ${why(test)}`);
  }
}

function place(test: TestCase): string {
  const at = test.results.at(-1)?.error?.location ?? test.location;
  return `${at.file.split("/").pop()}:${at.line}`;
}

function why(test: TestCase): string {
  const text = test.results.at(-1)?.error?.message ?? test.results.at(-1)?.status ?? "";
  return text.replace(COLOUR, "").replace(/\s+/g, " ").slice(0, 300);
}
