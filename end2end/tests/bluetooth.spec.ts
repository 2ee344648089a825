// A lock operated over Bluetooth without network: the grant kept from when there was one, the answer to the lock's challenge,
// what the lock refuses, and what is told of all that. The adapter is a mock; the lock behind it checks as firmware does.

import type { Page } from "@playwright/test";
import { bringBluetooth, BluetoothLock } from "../support/bluetooth_lock";
import { uniqueName } from "../support/devices";
import { expectClean } from "../support/look";
import { expect, expectLive, signIn, test } from "../support/test";

test.use({ serviceWorkers: "allow" });

const HOUR_MS = 3_600_000;
const OFFLINE = /WebSocket|ERR_INTERNET_DISCONNECTED|ERR_FAILED|Failed to (fetch|load resource)/;

const card = (page: Page) => page.locator("portico-bluetooth");
const words = (page: Page) => card(page).getByRole("status");
const press = (page: Page, wish: "Lock" | "Unlock") =>
  card(page).getByRole("button", { name: `${wish} over Bluetooth`, exact: true }).click();

/** The page of a lock, with a grant, and kept by the service worker. */
async function openWithGrant(page: Page, lock: BluetoothLock): Promise<void> {
  await page.goto(`/locks/${lock.id}`);
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  // From the second load on the worker keeps what it sees.
  await page.reload();
  await expectLive(page);
  await expect(words(page)).toContainText("this browser can operate the lock over Bluetooth, also without network, until");
  const isKept = () => page.evaluate(async () => (await caches.match(location.pathname)) !== undefined);
  await expect.poll(isKept).toBe(true);
}

/** No network, and the page loaded again. */
async function goOffline(page: Page): Promise<void> {
  await page.context().setOffline(true);
  await page.reload();
  await expect(page.getByText(/Last known state, from/)).toBeVisible();
}

/** There is network again, and the page has loaded itself again. */
async function expectReloaded(page: Page): Promise<void> {
  await expect(page.getByText(/Last known state, from/)).toHaveCount(0);
  await expectLive(page);
}

const grantsKept = (page: Page) =>
  page.evaluate(async () => {
    const opening = indexedDB.open("portico-bluetooth", 1);
    await new Promise((resolve) => (opening.onsuccess = resolve));
    const counting = opening.result.transaction("grants").objectStore("grants").count();
    await new Promise((resolve) => (counting.onsuccess = resolve));
    opening.result.close();
    return counting.result;
  });

test("without network a lock is operated by the grant kept, and tells of it later", async ({ page, house, complaints }) => {
  complaints.expected.push(OFFLINE);
  const { portico } = house;
  const nearby = await bringBluetooth(page.context());
  const lock = await BluetoothLock.register(page.request, portico.url, uniqueName("Cellar door"));
  nearby.locks = [lock];
  const me = await (await page.request.get(`${portico.url}/api/v1/auth/me`)).json();
  await openWithGrant(page, lock);
  await goOffline(page);

  await press(page, "Unlock");
  await expect(words(page)).toHaveText("The lock says: unlocked.");
  expect(lock.bolt).toBe("unlocked");
  await press(page, "Lock");
  await expect(words(page)).toHaveText("The lock says: locked.");
  await press(page, "Unlock");
  await expect(words(page)).toHaveText("The lock says: unlocked.");
  expect(lock.uses.map(({ wish, user }) => [wish, user])).toEqual(["unlock", "lock", "unlock"].map((wish) => [wish, me.user_id]));
  expect(lock.refusals).toEqual([]);

  // Overheard and sent again, none of it moves the bolt.
  const answers = lock.written.slice().map((request) => lock.write(request));
  expect(answers).toEqual([[2], [2], [2]]);
  expect(lock.refusals).toEqual(["not_proven", "not_proven", "not_proven"]);
  expect(lock.bolt).toBe("unlocked");

  await page.context().setOffline(false);
  await expectReloaded(page);
  // Not sure that it was heard, it says so twice.
  lock.tell(portico);
  lock.tell(portico);
  await expect(page.locator(".lock-main .lock-face")).toHaveAttribute("data-position", "unlocked");
  const history = page.getByRole("table", { name: "History of the lock" }).getByRole("row").filter({ hasText: "over Bluetooth" });
  await page.reload();
  await expect(history).toHaveCount(3);
  for (const line of await history.all()) await expect(line).toContainText(/(Lock|Unlock).*ada.*Done/);
  await expectLive(page);
  await expectClean(page);
});

test("what the lock refuses, or cannot do, is told", async ({ page, house, complaints }) => {
  complaints.expected.push(OFFLINE);
  const { url } = house.portico;
  const nearby = await bringBluetooth(page.context());
  const lock = await BluetoothLock.register(page.request, url, uniqueName("Shed"));
  const other = await BluetoothLock.register(page.request, url, uniqueName("Other shed"));
  await openWithGrant(page, lock);
  await goOffline(page);

  nearby.locks = [other];
  await press(page, "Unlock");
  await expect(words(page)).toContainText("The lock refused");
  await expect(words(page)).toContainText("another lock");
  expect([other.refusals, other.bolt]).toEqual([["other_lock"], "locked"]);

  nearby.locks = [lock];
  lock.clockAheadMs = 13 * HOUR_MS;
  await press(page, "Unlock");
  await expect(words(page)).toContainText("expired");
  lock.clockAheadMs = 0;

  const used = lock.readChallenge();
  await press(page, "Lock");
  await expect(words(page)).toHaveText("The lock says: locked.");
  lock.staleChallenge = used;
  await press(page, "Unlock");
  await expect(words(page)).toContainText("The lock refused");
  lock.staleChallenge = undefined;
  expect([lock.refusals, lock.bolt]).toEqual([["expired", "not_proven"], "locked"]);

  lock.isStuck = true;
  await press(page, "Unlock");
  await expect(words(page)).toHaveText("The lock is jammed.");
  lock.isStuck = false;
  lock.isSilent = true;
  await press(page, "Unlock");
  await expect(words(page)).toHaveText("Looking for the lock…");
  await expect(words(page)).toContainText("The lock does not answer");
  lock.isSilent = false;
  nearby.locks = [];
  await press(page, "Unlock");
  await expect(words(page)).toHaveText("No lock was chosen.");
  nearby.isSwitchedOn = false;
  await press(page, "Unlock");
  await expect(words(page)).toHaveText("Bluetooth is off, or this device has none.");
  nearby.isSwitchedOn = true;
  expect([lock.uses.length, lock.bolt]).toEqual([1, "locked"]);

  // None of that has cost the grant.
  nearby.locks = [lock];
  await press(page, "Unlock");
  await expect(words(page)).toHaveText("The lock says: unlocked.");
});

test("a grant that has expired is not tried, and another comes with the network", async ({ page, house, complaints }) => {
  complaints.expected.push(OFFLINE);
  const nearby = await bringBluetooth(page.context());
  const lock = await BluetoothLock.register(page.request, house.portico.url, uniqueName("Boathouse"));
  nearby.locks = [lock];
  await openWithGrant(page, lock);
  await page.clock.setSystemTime(Date.now() + 13 * HOUR_MS);
  await goOffline(page);
  await expect(words(page)).toContainText("This browser's permission for the lock has expired.");
  await press(page, "Unlock");
  await expect(card(page).getByRole("button", { name: "Unlock over Bluetooth", exact: true })).toBeEnabled();
  await expect(words(page)).toContainText("This browser's permission for the lock has expired.");
  expect([lock.written, lock.bolt]).toEqual([[], "locked"]);

  await page.clock.setSystemTime(Date.now());
  await page.context().setOffline(false);
  await expectReloaded(page);
  await press(page, "Unlock");
  await expect(words(page)).toHaveText("The lock says: unlocked.");
});

test("a grant that still counts is used while the server is there but cannot work", async ({ page, house, complaints }) => {
  complaints.expected.push(/status of 503/);
  const nearby = await bringBluetooth(page.context());
  const lock = await BluetoothLock.register(page.request, house.portico.url, uniqueName("Pavilion"));
  nearby.locks = [lock];
  await openWithGrant(page, lock);
  // Little is left of it: the page asks for another.
  await page.clock.setSystemTime(Date.now() + 7 * HOUR_MS);
  let asked = 0;
  await page.route("**/offline-grant", (route) => {
    asked += 1;
    return asked === 1 ? route.fulfill({ status: 503 }) : undefined;
  });
  await press(page, "Unlock");
  await expect(words(page)).toHaveText("The lock says: unlocked.");
  // Now it does not answer at all.
  await press(page, "Lock");
  await expect(words(page)).toHaveText("The lock says: locked.");
  expect(asked).toBe(2);
});

test("a grant that was taken back is replaced when there is network", async ({ page, house, request }) => {
  const { url } = house.portico;
  const nearby = await bringBluetooth(page.context());
  const lock = await BluetoothLock.register(page.request, url, uniqueName("Workshop"));
  nearby.locks = [lock];
  await openWithGrant(page, lock);
  const back = await page.request.delete(`${url}/api/v1/locks/${lock.id}/offline-grant`, { headers: { Origin: url } });
  expect(back.status(), await back.text()).toBe(204);
  await lock.hearRevocations(request, url);
  await press(page, "Unlock");
  await expect(words(page)).toContainText("taken back");
  expect([lock.refusals, lock.bolt]).toEqual([["revoked"], "locked"]);
  await press(page, "Unlock");
  await expect(words(page)).toHaveText("The lock says: unlocked.");
  expect(await grantsKept(page)).toBe(1);
});

test("without network and without a grant the page says so", async ({ page, house, complaints }) => {
  complaints.expected.push(OFFLINE);
  const nearby = await bringBluetooth(page.context());
  const lock = await BluetoothLock.register(page.request, house.portico.url, uniqueName("Attic"));
  nearby.locks = [lock];
  await page.route("**/offline-grant", (route) => route.abort());
  await page.goto(`/locks/${lock.id}`);
  await expect(words(page)).toHaveText("This browser has no permission for the lock yet. It gets one when there is network.");
  await press(page, "Unlock");
  await expect(words(page)).toHaveText("This browser has no permission for the lock yet. It gets one when there is network.");
  expect(lock.written).toEqual([]);
});

test("a grant is one person's: taken back it opens nothing, and signing out leaves none", async ({
  page,
  openContext,
  house,
  request,
  complaints,
}) => {
  complaints.expected.push(OFFLINE, /status of 40[134]/);
  const { url } = house.portico;
  const lock = await BluetoothLock.register(page.request, url, uniqueName("Studio"));
  const username = uniqueName("gil").replace(/\W/g, "");
  const password = "correct horse battery staple 9";
  const user = { username, email: `${username}@example.org`, password, role: "user" };
  const made = await page.request.post(`${url}/api/v1/users`, { data: user, headers: { Origin: url } });
  expect(made.status(), await made.text()).toBe(201);
  const share = async (role: string) => {
    const data = { user: username, role };
    const answer = await page.request.post(`${url}/api/v1/locks/${lock.id}/grants`, { data, headers: { Origin: url } });
    expect(answer.status(), await answer.text()).toBe(201);
    return (await answer.json()).id;
  };
  const friend = await (await openContext({ baseURL: url })).newPage();
  const nearby = await bringBluetooth(friend.context());
  nearby.locks = [lock];
  await share("viewer");
  await signIn(friend, url, username, password);
  await expectLive(friend);
  await friend.goto(`/locks/${lock.id}`);
  await expectLive(friend);
  await expect(friend.getByRole("heading", { name: lock.name })).toBeVisible();
  await expect(card(friend)).toHaveCount(0);

  const shared = await share("operator");
  await openWithGrant(friend, lock);
  await goOffline(friend);
  await press(friend, "Unlock");
  await expect(words(friend)).toHaveText("The lock says: unlocked.");
  const gil = (await made.json()).user.id;
  expect(lock.uses.map(({ user }) => user)).toEqual([gil]);

  const back = await page.request.delete(`${url}/api/v1/locks/${lock.id}/grants/${shared}`, { headers: { Origin: url } });
  expect(back.ok(), await back.text()).toBeTruthy();
  await lock.hearRevocations(request, url);
  await press(friend, "Lock");
  await expect(words(friend)).toContainText("taken back");
  expect([lock.refusals, lock.bolt]).toEqual([["revoked"], "unlocked"]);

  // With network the page learns it, too.
  await friend.context().setOffline(false);
  await expect(friend.getByText("Lock not found")).toBeVisible();
  await share("operator");
  await openWithGrant(friend, lock);
  expect(await grantsKept(friend)).toBe(1);
  await friend.getByRole("button", { name: "Sign out" }).first().click();
  await expect(friend.getByText("You are signed out.")).toBeVisible();
  await expect(async () => expect(await grantsKept(friend)).toBe(0)).toPass();
});

test("a browser without Bluetooth says so", async ({ page, house }) => {
  await page.addInitScript(() => Object.defineProperty(navigator, "bluetooth", { value: undefined }));
  const lock = await BluetoothLock.register(page.request, house.portico.url, uniqueName("Garage"));
  await page.goto(`/locks/${lock.id}`);
  await expectLive(page);
  await expect(words(page)).toContainText("This browser has no Web Bluetooth");
  await expect(card(page).getByRole("button")).toHaveCount(0);
});
