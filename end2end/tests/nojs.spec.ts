// Without JavaScript the pages still read, and the forms still work.

import { dayOfValues, registerByApi, send, uniqueName } from "../support/devices";
import { ADMIN, expect, signIn, test } from "../support/test";

test.use({ javaScriptEnabled: false });

test("sign in, list, detail and chart", async ({ openContext, page, house, request }) => {
  const { url } = house.portico;
  const device = await registerByApi(page.request, url, { name: uniqueName("Cellar sensor"), device_type: "thermometer" });
  await send(request, url, device, dayOfValues());

  const stranger = await (await openContext({ baseURL: url, javaScriptEnabled: false })).newPage();
  await stranger.goto("/devices");
  await expect(stranger).toHaveURL(/\/login\?next=/);
  await signIn(stranger, url, ADMIN.username, ADMIN.password);
  await expect(stranger.getByRole("heading", { name: "The building right now" })).toBeVisible();

  await stranger.goto("/devices");
  await stranger.locator("#filter-search").fill(device.name);
  await stranger.getByRole("button", { name: "Apply" }).click();
  await stranger.getByRole("link", { name: device.name }).click();
  await expect(stranger.getByRole("heading", { name: device.name })).toBeVisible();
  await expect(stranger.getByTestId("value").first()).toBeVisible();

  await stranger.getByRole("link", { name: "24 h", exact: true }).click();
  await expect(stranger.locator(".chart-static .chart-line")).toHaveAttribute("d", /^M.*L/);
});

test("register a device and refuse one without a name", async ({ page }) => {
  const name = uniqueName("Garage sensor");
  await page.goto("/devices/new");
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("Type", { exact: true }).fill("thermometer");
  await page.getByRole("button", { name: "Register device" }).click();
  await expect(page.getByRole("heading", { name: `The key of ${name}` })).toBeVisible();
  await expect(page.getByLabel("MQTT example", { exact: true })).toContainText("mosquitto_pub");

  // What is wrong is said beside the field, and the rest is kept.
  await page.goto("/devices/new");
  await page.getByLabel("Name", { exact: true }).fill("  ");
  await page.getByLabel("Type", { exact: true }).fill("thermometer");
  await page.getByLabel("Place").fill("garage");
  await page.getByRole("button", { name: "Register device" }).click();
  await expect(page.getByLabel("Place")).toHaveValue("garage");
  await expect(page.getByLabel("Name", { exact: true })).toHaveAttribute("aria-invalid", "true");
});
