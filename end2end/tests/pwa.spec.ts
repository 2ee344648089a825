// Installable, and of use when the server cannot be reached.

import { registerByApi, send, uniqueName } from "../support/devices";
import { expect, expectLive, test } from "../support/test";

test.use({ serviceWorkers: "allow" });

test("the browser finds nothing that prevents installing", async ({ page }) => {
  await page.goto("/");
  await expectLive(page);
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  const session = await page.context().newCDPSession(page);
  const { errors, data } = await session.send("Page.getAppManifest");
  expect(errors).toEqual([]);
  const manifest = JSON.parse(data!);
  expect(manifest).toMatchObject({ name: "Portico", start_url: "/", display: "standalone" });
  const purposes = manifest.icons.map((icon: { purpose?: string }) => icon.purpose ?? "any");
  expect(purposes).toContain("maskable");
  for (const icon of manifest.icons) expect((await page.request.get(icon.src)).ok(), icon.src).toBeTruthy();
  const { installabilityErrors } = await session.send("Page.getInstallabilityErrors");
  // An incognito context, as tests have, can never install.
  expect(installabilityErrors.filter(({ errorId }) => errorId !== "in-incognito")).toEqual([]);
});

test("offline, a page that was seen shows its last state, marked as old", async ({ page, house, request, complaints }) => {
  complaints.expected.push(/WebSocket|ERR_INTERNET_DISCONNECTED|ERR_FAILED|Failed to (fetch|load resource)/);
  const { url } = house.portico;
  const device = await registerByApi(page.request, url, { name: uniqueName("Cold store"), device_type: "thermometer" });
  await send(request, url, device, { data: { temperature: 4.25 } });

  await page.goto(`/devices/${device.id}`);
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  // From the second load on the worker is in charge and keeps what it sees.
  await page.reload();
  await expectLive(page);
  await expect.poll(() => page.evaluate(async () => (await Promise.all((await caches.keys()).map(async (name) => (await (await caches.open(name)).keys()).map((request) => new URL(request.url).pathname)))).flat())).toContain(`/devices/${device.id}`);

  await page.context().setOffline(true);
  await page.reload();
  await expect(page.getByText(/Last known state, from/)).toBeVisible();
  await expect(page.getByTestId("value").filter({ hasText: "4.25" })).toBeVisible();

  // Chromium says for a moment that it is online when a worker is restarted, which may be just now: that must not take the
  // reader back.
  await page.evaluate(() => addEventListener("beforeunload", () => dispatchEvent(new Event("online"))));
  await page.goto("/audit");
  await expect(page.getByRole("heading", { name: "Portico cannot be reached" })).toBeVisible();

  // Back at the old page: it renews itself when the server can be reached again.
  await page.goto(`/devices/${device.id}`);
  await expect(page.getByText(/Last known state, from/)).toBeVisible();
  await page.context().setOffline(false);
  await expectLive(page);
  await expect(page.getByText(/Last known state, from/)).toHaveCount(0);
});

test("signing out forgets the pages that were kept", async ({ openContext, house }) => {
  const context = await openContext({ baseURL: house.portico.url });
  const page = await context.newPage();
  await page.goto("/login");
  await page.getByLabel("User name or e-mail").fill("ada");
  await page.getByLabel("Password").fill("correct horse battery staple 7");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expectLive(page);
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  await page.goto("/devices");
  await expectLive(page);
  await page.getByRole("button", { name: "Sign out" }).first().click();
  await expect(page.getByText("You are signed out.")).toBeVisible();
  const kept = () => page.evaluate(async () => (await caches.keys()).filter((name) => name.startsWith("portico-pages")));
  await expect(async () => expect(await kept()).toEqual([])).toPass();
});
