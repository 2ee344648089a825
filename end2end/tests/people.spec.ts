// Who may see what.

import { registerByApi, uniqueName } from "../support/devices";
import { expect, expectLive, signIn, test } from "../support/test";

const PASSWORD = "seven purple umbrellas 42";

test("a person added by the administrator sees only what is theirs", async ({ page, openContext, house, complaints }) => {
  const { url } = house.portico;
  const device = await registerByApi(page.request, url, { name: uniqueName("Private sensor"), device_type: "thermometer" });
  const username = `grace${process.pid}`;
  await page.goto("/users");
  await expectLive(page);
  await page.getByText("Add person", { exact: true }).first().click();
  const form = page.locator("#create-user");
  await form.getByLabel("User name").fill(username);
  await form.getByLabel("E-mail").fill(`${username}@example.org`);
  await form.getByLabel("First password").fill(PASSWORD);
  await form.getByLabel("Role").selectOption("user");
  await form.getByRole("button", { name: "Add person" }).click();
  await expect(page.getByRole("row").filter({ hasText: username })).toBeVisible();

  complaints.expected.push(/status of 40[34]/);
  const grace = await (await openContext({ baseURL: url })).newPage();
  await signIn(grace, url, username, PASSWORD);
  await expectLive(grace);
  const navigation = grace.getByRole("navigation", { name: "Main" });
  await expect(navigation.getByRole("link", { name: "Devices" })).toBeVisible();
  await expect(navigation.getByRole("link", { name: "People" })).toHaveCount(0);
  await expect(navigation.getByRole("link", { name: "Audit" })).toHaveCount(0);

  await grace.goto("/devices");
  await expect(grace.getByText(device.name)).toHaveCount(0);
  const hidden = await grace.goto(`/devices/${device.id}`);
  expect(hidden?.status()).toBe(404);
  const refused = await grace.goto("/users");
  expect(refused?.status()).toBe(403);

  // Kept out, at once.
  await page.getByRole("row").filter({ hasText: username }).getByRole("button", { name: "Deactivate" }).click();
  await expect(grace).toHaveURL(/\/login/);
  await expect(grace.getByText("You are signed out.")).toBeVisible();
  await grace.goto("/devices");
  await expect(grace).toHaveURL(/\/login/);
});

test("the audit trail tells who did what", async ({ page, house }) => {
  const device = await registerByApi(page.request, house.portico.url, { name: uniqueName("Audited"), device_type: "thermometer" });
  await page.goto("/audit");
  const row = page.getByRole("row").filter({ hasText: "device.registered" }).filter({ hasText: device.id.slice(-8) });
  await expect(row).toContainText("ada");
});

test("ending a session elsewhere signs that browser out", async ({ page, openContext, house, complaints }) => {
  const { url } = house.portico;
  const other = await (await openContext({ baseURL: url })).newPage();
  await signIn(other, url);
  await expectLive(other);

  complaints.expected.push(/WebSocket|status of 401/);
  await page.goto("/account");
  await expectLive(page);
  await page.getByRole("button", { name: "Sign out everywhere else" }).click();
  await expect(page.locator(".sessions:not(.factors) li")).toHaveCount(1);
  await expect(other).toHaveURL(/\/login/);
});

test("a page that was offline when its session ended is signed out when it is back", async ({ page, openContext, house, complaints }) => {
  complaints.expected.push(/WebSocket|ERR_INTERNET_DISCONNECTED|status of 401/);
  const { url } = house.portico;
  const context = await openContext({ baseURL: url });
  const other = await context.newPage();
  await signIn(other, url);
  await expectLive(other);
  await context.setOffline(true);
  await expect(other.locator(".offline-bar")).toBeVisible();
  await page.goto("/account");
  await expectLive(page);
  await page.getByRole("button", { name: "Sign out everywhere else" }).click();
  await expect(page.locator(".sessions:not(.factors) li")).toHaveCount(1);
  await expect(other).toHaveURL(`${url}/`);

  await context.setOffline(false);
  await expect(other).toHaveURL(/\/login/);
  await expect(other.getByText("You are signed out.")).toBeVisible();
});

test("pages that are not there say so", async ({ page, complaints }) => {
  complaints.expected.push(/status of 404/);
  expect((await page.goto("/no/such/page"))?.status()).toBe(404);
  await expect(page.getByRole("heading", { name: "There is no such page" })).toBeVisible();
  expect((await page.goto("/devices/00000000000000000000000000000000"))?.status()).toBe(404);
});
