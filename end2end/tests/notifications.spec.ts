// What people are told: preferences, pushes that really arrive, webhooks, and what could not be delivered.

import { PushService, Receiver } from "../support/outside";
import { setUpHouse, expect, expectLive, test as base, type House } from "../support/test";

// The other side stands on this machine, which a server as installed refuses to send to.
const test = base.extend<{}, { house: House; push: PushService; receiver: Receiver }>({
  house: [
    async ({ browser }, use) => {
      const house = await setUpHouse(browser, { "webhooks.allow_private_addresses": "true" });
      await use(house);
      await house.portico.stop();
    },
    { scope: "worker", timeout: 180_000 },
  ],
  push: [
    async ({}, use) => {
      const push = await PushService.start();
      await use(push);
      push.stop();
    },
    { scope: "worker" },
  ],
  receiver: [
    async ({}, use) => {
      const receiver = await Receiver.start();
      await use(receiver);
      receiver.stop();
    },
    { scope: "worker" },
  ],
});

test.use({ serviceWorkers: "allow" });

test("preferences are kept, with and without JavaScript", async ({ page, openContext, house }) => {
  await page.goto("/notifications");
  await expectLive(page);
  await expect(page.getByText("This server has no mail server to send by")).toBeVisible();
  const choice = page.getByLabel("An alarm is over: push");
  await expect(choice).toHaveValue("critical");
  await choice.selectOption("Always");
  await page.getByLabel("An alarm is over: e-mail").selectOption("Warnings too");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(page.locator(".toasts").getByText("Saved: what you are told")).toBeVisible();
  await page.reload();
  await expect(choice).toHaveValue("everything");

  const plain = await openContext({ baseURL: house.portico.url, storageState: house.state, javaScriptEnabled: false });
  const without = await plain.newPage();
  await without.goto("/notifications");
  await expect(without.getByLabel("An alarm is over: e-mail")).toHaveValue("warning");
  await without.getByLabel("An alarm is over: e-mail").selectOption("Never");
  await without.getByRole("button", { name: "Save", exact: true }).click();
  await expect(without.getByText("Saved: what you are told.")).toBeVisible();
  await expect(without.getByLabel("An alarm is over: e-mail")).toHaveValue("never");
});

test("a browser is subscribed, gets a push, shows it, and is turned off again", async ({ context, page, house, push }) => {
  await context.grantPermissions(["notifications"], { origin: house.portico.url });
  // Chromium's own push service is out of reach: its place is taken by ours. All else is real.
  await page.addInitScript((subscription) => {
    let current: object | null = null;
    const fake = { ...subscription, options: {}, toJSON: () => subscription, unsubscribe: async () => ((current = null), true) };
    PushManager.prototype.subscribe = async (options) => {
      const key = options?.applicationServerKey as Uint8Array;
      if (!options?.userVisibleOnly || key.length !== 65) throw new Error("not how a browser wants to be asked");
      return (current = fake) as unknown as PushSubscription;
    };
    PushManager.prototype.getSubscription = async () => current as PushSubscription | null;
  }, push.subscription);
  await page.goto("/notifications");
  await expectLive(page);
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  await expect(page.getByText("No browser of yours gets pushes yet.")).toBeVisible();
  await page.getByRole("button", { name: "Turn on pushes in this browser" }).click();
  await expect(page.getByText("This browser gets your pushes.")).toBeVisible();
  await expect(page.locator(".browsers").getByText("Chrome on Linux")).toBeVisible();

  await page.getByRole("button", { name: "Send a test push" }).click();
  await expect.poll(() => push.messages.length).toBe(1);
  expect(push.messages[0]).toMatchObject({ title: "Portico reaches you here", link: "/notifications", tag: "test" });

  // The browser hands it to the service worker, as it would after decrypting it.
  const session = await context.newCDPSession(page);
  const registered = new Promise<string>((resolve) => {
    session.on("ServiceWorker.workerRegistrationUpdated", ({ registrations }) => registrations[0] && resolve(registrations[0].registrationId));
  });
  await session.send("ServiceWorker.enable");
  const registrationId = await registered;
  await session.send("ServiceWorker.deliverPushMessage", {
    origin: house.portico.url,
    registrationId,
    data: JSON.stringify(push.messages[0]),
  });
  const shown = () =>
    page.evaluate(async () => {
      const registration = await navigator.serviceWorker.getRegistration();
      const notifications = (await registration?.getNotifications()) ?? [];
      return notifications.map(({ title, body, tag, data }) => ({ title, body, tag, link: data.link }));
    });
  await expect
    .poll(shown)
    .toEqual([{ title: "Portico reaches you here", body: "This is the test that you asked for.", tag: "test", link: "/notifications" }]);

  await page.getByRole("button", { name: "Turn off here" }).click();
  await expect(page.getByText("No browser of yours gets pushes yet.")).toBeVisible();
  await expect(page.getByRole("button", { name: "Turn on pushes in this browser" })).toBeVisible();
  await expect(page.getByRole("button", { name: "Send a test push" })).toBeDisabled();
});

test("who has blocked notifications is told what to do", async ({ page }) => {
  await page.addInitScript(() => Object.defineProperty(Notification, "permission", { value: "denied" }));
  await page.goto("/notifications");
  await expectLive(page);
  await expect(page.getByText("Notifications are blocked for this site.")).toBeVisible();
  await expect(page.getByRole("button", { name: /Turn on pushes/ })).toHaveCount(0);
});

test("a webhook is added, tested, given a new secret, and its dead letter sent again", async ({ page, receiver, complaints }) => {
  complaints.expected.push(/status of 400/);
  await page.goto("/notifications/webhooks");
  await expectLive(page);
  await expect(page.getByText("No other system is told yet")).toBeVisible();
  await page.getByText("Add webhook", { exact: true }).first().click();
  await page.getByLabel("Name").fill("Service desk");
  await page.getByLabel("Address").fill("nonsense://desk");
  await page.getByRole("button", { name: "Add webhook" }).click();
  await expect(page.getByText("The address must begin with https://.")).toBeVisible();
  await page.getByLabel("Address").fill(receiver.url);
  await page.getByLabel("Only these kinds").fill("alarm.raised, alarm.cleared");
  await page.getByRole("button", { name: "Add webhook" }).click();
  const secret = await page.getByTestId("webhook-secret").innerText();
  expect(secret).toMatch(/^whsec_[0-9a-f]{64}$/);

  await page.getByRole("link", { name: "Service desk" }).click();
  await expect(page.getByRole("heading", { name: "Service desk" })).toBeVisible();
  await expect(page.getByText(secret)).toHaveCount(0);
  await page.getByRole("button", { name: "Send test" }).click();
  await expect.poll(() => receiver.requests.length).toBe(1);
  expect(receiver.requests[0]!.event).toBe("test");
  expect(receiver.isSignedWith(secret)).toBeTruthy();
  // Noted once the receiver has answered; this page asks for it once.
  await expect(async () => {
    await page.reload();
    await expect(page.getByText("Delivered", { exact: true })).toBeVisible({ timeout: 5_000 });
  }).toPass();
  await expectLive(page);

  await page.getByText("New secret", { exact: true }).click();
  await page.getByRole("button", { name: "Make new secret" }).click();
  const renewed = await page.getByTestId("webhook-secret").innerText();
  expect(renewed).not.toBe(secret);
  // Gone for good: nothing more is tried by itself.
  receiver.status = 410;
  await page.getByRole("button", { name: "Send test" }).click();
  await expect.poll(() => receiver.requests.length).toBe(2);
  expect([receiver.isSignedWith(secret), receiver.isSignedWith(renewed)]).toEqual([true, true]);
  receiver.status = 204;

  await page.getByRole("link", { name: "Webhooks" }).first().click();
  await page.getByRole("link", { name: "Messages" }).click();
  await expect(async () => {
    await page.reload();
    await expect(page.getByText("1 attempt: answered 410")).toBeVisible({ timeout: 5_000 });
  }).toPass();
  await expectLive(page);
  await page.getByRole("button", { name: "Send again" }).click();
  await expect.poll(() => receiver.requests.length).toBe(3);
  await expect(page.getByText("Everything was delivered")).toBeVisible();

  await page.goto("/notifications/webhooks");
  await page.getByRole("link", { name: "Service desk" }).click();
  await page.getByText("Remove", { exact: true }).click();
  await page.getByRole("button", { name: "Remove webhook" }).click();
  await expect(page.getByText("No other system is told yet")).toBeVisible();
});

test("without JavaScript a webhook is added and its secret shown once", async ({ openContext, house, receiver }) => {
  const context = await openContext({ baseURL: house.portico.url, storageState: house.state, javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto("/notifications/webhooks");
  await page.getByText("Add webhook", { exact: true }).first().click();
  await page.getByLabel("Name").fill("Plain");
  await page.getByLabel("Address").fill(receiver.url);
  await page.getByRole("button", { name: "Add webhook" }).click();
  await expect(page.getByTestId("webhook-secret")).toHaveText(/^whsec_/);
  await page.reload();
  await expect(page.getByTestId("webhook-secret")).toHaveCount(0);
  await page.getByRole("link", { name: "Plain" }).click();
  await page.getByText("Remove", { exact: true }).click();
  await page.getByRole("button", { name: "Remove webhook" }).click();
  await expect(page.getByText("No other system is told yet")).toBeVisible();
});
