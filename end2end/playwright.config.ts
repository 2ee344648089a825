import { defineConfig } from "@playwright/test";

export default defineConfig({
  testDir: "tests",
  outputDir: "test-results",
  // Generous: these end a test that hangs. On a busy machine with two cores a page takes many times what it takes a user.
  timeout: 300_000,
  expect: { timeout: 30_000 },
  // Each worker has its own server and browser; two cores feed two.
  workers: 2,
  forbidOnly: !!process.env.CI,
  retries: 0,
  reporter: [["list"], ["./support/summary.ts"]],
  use: {
    viewport: { width: 1280, height: 800 },
    locale: "en-GB",
    timezoneId: "Europe/Berlin",
    // It would fetch the whole site for each new browser, and shows an older page where a busy machine takes seconds for the
    // new one. Tests of what it does allow it.
    serviceWorkers: "block",
    actionTimeout: 30_000,
    trace: "retain-on-failure",
    launchOptions: {
      executablePath: process.env.PORTICO_CHROMIUM ?? "/usr/bin/chromium",
      args: [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
});
