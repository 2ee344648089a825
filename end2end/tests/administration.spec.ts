// What administrators do: keys of programs, settings, statistics, the trail, and a person's data.

import { registerByApi, uniqueName } from "../support/devices";
import { expect, expectLive, signIn, test } from "../support/test";

const PASSWORD = "seven purple umbrellas 42";

test("a program gets a key that is shown once, rotated and revoked", async ({ page, house, complaints }) => {
  const { url } = house.portico;
  const name = uniqueName("Reports");
  await page.goto("/api_keys");
  await expectLive(page);
  await page.getByText("Create key", { exact: true }).first().click();
  const form = page.locator("#create-key");
  await form.getByLabel("Name").fill(name);
  await form.getByRole("button", { name: "Create key" }).click();
  await expect(form.getByText("Choose at least one")).toBeVisible();
  await form.getByLabel("Read the audit trail").check();
  await form.getByRole("button", { name: "Create key" }).click();
  const shown = page.locator(".shown-key code");
  await expect(shown).toHaveText(/^svc_\w{40}$/);
  const key = (await shown.textContent()) ?? "";
  const read = async (apiKey: string, path = "/api/v1/audit") =>
    (await fetch(url + path, { headers: { "x-api-key": apiKey } })).status;
  expect(await read(key)).toBe(200);
  expect(await read(key, "/api/v1/users")).toBe(403);

  const row = page.getByRole("row").filter({ hasText: name });
  await expect(row).toContainText("In force");
  await row.getByText("Rotate", { exact: true }).click();
  await row.getByRole("button", { name: "Rotate key" }).click();
  await expect(shown.last()).not.toHaveText(key);
  const newer = (await shown.last().textContent()) ?? "";
  expect([await read(key), await read(newer)]).toEqual([200, 200]);

  await page.reload();
  await expectLive(page);
  await expect(page.locator(".shown-key")).toHaveCount(0);
  await row.getByText("Revoke", { exact: true }).click();
  await row.getByRole("button", { name: "Revoke key" }).click();
  await expect(row).toHaveCount(0);
  expect([await read(key), await read(newer)]).toEqual([401, 401]);
  complaints.expected.push(/status of 400/);
});

test("the organisation's settings are kept, and wrong ones explained", async ({ page, house, complaints }) => {
  complaints.expected.push(/status of 400/);
  const organization = `${house.portico.url}/api/v1/organization`;
  const before = (await (await page.request.get(organization)).json()).organization;
  await page.goto("/settings");
  await expectLive(page);
  const form = page.locator("#save-settings");
  await form.getByLabel("Time zone of the building").fill("Berlin");
  await form.getByRole("button", { name: "Save settings" }).click();
  await expect(form.getByText("This is no time zone")).toBeVisible();
  await form.getByLabel("Time zone of the building").fill("Europe/Berlin");
  await form.getByRole("button", { name: "Save settings" }).click();
  await expect(page.getByText("Settings saved")).toBeVisible();
  await page.reload();
  await expectLive(page);
  await expect(form.getByLabel("Time zone of the building")).toHaveValue("Europe/Berlin");
  const retention = page.locator("#save-retention");
  await retention.getByLabel("Single measurements, days").fill("30");
  await retention.getByRole("button", { name: "Save retention" }).click();
  await expect(page.getByText("Settings saved")).toBeVisible();
  await page.reload();
  await expect(retention.getByLabel("Single measurements, days")).toHaveValue("30");
  // The house is that of other tests, too, and its clock theirs.
  const { name, time_zone, signup } = before;
  const answer = await page.request.put(organization, { data: { name, time_zone, signup }, headers: { Origin: house.portico.url } });
  expect((await answer.json()).organization.time_zone).toBe(time_zone);
});

test("statistics count what is there", async ({ page, house }) => {
  await registerByApi(page.request, house.portico.url, { name: uniqueName("Counted"), device_type: "thermometer" });
  await page.goto("/admin");
  await expect(page.getByRole("heading", { name: "Devices and measurements" })).toBeVisible();
  await expect(page.locator(".figure", { hasText: "devices" }).first().locator("strong")).toHaveText(/^[1-9]/);
  await expect(page.getByText("SQLite")).toBeVisible();
});

test("the trail is filtered, followed live and exported", async ({ page, house, openContext, complaints }) => {
  const { url } = house.portico;
  complaints.expected.push(/status of 40[013]/);
  const device = await registerByApi(page.request, url, { name: uniqueName("Traced"), device_type: "thermometer" });
  await page.goto(`/audit?target=device:${device.id}`);
  await expectLive(page);
  await expect(page.locator("tbody tr")).toHaveCount(1);
  // A change appears by itself; what the filter leaves out does not.
  await registerByApi(page.request, url, { name: uniqueName("Not traced"), device_type: "thermometer" });
  const changed = await page.request.patch(`${url}/api/v1/devices/${device.id}`, { data: { location: "Cellar" } });
  expect(changed.ok()).toBe(true);
  await expect(page.locator("tbody tr")).toHaveCount(2);
  await expect(page.locator("tbody tr").first()).toContainText("device.changed");
  const href = await page.getByRole("link", { name: "CSV" }).getAttribute("href");
  const csv = await (await page.request.get(url + href)).text();
  expect(csv.trim().split("\n")).toHaveLength(3);

  await page.goto("/security_events?outcome=failed");
  await expectLive(page);
  const stranger = await (await openContext({ baseURL: url })).newPage();
  await signIn(stranger, url, "nobody-at-all", "a wrong password 1");
  await expect(page.locator("tbody tr").filter({ hasText: "auth.sign_in_failed" }).first()).toBeVisible();
  await page.getByLabel("Outcome").selectOption("denied");
  await expect(page).toHaveURL(/outcome=denied/);
});

test("a person takes their data along and is forgotten", async ({ page, openContext, house, complaints }) => {
  const { url } = house.portico;
  complaints.expected.push(/WebSocket|status of 401/);
  const username = `hopper${process.pid}`;
  const user = { username, email: `${username}@example.org`, password: PASSWORD, role: "user" };
  expect((await page.request.post(`${url}/api/v1/users`, { data: user })).ok()).toBe(true);
  const own = await (await openContext({ baseURL: url })).newPage();
  await signIn(own, url, username, PASSWORD);
  await expectLive(own);
  await own.goto("/account");
  const href = await own.getByRole("link", { name: "Export" }).getAttribute("href");
  const data = (await (await own.request.get(url + href)).json()) as { account: { username: string } };
  expect(data.account.username).toBe(username);

  await page.goto(`/users?search=${username}`);
  await page.getByRole("link", { name: username }).click();
  await expect(page.getByRole("heading", { name: username })).toBeVisible();
  await expectLive(page);
  await page.getByText("Erase person", { exact: true }).first().click();
  const form = page.locator("#erase-person");
  await form.getByLabel("User name, to confirm").fill(username);
  await form.getByRole("button", { name: "Erase person" }).click();
  await expect(page).toHaveURL(/\/users$/);
  await expect(own).toHaveURL(/\/login/);
  const trail = await (await page.request.get(`${url}/api/v1/audit?limit=500`)).text();
  expect(trail).not.toContain(username);
  expect(trail).toContain("user.erased");
});
