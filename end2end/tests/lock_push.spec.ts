// Pushes about a lock: its owner chooses on its page what is told, the lock does it, and a push service gets a message that
// only the browser it is for can read.

import type { APIRequestContext, Page } from "@playwright/test";
import { uniqueName } from "../support/devices";
import { PushService } from "../support/outside";
import { setUpHouse, expect, expectLive, test as base, type House } from "../support/test";

// The push services stand on this machine, which a server as installed refuses to send to (the last test).
const test = base.extend<{}, { house: House }>({
  house: [
    async ({ browser }, use) => {
      const house = await setUpHouse(browser, { "webhooks.allow_private_addresses": "true" });
      await use(house);
      await house.portico.stop();
    },
    { scope: "worker", timeout: 180_000 },
  ],
});

test.use({ serviceWorkers: "allow" });

interface Lock {
  id: string;
  name: string;
  apiKey: string;
}

async function newLock(request: APIRequestContext, url: string, what: string): Promise<Lock> {
  const name = uniqueName(what);
  const answer = await request.post(`${url}/api/v1/locks`, { data: { name }, headers: { Origin: url } });
  expect(answer.status(), await answer.text()).toBe(201);
  const { lock, api_key } = await answer.json();
  return { id: lock.id, name, apiKey: api_key };
}

/** A push service with a browser that has subscribed there for whoever `request` is signed in as. */
async function subscribed(request: APIRequestContext, url: string): Promise<PushService> {
  const push = await PushService.start();
  const data = push.subscription;
  const answer = await request.post(`${url}/api/v1/notifications/browsers`, { data, headers: { Origin: url } });
  expect(answer.status(), await answer.text()).toBe(201);
  return push;
}

/** Chooses on the lock's page what is told, and nothing else. */
async function choose(page: Page, lock: Lock, notices: string[]): Promise<void> {
  await page.goto(`/locks/${lock.id}`);
  await expectLive(page);
  const open = async () => page.locator("summary").filter({ hasText: "Settings" }).click();
  await open();
  const choices = page.getByRole("group", { name: "Tell those who have it when" });
  for (const choice of await choices.getByRole("checkbox").all()) await choice.uncheck();
  for (const notice of notices) await choices.getByLabel(notice, { exact: true }).check();
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(choices).toBeHidden();
  await page.reload();
  await expectLive(page);
  await open();
  for (const notice of notices) await expect(choices.getByLabel(notice, { exact: true })).toBeChecked();
  await expect(choices.getByRole("checkbox", { checked: true })).toHaveCount(notices.length);
}

/** Tells the lock so over REST, and has it answer. */
async function operate(request: APIRequestContext, url: string, lock: Lock, wish: string, answer: object): Promise<void> {
  const told = await request.post(`${url}/api/v1/locks/${lock.id}/${wish}`, { headers: { Origin: url } });
  expect(told.ok(), await told.text()).toBeTruthy();
  const headers = { "X-API-Key": lock.apiKey };
  const next = async () => (await (await request.get(`${url}/api/v1/devices/commands`, { headers })).json())[0];
  await expect.poll(async () => (await next())?.name).toBe(wish);
  const ack = `${url}/api/v1/devices/commands/${(await next()).id}/ack`;
  expect((await request.post(ack, { data: answer, headers })).ok()).toBeTruthy();
}

const jammed = (lock: Lock) => ({
  title: `${lock.name} is jammed`,
  body: "The bolt could not move: it may be neither locked nor unlocked.",
  link: `/locks/${lock.id}`,
  tag: `lock-${lock.id}`,
  severity: "warning",
});

const unlocked = (lock: Lock) => ({
  ...jammed(lock),
  title: `${lock.name} is unlocked`,
  body: "Unlocked by ada.",
  severity: "info",
});

test("the owner is told of what was chosen on the page, and of nothing else", async ({ page, house }) => {
  const { url } = house.portico;
  const push = await subscribed(page.request, url);
  const lock = await newLock(page.request, url, "Front door");
  const other = await newLock(page.request, url, "Back door");
  await choose(page, other, ["it is not available"]);
  await choose(page, lock, ["it jams"]);
  const unlock = (which: Lock) => operate(page.request, url, which, "unlock", { result: "ok", state: "unlocked" });
  const jam = (which: Lock) => operate(page.request, url, which, "lock", { result: "failed", state: "jammed" });

  // Of these, one was chosen.
  await unlock(other);
  await jam(other);
  await unlock(lock);
  await jam(lock);
  await expect.poll(() => push.messages).toEqual([jammed(lock)]);

  await choose(page, lock, ["it jams", "it is unlocked"]);
  await unlock(lock);
  await expect.poll(() => push.messages).toEqual([jammed(lock), unlocked(lock)]);

  await choose(page, lock, []);
  await jam(lock);
  await choose(page, lock, ["it is unlocked"]);
  await unlock(lock);
  await expect.poll(() => push.messages.length).toBe(3);
  expect(push.messages).toEqual([jammed(lock), unlocked(lock), unlocked(lock)]);
  push.stop();
});

test("those who have the lock are told, unless they want no pushes; others are not", async ({ page, openContext, house }) => {
  const { url } = house.portico;
  const lock = await newLock(page.request, url, "Gate");
  const password = "correct horse battery staple 8";
  const person = async (what: string) => {
    const username = uniqueName(what).replace(/\W/g, "");
    const user = { username, email: `${username}@example.org`, password, role: "user" };
    const made = await page.request.post(`${url}/api/v1/users`, { data: user, headers: { Origin: url } });
    expect(made.status(), await made.text()).toBe(201);
    const { request } = await openContext({ baseURL: url });
    const signedIn = await request.post(`${url}/api/v1/auth/login`, { data: { username, password }, headers: { Origin: url } });
    expect(signedIn.ok(), await signedIn.text()).toBeTruthy();
    const headers = { Authorization: `Bearer ${(await signedIn.json()).access_token}`, Origin: url };
    const push = await PushService.start();
    const answer = await request.post(`${url}/api/v1/notifications/browsers`, { data: push.subscription, headers });
    expect(answer.status(), await answer.text()).toBe(201);
    return { username, request, headers, push };
  };
  const [friend, quiet, stranger] = [await person("fay"), await person("quinn"), await person("sol")];
  for (const { username } of [friend, quiet]) {
    const data = { user: username, role: "viewer" };
    const shared = await page.request.post(`${url}/api/v1/locks/${lock.id}/grants`, { data, headers: { Origin: url } });
    expect(shared.status(), await shared.text()).toBe(201);
  }
  const never = { preferences: [{ kind: "lock.changed", push: "never", mail: "never" }] };
  const kept = await quiet.request.put(`${url}/api/v1/notifications/preferences`, { data: never, headers: quiet.headers });
  expect(kept.ok(), await kept.text()).toBeTruthy();

  await choose(page, lock, ["it jams"]);
  await operate(page.request, url, lock, "lock", { result: "failed", state: "jammed" });
  await expect.poll(() => friend.push.messages).toEqual([jammed(lock)]);
  // Whoever would be told, would have been with the others; this comes after it by the same way.
  for (const { request, headers, push } of [quiet, stranger]) {
    const tried = await request.post(`${url}/api/v1/notifications/test`, { data: { channel: "push" }, headers });
    expect(tried.ok(), await tried.text()).toBeTruthy();
    await expect.poll(() => push.messages.length).toBeGreaterThan(0);
    expect(push.messages).toMatchObject([{ tag: "test" }]);
  }
  for (const { push } of [friend, quiet, stranger]) push.stop();
});

base("a server as installed sends nothing to its own machine or network", async ({ page, house }) => {
  const push = await PushService.start();
  const { url } = house.portico;
  const overTls = push.endpoint.replace("http:", "https:");
  const endpoints = [push.endpoint, overTls, "https://192.168.1.9/push/1", "https://[::1]/push/1"];
  for (const endpoint of endpoints) {
    const data = { ...push.subscription, endpoint };
    const answer = await page.request.post(`${url}/api/v1/notifications/browsers`, { data, headers: { Origin: url } });
    expect(answer.status(), endpoint).toBe(400);
  }
  expect(push.messages).toEqual([]);
  push.stop();
});
