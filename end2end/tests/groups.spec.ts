// Groups: made, filled, watched live, dissolved; comparing on the explore page, saved views; the search that finds all of it.

import { dayOfValues, registerByApi, send, uniqueName, type Registered } from "../support/devices";
import { expect, expectLive, test } from "../support/test";

const register = (page: import("@playwright/test").Page, url: string, what: string): Promise<Registered> =>
  registerByApi(page.request, url, { name: uniqueName(what), device_type: "thermometer", location: "4th floor" });

const members = (page: import("@playwright/test").Page) => page.getByRole("table", { name: "Devices of the group" }).getByRole("row");

test("a group is made, filled and shows its members live", async ({ page, openContext, house, request }) => {
  const { url } = house.portico;
  const [one, two] = [await register(page, url, "Attic A"), await register(page, url, "Attic B")];
  for (const device of [one, two]) await send(request, url, device, dayOfValues());
  const name = uniqueName("Attic group");
  await page.goto("/groups");
  await expectLive(page);
  await page.getByText("New group", { exact: true }).click();
  const form = page.locator("#create-group");
  await form.getByLabel("Name").fill(name);
  await form.getByLabel("Description").fill("Everything under the roof");
  await form.getByLabel("Colour").fill("#00796B");
  await form.getByRole("button", { name: "Make group" }).click();
  await expect(page.getByRole("heading", { name, level: 1 })).toBeVisible();
  await expect(page.getByRole("heading", { name: "No devices in this group yet" })).toBeVisible();
  await expect(page).toHaveURL(/\/groups\/[0-9a-f]{32}$/);
  const path = new URL(page.url()).pathname;

  const watcher = await (await openContext({ baseURL: url, storageState: house.state })).newPage();
  await watcher.goto(path);
  await expectLive(watcher);

  await page.getByText("Add devices", { exact: true }).first().click();
  const add = page.locator("#add-devices");
  await page.getByLabel("Find devices").fill("Attic");
  await page.getByRole("button", { name: "Find" }).click();
  await add.getByRole("checkbox", { name: one.name }).check();
  await add.getByRole("checkbox", { name: two.name }).check();
  await add.getByRole("button", { name: "Add to the group" }).click();
  for (const screen of [page, watcher]) {
    await expect(members(screen).filter({ hasText: one.name })).toBeVisible();
    await expect(members(screen).filter({ hasText: two.name })).toBeVisible();
  }
  await expect(watcher.locator(".compare canvas")).toBeVisible();

  // A value that comes in changes the row in place.
  await send(request, url, one, { data: { temperature: 31.25 } });
  await expect(members(watcher).filter({ hasText: one.name })).toContainText("31.25");
  await watcher.getByRole("link", { name: "Humidity" }).click();
  await expect(watcher).toHaveURL(/key=humidity/);
  await expect(watcher.getByRole("heading", { name: "Humidity" })).toBeVisible();

  await page.getByRole("button", { name: `Take ${two.name} out of the group` }).click();
  await expect(watcher.getByRole("link", { name: two.name })).toHaveCount(0);

  await page.getByText("Delete", { exact: true }).click();
  await page.getByRole("button", { name: "Delete group" }).click();
  await expect(page).toHaveURL(/\/groups$/);
  await expect(page.getByRole("link", { name })).toHaveCount(0);
  await expect(watcher.getByText("This group was deleted.")).toBeVisible();
  expect((await page.request.get(`${url}/api/v1/devices/${one.id}`)).ok()).toBeTruthy();
});

test("a group of a name in use is refused beside the name", async ({ page, house, complaints }) => {
  complaints.expected.push(/status of 409/);
  const name = uniqueName("Twice");
  const made = await page.request.post(`${house.portico.url}/api/v1/groups`, { data: { name }, headers: { Origin: house.portico.url } });
  expect(made.status()).toBe(201);
  await page.goto("/groups");
  await expectLive(page);
  await page.getByText("New group", { exact: true }).click();
  await page.locator("#create-group").getByLabel("Name").fill(name);
  await page.getByRole("button", { name: "Make group" }).click();
  await expect(page.locator("#create-group").getByLabel("Name")).toHaveAttribute("aria-invalid", "true");
});

test("keys of several devices are compared, kept as a view and exported", async ({ page, openContext, house, request }) => {
  const { url } = house.portico;
  const [one, two] = [await register(page, url, "Compare A"), await register(page, url, "Compare B")];
  for (const device of [one, two]) await send(request, url, device, dayOfValues());
  await page.goto("/explore");
  await expectLive(page);
  await expect(page.getByRole("heading", { name: "Compare what devices measure" })).toBeVisible();
  await page.getByLabel("Find devices").fill("Compare");
  await page.getByRole("button", { name: "Show" }).click();
  await page.getByRole("group", { name: one.name }).getByLabel("Temperature").check();
  await expect(page.locator(".compare canvas")).toBeVisible();
  await page.getByRole("group", { name: two.name }).getByLabel("CO₂").check();
  await expect(page.locator(".table-compare tbody tr")).toHaveCount(2);
  await page.getByRole("link", { name: "24 h" }).click();
  await expect(page).toHaveURL(/range=24h/);
  await page.getByLabel("Put together by").selectOption("max");
  await page.getByLabel("In windows of").selectOption("1h");
  await expect(page.getByText("Each point is the max of 1 h")).toBeVisible();
  await expect(page.locator(".table-compare tbody tr").nth(1)).toContainText("ppm");

  // Dragging asks for a part of time; Back gives the whole again.
  const whole = page.url();
  await expect(page.locator(".compare canvas")).toBeVisible();
  const box = (await page.locator(".compare .u-over").boundingBox())!;
  await page.mouse.move(box.x + box.width * 0.3, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.7, box.y + box.height / 2, { steps: 8 });
  await page.mouse.up();
  await expect(page).toHaveURL(/from=\d+&to=\d+/);
  await page.goBack();
  await expect(page).toHaveURL(whole);

  const file = await page.request.get(await page.getByRole("link", { name: "CSV" }).getAttribute("href").then((href) => url + href));
  const lines = (await file.text()).trim().split("\r\n");
  expect(lines[0]).toBe("timestamp,device_id,device_name,key,value");
  expect(lines.length).toBeGreaterThan(500);
  expect(lines.some((line) => line.includes(`${two.name},co2,`))).toBeTruthy();

  const name = uniqueName("My comparison");
  await page.getByText("Save view", { exact: true }).first().click();
  await page.locator("#save-view").getByLabel("Name").fill(name);
  await page.locator("#save-view").getByRole("checkbox").check();
  await page.locator("#save-view").getByRole("button", { name: "Save view" }).click();
  await expect(page.getByRole("navigation", { name: "Saved views" }).getByRole("link", { name })).toBeVisible();
  const other = await (await openContext({ baseURL: url, storageState: house.state })).newPage();
  await other.goto("/explore");
  await other.getByRole("link", { name }).click();
  await expect(other.locator(".table-compare tbody tr")).toHaveCount(2);
  await expect(other.getByLabel("Put together by")).toHaveValue("max");
});

test("the search finds devices, groups, views and pages while one types", async ({ page, house }) => {
  const { url } = house.portico;
  const device = await register(page, url, "Findable sensor");
  const group = uniqueName("Findable group");
  await page.request.post(`${url}/api/v1/groups`, { data: { name: group }, headers: { Origin: url } });
  await page.goto("/account");
  await expectLive(page);
  await page.keyboard.press("Control+k");
  await expect(page.getByRole("combobox", { name: "Search" })).toBeFocused();
  await page.keyboard.type("findable");
  const found = page.getByRole("listbox", { name: "Found" });
  await expect(found.getByRole("option", { name: device.name })).toBeVisible();
  await expect(found.getByRole("option", { name: group })).toBeVisible();
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: group, level: 1 })).toBeVisible();

  await page.getByRole("combobox", { name: "Search" }).fill("audi");
  await found.getByRole("option", { name: "Audit" }).click();
  await expect(page).toHaveURL(/\/audit$/);
  await page.getByRole("combobox", { name: "Search" }).fill("nothing like this");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/devices\?search=nothing/);
});
