// Portico's main job: a device publishes, and every permitted screen shows it within a moment.

import { registerByApi, registerOnPage, runPrinted, send, uniqueName } from "../support/devices";
import { Portico } from "../support/server";
import { expect, expectLive, setUp, test } from "../support/test";

test("a printed MQTT example reaches two browsers and stays", async ({ page, openContext, house }) => {
  const device = await registerOnPage(page, uniqueName("Lobby thermometer"));
  const command = await page.getByLabel("MQTT example", { exact: true }).innerText();
  expect(command).toContain(device.id);
  expect(command).toContain(device.apiKey);
  expect(command).toContain(`-p ${house.portico.mqttPort}`);

  await page.getByRole("link", { name: "Watch its values arrive" }).click();
  await expect(page.getByRole("heading", { name: device.name })).toBeVisible();
  const phone = await openContext({ baseURL: house.portico.url, storageState: house.state, viewport: { width: 390, height: 844 } });
  const other = await phone.newPage();
  await other.goto(`/devices/${device.id}`);
  for (const screen of [page, other]) {
    await expectLive(screen);
    await expect(screen.getByText("Nothing measured yet")).toBeVisible();
  }

  runPrinted(command);
  for (const screen of [page, other]) {
    await expect(screen.getByTestId("value").filter({ hasText: "21.5" })).toBeVisible();
    await expect(screen.getByTestId("value").filter({ hasText: "48" })).toBeVisible();
  }

  // The chart grows with what comes next.
  const chart = page.locator(".chart");
  await expect(chart.locator("canvas")).toBeVisible();
  runPrinted(command, { "21.5": "22.75" });
  for (const screen of [page, other])
    await expect(screen.getByTestId("value").filter({ hasText: "22.75" })).toBeVisible();
  await page.locator(".tile").filter({ hasText: "Temperature" }).getByRole("link").click();
  await expect(page.getByRole("heading", { name: "Temperature" })).toBeVisible();
  await expect(page.locator(".u-legend")).toContainText("22.75");

  // What was seen live is history after a reload.
  await page.reload();
  await expect(page.getByTestId("value").filter({ hasText: "22.75" })).toBeVisible();
  await page.getByText("The numbers as a table").click();
  await expect(page.getByRole("region", { name: "The numbers of the chart" })).toContainText("21.50");
});

test("a value sent over HTTP changes the list and the overview in place", async ({ page, house, request }) => {
  const { url } = house.portico;
  const device = await registerByApi(page.request, url, { name: uniqueName("Air sensor"), device_type: "air_quality" });
  await page.goto("/devices");
  await expectLive(page);
  const row = page.getByRole("row").filter({ hasText: device.name });
  await expect(row).toContainText("Never seen");

  await send(request, url, device, { data: { co2: 655 } });
  await expect(row).toContainText("655");
  await expect(row).toContainText("Online");

  await page.goto("/");
  await expectLive(page);
  await expect(page.locator(".live-list")).toContainText(device.name);
  await send(request, url, device, { data: { co2: 702 } });
  await expect(page.locator(".live-list")).toContainText("702");
});

test("the page recovers by itself when the server was killed and started again", async ({ openContext, complaints, request }) => {
  // Its own server: others keep theirs.
  const portico = await Portico.start();
  try {
    complaints.expected.push(/WebSocket|ERR_CONNECTION|Failed to (fetch|load resource)/);
    const page = await (await openContext({ baseURL: portico.url })).newPage();
    await setUp(page, await portico.setupLink());
    const device = await registerByApi(page.request, portico.url, { name: "Boiler", device_type: "thermometer" });
    await send(request, portico.url, device, { data: { temperature: 61.5 } });
    await page.goto(`/devices/${device.id}`);
    await expectLive(page);
    await expect(page.getByTestId("value").filter({ hasText: "61.5" })).toBeVisible();

    await portico.kill();
    await expect(page.locator(".offline-bar")).toBeVisible();
    await expect(page.getByTestId("value").filter({ hasText: "61.5" })).toBeVisible();

    await portico.start();
    await expectLive(page);
    await expect(page.locator(".offline-bar")).toBeHidden();
    await send(request, portico.url, device, { data: { temperature: 63.25 } });
    await expect(page.getByTestId("value").filter({ hasText: "63.25" })).toBeVisible();
  } finally {
    await portico.stop();
  }
});
