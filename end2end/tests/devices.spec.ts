// A device's life: found, edited, given a new key, silenced, deleted; and what it sends wrongly.

import { dayOfValues, registerByApi, send, uniqueName, type Registered } from "../support/devices";
import { expect, expectLive, test } from "../support/test";

const register = (page: import("@playwright/test").Page, url: string, what: string): Promise<Registered> =>
  registerByApi(page.request, url, { name: uniqueName(what), device_type: "thermometer", location: "3rd floor" });

test("search, filter and the keyboard find a device", async ({ page, house }) => {
  const device = await register(page, house.portico.url, "Archive sensor");
  await page.goto("/");
  await expectLive(page);
  await page.keyboard.press("/");
  await expect(page.getByRole("combobox", { name: "Search" })).toBeFocused();
  await page.keyboard.type(device.name);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/devices\?search=/);
  await expect(page.getByRole("row").filter({ hasText: device.name })).toBeVisible();

  await page.getByLabel("Connection").selectOption("online");
  await expect(page).toHaveURL(/connection=online/);
  await expect(page.getByRole("heading", { name: "No device matches" })).toBeVisible();
  await page.getByRole("link", { name: "Show all devices" }).click();
  await expect(page.getByRole("link", { name: device.name })).toBeVisible();
});

test("edit changes it everywhere, a refused edit keeps what was typed", async ({ page, openContext, house, complaints }) => {
  complaints.expected.push(/status of 400/);
  const device = await register(page, house.portico.url, "Roof sensor");
  const list = await (await openContext({ baseURL: house.portico.url, storageState: house.state })).newPage();
  await list.goto(`/devices?search=${encodeURIComponent(device.name)}`);
  await expectLive(list);

  await page.goto(`/devices/${device.id}`);
  await expectLive(page);
  await page.getByText("Edit", { exact: true }).click();
  const form = page.locator("#edit-device");
  await form.getByLabel("Place").fill("Roof, south");
  await form.getByLabel("Heard from every … seconds").fill("15");
  await form.getByRole("button", { name: "Save changes" }).click();
  await expect(page.getByText("every 15 s")).toBeVisible();
  await expect(list.getByRole("row").filter({ hasText: device.name })).toContainText("Roof, south");
  await expect(form).toBeHidden();

  await page.getByText("Edit", { exact: true }).click();
  await form.getByLabel("Place").fill("Somewhere else");
  await form.getByLabel("Type").fill("   ");
  await form.getByRole("button", { name: "Save changes" }).click();
  await expect(form.getByLabel("Type")).toHaveAttribute("aria-invalid", "true");
  await expect(form.getByLabel("Place")).toHaveValue("Somewhere else");
});

test("a new key ends the old one", async ({ page, house, request }) => {
  const { url } = house.portico;
  const device = await register(page, url, "Lift sensor");
  await page.goto(`/devices/${device.id}`);
  await expectLive(page);
  await page.getByText("New key", { exact: true }).click();
  await page.getByRole("button", { name: "Make new key" }).click();
  await expect(page.getByRole("heading", { name: `The key of ${device.name}` })).toBeVisible();
  const apiKey = await page.getByTestId("api-key").innerText();
  expect(apiKey).not.toBe(device.apiKey);

  const old = await request.post(`${url}/api/v1/telemetry`, { data: { data: { temperature: 1 } }, headers: { "X-API-Key": device.apiKey } });
  expect(old.status()).toBe(401);
  await send(request, url, { ...device, apiKey }, { data: { temperature: 19.5 } });
  await expect(page.getByTestId("value").filter({ hasText: "19.5" })).toBeVisible();
});

test("deactivated it may not send, deleted it is gone", async ({ page, openContext, house, request, complaints }) => {
  complaints.expected.push(/status of 40[04]/);
  const { url } = house.portico;
  const device = await register(page, url, "Old sensor");
  await page.goto(`/devices/${device.id}`);
  await expectLive(page);
  await page.getByRole("button", { name: "Deactivate" }).click();
  await expect(page.getByRole("button", { name: "Activate", exact: true })).toBeVisible();
  const refused = await request.post(`${url}/api/v1/telemetry`, { data: { data: { temperature: 1 } }, headers: { "X-API-Key": device.apiKey } });
  expect([401, 403]).toContain(refused.status());

  const watcher = await (await openContext({ baseURL: url, storageState: house.state })).newPage();
  await watcher.goto(`/devices/${device.id}`);
  await expectLive(watcher);

  await page.locator("summary").filter({ hasText: "Delete" }).click();
  const form = page.locator("#delete-device");
  await form.getByRole("textbox").fill("something else");
  await form.getByRole("button", { name: "Delete device" }).click();
  await expect(form.getByRole("textbox")).toHaveAttribute("aria-invalid", "true");
  await form.getByRole("textbox").fill(device.name);
  await form.getByRole("button", { name: "Delete device" }).click();
  await expect(page).toHaveURL(/\/devices$/);
  await expect(watcher.getByText("This device was deleted.")).toBeVisible();
});

test("a day's chart zooms, exports and shows its numbers", async ({ page, house, request }) => {
  const { url } = house.portico;
  const device = await register(page, url, "Server room");
  await send(request, url, device, dayOfValues());
  await page.goto(`/devices/${device.id}?key=temperature&range=24h`);
  await expectLive(page);
  const over = page.locator(".chart .u-over");
  await expect(over).toBeVisible();

  const box = (await over.boundingBox())!;
  await page.mouse.move(box.x + box.width * 0.4, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, box.y + box.height / 2, { steps: 5 });
  await page.mouse.up();
  await expect(page).toHaveURL(/from=\d+.*to=\d+/);
  await expect(over).toBeVisible();
  await page.goBack();
  await expect(page).toHaveURL(/range=24h/);

  const download = page.waitForEvent("download");
  await page.locator("#chart").getByRole("link", { name: "CSV" }).click();
  const file = await (await download).createReadStream();
  let text = "";
  for await (const part of file) text += part;
  expect(text).toContain("temperature");
  expect(text.trim().split("\n").length).toBeGreaterThan(200);
});

test("a message that cannot be used is shown as the device's problem", async ({ page, house, request }) => {
  const { url } = house.portico;
  const device = await register(page, url, "Confused sensor");
  const answer = await request.post(`${url}/api/v1/telemetry`, {
    data: '{"data": {"temperature": ',
    headers: { "X-API-Key": device.apiKey, "Content-Type": "application/json" },
  });
  expect(answer.status()).toBe(400);
  await send(request, url, device, { data: { temperature: 20.5 } });
  await page.goto(`/devices/${device.id}`);
  await expect(page.getByTestId("value").filter({ hasText: "20.5" })).toBeVisible();
  await expect(page.locator(".problems")).toContainText(/\S/);
});
