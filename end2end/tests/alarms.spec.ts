// A rule is made, a value breaks it, two browsers show the alarm at once, one takes it on, the value recovers.

import { registerByApi, send, uniqueName } from "../support/devices";
import { expect, expectLive, test } from "../support/test";

test("an alarm is raised, acknowledged and over in two browsers at once", async ({ page, openContext, house, request }) => {
  const { url } = house.portico;
  const device = await registerByApi(page.request, url, { name: uniqueName("Freezer"), device_type: "freezer" });
  await send(request, url, device, { data: { temperature: -20 } });
  const rule = `Too warm ${device.name}`;

  await page.goto("/alarms/rules/new");
  await expectLive(page);
  await page.getByLabel("Name").fill(rule);
  await page.getByLabel("Applies to").selectOption({ label: device.name });
  await page.getByLabel("Measured value").fill("temperature");
  await page.getByLabel("Limit", { exact: true }).fill("-15");
  await page.getByLabel("Over when back by").fill("1");
  await page.getByLabel("Severity").selectOption("critical");
  await page.getByRole("button", { name: "Try on the last 24 hours" }).click();
  await expect(page.getByText("It would not have fired in the last 24 hours, on 1 device.")).toBeVisible();
  await page.getByRole("button", { name: "Save rule" }).click();
  await expect(page.getByRole("row").filter({ hasText: rule })).toContainText("temperature above -15");

  const phone = await openContext({ baseURL: url, storageState: house.state, viewport: { width: 390, height: 844 } });
  const other = await phone.newPage();
  await page.goto("/alarms");
  await other.goto("/");
  for (const screen of [page, other]) await expectLive(screen);

  await send(request, url, device, { data: { temperature: -11.5 } });
  for (const screen of [page, other]) {
    const bar = screen.getByRole("complementary", { name: "Open alarms" });
    await expect(bar).toContainText(`${device.name}: ${rule}`);
    await expect(bar).toContainText("critical");
  }
  const row = page.getByRole("row").filter({ hasText: rule });
  await expect(row).toContainText("Not acknowledged");
  await expect(row).toContainText("temperature is -11.5, above -15.");

  await other.getByRole("link", { name: `${device.name}: ${rule}` }).click();
  await expect(other.getByRole("heading", { name: rule })).toBeVisible();
  await other.locator("summary").filter({ hasText: "Acknowledge" }).click();
  await other.getByLabel("Note").first().fill("Door was open");
  await other.getByRole("button", { name: "Acknowledge alarm" }).click();
  await expect(other.getByText("Door was open")).toBeVisible();
  await expect(row).toContainText("Acknowledged");
  await expect(row).toContainText("by ada");

  await send(request, url, device, { data: { temperature: -16 } });
  await expect(other.getByText("temperature is -16 again.")).toBeVisible();
  await expect(row).toBeHidden();
  await page.getByRole("link", { name: "History" }).click();
  await expect(row).toContainText("Over");

  // The limit is a line in the device's chart.
  await page.goto(`/devices/${device.id}?key=temperature`);
  await expect(page.getByRole("list", { name: "Limits" })).toContainText("above -15");
  await expect(page.locator(".chart canvas")).toBeVisible();
});

test("mistakes stand beside their fields, and a rule can be changed and deleted", async ({ page, house, complaints }) => {
  complaints.expected.push(/status of 400/);
  const device = await registerByApi(page.request, house.portico.url, { name: uniqueName("Pump"), device_type: "pump" });
  const rule = `Silent ${device.name}`;
  await page.goto(`/alarms/rules/new?kind=absence&scope=device:${device.id}`);
  await expectLive(page);
  await page.getByLabel("Name").fill(rule);
  await page.getByLabel("After seconds").fill("1");
  await page.getByRole("button", { name: "Save rule" }).click();
  await expect(page.getByText("5 to 2592000 seconds")).toBeVisible();
  await page.getByLabel("After seconds").fill("600");
  await page.getByRole("button", { name: "Save rule" }).click();
  await page.getByRole("link", { name: rule }).click();
  await expect(page.getByLabel("After seconds")).toHaveValue("600");
  await page.getByLabel("Switched on").uncheck();
  await page.getByRole("button", { name: "Save rule" }).click();
  await expect(page.getByRole("row").filter({ hasText: rule })).toContainText("Off");
  await page.getByRole("link", { name: rule }).click();
  await page.locator("summary").filter({ hasText: "Delete" }).click();
  await page.getByRole("button", { name: "Delete rule" }).click();
  await expect(page.getByRole("heading", { name: "Alarm rules" })).toBeVisible();
  await expect(page.getByRole("link", { name: rule })).toBeHidden();
});

test.describe("without JavaScript", () => {
  test.use({ javaScriptEnabled: false });

  test("a rule is tried and saved, an alarm read and acknowledged", async ({ page, house, request }) => {
    const { url } = house.portico;
    const device = await registerByApi(page.request, url, { name: uniqueName("Oven"), device_type: "oven" });
    const rule = `Hot ${device.name}`;
    await page.goto(`/alarms/rules/new?scope=device:${device.id}`);
    await page.getByLabel("Name").fill(rule);
    await page.getByLabel("Measured value").fill("temperature");
    await page.getByLabel("Limit", { exact: true }).fill("250");
    await page.getByRole("button", { name: "Try on the last 24 hours" }).click();
    await expect(page.getByText("It would not have fired in the last 24 hours")).toBeVisible();
    await expect(page.getByLabel("Name")).toHaveValue(rule);
    await page.getByRole("button", { name: "Save rule" }).click();
    await expect(page.getByRole("link", { name: rule })).toBeVisible();

    await send(request, url, device, { data: { temperature: 260 } });
    await page.goto("/alarms");
    await page.getByRole("link", { name: rule, exact: true }).click();
    await page.locator("summary").filter({ hasText: "Acknowledge" }).click();
    await page.getByRole("button", { name: "Acknowledge alarm" }).click();
    await expect(page.getByRole("list").filter({ hasText: "Acknowledged by ada" })).toBeVisible();
  });
});
