// The fixtures: a server per worker that an administrator has set up, a signed-in page, and an eye on the console.

import { test as base, expect, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from "@playwright/test";
import { Portico } from "./server";

export const ADMIN = { username: "ada", email: "ada@example.org", password: "correct horse battery staple 7" };

export interface House {
  portico: Portico;
  /** Cookies of the administrator. */
  state: Awaited<ReturnType<BrowserContext["storageState"]>>;
}

/** Whatever a page says on its console that it should not. */
export class Complaints {
  readonly texts: string[] = [];
  /** What a test provokes on purpose, such as a lost connection. */
  readonly expected: RegExp[] = [];

  watch(context: BrowserContext): void {
    context.on("page", (page) => this.watchPage(page));
  }

  private watchPage(page: Page): void {
    page.on("pageerror", (error) => this.add(`${page.url()}: ${error.stack ?? error}`));
    page.on("console", (message) => {
      const text = message.text();
      // Said when a slow machine draws the page long after it loaded the file.
      if (/preloaded using link preload/.test(text)) return;
      if (message.type() === "error" || (message.type() === "warning" && /hydrat|leptos|portico|reactive/i.test(text)))
        this.add(`${page.url()}: ${text} (${message.location().url})`);
    });
  }

  private add(text: string): void {
    this.texts.push(text);
  }

  unexpected(): string[] {
    return this.texts.filter((text) => !this.expected.some((pattern) => pattern.test(text)));
  }
}

export type OpenContext = (options?: BrowserContextOptions) => Promise<BrowserContext>;

interface TestFixtures {
  complaints: Complaints;
  /** Another browser, watched like the first and closed after the test. */
  openContext: OpenContext;
}

interface WorkerFixtures {
  house: House;
}

export async function setUp(page: Page, link: string, admin = ADMIN): Promise<void> {
  await page.goto(link);
  await page.getByLabel("Organisation").fill("Example House");
  await page.getByLabel("Your user name").fill(admin.username);
  await page.getByLabel("Your e-mail").fill(admin.email);
  await page.getByLabel("Password").fill(admin.password);
  await page.getByRole("button", { name: "Set up Portico" }).click();
  await expect(page.getByRole("heading", { name: "The building right now" })).toBeVisible();
}

export async function signIn(page: Page, url: string, login = ADMIN.username, password = ADMIN.password): Promise<void> {
  await page.goto(`${url}/login`);
  await page.getByLabel("User name or e-mail").fill(login);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
}

/** The page is hydrated and its line to the server is up. */
export async function expectLive(page: Page, timeout = 60_000): Promise<void> {
  await expect(page.locator(".live-light")).toHaveAttribute("data-state", "live", { timeout });
}

/** Leaves the session behind without signing out. Not before the page is live: its line would be refused, and say so. */
export async function forgetSession(page: Page): Promise<void> {
  await expectLive(page);
  await page.context().clearCookies();
}

export async function setUpHouse(browser: Browser, settings: Record<string, string> = {}): Promise<House> {
  const portico = await Portico.start(settings);
  const context = await browser.newContext();
  await setUp(await context.newPage(), await portico.setupLink());
  const state = await context.storageState();
  await context.close();
  return { portico, state };
}

export const test = base.extend<TestFixtures, WorkerFixtures>({
  house: [
    async ({ browser }, use) => {
      const house = await setUpHouse(browser);
      await use(house);
      await house.portico.stop();
    },
    { scope: "worker", timeout: 90_000 },
  ],

  complaints: async ({}, use) => {
    const complaints = new Complaints();
    await use(complaints);
    expect(complaints.unexpected(), "errors on the browser's console").toEqual([]);
  },

  openContext: async ({ browser, complaints }, use) => {
    const opened: BrowserContext[] = [];
    await use(async (options) => {
      const context = await browser.newContext({ locale: "en-GB", timezoneId: "Europe/Berlin", ...options });
      complaints.watch(context);
      opened.push(context);
      return context;
    });
    for (const context of opened) await context.close();
  },

  // The default page: the administrator's, in the worker's house.
  context: async ({ house, openContext, contextOptions, viewport, colorScheme, javaScriptEnabled }, use) => {
    await use(
      await openContext({
        ...contextOptions,
        baseURL: house.portico.url,
        storageState: house.state,
        viewport,
        colorScheme,
        javaScriptEnabled,
      }),
    );
  },

  page: async ({ context, house }, use, info) => {
    const logged = house.portico.log.length;
    const page = await context.newPage();
    await use(page);
    if (info.status !== info.expectedStatus)
      await info.attach("server.log", { body: house.portico.log.slice(logged), contentType: "text/plain" });
  },
});

export { expect };
