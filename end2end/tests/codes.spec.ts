// Codes for keypads: made for a lock and for a door, shown once, set only when the lock says so, withdrawn; without
// JavaScript; on a phone.

import type { Page } from "@playwright/test";
import { makeByApi, uniqueName } from "../support/devices";
import { expectClean, expectFits } from "../support/look";
import { expect, expectLive, test } from "../support/test";

const row = (page: Page, name: string) => page.getByRole("table", { name: "Codes, newest first" }).getByRole("row").filter({ hasText: name });

test("a lock's code is shown once, is set when the lock says so, and is withdrawn", async ({ page, house, request, complaints }) => {
  complaints.expected.push(/status of 400/);
  const { url } = house.portico;
  const lock = await makeByApi(page.request, url, "locks", { name: uniqueName("Cabin") });
  const headers = { "X-API-Key": lock.api_key };
  await page.goto(`/locks/${lock.lock.id}`);
  await page.getByRole("link", { name: "Codes", exact: true }).last().click();
  await expect(page.getByRole("heading", { name: "Codes", level: 1 })).toBeVisible();
  await expectLive(page);
  await expect(page.getByRole("heading", { name: "No code matches" })).toBeVisible();

  const name = uniqueName("Plumber");
  await page.getByText("New code", { exact: true }).click();
  const form = page.locator("#create-code");
  await form.getByLabel("For").fill(name);
  await expect(form.getByLabel("Opens")).toHaveValue(`lock:${lock.lock.id}`);
  await form.getByLabel("Digits").fill("12x");
  await form.getByRole("button", { name: "Make code" }).click();
  await expect(form.getByText(/4 to 8 digits/)).toBeVisible();
  await form.getByLabel("Digits").fill("");
  await form.getByLabel("Times it may be used").fill("2");
  await form.getByRole("button", { name: "Make code" }).click();
  await expect(page.getByText(/is \d{6}\. It is shown this once/)).toBeVisible();
  await expect(row(page, name)).toContainText("Being set");
  await expect(row(page, name)).toContainText("0 of 2");

  const told = async () => (await (await request.get(`${url}/api/v1/devices/commands`, { headers })).json())[0];
  await expect.poll(async () => (await told())?.name).toBe("set_code");
  const answer = await request.post(`${url}/api/v1/devices/commands/${(await told()).id}/ack`, { data: { result: "ok" }, headers });
  expect(answer.ok(), await answer.text()).toBeTruthy();
  await expect(row(page, name)).toContainText("Set");
  await expect(row(page, name)).not.toContainText("Being set");

  await page.reload();
  await expect(row(page, name)).toBeVisible();
  await expect(page.getByText("It is shown this once")).toHaveCount(0);
  await expectLive(page);
  await row(page, name).getByText("Withdraw", { exact: true }).click();
  await page.getByRole("button", { name: `Withdraw the code for ${name}` }).click();
  await expect(row(page, name)).toHaveCount(0);
  await page.getByLabel("Show").selectOption("ended");
  await expect(row(page, name)).toContainText("Being removed");
});

test("without JavaScript a door's code works at once", async ({ page, house, openContext }) => {
  const { url } = house.portico;
  const door = await makeByApi(page.request, url, "doors", { name: uniqueName("Side door") });
  const plain = await (await openContext({ baseURL: url, storageState: house.state, javaScriptEnabled: false })).newPage();
  await plain.goto("/codes");
  await plain.getByText("New code", { exact: true }).click();
  const name = uniqueName("Courier");
  const form = plain.locator("#create-code");
  await form.getByLabel("For").fill(name);
  await form.getByLabel("Opens").selectOption(`door:${door.id}`);
  await form.getByLabel("Digits").fill("482913");
  await form.getByRole("button", { name: "Make code" }).click();
  await expect(plain.getByText(`The code for ${name} is 482913`)).toBeVisible();
  await expect(row(plain, name)).toContainText("Set");
});

test("the page is clean and fits a phone and a desktop, in light and dark", async ({ page, house, openContext }) => {
  const { url } = house.portico;
  const door = await makeByApi(page.request, url, "doors", { name: uniqueName("Gate") });
  await makeByApi(page.request, url, "access/codes", { name: uniqueName("Gardener"), door_id: door.id, max_uses: 3 });
  for (const [name, viewport] of [["phone", { width: 390, height: 844 }], ["desktop", { width: 1280, height: 800 }]] as const) {
    for (const colorScheme of ["light", "dark"] as const) {
      const screen = await (await openContext({ baseURL: url, storageState: house.state, viewport, colorScheme })).newPage();
      await screen.goto("/codes");
      await expectLive(screen);
      await expectFits(screen);
      await expectClean(screen);
      await screen.screenshot({ path: `screenshots/codes-${name}-${colorScheme}.png`, fullPage: true });
    }
  }
});
