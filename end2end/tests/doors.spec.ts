// Doors: added, asked by a reader, watched live, locked down from one browser and seen in another, on a phone and without
// JavaScript.

import type { APIRequestContext, Page } from "@playwright/test";
import { makeDoor, registerByApi, uniqueName, type Door } from "../support/devices";
import { expectClean } from "../support/look";
import { expect, expectLive, test } from "../support/test";

async function say(request: APIRequestContext, url: string, door: Door, state: string): Promise<void> {
  const answer = await request.post(`${url}/api/door_state`, { data: { state }, headers: { "X-API-Key": door.reader.apiKey } });
  expect(answer.ok(), await answer.text()).toBeTruthy();
}

const row = (page: Page, door: Door) => page.getByRole("row").filter({ hasText: door.name });

test("a door is added, its reader asks, and its state is seen live", async ({ page, house, request }) => {
  const { url } = house.portico;
  const reader = await registerByApi(page.request, url, { name: uniqueName("Gate reader"), device_type: "reader" });
  const name = uniqueName("Gate");
  await page.goto("/doors");
  await expectLive(page);
  await page.locator("summary").filter({ hasText: "Add door" }).click();
  const form = page.locator("#create-door");
  await form.getByLabel("Name").fill(name);
  await form.getByLabel("Place").fill("North side");
  await form.getByLabel("Reader outside").selectOption({ label: `${reader.name} (reader)` });
  await form.getByRole("button", { name: "Add door" }).click();
  await expect(page.getByRole("heading", { name, level: 1 })).toBeVisible();
  await expect(page.getByRole("link", { name: reader.name })).toBeVisible();
  await expect(page).toHaveURL(/\/doors\/[0-9a-f]{32}$/);
  const door: Door = { id: new URL(page.url()).pathname.split("/").pop() ?? "", name, reader };

  await say(request, url, door, "closed");
  await expect(page.locator(".title-line")).toContainText("Closed");
  await say(request, url, door, "open");
  await expect(page.locator(".title-line")).toContainText("Forced open");
  await expect(page.getByRole("complementary", { name: "Open alarms" })).toContainText("critical");
  await say(request, url, door, "closed");
  await expect(page.locator(".title-line")).toContainText("Closed");

  // An unknown card: 200, and nobody is let in.
  const answer = await request.post(`${url}/api/check_access`, {
    data: { method: "rfid", rfid_uid: "A1B2C3D4" },
    headers: { "X-API-Key": reader.apiKey },
  });
  expect(answer.status()).toBe(200);
  expect(await answer.json()).toMatchObject({ access_granted: false, message: "Access denied", user_id: null });

  await page.locator("summary").filter({ hasText: "Edit" }).click();
  const edit = page.locator("#edit-door");
  await edit.getByLabel("Place").fill("South side");
  await edit.getByRole("button", { name: "Save changes" }).click();
  await expect(page.getByText("South side")).toBeVisible();

  await page.locator("summary").filter({ hasText: "Remove" }).click();
  await page.locator("#delete-door").getByRole("button", { name: "Remove door" }).click();
  await expect(page).toHaveURL(/\/doors$/);
  await expect(page.getByRole("link", { name })).toHaveCount(0);
});

test("a lockdown from one browser is seen in another on a phone, and ended", async ({ page, openContext, house }) => {
  const { url } = house.portico;
  const door = await makeDoor(page.request, url, "Lobby");
  const phone = await (await openContext({ baseURL: url, storageState: house.state, viewport: { width: 390, height: 844 } })).newPage();
  await page.goto("/doors");
  await phone.goto("/doors");
  for (const screen of [page, phone]) {
    await expectLive(screen);
    await expect(row(screen, door)).toContainText("Unknown");
  }
  await page.locator("summary").filter({ hasText: "Lockdown" }).click();
  const form = page.locator("#order-doors");
  await form.getByLabel("Why").fill("Drill");
  await form.getByRole("button", { name: "Lock down" }).click();
  for (const screen of [page, phone]) {
    await expect(row(screen, door)).toContainText("Lockdown");
    await expect(screen.getByRole("complementary", { name: "Lockdown" })).toBeVisible();
  }
  for (const screen of [page, phone]) {
    await expectClean(screen);
  }
  await phone.getByRole("link", { name: door.name }).click();
  await expect(phone.getByRole("heading", { name: door.name, level: 1 })).toBeVisible();
  await expect(phone.locator(".title-line")).toContainText("by user:ada");
  await phone.locator("summary").filter({ hasText: "Back to normal" }).click();
  await phone.locator("#back-to-normal").getByRole("button", { name: "End it" }).click();
  await expect(phone.locator(".title-line")).not.toContainText("Lockdown");
  await expect(row(page, door)).not.toContainText("Lockdown");
  // Whatever other doors this house has.
  const normal = await page.request.post(`${url}/api/v1/doors/mode`, {
    data: { scope: { kind: "all" }, mode: "normal" },
    headers: { Origin: url },
  });
  expect(normal.ok(), await normal.text()).toBeTruthy();
  for (const screen of [page, phone]) await expect(screen.getByRole("complementary", { name: "Lockdown" })).toBeHidden();
});

test("doors are locked down and freed without JavaScript", async ({ page, openContext, house }) => {
  const { url } = house.portico;
  const door = await makeDoor(page.request, url, "Archive");
  const plain = await (await openContext({ baseURL: url, storageState: house.state, javaScriptEnabled: false })).newPage();
  await plain.goto(`/doors/${door.id}`);
  await expect(plain.getByRole("heading", { name: door.name, level: 1 })).toBeVisible();
  await plain.locator("summary").filter({ hasText: "Lockdown" }).click();
  await plain.locator("#lock-down").getByRole("button", { name: "Lock down this door" }).click();
  await expect(plain.locator(".title-line")).toContainText("Lockdown");
  await plain.goto("/doors?mode=lockdown");
  await expect(row(plain, door)).toContainText("Lockdown");
  await plain.getByRole("link", { name: door.name }).click();
  await plain.locator("summary").filter({ hasText: "Back to normal" }).click();
  await plain.locator("#back-to-normal").getByRole("button", { name: "End it" }).click();
  await expect(plain.locator(".title-line")).not.toContainText("Lockdown");
  await plain.goto("/doors?search=nowhere-at-all");
  await expect(plain.getByRole("heading", { name: "No door fits" })).toBeVisible();
});
