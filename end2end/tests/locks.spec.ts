// Locks: registered on the page, told, heard, jammed, shared and taken back; in two browsers, on a phone, without JavaScript.

import type { APIRequestContext, Page } from "@playwright/test";
import { uniqueName } from "../support/devices";
import { expectClean, expectFits } from "../support/look";
import { expect, expectLive, signIn, test } from "../support/test";

interface Lock {
  id: string;
  apiKey: string;
  name: string;
}

async function newLock(request: APIRequestContext, url: string, what: string): Promise<Lock> {
  const name = uniqueName(what);
  const answer = await request.post(`${url}/api/v1/locks`, { data: { name, location: "Lobby" }, headers: { Origin: url } });
  expect(answer.status(), await answer.text()).toBe(201);
  const made = await answer.json();
  return { id: made.lock.id, apiKey: made.api_key, name };
}

/** The lock's side, over HTTP. */
class Device {
  constructor(
    private readonly request: APIRequestContext,
    private readonly url: string,
    private readonly lock: Lock,
  ) {}

  private headers = () => ({ "X-API-Key": this.lock.apiKey });

  async beat(): Promise<void> {
    const answer = await this.request.post(`${this.url}/api/v1/devices/heartbeat`, { headers: this.headers() });
    expect(answer.ok(), await answer.text()).toBeTruthy();
  }

  /** Waits for the next command and answers it; its name. */
  async answer(result: "ok" | "failed", state: string): Promise<string> {
    let command: { id: string; name: string } | undefined;
    await expect
      .poll(async () => {
        const answer = await this.request.get(`${this.url}/api/v1/devices/commands`, { headers: this.headers() });
        command = (await answer.json())[0];
        return command !== undefined;
      })
      .toBe(true);
    const path = `${this.url}/api/v1/devices/commands/${command!.id}/ack`;
    const answer = await this.request.post(path, { data: { result, state }, headers: this.headers() });
    expect(answer.ok(), await answer.text()).toBeTruthy();
    return command!.name;
  }
}

const face = (page: Page) => page.locator(".lock-main .lock-face");
const unlock = (page: Page) => page.locator(".lock-main").getByRole("button", { name: "Unlock", exact: true });
const lockIt = (page: Page) => page.locator(".lock-main").getByRole("button", { name: "Lock", exact: true });

test("two browsers see one lock move, jam and come free", async ({ page, openContext, house, request }) => {
  const { url } = house.portico;
  const lock = await newLock(page.request, url, "Front door");
  const device = new Device(request, url, lock);
  await device.beat();
  await page.goto(`/locks/${lock.id}`);
  await expectLive(page);
  const watcher = await (await openContext({ baseURL: url, storageState: house.state })).newPage();
  await watcher.goto(`/locks/${lock.id}`);
  await expectLive(watcher);
  await expect(face(page)).toHaveAttribute("data-position", "unknown");

  await unlock(page).click();
  for (const screen of [page, watcher]) await expect(face(screen)).toHaveAttribute("data-position", "unlocking");
  expect(await device.answer("ok", "unlocked")).toBe("unlock");
  for (const screen of [page, watcher]) {
    await expect(face(screen)).toHaveAttribute("data-position", "unlocked");
    await expect(face(screen)).toContainText("by ada");
    await expect(unlock(screen)).toBeHidden();
  }
  await expect(watcher.getByRole("table", { name: "History of the lock" }).getByRole("row").nth(1)).toContainText("Done");

  await lockIt(watcher).click();
  expect(await device.answer("failed", "jammed")).toBe("lock");
  for (const screen of [page, watcher]) await expect(face(screen)).toHaveAttribute("data-position", "jammed");
  await lockIt(page).click();
  await device.answer("ok", "locked");
  for (const screen of [page, watcher]) await expect(face(screen)).toHaveAttribute("data-position", "locked");

  await expectClean(page);
});

test("a lock that is away is told when it is back", async ({ page, house, request }) => {
  const { url } = house.portico;
  const lock = await newLock(page.request, url, "Cellar");
  await page.goto(`/locks/${lock.id}`);
  await expectLive(page);
  await expect(page.getByText("Never seen").first()).toBeVisible();
  await unlock(page).click();
  await expect(face(page)).toContainText("as soon as the lock is back");
  const device = new Device(request, url, lock);
  await device.beat();
  await device.answer("ok", "unlocked");
  await expect(face(page)).toHaveAttribute("data-position", "unlocked");
  await expect(page.getByText("Available", { exact: true }).first()).toBeVisible();
});

test("a lock is registered, found in the list and used there on a phone", async ({ page, house, request }) => {
  const { url } = house.portico;
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto("/locks");
  await expectLive(page);
  const name = uniqueName("Garden gate");
  await page.getByText("Register lock", { exact: true }).first().click();
  const form = page.locator("#register-lock");
  await form.getByLabel("Name").fill(name);
  await form.getByLabel("Place").fill("Garden");
  await form.getByRole("button", { name: "Register lock" }).click();
  await expect(page.getByRole("heading", { name: `The key of ${name}` })).toBeVisible();
  const apiKey = await page.getByTestId("api-key").innerText();
  const id = await page.locator(".facts-key dd").first().locator("code").innerText();
  const device = new Device(request, url, { id, apiKey, name });
  await device.beat();
  const card = page.locator(".lock-card").filter({ hasText: name });
  await expect(card.getByText("Available", { exact: true })).toBeVisible();
  await card.getByRole("button", { name: "Lock", exact: true }).click();
  await device.answer("ok", "locked");
  await expect(card.locator(".lock-face")).toHaveAttribute("data-position", "locked");
  await expectFits(page);
  await expectClean(page);
  await page.goto(`/locks?search=${encodeURIComponent(name)}`);
  await expect(page.locator(".lock-card")).toHaveCount(1);
});

test("a lock is used without JavaScript", async ({ openContext, house, request }) => {
  const { url } = house.portico;
  const context = await openContext({ baseURL: url, storageState: house.state, javaScriptEnabled: false });
  const page = await context.newPage();
  const lock = await newLock(context.request, url, "Plain door");
  const device = new Device(request, url, lock);
  await device.beat();
  await page.goto(`/locks/${lock.id}`);
  await unlock(page).click();
  await expect(page).toHaveURL(new RegExp(`/locks/${lock.id}$`));
  await expect(face(page)).toHaveAttribute("data-position", "unlocking");
  await device.answer("ok", "unlocked");
  await page.reload();
  await expect(face(page)).toHaveAttribute("data-position", "unlocked");
  await page.goto("/locks");
  const card = page.locator(".lock-card").filter({ hasText: lock.name });
  await card.getByRole("button", { name: "Lock", exact: true }).click();
  await expect(page).toHaveURL(/\/locks$/);
  await expect(card.locator(".lock-face")).toHaveAttribute("data-position", "locking");
});

test("a shared lock is taken back while it is looked at", async ({ page, openContext, house, complaints }) => {
  complaints.expected.push(/status of 404/, /WebSocket/);
  const { url } = house.portico;
  const lock = await newLock(page.request, url, "Workshop");
  const username = `felix${process.pid}`;
  const password = "correct horse battery staple 8";
  const user = { username, email: `${username}@example.org`, password, role: "user" };
  const made = await page.request.post(`${url}/api/v1/users`, { data: user, headers: { Origin: url } });
  expect(made.status(), await made.text()).toBe(201);
  const friend = await (await openContext({ baseURL: url })).newPage();
  await signIn(friend, url, username, password);
  await expect(friend.getByRole("heading", { name: "The building right now" })).toBeVisible();
  await friend.goto("/locks");
  await expectLive(friend);
  await expect(friend.getByRole("heading", { name: "No locks yet" })).toBeVisible();

  await page.goto(`/locks/${lock.id}`);
  await expectLive(page);
  await page.locator("#share-lock").getByLabel("Person").fill(username);
  await page.locator("#share-lock").getByRole("button", { name: "Share" }).click();
  await expect(page.getByRole("list", { name: "Shared with" })).toContainText(username);
  await friend.goto(`/locks/${lock.id}`);
  await expectLive(friend);
  await expect(unlock(friend)).toBeVisible();
  await page.getByRole("button", { name: `Take the lock back from ${username}` }).click();
  await expect(friend.getByText("Lock not found")).toBeVisible();
  const refused = await friend.request.post(`${url}/api/v1/locks/${lock.id}/unlock`, { headers: { Origin: url } });
  expect(refused.status()).toBe(404);
});

test("a lock is shared with a group of cardholders, also without JavaScript", async ({ page, openContext, house }) => {
  const { url } = house.portico;
  const lock = await newLock(page.request, url, "Shed");
  const name = `Gardeners ${lock.id.slice(-6)}`;
  const made = await page.request.post(`${url}/api/v1/access/person-groups`, { data: { name }, headers: { Origin: url } });
  expect(made.status(), await made.text()).toBe(201);
  await page.goto(`/locks/${lock.id}`);
  await expectLive(page);
  const form = page.locator("#share-lock");
  await form.getByLabel("or a group of cardholders").selectOption({ label: name });
  await form.getByRole("button", { name: "Share" }).click();
  const shared = page.getByRole("list", { name: "Shared with" }).getByRole("listitem").filter({ hasText: name });
  await expect(shared).toContainText("locks and unlocks");

  const plain = await (await openContext({ baseURL: url, storageState: house.state, javaScriptEnabled: false })).newPage();
  await plain.goto(`/locks/${lock.id}`);
  await plain.locator("#share-lock").getByLabel("or a group of cardholders").selectOption({ label: name });
  await plain.locator("#share-lock").getByLabel("May").selectOption("viewer");
  await plain.locator("#share-lock").getByRole("button", { name: "Share" }).click();
  await expect(plain.getByRole("list", { name: "Shared with" })).toContainText("sees it");
  await plain.getByRole("button", { name: `Take the lock back from ${name}` }).click();
  await expect(page.getByText("Nobody but its owner has this lock.")).toBeVisible();
});
